#!/usr/bin/env python3
"""Checks that the README's table of operators is what `knapsack inspect --support` prints.

    support-table.py            fails where it is not
    support-table.py --write    puts it there
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- inspect --support -->\n", "<!-- end of inspect --support -->\n"


def main():
    readme = ROOT / "README.md"
    text = readme.read_text()
    before, rest = text.split(BEGIN)
    table, after = rest.split(END)
    tool = ROOT / ".build/release/knapsack"
    made = subprocess.run(
        [tool, "inspect", "--support"], check=True, capture_output=True, text=True).stdout
    if sys.argv[1:] == ["--write"]:
        readme.write_text(before + BEGIN + made + END + after)
    elif table != made:
        sys.exit("README.md: the table of operators is not what `knapsack inspect --support` prints:\n"
                 "run scripts/support-table.py --write")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Writes Sources/Device/Tokenizers/UpperCaseTable.swift: the simple upper case of every scalar, by
Python's unicodedata. A scalar whose upper case is several scalars has the simple mapping that its title
case shows where that is one scalar, else none."""

import pathlib
import unicodedata

OUTPUT = pathlib.Path(__file__).parent.parent / "Sources/Device/Tokenizers/UpperCaseTable.swift"


def simple(c):
    text = chr(c)
    for upper in (text.upper(), text.title()):
        if len(upper) == 1:
            return ord(upper)
    return c


def runs():
    """first << 43 | last << 22 | every other one << 21 | difference + 2^20, as lower case has it."""
    found = []
    for c in range(0x80, 0x110000):
        if 0xD800 <= c < 0xE000 or simple(c) == c:
            continue
        difference = simple(c) - c
        if found:
            first, last, step, old = found[-1]
            if old == difference and c - last in (1, 2) and step in (0, c - last):
                found[-1] = (first, c, c - last, old)
                continue
        found.append((c, c, 0, difference))
    return [
        first << 43 | last << 22 | (step == 2) << 21 | difference + (1 << 20)
        for first, last, step, difference in found
    ]


def main():
    values = runs()
    lines = [
        f"// The simple upper case of scalars beyond ASCII, by Unicode {unicodedata.unidata_version};",
        "// scripts/upper-case-table.py wrote it, do not edit.",
        "",
        "// swift-format-ignore-file",
        "",
        "extension UnicodeTables {",
        "  /// As `lowerCaseRuns`: first << 43 | last << 22 | every other one << 21 | difference + 2^20.",
        "  static let upperCaseRuns: [UInt64] = [",
    ]
    for at in range(0, len(values), 4):
        lines.append("    " + ", ".join(f"0x{v:016x}" for v in values[at:at + 4]) + ",")
    OUTPUT.write_text("\n".join(lines + ["  ]", "}"]) + "\n")


main()

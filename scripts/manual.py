#!/usr/bin/env python3
"""Man pages and shell completions of the tool, from the tool's own help.

    manual.py KNAPSACK FOLDER

FOLDER gets what `make install` puts below PREFIX/share: man/man1/*.1 (mdoc), and completions for bash, zsh
and fish where each looks for them. SOURCE_DATE_EPOCH dates the pages; today where it is not set.
"""
import json
import os
import subprocess
import sys
import time
from pathlib import Path

COMPLETIONS = {
    "bash": "bash-completion/completions/knapsack",
    "zsh": "zsh/site-functions/_knapsack",
    "fish": "fish/vendor_completions.d/knapsack.fish",
}


def text(line):
    """A line of prose: nothing in it is a macro or an escape."""
    line = line.replace("\\", "\\e")
    return "\\&" + line if line[:1] in (".", "'") else line


def word(name):
    """An argument of a macro: quoted, and never taken for a macro's name."""
    return '"\\&' + name.replace("\\", "\\e").replace('"', '""') + '"'


def flag(name):
    """An option's name behind Fl, which puts the first hyphen."""
    return "Fl " + word(("-" if name["kind"] == "long" else "") + name["name"])


def usage(argument):
    """An argument in the synopsis."""
    value = "Ar " + word(argument.get("valueName", "value"))
    if argument["kind"] == "positional":
        line = value
    else:
        line = flag(argument["preferredName"])
        if argument["kind"] == "option":
            line += " " + value
    if argument["isRepeating"]:
        line += " ..."
    return ("Op " if argument["isOptional"] else "") + line


def described(argument):
    """An argument's item in a list."""
    value = "Ar " + word(argument.get("valueName", "value"))
    if argument["kind"] == "positional":
        yield ".It " + value
    else:
        names = " , ".join(flag(name) for name in argument["names"])
        yield ".It " + names + (" " + value if argument["kind"] == "option" else "")
    sentence = argument.get("abstract", "")
    details = []
    if "allValues" in argument:
        details.append("one of " + ", ".join(argument["allValues"]))
    if "defaultValue" in argument:
        details.append("default " + argument["defaultValue"])
    if details:
        sentence = (sentence.rstrip(".") + " (" + "; ".join(details) + ").").lstrip()
    yield text(sentence)


def sections(discussion):
    """What a help text says besides: (heading, lines)."""
    found = [("", [])]
    for line in discussion.split("\n"):
        if line.endswith(":") and line == line.upper():
            found.append((line[:-1], []))
        else:
            found[-1][1].append(line)
    return [(heading, lines) for heading, lines in found if any(lines)]


def page(command, parents, date):
    """One command's page, mdoc."""
    words = parents + [command["commandName"]]
    name = "-".join(words)
    arguments = [a for a in command.get("arguments", []) if a.get("shouldDisplay", True)]
    children = [c for c in command.get("subcommands", []) if c["commandName"] != "help"]
    lines = [
        f".Dd {date}", f".Dt {name.upper()} 1", ".Os", ".Sh NAME", f".Nm {name}",
        ".Nd " + text(command["abstract"].rstrip(".")), ".Sh SYNOPSIS", ".Nm " + word(" ".join(words)),
    ]
    if children:
        lines += [".Ar command", ".Op Ar arguments ..."]
    lines += ["." + usage(a) for a in arguments]
    prose = sections(command.get("discussion", ""))
    lines += [".Sh DESCRIPTION", text(command["abstract"])]
    for heading, body in prose:
        if not heading:
            lines += [".Pp"] + [text(line) if line else ".Pp" for line in body if line]
    if children:
        lines += [".Bl -tag -width Ds"]
        for child in children:
            lines += [f".It Xr {name}-{child['commandName']} 1", text(child["abstract"])]
        lines += [".El"]
    groups = {}
    for argument in arguments:
        groups.setdefault(argument.get("sectionTitle", ""), []).append(argument)
    for title, members in groups.items():
        if title:
            lines += [".Ss " + title]
        lines += [".Bl -tag -width Ds"]
        for member in members:
            lines += list(described(member))
        lines += [".El"]
    for heading, body in prose:
        if heading:
            lines += [f".Sh {heading}", ".Bd -literal -offset indent"]
            lines += [text(line.strip()) for line in body if line.strip()]
            lines += [".Ed"]
    if parents:
        lines += [".Sh SEE ALSO", ".Xr knapsack 1"]
    yield name, "\n".join(lines) + "\n"
    for child in children:
        yield from page(child, words, date)


def main():
    tool, folder = sys.argv[1], Path(sys.argv[2])
    stamp = time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH", time.time())))
    date = time.strftime("%B %-d, %Y", stamp)
    said = subprocess.run([tool, "--experimental-dump-help"], check=True, capture_output=True).stdout
    manual = folder / "man/man1"
    manual.mkdir(parents=True, exist_ok=True)
    for name, body in page(json.loads(said)["command"], [], date):
        (manual / f"{name}.1").write_text(body)
    for shell, path in COMPLETIONS.items():
        script = subprocess.run(
            [tool, "--generate-completion-script", shell], check=True, capture_output=True).stdout
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(script)


if __name__ == "__main__":
    main()

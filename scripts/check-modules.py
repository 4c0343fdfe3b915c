#!/usr/bin/env python3
"""Checks that the arrows between modules go one way and that the README's table tells them.

    check-modules.py            fails, naming every fault, when
                                  a Device module depends on or imports a Host module or Foundation,
                                  a source imports a module that its target does not declare,
                                  the README's module table differs from Package.swift
    check-modules.py --write    writes that table again, keeping its purposes
"""

import re
import sys

from modules import ROOT, read_package

# What every target may import without declaring it.
TOOLCHAIN = {"Swift", "Synchronization", "Foundation", "FoundationEssentials", "FoundationXML", "Dispatch", "Glibc",
             "Musl", "Testing", "Builtin", "PackagePlugin"}
# Embedded Swift has these.
DEVICE_TOOLCHAIN = {"Swift", "Synchronization"}
IMPORT = re.compile(
    r"^\s*(?:@\w+(?:\(\w+\))?\s+)*(?:public|package|internal|fileprivate|private)?\s*"
    r"import\s+(?:(?:struct|class|enum|protocol|func|var|let|typealias)\s+)?(\w+)", re.M)
HEADER = "| module | purpose | depends on |"
ROW = re.compile(r"^\| `([\w-]+)` \| (.*) \| (.*) \|$")


def imports(module):
    """(file, line, imported module) for every import in the module's sources."""
    for file in module.sources(".swift"):
        text = re.sub(r'"""(?:.|\n)*?"""', lambda m: "\n" * m.group().count("\n"),
                      file.read_text())
        for match in IMPORT.finditer(text):
            yield file.relative_to(ROOT), text.count("\n", 0, match.start(1)) + 1, match.group(1)


def arrow_faults(modules):
    for module in modules.values():
        on_device = module.side == "Device" or module.name == "knapsack-run"
        for name in module.dependencies:
            if on_device and modules[name].side == "Host":
                yield f"Package.swift: {module.name} (Device) depends on {name} (Host)"
        allowed = set(module.dependencies) | {module.name.replace("-", "_")}
        allowed |= set(module.packages)
        for file, line, name in imports(module):
            where = f"{file}:{line}: imports {name}"
            if name in modules:
                if on_device and modules[name].side == "Host":
                    yield f"{where}: an import from Device to Host"
                elif name not in allowed:
                    yield f"{where}, which {module.name} does not declare in Package.swift"
            elif on_device and name not in DEVICE_TOOLCHAIN:
                yield f"{where}, which Embedded Swift does not have"
            elif name not in TOOLCHAIN | allowed:
                yield f"{where}, which is no module of ours or the toolchain's"


def table_rows(lines):
    """The README's rows, and the line numbers they span: first, past the last."""
    start = lines.index(HEADER) + 2
    end = start
    while end < len(lines) and lines[end].startswith("|"):
        end += 1
    return lines[start:end], start, end


def expected_dependencies(module):
    names = module.dependencies + module.packages
    return ", ".join(f"`{name}`" for name in sorted(names)) or "nothing"


def table_faults(modules, lines):
    if HEADER not in lines:
        yield f"README.md: no table with the header '{HEADER}'"
        return
    rows, start, _ = table_rows(lines)
    listed = {}
    for number, row in enumerate(rows, start + 1):
        match = ROW.match(row)
        if not match:
            yield f"README.md:{number}: not a row of the form | `Module` | purpose | depends on |"
            continue
        name, purpose, dependencies = match.groups()
        if name in listed:
            yield f"README.md:{number}: {name} is listed twice"
        listed[name] = dependencies
        if name not in modules or modules[name].kind == "test":
            yield f"README.md:{number}: Package.swift has no module {name}"
        elif dependencies != expected_dependencies(modules[name]):
            yield (f"README.md:{number}: {name} depends on "
                   f"{expected_dependencies(modules[name])} in Package.swift")
        if not purpose.strip():
            yield f"README.md:{number}: {name} has no purpose"
    for module in modules.values():
        if module.kind != "test" and module.name not in listed:
            yield f"README.md: the module table lacks {module.name}"


def write_table(modules, lines):
    rows, start, end = table_rows(lines)
    purposes = {m.group(1): m.group(2) for m in map(ROW.match, rows) if m}
    lines[start:end] = [
        f"| `{m.name}` | {purposes.get(m.name, '')} | {expected_dependencies(m)} |"
        for m in modules.values() if m.kind != "test"
    ]
    (ROOT / "README.md").write_text("\n".join(lines) + "\n")


def main():
    modules = read_package()
    lines = (ROOT / "README.md").read_text().splitlines()
    if sys.argv[1:] == ["--write"]:
        write_table(modules, lines)
        lines = (ROOT / "README.md").read_text().splitlines()
    faults = [*arrow_faults(modules), *table_faults(modules, lines)]
    for fault in faults:
        print(fault, file=sys.stderr)
    print(f"check-modules: {len(modules)} targets, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())

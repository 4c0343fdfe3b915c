#!/usr/bin/env python3
"""Reads the modules and their dependencies from Package.swift, for the other scripts.

    modules.py              prints one line per target: name, kind, path, dependencies
"""

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Module:
    name: str
    kind: str  # swift | c | system | executable | plugin | test
    path: Path  # relative to ROOT
    dependencies: list  # names of our own modules
    packages: list = field(default_factory=list)  # products of other packages
    c_flags: list = field(default_factory=list)

    @property
    def side(self):
        """Device, Host or Tools, the first folder under Sources; else Plugins or Tests."""
        return self.path.parts[1 if self.path.parts[0] == "Sources" else 0]

    def sources(self, suffix):
        return sorted((ROOT / self.path).rglob("*" + suffix))


def read_package():
    """Every target of Package.swift by name, in its order there: dependencies come first."""
    answer = subprocess.run(
        ["swift", "package", "dump-package"], cwd=ROOT, check=True, stdout=subprocess.PIPE
    )
    modules = {}
    for target in json.loads(answer.stdout)["targets"]:
        kind = target["type"]
        # SwiftPM's own place for plugins.
        path = Path(target.get("path") or f"Plugins/{target['name']}")
        if kind == "regular":
            kind = "c" if any((ROOT / path).glob("*.c")) else "swift"
        ours, packages = [], []
        for dependency in target["dependencies"]:
            (form, value), = dependency.items()
            (packages if form == "product" else ours).append(value[0])
        for usage in target.get("pluginUsages") or []:
            (form, value), = usage.items()
            ours.append(value[0])
        flags = []
        for setting in target["settings"]:
            if setting["tool"] == "c":
                (form, value), = setting["kind"].items()
                value = value["_0"]
                flags += value if form == "unsafeFlags" else [f"-D{value}"]
        modules[target["name"]] = Module(target["name"], kind, path, ours, packages, flags)
    return modules


def closure(modules, name):
    """`name` and everything it depends on, lowest first."""
    seen = []

    def visit(each):
        for dependency in modules[each].dependencies:
            visit(dependency)
        if each not in seen:
            seen.append(each)

    visit(name)
    return [modules[each] for each in seen]


if __name__ == "__main__":
    for module in read_package().values():
        print(module.name, module.kind, module.path, *module.dependencies)
    sys.exit(0)

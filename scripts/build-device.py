#!/usr/bin/env python3
"""Builds knapsack-run and its modules as Embedded Swift, straight with swiftc, clang and lld.

    build-device.py native             this machine, with its own headers and shared libraries
    build-device.py aarch64|x86_64     one static executable against musl, which Debian's sources
                                       give once per architecture (sysroot-musl.sh, .cache)

The modules are those of Package.swift. What did not change is not compiled again. Prints the
executable's path and its stripped size.
"""

import argparse
import concurrent.futures
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from modules import ROOT, closure, read_package

PRODUCT = "knapsack-run"
BIN = Path(shutil.which("swiftc")).resolve().parent
EMBEDDED = BIN.parent / "lib/swift/embedded"

# Bare-metal triples define neither __linux__ nor a Linux header search path.
BARE_METAL = [f"-D{each}=1" for each in ("__linux__", "__gnu_linux__", "__unix__", "__ELF__")]

# Embedded Swift's triple (its Unicode tables lie in a folder of that name), clang's triple.
ARCHITECTURES = {
    "native": ("x86_64-unknown-linux-gnu", None),
    "aarch64": ("aarch64-none-none-elf", "aarch64-linux-musl"),
    "x86_64": ("x86_64-unknown-none-elf", "x86_64-linux-musl"),
}


def run(command):
    """Runs `command`; what it says is shown only when it fails."""
    done = subprocess.run(
        [str(part) for part in command], cwd=ROOT, text=True, capture_output=True
    )
    if done.returncode != 0:
        raise SystemExit(f"{done.stdout}{done.stderr}\nbuild-device: failed: {command[0]} "
                         f"(exit {done.returncode})")
    return done.stdout


class Build:
    def __init__(self, arch, optimization):
        self.swift_triple, self.c_triple = ARCHITECTURES[arch]
        self.out = ROOT / ".build/embedded" / arch
        self.out.mkdir(parents=True, exist_ok=True)
        self.modules = closure(read_package(), PRODUCT)
        self.optimization = optimization
        self.clang = [BIN / "clang"]
        self.importer = []
        if self.c_triple:
            sysroot = run([ROOT / "scripts/sysroot-musl.sh", arch]).strip()
            self.clang += [f"--target={self.c_triple}", f"--sysroot={sysroot}"]
            self.importer = BARE_METAL + ["-isystem", f"{sysroot}/usr/include"]
        self.keys = {}

    def include(self, module):
        path = ROOT / module.path
        return path / "include" if module.kind == "c" else path

    def up_to_date(self, outputs, key):
        stamp = outputs[0].with_suffix(".key")
        fresh = all(o.exists() for o in outputs) and stamp.exists() and stamp.read_text() == key
        if not fresh:
            stamp.unlink(missing_ok=True)
        return fresh

    def digest(self, command, files, dependencies):
        state = hashlib.sha256(repr([str(part) for part in command]).encode())
        for file in files:
            state.update(file.read_bytes())
        for dependency in dependencies:
            state.update(self.keys[dependency].encode())
        return state.hexdigest()

    def compile_c(self, module):
        headers = sorted(self.include(module).glob("*"))
        objects = []
        for source in module.sources(".c"):
            target = self.out / f"{module.name}-{source.stem}.o"
            command = self.clang + [
                "-O2", *module.c_flags, "-std=gnu11", "-ffunction-sections", "-fdata-sections",
                "-Wall", "-Wextra", "-Werror", "-DKNAPSACK_EMBEDDED", "-I", self.include(module),
                "-c", source, "-o", target,
            ]
            key = self.digest(command, [source] + headers + module.sources(".h"), [])
            if not self.up_to_date([target], key):
                run(command)
                target.with_suffix(".key").write_text(key)
            objects.append(target)
        self.keys[module.name] = self.digest([], headers, [])
        return objects

    def compile_swift(self, module):
        name = module.name.replace("-", "_")
        target, interface = self.out / f"{name}.o", self.out / f"{name}.swiftmodule"
        command = [
            BIN / "swiftc", "-target", self.swift_triple, self.optimization, "-wmo",
            "-parse-as-library", "-swift-version", "6", "-package-name", "knapsack",
            "-enable-experimental-feature", "Embedded",
            "-enable-experimental-feature", "Lifetimes",
            "-warnings-as-errors", "-Xfrontend", "-function-sections",
            "-module-cache-path", self.out / "cache", "-I", self.out,
        ]
        for flag in self.importer:
            command += ["-Xcc", flag]
        for other in self.modules:
            if other.kind in ("c", "system"):
                command += ["-I", self.include(other)]
        command += ["-module-name", name, "-c", *module.sources(".swift"), "-o", target]
        if module.kind == "swift":
            command += ["-emit-module", "-emit-module-path", interface]
        outputs = [target] + ([interface] if module.kind == "swift" else [])
        key = self.digest(command, module.sources(".swift"), module.dependencies)
        if not self.up_to_date(outputs, key):
            run(command)
            target.with_suffix(".key").write_text(key)
        self.keys[module.name] = key
        return [target]

    def compile_all(self):
        """Every module as soon as those below it are done, on as many threads as CPUs."""
        waiting, objects, running = list(self.modules), [], {}
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            while waiting or running:
                for module in list(waiting):
                    if module.kind == "system":
                        headers = sorted(self.include(module).iterdir())
                        self.keys[module.name] = self.digest([], headers, [])
                    elif all(each in self.keys for each in module.dependencies):
                        work = self.compile_c if module.kind == "c" else self.compile_swift
                        running[pool.submit(work, module)] = module
                    else:
                        continue
                    waiting.remove(module)
                if not running:
                    continue
                done, _ = concurrent.futures.wait(
                    running, return_when=concurrent.futures.FIRST_COMPLETED
                )
                for each in done:
                    objects += each.result()
                    del running[each]
        return sorted(objects)

    def libraries(self):
        """What the module maps of the system libraries say to link."""
        names = []
        for module in self.modules:
            if module.kind == "system":
                text = (ROOT / module.path / "module.modulemap").read_text()
                names += re.findall(r'link "([^"]+)"', text)
        return [f"-l{name}" for name in names]

    def link(self, objects):
        debug, product = self.out / f"{PRODUCT}.debug", self.out / PRODUCT
        tables = EMBEDDED / self.swift_triple / "libswiftUnicodeDataTables.a"
        static = ["-static"] if self.c_triple else []
        run(self.clang + static + [
            "-fuse-ld=lld", "-Wl,--gc-sections", "-Wl,--icf=safe", *objects, tables,
            *self.libraries(), "-lpthread", "-lm", "-o", debug,
        ])
        run([BIN / "llvm-objcopy", "--strip-all", debug, product])
        return product


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("arch", choices=ARCHITECTURES)
    parser.add_argument("-O", dest="optimization", default="-O", choices=["-O", "-Osize", "-Onone"])
    options = parser.parse_args()
    build = Build(options.arch, options.optimization)
    product = build.link(build.compile_all())
    print(f"{product.relative_to(ROOT)}: {product.stat().st_size} bytes stripped")


if __name__ == "__main__":
    sys.exit(main())

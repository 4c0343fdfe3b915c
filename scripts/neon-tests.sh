#!/bin/bash
# Checks the kernels' C code without Swift: natively (with sanitizers), and NEON under qemu, where the
# cross compiler and qemu are installed (Debian: gcc-aarch64-linux-gnu qemu-user-static).
set -euo pipefail
cd "$(dirname "$0")/.."
kernels=Sources/Device/CKernels
build=.build/kernels-conformance
sources=("$kernels"/*.c Tests/Support/kernels-conformance/main.c)
flags=(-std=gnu11 -O3 -Wall -Wextra -Werror -I "$kernels/include")
mkdir -p "$build"

clang "${flags[@]}" "${sources[@]}" -lm -o "$build/native"
"$build/native"
# The sanitizer runtime and gold disagree about a few hundred assembler symbols.
clang "${flags[@]}" -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fuse-ld=lld \
  "${sources[@]}" -lm -o "$build/sanitized"
"$build/sanitized"

for tool in aarch64-linux-gnu-gcc qemu-aarch64-static; do
  if ! command -v "$tool" >/dev/null; then
    echo "neon-tests.sh: $tool is not installed; NEON was not checked" >&2
    exit 69
  fi
done
aarch64-linux-gnu-gcc -static "${flags[@]}" "${sources[@]}" -lm -o "$build/aarch64"
# A CPU without the dot product instructions, and one with them.
for cpu in cortex-a53 cortex-a76; do
  echo "$cpu:"
  qemu-aarch64-static -cpu "$cpu" "$build/aarch64"
done

#!/bin/bash
# Builds and runs Benchmarks/kernels: the speed of the matrix products on one thread of this machine.
set -euo pipefail
cd "$(dirname "$0")/.."
build=.build/kernel-benchmark
mkdir -p "$(dirname "$build")"
clang -std=gnu11 -O3 -Wall -Wextra -Werror -I Sources/Device/CKernels/include \
  Sources/Device/CKernels/*.c Benchmarks/kernels/main.c -lm -o "$build"
"$build"

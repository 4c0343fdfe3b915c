#!/bin/bash
# Builds and runs the allocation solver's benchmark: medians of processor time. Fails above a second.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=.build/allocation-benchmark
mkdir -p .build
swiftc -O -wmo -swift-version 6 Sources/Host/Fitting/Allocation/*.swift \
  Benchmarks/allocation/main.swift -o "$build"
"$build"

#!/bin/bash
# Builds and runs Benchmarks/coding: how small coded weights are, and how fast they are decoded.
#
#   coding-benchmark.sh [MODEL...]
set -euo pipefail
cd "$(dirname "$0")/.."
KNAPSACK_BENCHMARKS=1 swift build -c release --product coding-benchmark 2>&1 | tail -n 1 >&2
exec .build/release/coding-benchmark "$@"

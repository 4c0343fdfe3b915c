#!/bin/bash
# Builds and runs Benchmarks/monitor/recording: what recording and reading sensors cost on this machine.
set -euo pipefail
cd "$(dirname "$0")/.."
KNAPSACK_BENCHMARKS=1 swift build -c release --product monitor-benchmark 2>&1 | tail -n 1 >&2
exec .build/release/monitor-benchmark

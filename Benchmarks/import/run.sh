#!/bin/bash
# Imports a 105 MB ONNX file seven times: milliseconds, and memory beside the mapped file.
# Fails where an import takes over a second or 30 MB. Needs PyPI's onnx and numpy in PYTHON.
set -euo pipefail
cd "$(dirname "$0")/../.."
knapsack=.build/release/knapsack
model=.build/large.onnx
[ -f "$model" ] || "${PYTHON:-python3}" Benchmarks/import/make.py "$model"
for _ in 1 2 3 4 5 6 7; do
  "$knapsack" inspect --nodes --format json "$model" |
    sed -n 's/^ *"import_us": \([0-9]*\),$/\1/p; s/^ *"memory_bytes": \([0-9]*\),$/\1/p' | paste -sd' '
done | sort -n | awk '
  { us[NR] = $1; if ($2 > memory) memory = $2 }
  END {
    printf "import of 105 MB: median %.1f ms, slowest %.1f ms, at most %.2f MB beside the file\n",
      us[4] / 1000, us[NR] / 1000, memory / 1e6
    exit us[NR] > 1000000 || memory > 30000000
  }'

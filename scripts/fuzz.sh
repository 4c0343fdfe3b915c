#!/bin/bash
# Feeds the importers and the decoder of weights what libFuzzer makes of their corpora, with AddressSanitizer
# watching.
#
#   FUZZ_OPTIONS=... fuzz.sh SECONDS [FORMAT...]     more options of libFuzzer
#
# Each format gets SECONDS. Corpora lie in .cache/fuzz/FORMAT and grow from run to run; the first run
# seeds them: ONNX with the node tests of KNAPSACK_NODE_TESTS, trees and fastText with the models that
# KNAPSACK_TREE_TESTS and KNAPSACK_FASTTEXT_TESTS hold, TFLite with our own fixtures and the smallest of
# KNAPSACK_MODELS, coded weights with what our encoder makes. What is unset seeds nothing. An input that crashes, hangs
# for 20 s or takes over 2 GiB ends the run; it is left in .cache/fuzz as crash-*, timeout-* or oom-*.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=$1
shift
formats=("$@")
[ ${#formats[@]} -gt 0 ] || formats=(onnx tflite xgboost lightgbm fasttext coded)

# A cache of its own: every module is compiled with coverage and checks. Of two `-sanitize` options the
# compiler takes the last one, so that one names both.
KNAPSACK_FUZZ=1 swift build -c release --scratch-path .build/fuzz --product fuzz-importers \
  --sanitize=fuzzer --sanitize=address -Xswiftc -sanitize=fuzzer,address 2>&1 | grep -v "Cannot export local symbol" | tail -n 3
fuzzer=$PWD/.build/fuzz/release/fuzz-importers

# The files below folder $1, if that is set, that pass the rest as tests of `find`.
below() { [ ! -d "${1:-}" ] || find "$1" -type f "${@:2}"; }

seed() {
  case $1 in
  onnx) below "${KNAPSACK_NODE_TESTS:-}" -name model.onnx -size -16k ;;
  tflite)
    below Tests/Support/TFLite -name '*.tflite'
    below "${KNAPSACK_MODELS:-}" -name '*.tflite' -size -120k
    ;;
  xgboost) below "${KNAPSACK_TREE_TESTS:-}" -name 'model.[ju]*' -size -64k ;;
  lightgbm) below "${KNAPSACK_TREE_TESTS:-}" -name model.txt -size -64k ;;
  fasttext) below "${KNAPSACK_FASTTEXT_TESTS:-}" '(' -name '*.bin' -o -name '*.ftz' ')' -size -64k ;;
  esac
}

for format in "${formats[@]}"; do
  corpus=.cache/fuzz/$format
  if [ ! -d "$corpus" ]; then
    rm -rf "$corpus.new"
    mkdir -p "$corpus.new"
    # Named by content: equal seeds count once.
    while read -r file; do
      cp "$file" "$corpus.new/$(sha1sum "$file" | cut -c1-40)"
    done < <(seed "$format")
    if [ "$format" = coded ]; then
      KNAPSACK_FUZZ_FORMAT=coded KNAPSACK_FUZZ_SEEDS=$corpus.new "$fuzzer" -runs=0 "$corpus.new" \
        >.cache/fuzz/coded.log 2>&1 || { cat .cache/fuzz/coded.log >&2; exit 1; }
    fi
    mv "$corpus.new" "$corpus"
  fi
  log=.cache/fuzz/$format.log
  KNAPSACK_FUZZ_FORMAT=$format SWIFT_BACKTRACE=enable=no ASAN_OPTIONS=detect_leaks=0 \
    "$fuzzer" "$corpus" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 \
    -max_len=120000 -print_final_stats=1 ${FUZZ_OPTIONS:-} -artifact_prefix=.cache/fuzz/ >"$log" 2>&1 || {
    tail -n 40 "$log" >&2
    echo "fuzz: $format: see $log" >&2
    exit 1
  }
  # Blind to the importers it would find nothing either.
  counters=$(sed -n 's/^INFO: Loaded .*(\([0-9]*\) inline.*/\1/p' "$log" | head -n 1)
  [ "${counters:-0}" -ge 50000 ] || { echo "fuzz: only ${counters:-0} places are watched" >&2; exit 1; }
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  echo "fuzz: $format: $runs executions, a corpus of $(find "$corpus" -type f | wc -l) files, nothing found"
done

#!/bin/bash
# Runs the digits bundle over its test images with every build of the tools and compares what comes out:
# the host's two tools, knapsack-run as Embedded Swift for this machine, and for aarch64 under qemu.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh run test device
[ -x .build/release/knapsack ] || swift build -c release
bundle=.build/digits.knap images=Bundles/digits/test.safetensors out=.build/same-output
rm -rf $out
mkdir -p $out
.build/release/knapsack pack Bundles/digits --target host --output $bundle >/dev/null
python3 scripts/build-device.py native
python3 scripts/build-device.py aarch64

# run NAME COMMAND…
run() {
  local name=$1
  shift
  "$@" run $bundle --input $images --output $out/$name.safetensors --no-tui --threads 1 \
    >$out/$name.txt </dev/null
}
run host .build/release/knapsack
run host-device .build/release/knapsack-run
run embedded-native .build/embedded/native/knapsack-run
run embedded-aarch64 qemu-aarch64-static .build/embedded/aarch64/knapsack-run
# One recording, the same frames from every build.
.build/release/knapsack run $bundle $images --no-tui --threads 1 --record $out/run.rec >/dev/null
# frames NAME COMMAND…
frames() {
  local name=$1
  shift
  for words in "--at 0.02" "--size 120x40" "--size 200x60 --keys 5" "--size 40x10 --format styles"; do
    # shellcheck disable=SC2086
    "$@" replay $out/run.rec --clock virtual $words
  done >$out/$name.frames
  cmp $out/$name.frames $out/host.frames
}
frames host .build/release/knapsack
frames host-device .build/release/knapsack-run
frames embedded-native .build/embedded/native/knapsack-run
frames embedded-aarch64 qemu-aarch64-static .build/embedded/aarch64/knapsack-run
echo "frames: the same from every build"
python3 scripts/compare-outputs.py Bundles/digits/test.safetensors $out/host.safetensors \
  $out/{host-device,embedded-native,embedded-aarch64}.safetensors

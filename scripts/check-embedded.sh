#!/bin/bash
# The gate for every commit: the device modules and knapsack-run compile as Embedded Swift for this
# machine, with its own headers, and link. Prints the stripped size. No sysroot needed.
set -euo pipefail
cd "$(dirname "$0")/.."
exec python3 scripts/build-device.py native

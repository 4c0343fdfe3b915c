#!/bin/bash
# Installs the Debian packages that are missing; says nothing when all are there.
#   setup.sh GROUP…      GROUP: run | test | device | bench
# Needs root or sudo only when something has to be installed.
set -euo pipefail

wanted=()
for group in "$@"; do
  case $group in
  run) wanted+=(libncurses-dev libsodium-dev libzstd-dev) ;;
  test) wanted+=(gcc-aarch64-linux-gnu libc6-dev-arm64-cross python3 python3-venv qemu-user-static) ;;
  device) wanted+=(gcc libc6-dev make ncurses-bin python3 xz-utils) ;;
  bench) wanted+=(python3 python3-venv) ;;
  *) echo "setup: unknown group '$group'" >&2; exit 64 ;;
  esac
done

missing=()
for package in "${wanted[@]}"; do
  state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$state" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || {
    echo "setup: as root, run: apt-get install ${missing[*]}" >&2
    exit 69
  }
  as_root=(sudo)
fi
echo "setup: installing ${missing[*]}" >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for attempt in 1 2 3; do
  if "${as_root[@]}" apt-get -qq -o Acquire::Retries=3 update >"$log" 2>&1 &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o Acquire::Retries=3 \
      install --no-install-recommends "${missing[@]}" >>"$log" 2>&1; then
    exit 0
  fi
  echo "setup: attempt $attempt failed" >&2
  sleep $((attempt * 5))
done
cat "$log" >&2
exit 69

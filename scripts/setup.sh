#!/bin/bash
# Installs the Debian packages that are missing; says nothing when all are there.
#   setup.sh GROUP…      GROUP: run | test | device | bench
# Needs root or sudo only when something has to be installed.
set -euo pipefail
cd "$(dirname "$0")/.."

# Prometheus is unpacked and not installed, which would start a service. Tests that ask it are skipped
# without it.
unpack_prometheus() {
  local into=.cache/prometheus folder
  if [ -x "$into/usr/bin/prometheus" ] || [ -x /usr/bin/prometheus ]; then return; fi
  folder=$(mktemp -d)
  if { download "$folder" || { "${as_root[@]}" apt-get -qq update && download "$folder"; }; } \
    >"$folder/log" 2>&1; then
    dpkg-deb --fsys-tarfile "$folder"/*.deb |
      tar -x -C "$folder" ./usr/bin/promtool ./usr/bin/prometheus
    mkdir -p .cache
    rm -rf "$into"
    mkdir "$into"
    mv "$folder/usr" "$into/"
    echo "setup: unpacked prometheus into $into" >&2
  else
    echo "setup: cannot download prometheus: its tests are skipped" >&2
  fi
  rm -rf "$folder"
}

download() { (cd "$1" && apt-get -qq -o Acquire::Retries=3 download prometheus); }

finish() {
  case " $* " in *" test "*) unpack_prometheus ;; esac
  exit 0
}

as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo)

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
[ ${#missing[@]} -eq 0 ] && finish "$@"

if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
  echo "setup: as root, run: apt-get install ${missing[*]}" >&2
  exit 69
fi
echo "setup: installing ${missing[*]}" >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for attempt in 1 2 3; do
  if "${as_root[@]}" apt-get -qq -o Acquire::Retries=3 update >"$log" 2>&1 &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o Acquire::Retries=3 \
      install --no-install-recommends "${missing[@]}" >>"$log" 2>&1; then
    finish "$@"
  fi
  echo "setup: attempt $attempt failed" >&2
  sleep $((attempt * 5))
done
cat "$log" >&2
exit 69

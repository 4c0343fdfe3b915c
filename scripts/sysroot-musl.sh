#!/bin/bash
# A musl sysroot for one device architecture, built from Debian's source packages with the Swift
# toolchain's own clang: no cross gcc, no root, and the system's apt and dpkg state is left alone.
#   sysroot-musl.sh ARCH           ARCH: aarch64 | x86_64; prints the sysroot's path
# Kept in .cache under this script's digest, so it is built again only when this file changes.
#
# musl rather than glibc: a static glibc has no UTF-8 locale unless the device carries locale
# files, and is several times the size.
set -euo pipefail
arch=$1
suite=bookworm jobs=$(nproc)
root=$(cd "$(dirname "$0")/.." && pwd)
bin=$(dirname "$(readlink -f "$(command -v swiftc)")")
case $arch in
aarch64) deb=arm64 ;;
x86_64) deb=amd64 ;;
*) echo "sysroot-musl: unknown architecture '$arch'" >&2; exit 64 ;;
esac
target=$arch-linux-musl
key=$(cat "$0" <("$bin/clang" --version) | sha256sum | cut -c1-12)
final=$root/.cache/sysroot-$arch-$key
if [ -d "$final" ]; then echo "$final"; exit 0; fi

"$root/scripts/setup.sh" device >&2
dest=$final.part work=$dest/.work
rm -rf "$dest"
mkdir -p "$work"/{lists/partial,cache/archives/partial,unpacked,src,log} "$dest"/usr/{include,lib}
trap 'rc=$?; [ $rc -eq 0 ] || tail -n 20 "$work"/log/* >&2; exit $rc' EXIT

# Debian's mirror as this machine already uses it, read through an apt state of our own.
mirror=${MIRROR:-$(apt-get indextargets --format '$(SITE) $(RELEASE)' |
  awk -v s="$suite" '$2 == s && /debian/ {print $1; exit}')}
mirror=${mirror:-http://deb.debian.org/debian}
signed='[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]'
printf "deb $signed $mirror $suite main\ndeb-src $signed $mirror $suite main\n" >"$work/sources.list"
: >"$work/status"
apt=(apt-get -qq -o APT::Architecture="$deb" -o APT::Architectures="$deb" -o Acquire::Retries=5
  -o APT::Sandbox::User=root -o Dir::Etc::sourcelist="$work/sources.list"
  -o Dir::Etc::sourceparts=- -o Dir::State="$work" -o Dir::State::lists="$work/lists"
  -o Dir::State::status="$work/status" -o Dir::Cache="$work/cache" -o Acquire::Languages=none)
sources=(musl libzstd libsodium ncurses)
cd "$work/src"
"${apt[@]}" update >"$work/log/apt" 2>&1
"${apt[@]}" download libgcc-12-dev linux-libc-dev >>"$work/log/apt" 2>&1
"${apt[@]}" source --download-only "${sources[@]}" >>"$work/log/apt" 2>&1
for package in *.deb; do dpkg -x "$package" ../unpacked; done
for name in "${sources[@]}"; do
  mkdir "$name"
  archive=$(find . -maxdepth 1 -name "${name}_*.orig.tar.*" ! -name '*.asc')
  tar -xf "$archive" -C "$name" --strip-components=1
done

# Where clang looks for a gcc: plain `clang --target=… --sysroot=… -static` then links.
gcc=$dest/usr/lib/gcc/$target/12
mkdir -p "$gcc"
from=$(dirname "$(find ../unpacked -name crtbeginT.o | head -n 1)")
cp "$from"/{crtbegin.o,crtbeginT.o,crtend.o,libgcc.a,libgcc_eh.a} "$gcc/"
for folder in linux asm asm-generic sound; do
  cp -a "$(find ../unpacked -path "*include*/$folder" -type d | head -n 1)" "$dest/usr/include/"
done

cc="$bin/clang --target=$target --sysroot=$dest"
small="-Os -ffunction-sections -fdata-sections"
(
  cd musl
  CC=$cc LIBCC=$gcc/libgcc.a CFLAGS=$small AR=$bin/llvm-ar RANLIB=$bin/llvm-ranlib \
    ./configure --target="$target" --prefix=/usr --syslibdir=/lib --disable-shared --disable-wrapper
  make -j"$jobs" lib/libc.a lib/crt1.o lib/crti.o lib/crtn.o \
    obj/include/bits/alltypes.h obj/include/bits/syscall.h
  make DESTDIR="$dest" install-headers
) >"$work/log/musl" 2>&1
cp musl/lib/{libc.a,crt1.o,crti.o,crtn.o} "$dest/usr/lib/"
for library in m pthread rt dl; do "$bin/llvm-ar" rcs "$dest/usr/lib/lib$library.a"; done

# The decompressor only: a device does not pack.
(
  cd libzstd/lib
  for file in common/{debug,entropy_common,error_private,fse_decompress,xxhash,zstd_common}.c \
    decompress/*.c; do
    $cc -O2 -ffunction-sections -fdata-sections -DZSTD_DISABLE_ASM=1 -DNDEBUG \
      -DXXH_NAMESPACE=ZSTD_ -I. -Icommon -c "$file" -o "$(basename "$file" .c).o"
  done
  "$bin/llvm-ar" rcs "$dest/usr/lib/libzstd.a" ./*.o
  cp zstd.h zstd_errors.h "$dest/usr/include/"
) >"$work/log/zstd" 2>&1

# Debian's source has no configure script; what it would find out for musl is said here. Portable
# C only: on a device digests and signatures are read once, when a bundle is opened.
(
  cd libsodium/src/libsodium
  number() { sed -n "s/^$1=//p" ../../configure.ac; }
  version=$(sed -n 's/^AC_INIT(\[libsodium\],\[\([0-9.]*\)\].*/\1/p' ../../configure.ac)
  sed -e "s/@VERSION@/$version/" -e 's/@SODIUM_LIBRARY_MINIMAL_DEF@//' \
    -e "s/@SODIUM_LIBRARY_VERSION_MAJOR@/$(number SODIUM_LIBRARY_VERSION_MAJOR)/" \
    -e "s/@SODIUM_LIBRARY_VERSION_MINOR@/$(number SODIUM_LIBRARY_VERSION_MINOR)/" \
    include/sodium/version.h.in >include/sodium/version.h
  found=(-DCONFIGURED=1 -DNATIVE_LITTLE_ENDIAN=1 -DHAVE_TI_MODE=1 -DHAVE_INLINE_ASM=1
    -DHAVE_WEAK_SYMBOLS=1 -DHAVE_ATOMIC_OPS=1 -DHAVE_C11_MEMORY_FENCES=1 -DHAVE_PTHREAD=1
    -DHAVE_SYS_MMAN_H=1 -DHAVE_SYS_RANDOM_H=1 -DHAVE_MMAP=1 -DHAVE_MLOCK=1 -DHAVE_MADVISE=1
    -DHAVE_MPROTECT=1 -DHAVE_NANOSLEEP=1 -DHAVE_POSIX_MEMALIGN=1 -DHAVE_GETPID=1
    -DHAVE_GETRANDOM=1 -DHAVE_EXPLICIT_BZERO=1)
  mkdir objects
  export CC=$cc FOUND="${found[*]}"
  find . -name '*.c' -print0 | sort -z | xargs -0 -P "$jobs" -n 8 sh -c '
    for file; do
      $CC -O2 -w -ffunction-sections -fdata-sections $FOUND -Iinclude -Iinclude/sodium -c "$file" \
        -o "objects/$(echo "${file#./}" | tr / -).o" || exit 255
    done' sh
  "$bin/llvm-ar" rcs "$dest/usr/lib/libsodium.a" objects/*.o
  cp include/sodium.h "$dest/usr/include/"
  mkdir "$dest/usr/include/sodium"
  cp include/sodium/*.h "$dest/usr/include/sodium/"
) >"$work/log/sodium" 2>&1

# With descriptions of the usual terminals inside, for devices with no terminfo database.
(
  cd ncurses
  CC=$cc CFLAGS=$small CPPFLAGS=-D_GNU_SOURCE LDFLAGS="-static -fuse-ld=lld" \
    BUILD_CC=${BUILD_CC:-gcc} AR=$bin/llvm-ar RANLIB=$bin/llvm-ranlib \
    ./configure -q --build=x86_64-linux-gnu --host="$target" --prefix=/usr --enable-widec \
    --without-shared --without-debug --without-ada --without-cxx --without-cxx-binding \
    --without-progs --without-tests --without-manpages --disable-db-install --disable-stripping \
    --with-default-terminfo-dir=/usr/share/terminfo \
    --with-terminfo-dirs=/etc/terminfo:/lib/terminfo:/usr/share/terminfo \
    --with-fallbacks=xterm-256color,xterm,screen-256color,tmux-256color,linux,vt100
  make -s -j"$jobs" -C include
  make -s -j"$jobs" -C ncurses ../lib/libncursesw.a
) >"$work/log/ncurses" 2>&1
cp ncurses/lib/libncursesw.a "$dest/usr/lib/"
"$bin/llvm-ar" rcs "$dest/usr/lib/libtinfo.a"
cp ncurses/include/{curses,term,unctrl,ncurses_dll}.h "$dest/usr/include/"

cd "$root"
rm -rf "$work"
mv "$dest" "$final"
echo "$final"

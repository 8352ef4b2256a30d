#!/bin/sh
# Give Rust's two musl targets what a static program is linked from: musl's libc and start files,
# gcc's crt objects and LLVM's unwinder, where the official toolchain has them too (lib/self-contained).
# Usage: rust-self-contained.sh FORTIFY.RS
set -eu
fortify=$1
native=$(dpkg --print-architecture)
gcc=$(gcc -dumpversion)
files=/tmp/self-contained
mkdir -p "$files"

case $native in
amd64) foreign=arm64 ;;
arm64) foreign=amd64 ;;
*)
    echo "no stand-in for rust on $native" >&2
    exit 1
    ;;
esac
packages unpack "$files/$native" "libunwind-19-dev:$native" "musl-dev:$native"
packages unpack "$files/$foreign" "libunwind-19-dev:$foreign" "musl-dev:$foreign" \
    "libgcc-$gcc-dev-$foreign-cross"

for architecture in "$native" "$foreign"; do
    case $architecture in amd64) machine=x86_64 ;; *) machine=aarch64 ;; esac
    if [ "$architecture" = "$native" ]; then
        objects=/usr/lib/gcc/$machine-linux-gnu/$gcc
    else
        objects=$files/$architecture/usr/lib/gcc-cross/$machine-linux-gnu/$gcc
    fi
    triple=$machine-unknown-linux-musl
    libc=$files/$architecture/usr/lib/$machine-linux-musl
    self=/usr/lib/rustlib/$triple/lib/self-contained
    mkdir -p "$self"
    cp "$libc"/*crt*.o "$libc"/lib*.a "$self/"
    cp "$objects/crtbegin.o" "$objects/crtbeginS.o" "$objects/crtend.o" "$objects/crtendS.o" "$self/"
    cp "$files/$architecture/usr/lib/llvm-19/lib/libunwind.a" "$self/"
    # Debian's unwinder was compiled against glibc with fortified printf; musl has no such functions.
    rustc -O -C panic=abort --emit=obj --target "$triple" "$fortify" -o /tmp/fortify.o
    ar r "$self/libunwind.a" /tmp/fortify.o
done
rm -r "$files" /tmp/fortify.o

#!/bin/sh
# Compile Rust's standard library for a target from Debian's rust-src, without network.
# Usage: rust-std.sh TRIPLE DIR; leaves DIR/TRIPLE/lib/*.rlib
set -eu
triple=$1
out=$2

# build-std is a nightly feature; this variable is the compiler's own way to allow it on a stable one.
export RUSTC_BOOTSTRAP=1
# Bitcode in the libraries, as the official ones have it: a release profile with lto = true needs it.
export RUSTFLAGS=-Cembed-bitcode=yes
export CARGO_HOME=/tmp/cargo
mkdir -p "$CARGO_HOME" /tmp/empty/src "$out/$triple/lib"

cat > "$CARGO_HOME/config.toml" <<'EOF'
[source.crates-io]
replace-with = "vendored"
[source.vendored]
directory = "/usr/lib/rustlib/src/rust/library/vendor"
EOF
cat > /tmp/empty/Cargo.toml <<'EOF'
[package]
name = "empty"
version = "0.0.0"
edition = "2021"
EOF
: > /tmp/empty/src/lib.rs

cd /tmp/empty
cargo build --quiet --offline --release -Z build-std=std,panic_abort,panic_unwind --target "$triple"
for library in "target/$triple/release/deps/"*.rlib; do
    case $library in */libempty-*) ;; *) cp "$library" "$out/$triple/lib/" ;; esac
done
rm -r /tmp/empty "$CARGO_HOME"

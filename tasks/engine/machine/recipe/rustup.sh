#!/bin/sh
# Stands for rustup where a Dockerfile asks it for one of the two musl targets: both are here already.
set -eu
installed='aarch64-unknown-linux-musl x86_64-unknown-linux-musl'

case "${1-} ${2-}" in
'target add' | 'target install')
    shift 2
    for target in "$@"; do
        case $target in
        -* | aarch64-unknown-linux-musl | x86_64-unknown-linux-musl) ;;
        *)
            echo "rustup (stand-in): no target $target here; there are: $installed" >&2
            exit 1
            ;;
        esac
    done
    ;;
'target list')
    for target in $installed; do echo "$target (installed)"; done
    ;;
'--version ' | '-V ')
    echo 'rustup 0.0.0 (stand-in)'
    ;;
*)
    echo "rustup (stand-in): only 'target add' and 'target list' are here, not: $*" >&2
    exit 1
    ;;
esac

#!/bin/sh
# Debian packages inside these builds.
#   packages install NAME...    install them, those of backports where it has them
#   packages unpack DIR NAME... lay their files under DIR; NAME may carry an architecture (musl-dev:arm64)
set -eu
export DEBIAN_FRONTEND=noninteractive

# The lists and debs lie in cache mounts: keep them, and read the machine's CA bundle where one is given.
set_options() {
    rm -f /etc/apt/apt.conf.d/docker-clean
    set -- -q -o APT::Update::Error-Mode=any -o Acquire::Retries=2 -o APT::Sandbox::User=root
    if [ -e /run/secrets/ca ]; then
        set -- "$@" -o Acquire::https::CAInfo=/run/secrets/ca
    fi
    options=$*
}

apt() {
    # shellcheck disable=SC2086  # the options hold no blanks
    apt-get $options "$@"
}

set_options
action=$1
shift
mkdir -p /var/lib/apt/lists/partial /var/cache/apt/archives/partial
case $action in
install)
    apt update
    apt install -y --no-install-recommends -t trixie-backports "$@"
    ;;
unpack)
    folder=$1
    shift
    debs=$(mktemp -d)
    for name in "$@"; do
        case $name in *:*) dpkg --add-architecture "${name#*:}" ;; esac
    done
    apt update
    (cd "$debs" && apt download "$@")
    for deb in "$debs"/*.deb; do
        dpkg -x "$deb" "$folder"
    done
    rm -r "$debs"
    ;;
*)
    echo "packages: no such action: $action" >&2
    exit 2
    ;;
esac

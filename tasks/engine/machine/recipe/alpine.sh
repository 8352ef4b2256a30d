#!/bin/sh
# Lay out the stand-in for alpine: busybox, the public CA bundle, users and folders.
# Usage: alpine.sh ARCHITECTURE DIR
set -eu
architecture=$1
out=$2

mkdir -p "$out/bin" "$out/usr/bin" "$out/usr/sbin" "$out/sbin" "$out/lib" "$out/usr/lib" \
    "$out/usr/local/bin" "$out/usr/local/sbin" "$out/usr/local/lib" "$out/usr/share" \
    "$out/etc/ssl/certs" "$out/etc/network" "$out/home" "$out/media" "$out/mnt" "$out/opt" "$out/proc" \
    "$out/root" "$out/run" "$out/srv" "$out/sys" "$out/dev" "$out/tmp" "$out/var/cache" "$out/var/lib" \
    "$out/var/log" "$out/var/tmp"
chmod 700 "$out/root"
chmod 1777 "$out/tmp" "$out/var/tmp"
ln -s /run "$out/var/run"

# The names come from the build platform's busybox: the target's own may not run here.
packages install busybox-static
packages unpack /tmp/busybox "busybox-static:$architecture"
install -m 755 /tmp/busybox/usr/bin/busybox "$out/bin/busybox"
for name in $(busybox --list); do
    case $name in
    busybox) ;;
    # Package tools of other distributions: alpine has none of them.
    dpkg | dpkg-deb | rpm | rpm2cpio) ;;
    *) ln -s /bin/busybox "$out/bin/$name" ;;
    esac
done
ln -s /bin/busybox "$out/usr/bin/env"

# Debian's busybox has neither; alpine's Dockerfiles use both.
cp /usr/local/sbin/adduser "$out/usr/sbin/adduser"
ln -s adduser "$out/usr/sbin/addgroup"

# Made from the package's own list of public CAs, inside this root file system: nothing of the machine is in it.
cp /etc/ssl/certs/ca-certificates.crt "$out/etc/ssl/certs/"
ln -s certs/ca-certificates.crt "$out/etc/ssl/cert.pem"

cat > "$out/etc/passwd" <<'EOF'
root:x:0:0:root:/root:/bin/sh
bin:x:1:1:bin:/bin:/sbin/nologin
daemon:x:2:2:daemon:/sbin:/sbin/nologin
nobody:x:65534:65534:nobody:/:/sbin/nologin
EOF
cat > "$out/etc/group" <<'EOF'
root:x:0:root
bin:x:1:root,bin,daemon
daemon:x:2:root,bin,daemon
nogroup:x:65533:
nobody:x:65534:
EOF
cat > "$out/etc/shadow" <<'EOF'
root:*::0:::::
bin:!::0:::::
daemon:!::0:::::
nobody:!::0:::::
EOF
chmod 640 "$out/etc/shadow"
printf '/bin/sh\n/bin/ash\n' > "$out/etc/shells"
printf 'hosts: files dns\n' > "$out/etc/nsswitch.conf"
printf 'NAME="Stand-in for Alpine Linux"\nID=container-tasks-stand-in\n' > "$out/etc/os-release"

#!/bin/sh
# adduser and addgroup as alpine's busybox has them, as far as Dockerfiles use them:
#   adduser  [-D] [-H] [-S] [-u UID] [-G GROUP] [-h HOME] [-s SHELL] [-g GECOS] USER [GROUP]
#   addgroup [-S] [-g GID] GROUP
# A system id (-S) is below 1000, any other from 1000 on. There is never a password (-D is implied).
set -eu

fail() {
    echo "$(basename "$0") (stand-in): $*" >&2
    exit 1
}

# The first id of a range that FILE does not hold in its third field: free_id FILE FIRST LAST
free_id() {
    awk -F: -v first="$2" -v last="$3" '
        { taken[$3] = 1 }
        END { for (id = first; id <= last; id++) if (!(id in taken)) { print id; exit } }' "$1"
}

has() { grep -q "^$2:" "$1"; }

add_group() {
    has /etc/group "$1" && return 0
    gid=$2
    if [ -z "$gid" ]; then
        if [ -n "$3" ]; then gid=$(free_id /etc/group 100 999); else gid=$(free_id /etc/group 1000 59999); fi
    fi
    echo "$1:x:$gid:" >> /etc/group
}

number='' group='' home='' shell=/bin/sh gecos='Linux User' system='' homeless=''
case $(basename "$0") in
addgroup)
    while getopts 'Sg:' option; do
        case $option in
        S) system=1 ;;
        g) number=$OPTARG ;;
        *) exit 1 ;;
        esac
    done
    shift $((OPTIND - 1))
    [ $# = 1 ] || fail 'takes one group'
    has /etc/group "$1" && fail "group '$1' in use"
    add_group "$1" "$number" "$system"
    ;;
*)
    while getopts 'DHSu:G:h:s:g:k:' option; do
        case $option in
        D | k) ;;
        H) homeless=1 ;;
        S) system=1 shell=/sbin/nologin ;;
        u) number=$OPTARG ;;
        G) group=$OPTARG ;;
        h) home=$OPTARG ;;
        s) shell=$OPTARG ;;
        g) gecos=$OPTARG ;;
        *) exit 1 ;;
        esac
    done
    shift $((OPTIND - 1))
    [ $# = 1 ] || fail 'takes one user'
    has /etc/passwd "$1" && fail "user '$1' in use"
    if [ -z "$number" ]; then
        if [ -n "$system" ]; then number=$(free_id /etc/passwd 100 999); else number=$(free_id /etc/passwd 1000 59999); fi
    fi
    if [ -n "$group" ]; then
        has /etc/group "$group" || fail "unknown group $group"
    else
        group=$1
        add_group "$group" "$number" "$system"
    fi
    gid=$(awk -F: -v name="$group" '$1 == name { print $3 }' /etc/group)
    home=${home:-/home/$1}
    echo "$1:x:$number:$gid:$gecos:$home:$shell" >> /etc/passwd
    if [ -e /etc/shadow ]; then echo "$1:!::0:99999:7:::" >> /etc/shadow; fi
    if [ -z "$homeless" ]; then mkdir -p "$home" && chown "$number:$gid" "$home"; fi
    ;;
esac

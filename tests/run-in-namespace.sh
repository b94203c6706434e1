#!/usr/bin/env bash
# run-in-namespace.sh COMMAND...   runs COMMAND in a network of its own: lo, and 10.99.0.1 on a veth pair.
#
# Firefox gathers no ICE candidate on a machine with loopback alone, aiortc skips 127.0.0.1, and runs side by
# side must not meet. The namespace has no name, so it is gone with its last process, however that ends.
# Without root or sudo COMMAND runs in the ordinary network; tests that need the address then say why they skip
# (LIVESERVER_TEST_ADDRESS is unset).
set -euo pipefail

address=10.99.0.1
PATH=$PATH:/usr/sbin:/sbin  # where ip lives, which an ordinary user's PATH leaves out
[ $# -gt 0 ] || { echo "usage: $0 COMMAND..." >&2; exit 2; }

if [ "${1:-}" = --inside ]; then
    shift
    ip link set lo up
    ip link add class0 type veth peer name class1
    ip address add "$address/24" dev class0
    ip link set class0 up
    ip link set class1 up
    ip route add default dev class0
    export LIVESERVER_TEST_ADDRESS=$address
    if [ -n "${LIVESERVER_TEST_USER:-}" ]; then
        exec setpriv --reuid="$LIVESERVER_TEST_USER" --regid="$LIVESERVER_TEST_GROUP" --init-groups -- "$@"
    fi
    exec "$@"
fi

if [ "$(id -u)" -eq 0 ] && unshare --net true 2>/dev/null; then
    exec unshare --net -- "$0" --inside "$@"
fi
if [ "$(id -u)" -ne 0 ] && sudo -n unshare --net true 2>/dev/null; then
    exec sudo -n --preserve-env=PATH,HOME,RELIABILITY LIVESERVER_TEST_USER="$(id -u)" LIVESERVER_TEST_GROUP="$(id -g)" \
        unshare --net -- "$0" --inside "$@"
fi
echo "No network namespace can be made here (needs root or passwordless sudo): tests that need one are skipped." >&2
exec "$@"

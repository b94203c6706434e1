#!/usr/bin/env bash
# Installs the Debian packages that the tests run against (real browsers, GStreamer, PostgreSQL) if any is missing.
# Needs root or sudo only then. Says what it does; does nothing else.
set -euo pipefail

packages=(
    chromium firefox-esr ffmpeg                      # browsers; ffmpeg also brings H.264 and AAC to Firefox's MSE
    fonts-dejavu-core fonts-noto-cjk                 # so that screenshots show letters
    gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad
    gstreamer1.0-plugins-ugly gstreamer1.0-libav gstreamer1.0-nice
    python3-gi gir1.2-gst-plugins-base-1.0 gir1.2-gst-plugins-bad-1.0
    postgresql redis-server iproute2 iptables util-linux
    nginx                                            # the edge; a machine that runs services starts one on 80
    varnish                                          # between nginx and the server; one starts on 6081
    prometheus                                       # promtool alone is used
    coturn                                           # the relay; a machine that runs services starts one on 3478
    radosgw ceph-mon ceph-osd ceph-common            # an S3 server with real object locks, in memory
)
# Another node than Debian's serves as well, and its npm comes with it.
command -v npm >/dev/null || packages+=(npm)

if ! command -v dpkg-query >/dev/null; then
    echo "This is not Debian or Ubuntu: install by hand what these packages hold: ${packages[*]}" >&2
    exit 0
fi

missing=()
for package in "${packages[@]}"; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

echo "== Installing Debian packages for the tests: ${missing[*]}"
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "The tests need these packages and neither root nor sudo is at hand. Ask somebody to run:" >&2
        echo "    apt-get install --no-install-recommends ${missing[*]}" >&2
        exit 1
    fi
    as_root=(sudo)
fi
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"

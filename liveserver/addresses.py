"""The machine's own addresses."""

from __future__ import annotations

import fcntl
import socket
import struct

_SIOCGIFADDR = 0x8915
_IFREQ_BYTES = 256
ANY = ("0.0.0.0", "::")  # noqa: S104 - compared, not bound


def own_addresses(host: str) -> list[str]:
    """This machine's IPv4 addresses to offer to peers, the one packets leave by first.

    `host` is what the media port is bound to: a single address is offered alone. Loopback only where
    there is nothing else. One address per interface (Linux, netdevice(7)).
    """
    if host not in ANY:
        return [host]
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # TEST-NET-1, RFC 5737; connecting a UDP socket sends nothing
            found.append(probe.getsockname()[0])
        except OSError:
            pass
        for _, interface in socket.if_nameindex():
            request = struct.pack(f"{_IFREQ_BYTES}s", interface.encode()[:15])
            try:
                answer = fcntl.ioctl(probe.fileno(), _SIOCGIFADDR, request)
            except OSError:
                continue
            found.append(socket.inet_ntoa(answer[20:24]))
    outside = [address for address in dict.fromkeys(found) if not address.startswith("127.")]
    return outside or ["127.0.0.1"]

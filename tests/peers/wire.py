"""What somebody on the network can do: listen, and send datagrams from an address of their choice."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

Address = tuple[str, int]
_IP_UDP = 17
FUZZ = Path(__file__).parents[2] / "../shared/data/fuzz"
FOLDERS = ("rtp", "rtcp", "stun", "dtls", "sctp", "srtp", "mdns")


class Datagram(NamedTuple):
    source: Address
    target: Address
    payload: bytes


def corpora() -> list[bytes]:
    """Every file of the folders that hold datagrams; skips where they are not beside the checkout."""
    if not FUZZ.is_dir():
        pytest.skip("no corpora ../shared/data/fuzz beside the checkout")
    return [path.read_bytes()[:65_000] for folder in FOLDERS for path in sorted((FUZZ / folder).iterdir())]


@contextmanager
def listening() -> Iterator[socket.socket]:
    """A socket that hears every packet of the loopback interface; skips without the right to."""
    try:
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
    except PermissionError:
        pytest.skip("needs the right to listen on an interface (CAP_NET_RAW)")
    with sock:
        sock.bind(("lo", 0x0800))
        sock.settimeout(10)
        yield sock


def hear(sock: socket.socket, target: Address) -> Datagram:
    """The next UDP datagram to `target`."""
    while True:
        found = _udp(sock.recv(65_535))
        if found is not None and found.target == target:
            return found


def _udp(packet: bytes) -> Datagram | None:
    size = (packet[0] & 0x0F) * 4
    if packet[0] >> 4 != 4 or packet[9] != _IP_UDP:
        return None
    source_port, target_port, length, _ = struct.unpack_from("!4H", packet, size)
    source, target = socket.inet_ntoa(packet[12:16]), socket.inet_ntoa(packet[16:20])
    return Datagram((source, source_port), (target, target_port), packet[size + 8 : size + length])


@contextmanager
def forging() -> Iterator[socket.socket]:
    """A socket that sends whole IP packets; skips without the right to."""
    try:
        sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    except PermissionError:
        pytest.skip("needs the right to send raw packets (CAP_NET_RAW)")
    with sock:
        yield sock


def forge(sock: socket.socket, datagram: Datagram) -> None:
    """Send it as if it came from its source. The kernel sums up the IP header; UDP goes without."""
    (source, source_port), (target, target_port), payload = datagram
    udp = struct.pack("!4H", source_port, target_port, 8 + len(payload), 0) + payload
    head = struct.pack(
        "!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, _IP_UDP, 0,
        socket.inet_aton(source), socket.inet_aton(target),
    )  # fmt: skip
    sock.sendto(head + udp, (target, 0))


def children(pid: int) -> dict[str, int]:
    """A server's processes by the module they run: "liveserver.node", "recorder"."""
    found = {}
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        words = Path(f"/proc/{child}/cmdline").read_bytes().decode().split("\0")
        if "-m" in words:
            found[words[words.index("-m") + 1]] = int(child)
    return found


def resident_bytes(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")

"""The front: the node's one UDP port, with the fan-out and the receiver on it. Only here are there addresses.

The seam: `poll()` drains the socket and returns events with plaintext; media leaves through `fanout`. Both
halves are native where the extension was built, else their Python twins; nobody above notices which.
"""

from __future__ import annotations

import socket
import struct
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from liveserver.rtp import native
from liveserver.rtp.fanout import Address, Fanout
from liveserver.rtp.flags import Flags
from liveserver.rtp.receiver import Event as Received
from liveserver.rtp.receiver import Kind, Receiver
from liveserver.sfu.answer import IceCredentials

__all__ = ["Address", "Endpoint", "Event", "Front", "Kind"]

_SOCKET_BUFFER = 4 * 1024 * 1024
_SO_MEMINFO = 55  # <asm-generic/socket.h>; <linux/sock_diag.h> names the numbers, these two first
_MEMORY = struct.Struct("=II")  # octets that wait to be read, and how many may


class Endpoint:
    """One peer as the front knows it, told apart by `ice`. `owner` gets its events."""

    __slots__ = ("_front", "ice", "number", "owner")

    def __init__(self, front: Front, number: int, owner: object, ice: IceCredentials):
        self._front = front
        self.number = number
        self.owner = owner
        self.ice = ice

    @property
    def selected(self) -> Address | None:
        """Where it is reached, or None before its first valid check. The host "tcp" stands for a stream."""
        return self._front.receiver.selected(self.number)

    @property
    def addresses(self) -> list[Address]:
        """Where its valid checks came from, the oldest first."""
        return self._front.receiver.addresses(self.number)

    @property
    def heard_ns(self) -> int:
        """When it last proved that it is there (monotonic)."""
        return self._front.receiver.heard_ns(self.number)

    def open(self, profile: int, key: bytes, salt: bytes, session: int, *, is_viewer: bool) -> None:
        """DTLS has finished: the keys protect what the peer sends, `session` is its in the fan-out."""
        self._front.receiver.open_peer(self.number, profile, key, salt, session, is_viewer)

    def send(self, data: bytes) -> None:
        """A DTLS record; lost while there is no address."""
        self._front.receiver.send(self.number, data)


class Event(NamedTuple):
    """What `Kind` says of `data`."""

    kind: int
    endpoint: Endpoint
    data: bytes


class Front:
    """Owns the socket, the fan-out and the receiver, and knows whose endpoint a peer's number is."""

    def __init__(
        self,
        sock: socket.socket,
        flags: Flags,
        clock_ns: Callable[[], int],
        *,
        make_fanout: Callable[[int, Flags], Fanout] = native.make_fanout,
        make_receiver: Callable[[int, Fanout], Receiver] = native.make_receiver,
    ):
        self._socket = sock
        self._clock_ns = clock_ns
        self._endpoints: dict[int, Endpoint] = {}
        self._counts: Counter[str] = Counter()
        self.fanout = make_fanout(sock.fileno(), flags)
        self.receiver = make_receiver(sock.fileno(), self.fanout)

    @classmethod
    def bind(cls, host: str, port: int, flags: Flags, clock_ns: Callable[[], int]) -> Front:
        """Open the port (0: any). Raises OSError when it is taken."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
                sock.setsockopt(socket.SOL_SOCKET, option, _SOCKET_BUFFER)
            sock.bind((host, port))
        except OSError:
            sock.close()
            raise
        return cls(sock, flags, clock_ns)

    @property
    def fd(self) -> int:
        return self._socket.fileno()

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    @property
    def backlog(self) -> float:
        """Which part of the socket's receive buffer is full: 0, and near it while we keep up."""
        waiting, room = _MEMORY.unpack_from(self._socket.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 36))
        return float(waiting / room)

    @property
    def counters(self) -> Mapping[str, int]:
        """What came and led to nothing, by reason."""
        return self._counts + Counter(self.receiver.counters)

    def count(self, reason: str) -> None:
        """A packet that passed here was of no use to its peer."""
        self._counts[reason] += 1

    @property
    def peers(self) -> int:
        return len(self._endpoints)

    def close(self) -> None:
        self.receiver.close()
        self.fanout.close()
        self._socket.close()

    def add(self, owner: object, ice: IceCredentials) -> Endpoint:
        number = self.receiver.add_peer(ice.ufrag, ice.pwd, self._clock_ns())
        endpoint = self._endpoints[number] = Endpoint(self, number, owner, ice)
        return endpoint

    def remove(self, endpoint: Endpoint) -> None:
        self.receiver.remove_peer(endpoint.number)
        self._endpoints.pop(endpoint.number, None)

    def restart(self, endpoint: Endpoint, ice: IceCredentials) -> None:
        """ICE restart (RFC 8445 2.4): new credentials, same session; the old address serves until then."""
        endpoint.ice = ice
        self.receiver.restart_peer(endpoint.number, ice.ufrag, ice.pwd)

    def poll(self, limit: int = 512) -> list[Event]:
        """Read up to `limit` waiting datagrams."""
        return self._owned(self.receiver.poll(limit, self._clock_ns()))

    def receive(self, data: bytes, stream: int, seen: Address) -> list[Event]:
        """One packet that came on a TCP connection (`fanout.add_stream`) from the address seen there."""
        return self._owned(self.receiver.receive(data, stream, *seen, self._clock_ns()))

    def _owned(self, received: Iterable[Received]) -> list[Event]:
        endpoints = self._endpoints
        return [Event(kind, endpoints[peer], data) for kind, peer, data in received if peer in endpoints]

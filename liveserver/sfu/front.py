"""The front: the node's one UDP port. Only here are there addresses.

ICE-lite (RFC 8445 2.5): peers are told apart by the ufrag of their STUN checks, then by the address
those checks came from. Whatever does not come from an address validated that way is counted and
dropped; a packet that fails authentication changes nothing (RELIABILITY section 0, item 1).

The seam: `poll()` drains the socket and returns events with plaintext; sending goes through the
`Fanout` on the same descriptor. A native front can take its place without anything else noticing.
"""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Callable
from enum import IntEnum
from typing import NamedTuple

from liveserver.core.errors import PeerError
from liveserver.rtp import stun
from liveserver.rtp.header import is_rtcp
from liveserver.rtp.srtp import InboundSession
from liveserver.sfu.answer import IceCredentials

Address = tuple[str, int]

MAX_DATAGRAM = 1500
MAX_ADDRESSES = 8  # validated addresses kept for one peer; the oldest goes
_SILENT_NS = 3_000_000_000
_SOCKET_BUFFER = 4 * 1024 * 1024


class Kind(IntEnum):
    DTLS = 0
    RTP = 1
    RTCP = 2


class Endpoint:
    """One peer as the front knows it. Owned by the front; the peer reads `heard_ns`.

    `inbound` is set once DTLS has finished; until then SRTP is dropped. `on_move` is told the address
    to send to whenever it changes.
    """

    __slots__ = (
        "addresses",
        "heard_ns",
        "ice",
        "inbound",
        "on_move",
        "peer",
        "selected",
        "selected_heard_ns",
    )

    def __init__(self, peer: object, ice: IceCredentials, on_move: Callable[[Address], None], now_ns: int):
        self.peer = peer
        self.ice = ice
        self.on_move = on_move
        self.inbound: InboundSession | None = None
        self.addresses: list[Address] = []
        self.selected: Address | None = None
        self.selected_heard_ns = 0
        self.heard_ns = now_ns


class Event(NamedTuple):
    """`data` is a DTLS record, or RTP or RTCP in the clear."""

    kind: Kind
    endpoint: Endpoint
    data: bytes


class Front:
    """Owns the socket and the two maps that lead from a datagram to a peer."""

    def __init__(self, sock: socket.socket, clock_ns: Callable[[], int]):
        self._socket = sock
        self._clock_ns = clock_ns
        self._by_ufrag: dict[str, Endpoint] = {}
        self._by_address: dict[Address, Endpoint] = {}
        self.counters: Counter[str] = Counter()

    @classmethod
    def bind(cls, host: str, port: int, clock_ns: Callable[[], int]) -> Front:
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
        return cls(sock, clock_ns)

    @property
    def fd(self) -> int:
        return self._socket.fileno()

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    def close(self) -> None:
        self._socket.close()

    def add(self, endpoint: Endpoint) -> None:
        self._by_ufrag[endpoint.ice.ufrag] = endpoint

    def remove(self, endpoint: Endpoint) -> None:
        self._by_ufrag.pop(endpoint.ice.ufrag, None)
        for address in endpoint.addresses:
            if self._by_address.get(address) is endpoint:
                del self._by_address[address]
        endpoint.addresses.clear()

    def restart(self, endpoint: Endpoint, ice: IceCredentials) -> None:
        """ICE restart (RFC 8445 2.4): new credentials, same session; the old address serves until then."""
        self._by_ufrag.pop(endpoint.ice.ufrag, None)
        endpoint.ice = ice
        self._by_ufrag[ice.ufrag] = endpoint

    def poll(self, limit: int = 512) -> list[Event]:
        """Read up to `limit` waiting datagrams. STUN is answered here, garbage ends here."""
        events: list[Event] = []
        receive = self._socket.recvfrom
        now_ns = self._clock_ns()
        for _ in range(limit):
            try:
                data, address = receive(MAX_DATAGRAM + 1)
            except BlockingIOError:
                break
            except OSError:
                # A pending ICMP error of some earlier send; the next read goes on.
                self.counters["socket_error"] += 1
                continue
            event = self._receive(data, address[:2], now_ns)
            if event is not None:
                events.append(event)
        return events

    def send(self, endpoint: Endpoint, data: bytes) -> None:
        """Send to the peer's selected address; nothing leaves towards an address that is not validated."""
        if endpoint.selected is not None:
            self._send(data, endpoint.selected)

    def _receive(self, data: bytes, address: Address, now_ns: int) -> Event | None:
        if not data or len(data) > MAX_DATAGRAM:
            self.counters["bad_size"] += 1
            return None
        first = data[0]
        if first < 4:
            self._receive_stun(data, address, now_ns)
            return None
        endpoint = self._by_address.get(address)
        if endpoint is None:
            self.counters["stranger"] += 1
            return None
        if 127 < first < 192:
            return self._receive_srtp(endpoint, data, address, now_ns)
        if 19 < first < 64:
            if endpoint.inbound is None or address == endpoint.selected:
                self._prefer(endpoint, address, now_ns, certain=endpoint.inbound is None)
                return Event(Kind.DTLS, endpoint, data)
            self.counters["stranger"] += 1
            return None
        self.counters["unknown_kind"] += 1
        return None

    def _receive_srtp(self, endpoint: Endpoint, data: bytes, address: Address, now_ns: int) -> Event | None:
        session = endpoint.inbound
        if session is None:
            self.counters["early_srtp"] += 1
            return None
        try:
            if is_rtcp(data):
                event = Event(Kind.RTCP, endpoint, session.unprotect_rtcp(data))
            else:
                event = Event(Kind.RTP, endpoint, session.unprotect(data))
        except PeerError as error:
            self.counters[error.code] += 1
            return None
        endpoint.heard_ns = now_ns
        self._prefer(endpoint, address, now_ns, certain=True)
        return event

    def _receive_stun(self, data: bytes, address: Address, now_ns: int) -> None:
        try:
            message = stun.parse(data)
        except PeerError:
            self.counters["stun_malformed"] += 1
            return
        if not message.is_binding_request:
            self.counters["stun_other"] += 1
            return
        endpoint = self._by_ufrag.get((message.username or "").partition(":")[0])
        if endpoint is None:
            self.counters["stun_unknown_ufrag"] += 1
            return
        key = endpoint.ice.pwd.encode()
        if not message.verify_integrity(key):
            self.counters["stun_integrity"] += 1
            return
        endpoint.heard_ns = now_ns
        self._validate(endpoint, address)
        if message.use_candidate or endpoint.selected is None:
            self._prefer(endpoint, address, now_ns, certain=False)
        elif address == endpoint.selected:
            endpoint.selected_heard_ns = now_ns
        self._send(stun.binding_success(message.transaction_id, address, key), address)

    def _validate(self, endpoint: Endpoint, address: Address) -> None:
        if self._by_address.get(address) is endpoint:
            return
        previous = self._by_address.get(address)
        if previous is not None:
            previous.addresses.remove(address)
        self._by_address[address] = endpoint
        endpoint.addresses.append(address)
        if len(endpoint.addresses) > MAX_ADDRESSES:
            oldest = next(a for a in endpoint.addresses if a not in (address, endpoint.selected))
            endpoint.addresses.remove(oldest)
            del self._by_address[oldest]

    def _prefer(self, endpoint: Endpoint, address: Address, now_ns: int, *, certain: bool) -> None:
        """Send to `address` from now on, if it is better than the one in use.

        Clients that nominate aggressively put USE-CANDIDATE into every check, so a nomination only
        replaces an address that has been silent; authenticated media (`certain`) replaces any.
        """
        if address != endpoint.selected:
            silent = now_ns - endpoint.selected_heard_ns > _SILENT_NS
            if endpoint.selected is not None and not certain and not silent:
                return
            endpoint.selected = address
            endpoint.on_move(address)
        endpoint.selected_heard_ns = now_ns

    def _send(self, data: bytes, address: Address) -> None:
        try:
            self._socket.sendto(data, address)
        except OSError:
            self.counters["send_error"] += 1

    @property
    def peers(self) -> int:
        return len(self._by_ufrag)

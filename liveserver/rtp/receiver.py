"""The receiving half of the port: from a datagram to a peer. The reference; a native twin has the same calls.

ICE-lite (RFC 8445 2.5): peers are told apart by the ufrag of their STUN checks, then by the address those
checks came from. Whatever does not come from an address validated that way is counted and dropped; a packet
that fails authentication changes nothing (RELIABILITY section 0, item 1). Consent checks (RFC 7675) are
answered here, a viewer's RTCP is folded into the fan-out here; only the rest becomes events.

A peer is a small positive integer to the caller; what belongs to a removed one is ignored. One thread only.
"""

from __future__ import annotations

import os
import socket
from collections import Counter
from enum import IntEnum
from typing import NamedTuple

from liveserver.core.errors import PeerError
from liveserver.rtp import feedback, stun
from liveserver.rtp.fanout import STREAM, Address, Fanout
from liveserver.rtp.header import is_rtcp
from liveserver.rtp.srtp import InboundSession

MAX_DATAGRAM = 1500
MAX_ADDRESSES = 8  # validated addresses kept for one peer; the oldest goes
SILENT_NS = 3_000_000_000
PICTURE_MIN_GAP_NS = 250_000_000  # a viewer's requests for a picture within it are one


class Kind(IntEnum):
    """What an event's data is: a DTLS record, RTP or RTCP in the clear; nothing with PICTURE, which says that
    a viewer has lost the picture.
    """

    DTLS = 0
    RTP = 1
    RTCP = 2
    PICTURE = 3


class Event(NamedTuple):
    kind: int
    peer: int
    data: bytes


class _Peer:
    __slots__ = ("addresses", "heard_ns", "inbound", "is_restarted", "is_viewer", "number", "picture_ns",
                 "pwd", "selected", "selected_heard_ns", "session", "ufrag")  # fmt: skip

    def __init__(self, number: int, ufrag: str, pwd: str, now_ns: int):
        self.number = number
        self.ufrag, self.pwd = ufrag, pwd.encode()
        self.inbound: InboundSession | None = None
        self.session = 0
        self.is_viewer = False
        self.is_restarted = False  # and no address was nominated since
        self.addresses: list[Address] = []
        self.selected: Address | None = None
        self.selected_heard_ns = 0
        self.heard_ns = now_ns
        self.picture_ns = -PICTURE_MIN_GAP_NS


class Receiver:
    """Reads a duplicate of `fd`, a UDP socket that does not block, and answers through `fanout`."""

    def __init__(self, fd: int, fanout: Fanout):
        self._socket = socket.socket(fileno=os.dup(fd))
        self._fanout = fanout
        self._peers: dict[int, _Peer] = {}
        self._by_ufrag: dict[str, _Peer] = {}
        self._by_address: dict[Address, _Peer] = {}
        self._counts: Counter[str] = Counter()
        self._events: list[Event] = []
        self._made = 0

    def close(self) -> None:
        self._socket.close()

    @property
    def counters(self) -> dict[str, int]:
        """Datagrams that came to nothing, by reason."""
        return dict(self._counts)

    def add_peer(self, ufrag: str, pwd: str, now_ns: int) -> int:
        """A peer whose checks carry our `ufrag` and are signed with our `pwd`."""
        self._made += 1
        peer = _Peer(self._made, ufrag, pwd, now_ns)
        self._peers[peer.number] = self._by_ufrag[ufrag] = peer
        return peer.number

    def restart_peer(self, peer: int, ufrag: str, pwd: str) -> None:
        """ICE restart (RFC 8445 2.4): new credentials, same session; the old address serves until then."""
        found = self._peers.get(peer)
        if found is not None:
            del self._by_ufrag[found.ufrag]
            found.ufrag, found.pwd, found.is_restarted = ufrag, pwd.encode(), True
            self._by_ufrag[ufrag] = found

    def open_peer(
        self, peer: int, profile: int, key: bytes, salt: bytes, session: int, is_viewer: bool
    ) -> None:
        """DTLS has finished: what the peer protects with these keys is taken from now on.

        `session` is its in the fan-out, which follows its address; a viewer's RTCP is folded into it.
        """
        found = self._peers.get(peer)
        if found is not None:
            found.inbound = InboundSession(profile, key, salt)
            found.session, found.is_viewer = session, is_viewer
            if found.selected is not None:
                self._fanout.move_session(session, *found.selected)

    def remove_peer(self, peer: int) -> None:
        found = self._peers.pop(peer, None)
        if found is not None:
            del self._by_ufrag[found.ufrag]
            for address in found.addresses:
                del self._by_address[address]

    def selected(self, peer: int) -> Address | None:
        """Where the peer is reached, or None before its first valid check."""
        found = self._peers.get(peer)
        return found.selected if found is not None else None

    def addresses(self, peer: int) -> list[Address]:
        """Where the peer's valid checks came from, the oldest first."""
        found = self._peers.get(peer)
        return list(found.addresses) if found is not None else []

    def heard_ns(self, peer: int) -> int:
        """When the peer last proved that it is there (monotonic), 0 for one that is gone."""
        found = self._peers.get(peer)
        return found.heard_ns if found is not None else 0

    def send(self, peer: int, data: bytes) -> bool:
        """A DTLS record to the peer's selected address; nothing leaves towards one that is not validated."""
        found = self._peers.get(peer)
        return found is not None and found.selected is not None and self._fanout.post(*found.selected, data)

    def poll(self, limit: int, now_ns: int) -> list[Event]:
        """Read up to `limit` waiting datagrams. STUN is answered here, garbage ends here."""
        receive = self._socket.recvfrom
        for _ in range(limit):
            try:
                data, address = receive(MAX_DATAGRAM + 1)
            except BlockingIOError:
                break
            except OSError:
                # A pending ICMP error of some earlier send; the next read goes on.
                self._counts["socket_error"] += 1
                continue
            self._receive(data, address[:2], now_ns, address[:2])
        return self._taken()

    def receive(self, data: bytes, stream: int, seen_host: str, seen_port: int, now_ns: int) -> list[Event]:
        """One packet that came on a TCP connection, the fan-out's `stream`, from the address seen there."""
        self._receive(data, (STREAM, stream), now_ns, (seen_host, seen_port))
        return self._taken()

    def forget(self, stream: int) -> None:
        """The connection is closed: the peer is not reached there any more."""
        address = (STREAM, stream)
        found = self._by_address.pop(address, None)
        if found is not None:
            found.addresses.remove(address)
            if found.selected == address:
                found.selected = None

    def stream_peer(self, stream: int) -> int:
        """The peer that a valid check on this connection named; 0 for none, or one that is gone."""
        found = self._by_address.get((STREAM, stream))
        return found.number if found is not None else 0

    def _taken(self) -> list[Event]:
        events, self._events = self._events, []
        return events

    def _receive(self, data: bytes, address: Address, now_ns: int, seen: Address) -> None:
        if not data or len(data) > MAX_DATAGRAM:
            self._counts["bad_size"] += 1
            return
        first = data[0]
        if first < 4:
            self._receive_stun(data, address, now_ns, seen)
            return
        peer = self._by_address.get(address)
        if peer is None:
            self._counts["stranger"] += 1
        elif 127 < first < 192:
            self._receive_srtp(peer, data, address, now_ns)
        elif not 19 < first < 64:
            self._counts["unknown_kind"] += 1
        elif peer.inbound is None or address == peer.selected:
            self._prefer(peer, address, now_ns, certain=peer.inbound is None)
            self._events.append(Event(Kind.DTLS, peer.number, data))
        else:
            self._counts["stranger"] += 1

    def _receive_srtp(self, peer: _Peer, data: bytes, address: Address, now_ns: int) -> None:
        if peer.inbound is None:
            self._counts["early_srtp"] += 1
            return
        try:
            if is_rtcp(data):
                kind, plain = Kind.RTCP, peer.inbound.unprotect_rtcp(data)
            elif peer.is_viewer:
                self._counts["unasked_media"] += 1
                return
            else:
                kind, plain = Kind.RTP, peer.inbound.unprotect(data)
        except PeerError as error:
            self._counts[error.code] += 1
            return
        peer.heard_ns = now_ns
        self._prefer(peer, address, now_ns, certain=True)
        if peer.is_viewer:
            self._fold(peer, plain, now_ns)
        else:
            self._events.append(Event(kind, peer.number, plain))

    def _fold(self, peer: _Peer, plain: bytes, now_ns: int) -> None:
        try:
            wants_picture = feedback.fold(self._fanout, peer.session, plain, now_ns)
        except PeerError as error:
            self._counts[error.code] += 1
            return
        if wants_picture and now_ns - peer.picture_ns >= PICTURE_MIN_GAP_NS:
            peer.picture_ns = now_ns
            self._events.append(Event(Kind.PICTURE, peer.number, b""))

    def _receive_stun(self, data: bytes, address: Address, now_ns: int, seen: Address) -> None:
        try:
            message = stun.parse(data)
        except PeerError:
            self._counts["stun_malformed"] += 1
            return
        if not message.is_binding_request:
            self._counts["stun_other"] += 1
            return
        peer = self._by_ufrag.get((message.username or "").partition(":")[0])
        if peer is None:
            self._counts["stun_unknown_ufrag"] += 1
            return
        if not message.verify_integrity(peer.pwd):
            self._counts["stun_integrity"] += 1
            return
        peer.heard_ns = now_ns
        self._validate(peer, address)
        if message.use_candidate or peer.selected is None:
            # Who restarts does so because the old way has failed: the first nomination after it is meant.
            self._prefer(peer, address, now_ns, certain=peer.is_restarted)
            peer.is_restarted = False
        elif address == peer.selected:
            peer.selected_heard_ns = now_ns
        self._fanout.post(*address, stun.binding_success(message.transaction_id, seen, peer.pwd))

    def _validate(self, peer: _Peer, address: Address) -> None:
        previous = self._by_address.get(address)
        if previous is peer:
            return
        if previous is not None:
            previous.addresses.remove(address)
        self._by_address[address] = peer
        peer.addresses.append(address)
        if len(peer.addresses) > MAX_ADDRESSES:
            oldest = next(a for a in peer.addresses if a not in (address, peer.selected))
            peer.addresses.remove(oldest)
            del self._by_address[oldest]

    def _prefer(self, peer: _Peer, address: Address, now_ns: int, *, certain: bool) -> None:
        """Send to `address` from now on, if it is better than the one in use.

        Clients that nominate aggressively put USE-CANDIDATE into every check, so a nomination only
        replaces an address that has been silent; authenticated media (`certain`) replaces any.
        """
        if address != peer.selected:
            silent = now_ns - peer.selected_heard_ns > SILENT_NS
            if peer.selected is not None and not certain and not silent:
                return
            peer.selected = address
            self._fanout.move_session(peer.session, *address)
        peer.selected_heard_ns = now_ns

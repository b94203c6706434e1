"""Both receivers get the same datagrams from the same sockets: events, answers and counts must be equal."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveserver.rtp import fanout, header, receiver, rtcp, stun
from liveserver.rtp.flags import VIDEO, Flags
from liveserver.rtp.srtp import KEY_SIZES, OutboundKeys, Profile

native = pytest.importorskip(
    "liveserver.rtp._fanout", reason="the native receiver is not built", exc_type=ImportError
)

SECOND = 1_000_000_000
KEYS = {profile: tuple(bytes(size) for size in sizes) for profile, sizes in KEY_SIZES.items()}
SSRC, RTX_SSRC = 7000, 7001


class Side:
    """A receiver and its fan-out: one publisher, one viewer with a live row, one peer that shakes hands."""

    def __init__(self, plane: Any, reference: Any):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.bind(("127.0.0.1", 0))
        flags = Flags(1)
        flags.renew(0, 2**62)
        self.fanout = plane(self.socket.fileno(), flags)
        self.receiver = reference(self.socket.fileno(), self.fanout)
        self.peers = [self.receiver.add_peer(f"ufrag{n}", f"pwd{n}", 0) for n in range(3)]
        self.table = self.fanout.add_table(0, VIDEO)

    def open(self, which: int, profile: Profile, *, is_viewer: bool) -> None:
        session = self.fanout.add_session(profile, bytes([which]) * 16, KEYS[profile][1], "127.0.0.1", 9)
        self.receiver.open_peer(self.peers[which], profile, *KEYS[profile], session, is_viewer)
        if is_viewer:
            self.row = self.fanout.add_row(self.table, session, SSRC, 102, RTX_SSRC, 103, 0, b"")
            self.fanout.set_live(self.row, True)
            self.session = session

    def close(self) -> None:
        self.receiver.close()
        self.fanout.close()
        self.socket.close()


class Pair:
    """Both sides, and three clients with a socket for each side."""

    def __init__(self, profile: Profile):
        self.sides = (
            Side(fanout.Fanout, receiver.Receiver),
            Side(native.Fanout, native.Receiver),
        )
        self.clients = [[client() for _ in self.sides] for _ in range(3)]
        self.keys = [OutboundKeys(profile, *KEYS[profile]) for _ in range(3)]
        for which, is_viewer in ((0, False), (1, True)):
            for side in self.sides:
                side.open(which, profile, is_viewer=is_viewer)

    def send(self, client: int, data: bytes) -> None:
        for sock, side in zip(self.clients[client], self.sides, strict=True):
            sock.sendto(data, side.socket.getsockname())

    def poll(self, now_ns: int, limit: int = 512) -> list[receiver.Event]:
        """What both found; the answers to each client too are compared, but for addresses."""
        ours, theirs = (
            [(kind, side.peers.index(peer), data) for kind, peer, data in side.receiver.poll(limit, now_ns)]
            for side in self.sides
        )
        assert ours == theirs
        assert self.sides[0].receiver.counters == self.sides[1].receiver.counters
        for sockets in self.clients:
            mine, its = (list(drained(sock)) for sock in sockets)
            assert [shape(data) for data in mine] == [shape(data) for data in its]
        for peer in range(3):
            seen = []
            for index, side in enumerate(self.sides):
                ports = {sockets[index].getsockname(): n for n, sockets in enumerate(self.clients)}
                number = side.peers[peer]
                selected = side.receiver.selected(number)
                seen.append(
                    (
                        ports.get(selected),
                        [ports[address] for address in side.receiver.addresses(number)],
                        side.receiver.heard_ns(number),
                    )
                )
            assert seen[0] == seen[1]
        left = [side.fanout.counters(side.row) for side in self.sides]
        assert left[0] == left[1]
        assert len({side.fanout.bandwidth_bps(side.session) for side in self.sides}) == 1
        return ours

    def close(self) -> None:
        for side in self.sides:
            side.close()
        for one in (sock for sockets in self.clients for sock in sockets):
            one.close()


def client() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    made.bind(("127.0.0.1", 0))
    return made


def drained(sock: socket.socket) -> Iterator[bytes]:
    while True:
        try:
            yield sock.recv(2048)
        except BlockingIOError:
            return


def shape(data: bytes) -> bytes:
    """An answer to a check without what depends on the port it was sent from; media whole."""
    return data[:20] if stun.is_stun(data) else data


@pytest.fixture(params=list(Profile))
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    made = Pair(request.param)
    yield made
    made.close()


def check(peer: int, *, nominate: bool = True, pwd: str = "") -> bytes:
    return stun.binding_request(
        bytes(12), f"ufrag{peer}:them", (pwd or f"pwd{peer}").encode(), use_candidate=nominate
    )


def media(keys: OutboundKeys, sequence: int, ssrc: int = 1) -> bytes:
    head = header.build(payload_type=96, sequence=sequence & 0xFFFF, timestamp=1, ssrc=ssrc)
    return keys.rtp.protect(ssrc, sequence, head, b"media")


FEEDBACK = [
    rtcp.ReceiverReport(9, (rtcp.ReportBlock(SSRC, 3, -1, 70_000, 5, 0, 0),)),
    rtcp.SenderReport(9, 1, 2, 3, 4, (rtcp.ReportBlock(SSRC, 255, 0x7FFFFF, 2**32 - 1, 5, 0, 0),)),
    rtcp.Nack(9, SSRC, (1, 2, 3, 40, 41)),
    rtcp.Nack(9, 12345, (1,)),
    rtcp.Nack(9, SSRC, tuple(range(5000, 7000))),
    rtcp.PictureLoss(9, SSRC),
    rtcp.FullIntraRequest(9, ((SSRC, 1),)),
    rtcp.Remb(9, 1_500_000, (SSRC,)),
    rtcp.Remb(9, (2**18 - 1) << 63, ()),
    rtcp.SourceDescription({9: "me", 10: "x" * 255}),
    rtcp.Bye((9,), "gone"),
]


class TestTwins:
    def test_a_peer_from_its_first_check_to_its_media(self, pair):
        for client in range(3):
            pair.send(client, check(client))
        assert pair.poll(SECOND) == []
        pair.send(0, media(pair.keys[0], 1))
        pair.send(0, media(pair.keys[0], 1))
        pair.send(1, media(pair.keys[1], 1))  # a viewer sends none
        pair.send(2, b"\x16dtls")
        assert [event[:2] for event in pair.poll(2 * SECOND)] == [
            (receiver.Kind.RTP, 0),
            (receiver.Kind.DTLS, 2),
        ]

    def test_a_viewer_s_reports_and_requests(self, pair):
        pair.send(1, check(1))
        pair.poll(1)
        for side in pair.sides:
            packets = [
                header.build(payload_type=96, sequence=n, timestamp=n, ssrc=1, payload=b"m", marker=True)
                for n in range(50)
            ]
            side.fanout.send(side.table, packets, 5)
        pair.poll(5)
        for now, part in enumerate(FEEDBACK):
            pair.send(1, pair.keys[1].protect_rtcp(rtcp.build([FEEDBACK[0], part])))
            pair.poll(SECOND + now)
        for side in pair.sides:
            assert side.fanout.counters(side.row).rtx == 5

    def test_pictures_asked_for_at_once_are_one(self, pair):
        pair.send(1, check(1))
        pair.poll(1)
        found = []
        for now_ms in (0, 100, 249, 250, 400, 600):
            pair.send(1, pair.keys[1].protect_rtcp(rtcp.build([rtcp.PictureLoss(9, SSRC)])))
            found.append(len(pair.poll(SECOND + now_ms * 1_000_000)))
        assert found == [1, 0, 0, 1, 0, 1]

    def test_addresses_move_by_media_and_by_silence(self, pair):
        for client, nominate in ((0, True), (1, True), (2, False)):
            pair.send(client, check(0, nominate=nominate))
        pair.poll(SECOND)
        pair.send(2, media(pair.keys[0], 1))
        pair.poll(SECOND + 1)
        pair.send(0, check(0))
        pair.poll(SECOND + 2)
        pair.send(1, check(0))
        pair.poll(5 * SECOND)
        pair.send(0, b"\x16dtls")
        pair.poll(5 * SECOND + 1)
        pair.send(2, check(2))  # another peer's now
        pair.poll(5 * SECOND + 2)

    def test_a_restarted_and_a_removed_peer(self, pair):
        for side in pair.sides:
            side.receiver.restart_peer(side.peers[0], "ufrag7", "pwd7")
        pair.send(0, check(0))
        pair.send(1, check(7))
        pair.poll(1)
        for side in pair.sides:
            side.receiver.remove_peer(side.peers[0])
            side.receiver.remove_peer(side.peers[0])
            side.receiver.restart_peer(side.peers[0], "ufrag8", "pwd8")
        pair.send(1, check(7))
        pair.send(1, media(pair.keys[0], 1))
        assert pair.poll(2) == []

    def test_more_sources_than_a_peer_may_have(self, pair):
        pair.send(0, check(0))
        pair.poll(1)
        for ssrc in range(1, 80):
            pair.send(0, media(pair.keys[0], 1, ssrc))
        assert len(pair.poll(2)) == 64

    def test_one_poll_reads_a_bounded_number(self, pair):
        for _ in range(200):
            pair.send(0, b"\x16")
        pair.poll(1, limit=100)
        assert pair.sides[1].receiver.counters == {"stranger": 100}

    @pytest.mark.parametrize("folder", ["rtp", "rtcp", "stun", "dtls", "sctp", "srtp", "mdns"])
    def test_the_corpora_from_strangers_and_peers(self, pair, corpus: Callable[[str], list[bytes]], folder):
        for client in range(2):
            pair.send(client, check(client))
        pair.poll(1)
        for data in corpus(folder):
            for client in range(3):
                pair.send(client, data[:60_000])
            pair.poll(2)

    @pytest.mark.parametrize("folder", ["rtp", "rtcp", "srtp"])
    def test_the_corpora_protected_with_a_peer_s_keys(
        self, pair, corpus: Callable[[str], list[bytes]], folder
    ):
        for client in range(2):
            pair.send(client, check(client))
        pair.poll(1)
        for number, data in enumerate(corpus(folder)):
            if not 12 <= len(data) < 1400:
                continue
            head = header.build(payload_type=96, sequence=number, timestamp=1, ssrc=1)
            pair.send(0, pair.keys[0].rtp.protect(1, number, head, data))
            for client in range(2):
                pair.send(client, pair.keys[client].protect_rtcp(b"\x80\xc9\0\1" + data[4:]))
                pair.send(client, pair.keys[client].protect_rtcp(b"\x81" + data[1:]))
            pair.poll(2 + number)


def anything(chance: random.Random, keys: OutboundKeys, peer: int, step: int) -> bytes:
    match chance.randrange(4):
        case 0:
            return check(peer, nominate=chance.random() < 0.5)
        case 1:
            return media(keys, step + chance.choice([0, 0, 65536, -1 & 0xFFFF]))
        case 2:
            return keys.protect_rtcp(rtcp.build(chance.sample(FEEDBACK, 2)))
        case _:
            return bytes([chance.randrange(20, 64)]) * chance.randrange(1, 40)


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32), profile=st.sampled_from(list(Profile)))
def test_what_is_right_but_for_a_few_bits(seed: int, profile: Profile):
    """Checks, media and reports with octets changed, cut off or added, from the right and wrong clients."""
    chance = random.Random(seed)
    pair = Pair(profile)
    now_ns = SECOND
    try:
        for step in range(60):
            now_ns += chance.choice([0, 1, 100_000_000, 4 * SECOND])
            client, peer = chance.randrange(3), chance.randrange(3)
            data = bytearray(anything(chance, pair.keys[peer], peer, step))
            if chance.random() < 0.4:
                for _ in range(chance.randrange(1, 4)):
                    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
            if chance.random() < 0.1:
                del data[chance.randrange(len(data)) :]
            if chance.random() < 0.05:
                data += bytes(chance.randrange(1, 2000))
            pair.send(client, bytes(data))
            pair.poll(now_ns)
    finally:
        pair.close()

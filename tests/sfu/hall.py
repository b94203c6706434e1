"""A lecture hall for tests: real uplinks, downlinks and fan-out over loopback, with time that tests move.

What leaves is received by real sockets and decrypted, so that one index used twice, a packet out of place
or one that should have been held back shows as it would to a browser.
"""

from __future__ import annotations

import heapq
import itertools
import secrets
import socket
from collections.abc import Callable, Iterator
from itertools import groupby, pairwise

from liveserver.clock import Clock
from liveserver.rtp import header, rtcp
from liveserver.rtp.fanout import Fanout
from liveserver.rtp.flags import Flags
from liveserver.rtp.header import Packet
from liveserver.rtp.receiver import Receiver
from liveserver.rtp.replay import FAST_SPARE_BPS
from liveserver.rtp.srtp import InboundSession, Profile
from liveserver.rtp.tables import Counters
from liveserver.sfu.answer import Outbound
from liveserver.sfu.downlink import Downlink
from liveserver.sfu.front import Front
from liveserver.sfu.pacer import Pacer
from liveserver.sfu.source_clock import PublisherClock
from liveserver.sfu.uplink import Uplink

ROOM = 1
MS = 1_000_000
GCM = Profile.AEAD_AES_128_GCM
FRAME_MS = 40
FRAME_TICKS = 3600


class Timer:
    """Fits asyncio.TimerHandle as far as it is used."""

    def __init__(self, callback: Callable[[], None]):
        self._callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self._callback = None

    def run(self) -> None:
        callback, self._callback = self._callback, None
        if callback is not None:
            callback()


class Timeline(Clock):
    """Both clocks and the timers; time moves by `advance` alone."""

    def __init__(self) -> None:
        self.now_ns = 5_000_000 * MS
        self._timers: list[tuple[int, int, Timer]] = []
        self._order = itertools.count()

    def monotonic_ns(self) -> int:
        return self.now_ns

    def wall_ms(self) -> int:
        return 1_772_415_000_000 + self.now_ns // MS

    @property
    def wall_ns(self) -> int:
        return self.wall_ms() * MS

    def schedule(self, due_ns: int, callback: Callable[[], None]) -> Timer:
        timer = Timer(callback)
        heapq.heappush(self._timers, (due_ns, next(self._order), timer))
        return timer

    def advance(self, ms: float) -> None:
        """Run what is due on the way, each at its time."""
        until_ns = self.now_ns + int(ms * MS)
        while self._timers and self._timers[0][0] <= until_ns:
            due_ns, _, timer = heapq.heappop(self._timers)
            self.now_ns = max(self.now_ns, due_ns)
            timer.run()
        self.now_ns = until_ns


class Hall:
    """One room with its fan-out; `source()` is a track of the instructor, `seat()` a viewer's track."""

    def __init__(
        self,
        make_fanout: Callable[[int, Flags], Fanout] = Fanout,
        make_receiver: Callable[[int, Fanout], Receiver] = Receiver,
    ) -> None:
        self.clock = Timeline()
        self.flags = Flags(4)
        self.flags.renew(ROOM, 2**63)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.bind(("127.0.0.1", 0))
        self.front = Front(
            self.socket,
            self.flags,
            self.clock.monotonic_ns,
            make_fanout=make_fanout,
            make_receiver=make_receiver,
        )
        self.fanout = self.front.fanout
        self.pacer = Pacer(self.fanout, self.clock.monotonic_ns, self.clock.schedule)
        self.publisher_clock = PublisherClock()
        self._seats: list[Seat] = []

    def source(self, track: str = "camera", codec: str = "h264", **numbers: int) -> Source:
        uplink = Uplink(self.fanout, ROOM, track, "1", codec, self.publisher_clock)
        return Source(uplink, self.clock, self.pacer, **numbers)

    def seat(self, **how: object) -> Seat:
        made = Seat(self, **how)  # type: ignore[arg-type]
        self._seats.append(made)
        return made

    def close(self) -> None:
        self.front.close()
        for seat in self._seats:
            seat.socket.close()


class Source:
    """A sender of one track: frames of several packets with a tag each, delivered to the uplink."""

    def __init__(
        self,
        uplink: Uplink,
        clock: Timeline,
        pacer: Pacer,
        *,
        ssrc: int = 4242,
        sequence: int = 65_500,
        timestamp: int = 2**32 - 40_000,
    ):
        self.uplink = uplink
        self.clock = clock
        self.pacer = pacer
        self.ssrc = ssrc
        self.sequence = sequence
        self.timestamp = timestamp
        self.number = 0  # of frames made

    def make(self, *, key: bool = False, packets: int = 3, size: int = 200) -> list[bytes]:
        """The next frame's packets. Their payloads end with `frame.part`."""
        step = FRAME_TICKS if self.uplink.is_video else 960
        made = []
        for part in range(packets if self.uplink.is_video else 1):
            tag = b"%s%d.%d" % (self.uplink.track[:1].encode(), self.number, part)
            payload = self._start(key, part) + bytes(size) + b"|" + tag
            made.append(
                header.build(
                    payload_type=100,
                    sequence=self.sequence & 0xFFFF,
                    timestamp=self.timestamp & 0xFFFFFFFF,
                    ssrc=self.ssrc,
                    payload=payload,
                    marker=part == packets - 1,
                )
            )
            self.sequence += 1
        self.number += 1
        self.timestamp += step
        return made

    def deliver(self, packets: list[bytes], *, repaired: bool = False) -> None:
        """They arrive together, now."""
        if self.uplink.ssrc != self.ssrc:
            self.uplink.adopt(self.ssrc)
        for packet in packets:
            self.uplink.receive(
                header.parse(packet), self.clock.now_ns, self.clock.wall_ns, repaired=repaired
            )
        self.uplink.flush(self.clock.now_ns)
        self.pacer.run()

    def frame(self, **how: object) -> list[bytes]:
        packets = self.make(**how)  # type: ignore[arg-type]
        self.deliver(packets)
        return packets

    def play(self, frames: int, *, key_every: int = 0, packets: int = 3) -> None:
        """That many frames in real time; the first one of every `key_every` is a keyframe."""
        every_ms = FRAME_MS if self.uplink.is_video else 20
        for _ in range(frames):
            self.frame(key=bool(key_every) and self.number % key_every == 0, packets=packets)
            self.clock.advance(every_ms)

    def _start(self, key: bool, part: int) -> bytes:
        if self.uplink.codec == "h264":
            if not key:
                return b"\x41"
            return b"\x18\x00\x02\x67\x42\x00\x02\x68\xce" if part == 0 else b"\x65"
        if self.uplink.codec == "vp8":
            return (b"\x10" if part == 0 else b"\x00") + (b"\x00" if key else b"\x01")
        return b"\xfc"


class Seat:
    """A viewer's socket and keys, and its downlink for one m-line."""

    def __init__(
        self,
        hall: Hall,
        *,
        kind: str = "video",
        ssrc: int = 7000,
        rtx: bool = True,
        codecs: tuple[str, ...] = ("h264", "vp8"),
        spare_bps: int = FAST_SPARE_BPS,
    ):
        self.hall = hall
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * 1024 * 1024)
        self.socket.bind(("127.0.0.1", 0))
        key, salt = secrets.token_bytes(16), secrets.token_bytes(12)
        self.session = hall.fanout.add_session(GCM, key, salt, *self.socket.getsockname())
        self._srtp = InboundSession(GCM, key, salt)
        pairs = {"h264": (102, 103), "vp8": (96, 97)} if kind == "video" else {"opus": (111, 0)}
        kept = {
            name: pair if rtx else (pair[0], 0)
            for name, pair in pairs.items()
            if name in codecs or kind == "audio"
        }
        rtx_ssrc = ssrc + 1 if rtx and kind == "video" else 0
        rate = 90_000 if kind == "video" else 48_000
        self.outbound = Outbound(kind, "1", ssrc, rtx_ssrc, kept, rate, 4)
        self.downlink = Downlink(
            hall.fanout,
            hall.pacer,
            self.session,
            self.outbound,
            hall.clock.monotonic_ns,
            spare_bps,
            "lesson",
        )
        self.media: list[Packet] = []
        self.rtx: list[Packet] = []
        self.rtcp: list[rtcp.Rtcp] = []

    @property
    def counters(self) -> Counters:
        assert self.downlink.row is not None
        return self.hall.fanout.counters(self.downlink.row)

    def ask(self, sequences: list[int]) -> None:
        """A NACK."""
        self.hall.fanout.retransmit(self.session, self.outbound.ssrc, sequences, self.hall.clock.now_ns)

    def datagrams(self) -> Iterator[bytes]:
        while True:
            try:
                yield self.socket.recv(2048)
            except BlockingIOError:
                return

    def look(self) -> list[Packet]:
        """Read what came; the new media packets. An index protected twice raises `srtp_replay`."""
        new = []
        for data in self.datagrams():
            if header.is_rtcp(data):
                self.rtcp += rtcp.parse(self._srtp.unprotect_rtcp(data))
                continue
            packet = header.parse(self._srtp.unprotect(data))
            if packet.ssrc == self.outbound.ssrc:
                new.append(packet)
            else:
                assert packet.ssrc == self.outbound.rtx_ssrc
                self.rtx.append(packet)
        self.media += new
        return new

    def drop(self) -> int:
        """Lose what came without reading it; how many datagrams that were."""
        return sum(1 for _ in self.datagrams())


def tag(packet: Packet) -> str:
    """`frame.part` of a packet that a `Source` made."""
    return bytes(packet.payload).rpartition(b"|")[2].decode()


def tags(packets: list[Packet]) -> list[str]:
    return [tag(packet) for packet in packets]


def frames(packets: list[Packet]) -> list[tuple[int, list[str]]]:
    """(timestamp, tags) of each run of packets with one timestamp."""
    return [(stamp, tags(list(run))) for stamp, run in groupby(packets, key=lambda p: p.timestamp)]


def ahead(later: int, earlier: int, bits: int = 32) -> int:
    """How far `later` lies after `earlier`, signed, modulo 2^bits."""
    distance = (later - earlier) & (1 << bits) - 1
    return distance if distance < 1 << (bits - 1) else distance - (1 << bits)


def assert_continuous(packets: list[Packet]) -> None:
    """What any receiver may expect: numbers without a gap, one timestamp a frame, each later."""
    assert packets
    for before, after in pairwise(packets):
        assert ahead(after.sequence, before.sequence, 16) == 1, (tag(before), tag(after))
        step = ahead(after.timestamp, before.timestamp)
        same_frame = tag(before).split(".")[0] == tag(after).split(".")[0]
        assert step >= 0, (tag(before), tag(after))
        if same_frame and step:
            raise AssertionError(f"two timestamps in one frame: {tag(before)}, {tag(after)}")
        if not same_frame:
            assert step > 0, (tag(before), tag(after))


def joined(hall: Hall, source: Source, **how: object) -> Seat:
    seat = hall.seat(**how)
    seat.downlink.attach(source.uplink)
    return seat


def live(hall: Hall, source: Source, **how: object) -> Seat:
    """A seat that has caught up."""
    seat = joined(hall, source, **how)
    source.play(10)
    assert seat.downlink.is_live
    return seat

"""Publishes a synthetic lesson (loadtest/synthetic.py) until SIGTERM, for few CPU.

    python -m loadtest.source WHIP_URL [--token TOKEN|-] [--seconds S] [--equal-packets]
    python -m loadtest.source rtp://HOST:PORT [...]     plain RTP, sound to PORT and pictures to PORT + 2

Prints one JSON line when the first packets leave ("publishing") and one at the end ("sent").
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import secrets
import signal
import socket
import struct
import sys
import time
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Protocol
from urllib.parse import urlsplit

import aiohttp

from loadtest.swarm import sdp
from loadtest.swarm.dtls import HandshakeError
from loadtest.swarm.hub import Hub
from loadtest.swarm.peer import Peer, UnreachableError
from loadtest.swarm.sdp import UnsuitableError
from loadtest.swarm.whep import RefusedError, Whep
from loadtest.synthetic import (
    AUDIO_STEP,
    FRAMES_PER_S,
    KEYFRAME_EVERY,
    SOUNDS_PER_S,
    VIDEO_STEP,
    Body,
    Lesson,
    rtp,
    trailer,
)

_AUDIO_TYPE, _VIDEO_TYPE, _RTX_TYPE = 111, 102, 103
_REPEATABLE = 1024
_CONNECT_S = 15.0
_TICK_NS = 1_000_000_000 // SOUNDS_PER_S
_NTP_EPOCH_S = 2_208_988_800


class Wire(Protocol):
    """Where RTP goes. `is_sound` tells the two streams apart."""

    def send(self, packet: bytes, index: int, *, is_sound: bool) -> None: ...

    def report(self, packet: bytes) -> None: ...


class Stream:
    """One SSRC: numbers, and what a sender report says of it."""

    def __init__(self, payload_type: int, clock_rate: int):
        self.ssrc = secrets.randbits(31) | 1
        self.index = secrets.randbits(15)
        self.first_timestamp = self.timestamp = secrets.randbits(32)
        self.packets = self.octets = 0
        self.payload_type, self.clock_rate = payload_type, clock_rate
        self.began_ns = 0

    def packet(self, payload: bytes, *, marker: bool) -> tuple[bytes, int]:
        """The next packet and its 48-bit index."""
        index = self.index
        self.index += 1
        self.packets += 1
        self.octets += len(payload)
        return rtp(self.payload_type, index, self.timestamp, self.ssrc, payload, marker=marker), index

    def report(self, now_ns: int, wall_ns: int) -> bytes:
        """RFC 3550 6.4.1, without blocks."""
        ntp = ((wall_ns // 1_000_000_000 + _NTP_EPOCH_S) << 32) | (
            wall_ns % 1_000_000_000 << 32
        ) // 1_000_000_000
        timestamp = self.first_timestamp + (now_ns - self.began_ns) * self.clock_rate // 1_000_000_000
        return struct.pack(
            "!BBHIQIII", 0x80, 200, 6, self.ssrc, ntp, timestamp & 0xFFFFFFFF, self.packets & 0xFFFFFFFF,
            self.octets & 0xFFFFFFFF,
        )  # fmt: skip


class Source:
    """Sends on `wire` at the lesson's pace. `heard` takes the RTCP that comes back."""

    def __init__(self, lesson: Lesson):
        self.sound, self.picture = Stream(_AUDIO_TYPE, 48_000), Stream(_VIDEO_TYPE, 90_000)
        self.rtx = Stream(_RTX_TYPE, 90_000)
        self.counters: Counter[str] = Counter()
        self._lesson = lesson
        self._wants_keyframe = True
        self._frames = self._sounds = 0
        self._sent: OrderedDict[int, tuple[bytes, int]] = OrderedDict()
        self._wire: Wire | None = None

    async def run(self, wire: Wire, stop: asyncio.Event) -> None:
        """Until `stop`. What is late is sent at once, so that the rate holds."""
        self._wire = wire
        began_ns = self.sound.began_ns = self.picture.began_ns = time.monotonic_ns()
        tick = 0
        while not stop.is_set():
            ahead_ns = began_ns + tick * _TICK_NS - time.monotonic_ns()
            if ahead_ns > 0:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), ahead_ns / 1e9)
                continue
            self.counters["late_ticks"] += ahead_ns < -_TICK_NS
            self._tick(tick)
            tick += 1

    def heard(self, data: bytes) -> None:
        """NACK is answered by RTX (RFC 4588), PLI and FIR by a keyframe."""
        position = 0
        while position + 12 <= len(data):
            form, kind = data[position] & 0x1F, data[position + 1]
            end = position + 4 + 4 * int.from_bytes(data[position + 2 : position + 4])
            if (kind, form) == (205, 1) and int.from_bytes(
                data[position + 8 : position + 12]
            ) == self.picture.ssrc:
                for sequence in _nacked(data[position + 12 : end]):
                    self._repeat(sequence)
            elif (kind, form) in ((206, 1), (206, 4)):
                self.counters["keyframe_requests"] += 1
                self._wants_keyframe = True
            position = end

    def _tick(self, tick: int) -> None:
        self.sound.timestamp = self.sound.first_timestamp + tick * AUDIO_STEP
        self._send(self.sound, self._lesson.sound(), self._sounds)
        self._sounds += 1
        if tick * FRAMES_PER_S % SOUNDS_PER_S == 0:
            keyframe = self._wants_keyframe or self._frames % KEYFRAME_EVERY == 0
            self._wants_keyframe = False
            self.counters["keyframes"] += keyframe
            self.picture.timestamp = self.picture.first_timestamp + self._frames * VIDEO_STEP
            for body in self._lesson.picture(keyframe=keyframe):
                self._send(self.picture, body, self._frames)
            self._frames += 1
        if tick % SOUNDS_PER_S == 0:
            self._report()

    def _send(self, stream: Stream, body: Body, number: int) -> None:
        is_sound = stream is self.sound
        payload = body.octets + trailer(time.monotonic_ns(), number, is_sound)
        packet, index = stream.packet(payload, marker=body.marker)
        if not is_sound:
            self._sent[index & 0xFFFF] = packet, stream.timestamp
            if len(self._sent) > _REPEATABLE:
                self._sent.popitem(last=False)
        self._put(packet, index, is_sound=is_sound)

    def _repeat(self, sequence: int) -> None:
        found = self._sent.get(sequence)
        if found is None:
            return
        original, self.rtx.timestamp = found
        marker = bool(original[1] & 0x80)
        packet, index = self.rtx.packet(sequence.to_bytes(2) + original[12:], marker=marker)
        self.counters["repeated"] += 1
        self._put(packet, index, is_sound=False)

    def _put(self, packet: bytes, index: int, *, is_sound: bool) -> None:
        assert self._wire is not None
        try:
            self._wire.send(packet, index, is_sound=is_sound)
            self.counters["packets"] += 1
            self.counters["octets"] += len(packet)
        except OSError:
            self.counters["send_errors"] += 1

    def _report(self) -> None:
        assert self._wire is not None
        now_ns, wall_ns = time.monotonic_ns(), time.time_ns()
        name = b"\x01\x06source" + bytes(4)
        for stream in (self.sound, self.picture):
            names = struct.pack("!BBHI", 0x81, 202, 4, stream.ssrc) + name
            with contextlib.suppress(OSError):  # the next one comes in a second
                self._wire.report(stream.report(now_ns, wall_ns) + names)


def _nacked(pairs: bytes) -> Iterator[int]:
    """RFC 4585 6.2.1."""
    for position in range(0, len(pairs) - 3, 4):
        first, mask = struct.unpack_from("!HH", pairs, position)
        yield first
        yield from ((first + bit + 1) & 0xFFFF for bit in range(16) if mask >> bit & 1)


class Secured:
    """A WHIP session's peer."""

    def __init__(self, peer: Peer):
        self._peer = peer

    def send(self, packet: bytes, index: int, *, is_sound: bool) -> None:
        self._peer.send_rtp(packet, index)

    def report(self, packet: bytes) -> None:
        self._peer.send_rtcp(packet)


class Plain:
    """RTP in the clear to two ports of one host."""

    def __init__(self, host: str, port: int):
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sound, self._picture = (host, port), (host, port + 2)

    def send(self, packet: bytes, index: int, *, is_sound: bool) -> None:
        self._socket.sendto(packet, self._sound if is_sound else self._picture)

    def report(self, packet: bytes) -> None:
        """Whoever takes plain RTP has no use for it."""

    def close(self) -> None:
        self._socket.close()


@asynccontextmanager
async def wire(url: str, token: str | None, source: Source, stop: asyncio.Event) -> AsyncIterator[Wire]:
    """The way to `url`; `stop` is set when the other side ends it."""
    if url.startswith("rtp://"):
        parts = urlsplit(url)
        plain = Plain(parts.hostname or "127.0.0.1", parts.port or 5002)
        with contextlib.closing(plain):
            yield plain
        return
    async with aiohttp.ClientSession() as http, Hub() as hub:
        session, peer = Whep(http, url, token), Peer(hub, publishes=True, heard=source.heard)
        watch: asyncio.Task[None] | None = None
        try:
            ssrcs = source.sound.ssrc, source.picture.ssrc, source.rtx.ssrc
            await peer.connect(await session.post(sdp.publisher_offer(peer.ours, ssrcs)), _CONNECT_S)
            watch = asyncio.create_task(_end_with(peer, stop))
            yield Secured(peer)
        finally:
            if watch is not None:
                watch.cancel()
            peer.close()
            await session.close()


async def _end_with(peer: Peer, stop: asyncio.Event) -> None:
    await peer.gone.wait()
    print(json.dumps({"event": "lost", "why": peer.why}), flush=True)
    stop.set()


async def publish(url: str, token: str | None, seconds: float | None, *, equal: bool) -> int:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if seconds is not None:
        loop.call_later(seconds, stop.set)
    source = Source(Lesson(equal=equal))
    try:
        async with wire(url, token, source, stop) as found:
            print(json.dumps({"event": "publishing"}), flush=True)
            await source.run(found, stop)
    except (RefusedError, UnsuitableError, UnreachableError, HandshakeError, TimeoutError) as error:
        print(json.dumps({"event": "failed", "why": str(error) or type(error).__name__}), flush=True)
        return 1
    except (aiohttp.ClientError, OSError) as error:
        print(json.dumps({"event": "failed", "why": f"{type(error).__name__}: {error}"}), flush=True)
        return 1
    print(json.dumps({"event": "sent", **source.counters}), flush=True)
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="loadtest.source", description=__doc__.partition("\n")[0])
    parser.add_argument("url", metavar="WHIP_URL")
    parser.add_argument("--token", help="- reads one line of standard input")
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--equal-packets", action="store_true", help="5 of 1,000 octets to every picture")
    given = parser.parse_args()
    from_input = given.token == "-"  # noqa: S105 - no password
    token = sys.stdin.readline().strip() if from_input else given.token
    return asyncio.run(publish(given.url, token, given.seconds, equal=given.equal_packets))


if __name__ == "__main__":
    raise SystemExit(main())

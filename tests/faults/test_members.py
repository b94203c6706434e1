"""Who has every right to be in a lesson and abuses it harms himself at most (REL-F2, F15).

Scaled to seconds unless RELIABILITY=full.
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from loadtest.viewer import Viewer
from tests.drivers.server import Lesson
from tests.faults.conftest import Lecture
from tests.faults.mallory import Mallory, extension, feedback
from tests.peers.conftest import SOME_FRAMES
from tests.peers.wire import FUZZ

RTPFB, PSFB = 205, 206
MAX_SSRCS = 64
BREATH = 50


@pytest.fixture
async def watching(lecture: Lecture) -> AsyncIterator[Viewer]:
    async with Viewer(lecture.whep, lecture.tokens(1)[0]) as viewer:
        await viewer.frames(5)
        yield viewer


@pytest.fixture
def other_lesson(lecture: Lecture) -> Lesson:
    return lecture.server.new_lesson()


def corpus(*folders: str) -> list[bytes]:
    if not FUZZ.is_dir():
        pytest.skip("no corpora ../shared/data/fuzz beside the checkout")
    files: list[Path] = [path for folder in folders for path in sorted((FUZZ / folder).iterdir())]
    return [data for path in files if len(data := path.read_bytes()) <= 1200]


def member(lecture: Lecture, lesson: Lesson, role: str) -> Mallory:
    """A publisher in a lesson of his own, or a viewer in the lecture."""
    if role == "publish":
        return Mallory(lecture.server.whip_url(lesson), lesson.tokens["instructor"], role="publish")
    return Mallory(lecture.whep, lecture.tokens(1)[0], role="watch")


@pytest.mark.parametrize("role", ["publish", "watch"])
class TestTheCorporaUnderAPeersOwnKeys:
    """REL-F2: only that client may be dropped."""

    async def test_as_media(self, lecture, other_lesson, watching, role):
        health = lecture.health()
        sent = 0
        async with member(lecture, other_lesson, role) as mallory:
            ssrcs = [*(mallory.own_ssrcs or mallory.media_ssrcs)[:4], 1, 0, 0xFFFFFFFF]
            for number, data in enumerate(corpus("rtp", "srtp", "h264")):
                await mallory.media(data)
                for payload_type in (*mallory.payload_types, 0, 127):
                    ssrc = ssrcs[number % len(ssrcs)]
                    await mallory.rtp(payload_type, ssrc, data)
                    await mallory.rtp(payload_type, ssrc, data[4:], extension=data[:4])
                    sent += 2
                if number % 10 == 0:
                    await asyncio.sleep(0)
            print(f"{role}: {sent} packets, {mallory.refused_here} not to be protected, {mallory.alive=}")
        await watching.frames(SOME_FRAMES)
        health.assert_kept()

    async def test_as_reports(self, lecture, other_lesson, watching, role):
        health = lecture.health()
        async with member(lecture, other_lesson, role) as mallory:
            for data in corpus("rtcp", "srtp"):
                await mallory.media(data)
                # The same with a header in order, so that it is taken for RTCP whatever it holds.
                for kind in (*range(200, 208), 192, 223):
                    head = struct.pack("!BBH", data[0] & 0x3F | 0x80 if data else 0x80, kind, len(data) // 4)
                    await mallory.media(head + data[4:].ljust(4, b"\0"))
                await asyncio.sleep(0)
            print(f"{role}: {mallory.refused_here} not to be protected, {mallory.alive=}")
        await watching.frames(SOME_FRAMES)
        health.assert_kept()

    async def test_as_control_messages(self, lecture, other_lesson, watching, role):
        health = lecture.health()
        todo = [(form, data) for form in ("packet", "chunks") for data in corpus("sctp", "dtls")]
        total, sessions = len(todo), 0
        while todo:
            sessions += 1
            async with member(lecture, other_lesson, role) as mallory:
                while todo and mallory.alive:
                    form, data = todo.pop()
                    await (mallory.sctp(data) if form == "packet" else mallory.chunks(data[12:]))
                    await asyncio.sleep(0.003)  # so that each session's end is noticed before the next file
        print(f"{role}: {total} packets, {sessions} sessions")
        await watching.frames(SOME_FRAMES)
        health.assert_kept()


class TestStormsOfAPublisher:
    """REL-F15."""

    async def test_ten_thousand_sources_names_and_codecs(self, lecture, other_lesson, watching):
        health, before = lecture.health(), lecture.front()
        count = 10_000
        async with member(lecture, other_lesson, "publish") as mallory:
            types = mallory.payload_types
            for number in range(count):
                name = extension(1 + number % 14, f"r{number}".encode())
                await mallory.rtp(types[number % len(types)], 1_000_000 + number, bytes(100), extension=name)
                if number % BREATH == 0:
                    await asyncio.sleep(0)
            for payload_type in range(128):
                await mallory.rtp(payload_type, mallory.own_ssrcs[0], bytes(100))
            await watching.frames(SOME_FRAMES)
            after = lecture.front()
        refused = {name: after[name] - before.get(name, 0) for name in after}
        print(f"{count} sources: {refused}")
        assert refused.get("unknown_ssrc", 0) + refused.get("srtp_sources", 0) >= 0.9 * (count - MAX_SSRCS)
        health.assert_kept()

    async def test_of_feedback_ask_the_source_for_two_keyframes_a_second_at_most(
        self, lecture, watching, long
    ):
        seconds, rate = (60, 5000) if long else (3, 2500)
        health, before = lecture.health(), lecture.camera()
        began_s = time.monotonic()
        async with member(lecture, lecture.lesson, "watch") as mallory:
            sent = 0
            while (elapsed_s := time.monotonic() - began_s) < seconds:
                while sent < elapsed_s * rate:
                    await mallory.media(storm(sent, mallory.media_ssrcs[sent % len(mallory.media_ssrcs)]))
                    sent += 1
                await asyncio.sleep(0.005)
            alive = mallory.alive
        await watching.frames(SOME_FRAMES)
        asked = lecture.camera().get("keyframes_asked", 0) - before.get("keyframes_asked", 0)
        took_s = time.monotonic() - began_s
        print(f"{sent} reports in {took_s:.1f} s: {asked} keyframes asked of the source, {alive=}")
        assert asked <= 2 * took_s + 1
        health.assert_kept()


def storm(number: int, media: int) -> bytes:
    """One of: picture loss, full intra request, NACK of everything, REMB, transport-wide feedback."""
    sender = 4711
    match number % 5:
        case 0:
            return feedback(PSFB, 1, sender, media)
        case 1:
            return feedback(PSFB, 4, sender, 0, struct.pack("!IBxxx", media, number // 5 % 256))
        case 2:
            start = number * 17
            lost = b"".join(struct.pack("!HH", start + 17 * n & 0xFFFF, 0xFFFF) for n in range(100))
            return feedback(RTPFB, 1, sender, media, lost)
        case 3:
            return feedback(PSFB, 15, sender, 0, b"REMB" + struct.pack("!BBHI", 1, 0, 1, media))
        case _:
            arrivals = struct.pack("!HHIHH", number & 0xFFFF, 4, number, 0x2004, 0)
            return feedback(RTPFB, 15, sender, media, arrivals)

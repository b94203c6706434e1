"""Screened before shown: what leaves, when, and that nothing else does, seen from the viewers' sockets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

import pytest

from liveserver.rtp import rtcp
from liveserver.rtp.depacketize import Frame
from liveserver.rtp.header import Packet
from liveserver.sfu.delayed import MAX_WAITING_BYTES
from liveserver.sfu.gate import MAX_WAIT_NS, PATIENCE_NS, Gate
from liveserver.sfu.tap import FrameTap
from tests.sfu.hall import FRAME_MS, MS, Hall, Seat, ahead

DELAY_MS = 1_500


class Lesson:
    """A camera and a microphone behind a gate, and somebody who says what passes."""

    def __init__(self, hall: Hall):
        self.hall = hall
        self.gate = Gate(hall.fanout, hall.pacer, hall.clock, hall.clock.schedule, DELAY_MS * MS)
        self.camera = hall.source(codec="vp8")
        self.sound = hall.source("audio", "opus", ssrc=77)
        for source in (self.sound, self.camera):
            self.gate.add(source.uplink)
        self.camera.uplink.taps.append(FrameTap("camera", "vp8", 90_000, self))
        self.number = 0
        self.passes = True  # every frame, as it comes

    def frame(self, track: str, codec: str, clock_rate: int, frame: Frame, source: int) -> None:
        self.number += 1
        self.gate.hold(track, self.number, frame, source)
        if self.passes:
            self.gate.passed(track, self.number, self.number)

    def report(self, track: str, ntp: int, rtp_timestamp: int) -> None: ...

    def play(self, frames: int, *, key_every: int = 25) -> None:
        """In real time, two packets of sound a picture."""
        for _ in range(frames):
            self.camera.frame(key=self.camera.number % key_every == 0)
            for _ in range(2):
                self.sound.frame()
                self.hall.clock.advance(FRAME_MS / 2)

    def seat(self, **how: object) -> Seat:
        """A viewer's place for the picture, at the delayed track."""
        seat = self.hall.seat(**how)
        seat.downlink.attach(self.gate.shown(self.camera.uplink))
        return seat

    def ear(self) -> Seat:
        seat = self.hall.seat(kind="audio", ssrc=8000)
        seat.downlink.attach(self.gate.shown(self.sound.uplink))
        return seat


@pytest.fixture
def lesson(hall: Hall) -> Iterator[Lesson]:
    made = Lesson(hall)
    yield made
    made.gate.close()


def shown(packets: list[Packet]) -> list[int]:
    """The numbers of the frames (from 0) in these packets."""
    return [int(found) for packet in packets for found in re.findall(rb"\|c(\d+)\.0", bytes(packet.payload))]


def heard(packets: list[Packet]) -> list[int]:
    return [int(found) for packet in packets for found in re.findall(rb"\|a(\d+)\.0", bytes(packet.payload))]


class TestWhatPassed:
    def test_leaves_after_the_delay_and_not_before(self, lesson, hall):
        seat, ear = lesson.seat(), lesson.ear()
        lesson.play(37)  # 1,480 ms
        assert shown(seat.look()) == heard(ear.look()) == []
        lesson.play(10)
        assert shown(seat.look()) == list(range(10))
        assert heard(ear.look()) == list(range(1, 20)), "sound begins with the packet after the first"

    def test_leaves_with_numbers_and_times_in_order(self, lesson):
        seat = lesson.seat()
        lesson.play(100)
        seat.look()
        numbers = [packet.sequence for packet in seat.media]
        assert [ahead(b, a, 16) for a, b in pairwise(numbers)] == [1] * (len(numbers) - 1)
        assert shown(seat.media) == sorted(shown(seat.media))

    def test_leaves_late_when_it_passes_late(self, lesson, hall):
        lesson.passes = False
        seat = lesson.seat()
        lesson.play(60)
        assert shown(seat.look()) == []
        lesson.gate.passed("camera", 1, 10)
        hall.clock.advance(200)
        assert shown(seat.look()) == list(range(10)), "older than the delay: at once"
        lesson.play(10)
        assert shown(seat.look()) == []

    def test_between_the_packets_nothing_else_leaves(self, lesson, hall):
        """A second frame under a timestamp that has passed, a packet in the name of a frame that left."""
        seat = lesson.seat()
        lesson.play(50)
        lesson.passes = False
        lesson.camera.timestamp -= 40 * 3600  # of a frame that is on the viewers' screens
        lesson.play(10)
        hall.clock.advance(5_000)
        assert max(shown(seat.look())) == 49
        late = lesson.camera.make()
        lesson.camera.deliver(late)
        assert seat.look() == []


class TestWhatDidNotPass:
    def test_never_leaves_whatever_a_viewer_does(self, lesson, hall):
        seat = lesson.seat()
        lesson.play(60)
        lesson.passes = False
        hidden = range(60, 85)
        lesson.play(25, key_every=1_000)
        lesson.passes = True
        lesson.play(60)
        late = lesson.seat(ssrc=9000)
        lesson.play(5)
        seat.look()
        seat.ask([packet.sequence + offset & 0xFFFF for packet in seat.media for offset in (-1, 0, 1, 2)])
        seat.downlink.repair(hall.clock.now_ns)
        lesson.play(60)
        for viewer in (seat, late):
            viewer.look()
            seen = shown(viewer.media) + shown(viewer.rtx)
            assert not set(seen) & set(hidden)
            assert max(seen) > 140, "and later pictures do"

    def test_ends_the_picture_up_to_a_keyframe(self, lesson):
        seat = lesson.seat()
        lesson.play(60)
        lesson.passes = False
        lesson.play(2)
        lesson.passes = True
        lesson.play(60)
        numbers = shown(seat.look())
        after = [number for number in numbers if number >= 60]
        assert after[0] == 75, "the next keyframe"

    def test_what_waits_when_something_is_found_is_gone_for_good(self, lesson, hall):
        seat, ear = lesson.seat(), lesson.ear()
        lesson.play(60)
        lesson.gate.shut()
        before = len(shown(seat.look()))
        lesson.play(100)
        assert shown(seat.look()) == []
        assert max(heard(ear.look())) > 240, "the sound goes on"
        lesson.gate.open()
        lesson.play(100)
        again = shown(seat.look())
        assert before == 23
        assert again[0] == 175, "from the first keyframe after it was lifted"

    def test_a_picture_is_not_shown_when_it_is_too_old(self, lesson, hall):
        lesson.passes = False
        seat = lesson.seat()
        lesson.play(10)
        hall.clock.advance(DELAY_MS + MAX_WAIT_NS // MS)
        lesson.gate.keep_time(hall.clock.now_ns, hall.clock.wall_ns)
        lesson.gate.passed("camera", 1, 10)
        hall.clock.advance(100)
        assert shown(seat.look()) == []

    def test_what_waits_is_bounded(self, lesson):
        lesson.passes = False
        track = lesson.gate.shown(lesson.camera.uplink)
        for number in range(100):
            track.hold(number, Frame(bytes(200_000), 0, True, 0, 0), 1)
        assert track._waiting_bytes <= MAX_WAITING_BYTES
        assert track.counters["overflowed"] > 0


class TestWhenNobodyLooks:
    def test_and_the_policy_lets_pass_pictures_leave_by_their_age(self, lesson):
        lesson.passes = False
        seat = lesson.seat()
        lesson.play(60)
        lesson.gate.unguard(True)
        lesson.play(20)
        assert shown(seat.look()) == list(range(43))
        lesson.play(10)
        assert shown(seat.look()) == list(range(43, 53))

    def test_once_somebody_looks_again_only_what_passes(self, lesson):
        lesson.passes = False
        seat = lesson.seat()
        lesson.gate.unguard(True)
        lesson.play(60)
        lesson.gate.unguard(False)
        lesson.play(10)
        assert max(shown(seat.look())) == 22
        lesson.gate.passed("camera", 24, 30)
        assert shown(seat.look()) == list(range(23, 30)), "and they follow on what was shown"


class TestSound:
    def test_waits_for_the_picture_it_belongs_to_for_a_second(self, lesson, hall):
        lesson.passes = False
        lesson.seat()
        ear = lesson.ear()
        lesson.play(60)
        assert heard(ear.look()) == []
        lesson.gate.passed("camera", 1, 20)
        assert max(heard(ear.look())) == 39
        lesson.play(PATIENCE_NS // MS // FRAME_MS + 20)
        assert max(heard(ear.look())) > 50

    def test_alone_it_goes_by_its_age(self, lesson, hall):
        ear = lesson.ear()
        for _ in range(100):
            lesson.sound.frame()
            hall.clock.advance(20)
        assert max(heard(ear.look())) == 25


class TestJoiningLate:
    def test_shows_a_picture_at_once_and_the_newest_in_time(self, lesson, hall):
        lesson.play(95)
        seat = lesson.seat()
        hall.clock.advance(1)
        assert shown(seat.look())[0] == 50, "the last keyframe that was released"
        lesson.play(20)
        seat.look()
        assert shown(seat.media) == list(range(50, 78))
        assert seat.downlink.is_live

    def test_what_a_timestamp_means_is_the_delayed_moment_for_sound_and_picture_alike(self, lesson, hall):
        seat, ear = lesson.seat(), lesson.ear()
        lesson.play(100)
        for viewer in (seat, ear):
            viewer.look()
            viewer.downlink.report(hall.clock.wall_ns)
            viewer.look()
        picture, sound = ([p for p in v.rtcp if isinstance(p, rtcp.SenderReport)][-1] for v in (seat, ear))
        newest = lesson.camera.timestamp & 0xFFFFFFFF
        assert ahead(picture.rtp_timestamp, newest) == pytest.approx(-DELAY_MS * 90, abs=2 * 3600)
        heard_ticks = lesson.sound.timestamp & 0xFFFFFFFF
        assert ahead(sound.rtp_timestamp, heard_ticks) == pytest.approx(-DELAY_MS * 48, abs=2 * 960)
        assert picture.ntp == sound.ntp

    def test_without_a_keyframe_the_publisher_is_asked_unless_one_waits(self, lesson):
        lesson.passes = False
        lesson.play(10, key_every=1_000)
        source = lesson.camera.uplink
        source.keyframe_due(lesson.hall.clock.now_ns)
        lesson.seat()
        assert not source._keyframe_wanted, "the first frame is one"
        lesson.gate.shut()
        lesson.seat(ssrc=9000)
        assert source._keyframe_wanted


class TestAnotherSource:
    def test_goes_on_under_numbers_that_follow(self, lesson, hall):
        seat = lesson.seat()
        lesson.play(60)
        lesson.camera.ssrc, lesson.camera.sequence, lesson.camera.timestamp = 4711, 5, 77
        lesson.camera.number = 100
        lesson.play(60)
        seat.look()
        numbers = [packet.sequence for packet in seat.media]
        assert all(ahead(b, a, 16) == 1 for a, b in pairwise(numbers))
        assert {0, 59, 100, 121} <= set(shown(seat.media))

"""Who is shown what, in which codec: the stage and the lesson's transcode, without waiting for a process."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable

import pytest

from liveserver.rtp import rtcp
from liveserver.rtp.depacketize import Frame
from liveserver.sfu.stage import Stage
from liveserver.sfu.transcode import Transcode
from liveserver.sfu.transcodes import LINGER_NS, Transcodes
from liveserver.sfu.uplink import Uplink
from liveserver.sfu.viewer import Viewer
from liveserver.transcode.wire import Picture
from tests.sfu.hall import MS, ROOM, Hall
from tests.sfu.peers import KEYFRAME, Ear, Sender, Studio
from tests.sfu.sdp import AUDIO, VIDEO, VP8_ONLY, offer

H264, OPUS = 104, 111
VP8_KEY, VP8_DELTA = b"\x90\x80\x80\x01\x10", b"\x90\x80\x80\x02\x11"
# The process is not asked for anything here: what it would say is said by the test.
SLEEPER = (sys.executable, "-c", "import time; time.sleep(60)")


class Lesson(Studio):
    """A publisher in H.264 with sound, camera and screen; `made` is what the process would send."""

    def __init__(self, hall: Hall, certificate, transcodes: Transcodes, room: int = ROOM):
        super().__init__(hall, certificate)
        self.transcode = transcodes.of("lesson")
        self.stage = Stage(room, hall.flags, self.transcode)
        self.come(1)

    def come(self, ssrc: int) -> None:
        """A publisher, or the next one."""
        self.teacher, _ = self.publisher(offer(AUDIO, VIDEO, VIDEO))
        self.stage.publish(self.teacher)
        self.sound = Sender(self.teacher, self.hall, ssrc=ssrc, payload_type=OPUS, mid=b"0")
        self.camera = Sender(self.teacher, self.hall, ssrc=ssrc + 1, payload_type=H264, mid=b"1")
        self.screen = Sender(self.teacher, self.hall, ssrc=ssrc + 2, payload_type=H264, mid=b"2")
        self.play(2)

    def play(self, frames: int) -> None:
        for _ in range(frames):
            self.sound.send(b"\xfcsound")
            self.camera.send(KEYFRAME + b"\0\7\x65camera")  # an IDR picture in the same STAP-A
            self.screen.send(KEYFRAME + b"\0\7\x65screen")
            self.hall.clock.advance(40)

    def lacking(self) -> tuple[Viewer, Ear]:
        """A viewer who has VP8 alone."""
        return self.viewer(offer(AUDIO, VP8_ONLY, direction="recvonly"))

    def made(self, payload: bytes = VP8_KEY, *, track: str = "camera", ssrc: int | None = None) -> None:
        """The process made a picture of the newest frame."""
        sender = self.camera if track == "camera" else self.screen
        source = sender.ssrc if ssrc is None else ssrc
        key = payload.startswith(VP8_KEY)
        self.transcode.produced(Picture(track, key, source, sender.timestamp & 0xFFFFFFFF, (payload,)))

    def pass_ms(self, ms: int) -> None:
        self.hall.clock.advance(ms)
        self.transcode.tick(self.hall.clock.now_ns)


@pytest.fixture
async def transcodes(hall: Hall) -> AsyncIterator[Transcodes]:
    made = Transcodes(hall.fanout, hall.pacer, hall.clock, maximum=1, command=SLEEPER)
    yield made
    await made.stop()


@pytest.fixture
async def lesson(hall: Hall, certificate, transcodes: Transcodes) -> AsyncIterator[Lesson]:
    made = Lesson(hall, certificate, transcodes)
    yield made
    made.close()


@pytest.fixture
def ready(lesson: Lesson) -> Callable[[], None]:
    """The process runs and has been fed."""

    def say() -> None:
        lesson.transcode.ready()
        lesson.play(1)

    return say


def pictures(ear: Ear) -> list[bytes]:
    """The payloads of the video packets since the last look."""
    ear.look()
    found = [bytes(packet.payload) for packet in ear.media if packet.payload_type == 96]
    ear.media.clear()
    return found


def source(viewer: Viewer) -> Uplink | None:
    return viewer.videos[0].source


class TestWhoIsShownWhat:
    async def test_who_has_the_codec_gets_the_publisher_s_track(self, lesson, transcodes):
        viewer, _ = lesson.viewer(offer(AUDIO, VIDEO, direction="recvonly"))
        assert source(viewer) is lesson.teacher.uplink("camera")
        assert transcodes.running == 0

    async def test_all_who_lack_it_share_one_source_of_the_other_codec(self, lesson, transcodes):
        one, _ = lesson.lacking()
        two, _ = lesson.lacking()
        assert source(one) is source(two)
        assert (source(one).codec, source(one).track, source(one).room) == ("vp8", "camera", ROOM)
        assert transcodes.running == len(lesson.transcode.lanes) == 1
        assert lesson.told[one].unsupported_codecs == []

    async def test_the_screen_while_it_is_shared(self, lesson):
        viewer, _ = lesson.lacking()
        lesson.stage.share_screen(True)
        assert source(viewer).track == "screen"
        lesson.stage.share_screen(False)
        assert source(viewer).track == "camera"
        assert len(lesson.transcode.lanes) == 2

    async def test_pictures_come_at_the_source_s_time_in_the_viewer_s_own_numbers(self, lesson, ready):
        _, ear = lesson.lacking()
        ready()
        lesson.made(VP8_KEY)
        stamps = [lesson.camera.timestamp]
        lesson.hall.clock.advance(100)
        for number in range(3):
            lesson.play(1)
            lesson.made(VP8_DELTA + bytes([number]))
            stamps.append(lesson.camera.timestamp)
        ear.look()
        video = [packet for packet in ear.media if packet.payload_type == 96]
        assert [packet.timestamp for packet in video] == stamps
        assert [packet.marker for packet in video] == [True] * 4
        first = video[0].sequence
        assert [packet.sequence - first & 0xFFFF for packet in video] == [0, 1, 2, 3]

    async def test_who_comes_later_is_shown_the_last_picture_at_once(self, lesson, ready):
        lesson.lacking()
        ready()
        lesson.made(VP8_KEY + b"first")
        _, ear = lesson.lacking()
        lesson.hall.clock.advance(0)
        assert pictures(ear) == [VP8_KEY + b"first"]

    async def test_sound_and_picture_keep_together_reports_mean_the_same_moments(self, lesson, ready, hall):
        direct, direct_ear = lesson.viewer(offer(AUDIO, VIDEO, direction="recvonly"))
        viewer, ear = lesson.lacking()
        ready()
        lesson.hall.clock.advance(70)  # what decoding and encoding take
        lesson.made()
        lesson.hall.clock.advance(1000)
        found = []
        for peer, hears in ((direct, direct_ear), (viewer, ear)):
            hears.look()
            peer.report(hall.clock.wall_ns)
            ssrc = peer.videos[0].outbound.ssrc
            found += [p for p in hears.look() if isinstance(p, rtcp.SenderReport) and p.ssrc == ssrc]
        assert len(found) == 2
        assert abs(found[0].rtp_timestamp - found[1].rtp_timestamp) <= 1

    async def test_a_cut_holds_them_back(self, lesson, ready, hall):
        _, ear = lesson.lacking()
        ready()
        lesson.made(VP8_KEY)
        lesson.hall.clock.advance(100)
        assert pictures(ear)
        hall.flags.darken(ROOM, 1)
        lesson.made(VP8_DELTA)
        assert pictures(ear) == []

    async def test_what_was_made_of_an_earlier_source_is_not_shown(self, lesson, ready, hall):
        _, ear = lesson.lacking()
        ready()
        old = lesson.camera.ssrc
        lesson.made(VP8_KEY + b"old")
        hall.clock.advance(600)
        pictures(ear)
        lesson.camera = Sender(lesson.teacher, hall, ssrc=777, payload_type=H264, mid=b"1")
        lesson.play(3)
        lesson.made(VP8_DELTA + b"stray", ssrc=old)
        lesson.made(VP8_KEY + b"new")
        hall.clock.advance(0)
        assert pictures(ear) == [VP8_KEY + b"new"]


class TestItsLife:
    async def test_it_ends_some_seconds_after_the_last_viewer_has_left(self, lesson, transcodes):
        one, _ = lesson.lacking()
        two, _ = lesson.lacking()
        one.close("left")
        lesson.pass_ms(2 * LINGER_NS // MS)
        assert transcodes.running == 1
        two.close("left")
        lesson.pass_ms(LINGER_NS // MS - 1)
        assert transcodes.running == 1
        lesson.pass_ms(2)
        assert (transcodes.running, lesson.transcode.lanes) == (0, [])
        for viewer in (one, two):
            await viewer.wait_closed()

    async def test_a_viewer_who_comes_back_in_time_keeps_it(self, lesson, transcodes):
        first, _ = lesson.lacking()
        lesson.pass_ms(100)
        uplink = source(first)
        first.close("left")
        lesson.pass_ms(LINGER_NS // MS - 1)
        second, _ = lesson.lacking()
        lesson.pass_ms(LINGER_NS // MS + 1)
        assert source(second) is uplink
        assert transcodes.counters["started"] == 1
        await first.wait_closed()

    async def test_another_publisher_in_time_goes_through_the_same_process(self, lesson, transcodes):
        viewer, _ = lesson.lacking()
        old = lesson.teacher
        old.close("lost")
        assert source(viewer) is None
        lesson.pass_ms(LINGER_NS // MS - 1)
        lesson.come(50)
        assert source(viewer).codec == "vp8"
        lesson.pass_ms(LINGER_NS // MS + 1)
        assert (transcodes.running, transcodes.counters["started"]) == (1, 1)
        await old.wait_closed()

    async def test_without_a_publisher_it_ends(self, lesson, transcodes):
        lesson.lacking()
        old = lesson.teacher
        old.close("lost")
        lesson.pass_ms(LINGER_NS // MS + 1)
        assert transcodes.running == 0
        await old.wait_closed()

    async def test_the_end_of_the_lesson_ends_it_at_once(self, lesson, transcodes):
        viewer, _ = lesson.lacking()
        lesson.stage.close("ended")
        assert (transcodes.running, lesson.transcode.lanes) == (0, [])
        for peer in (viewer, lesson.teacher):
            await peer.wait_closed()

    async def test_the_recording_goes_on_whatever_becomes_of_it(self, lesson, ready):
        sink = Sink()
        lesson.stage.record(sink)
        viewer, _ = lesson.lacking()
        ready()
        sink.tracks.clear()
        viewer.close("left")
        lesson.pass_ms(LINGER_NS // MS + 1)
        lesson.play(2)
        assert {"camera", "screen"} <= sink.tracks
        await viewer.wait_closed()

    async def test_it_goes_on_whatever_becomes_of_the_recording(self, lesson, ready):
        lesson.stage.record(Sink())
        _, ear = lesson.lacking()
        ready()
        lesson.stage.record(None)
        lesson.hall.clock.advance(600)
        lesson.camera = Sender(lesson.teacher, lesson.hall, ssrc=777, payload_type=H264, mid=b"1")
        lesson.play(1)
        lesson.made(VP8_KEY)  # of the new source: it has been fed
        lesson.hall.clock.advance(0)
        assert pictures(ear) == [VP8_KEY]


class TestWhenItFails:
    async def test_viewers_are_told_of_an_interruption_and_of_its_end(self, lesson, ready):
        viewer, ear = lesson.lacking()
        other, _ = lesson.viewer(offer(AUDIO, VIDEO, direction="recvonly"))
        ready()
        lesson.made(VP8_KEY + b"before")
        lesson.hall.clock.advance(40)
        pictures(ear)
        lesson.transcode.interrupted("killed")
        lesson.transcode.interrupted("killed again")
        assert lesson.told[viewer].notices == ["transcode_lost"]
        ready()
        lesson.made(VP8_KEY + b"after")
        assert lesson.told[viewer].notices == ["transcode_lost", "transcode_back"]
        assert lesson.told[other].notices == []
        lesson.hall.clock.advance(0)
        assert pictures(ear) == [VP8_KEY + b"after"]

    async def test_given_up_the_viewers_lack_the_codec_until_another_publisher_comes(
        self, lesson, transcodes
    ):
        viewer, _ = lesson.lacking()
        lesson.transcode.interrupted("killed")
        lesson.transcode.failed()
        assert lesson.told[viewer].unsupported_codecs == ["h264"]
        assert (source(viewer), transcodes.running) == (None, 0)
        late, _ = lesson.lacking()
        assert lesson.told[late].unsupported_codecs == ["h264"]
        old = lesson.teacher
        lesson.come(50)
        assert source(viewer).codec == source(late).codec == "vp8"
        assert lesson.told[viewer].notices == ["transcode_lost", "transcode_back"]
        await old.wait_closed()


class TestTheLimit:
    async def test_a_lesson_too_many_is_told_and_waits(self, lesson, hall, certificate, transcodes):
        first, _ = lesson.lacking()
        other = Lesson(hall, certificate, transcodes, room=2)
        viewer, _ = other.lacking()
        assert other.told[viewer].unsupported_codecs == ["h264"]
        assert transcodes.numbers()["waiting"] == transcodes.numbers()["refused_total"] == 1
        first.close("left")
        lesson.pass_ms(LINGER_NS // MS + 1)
        assert source(viewer).codec == "vp8"
        assert other.told[viewer].notices == ["transcode_back"]
        assert (transcodes.running, transcodes.numbers()["waiting"]) == (1, 0)
        other.close()
        await first.wait_closed()

    async def test_off_everybody_is_told_as_if_there_were_none(self, hall, certificate):
        off = Transcodes(hall.fanout, hall.pacer, hall.clock, maximum=0, command=SLEEPER)
        lesson = Lesson(hall, certificate, off)
        viewer, _ = lesson.lacking()
        assert lesson.told[viewer].unsupported_codecs == ["h264"]
        assert not any(off.numbers().values())
        lesson.close()
        await off.stop()

    async def test_what_operators_see(self, lesson, transcodes):
        lesson.lacking()
        shown = lesson.stage.describe()["transcode"]
        (track,) = shown["tracks"]
        assert (track["track"], track["from"], track["to"], track["viewers"]) == ("camera", "h264", "vp8", 1)
        assert transcodes.numbers()["viewers"] == 1


class Sink:
    """Whoever records: the tracks it got frames of."""

    def __init__(self) -> None:
        self.tracks: set[str] = set()

    def frame(self, track: str, codec: str, clock_rate: int, frame: Frame, source: int) -> None:
        self.tracks.add(track)

    def report(self, track: str, ntp: int, rtp_timestamp: int) -> None: ...


def test_a_transcode_that_nobody_asks_for_costs_nothing(hall: Hall):
    transcodes = Transcodes(hall.fanout, hall.pacer, hall.clock, command=SLEEPER)
    made: Transcode = transcodes.of("lesson")
    made.tick(hall.clock.now_ns)
    made.close()
    assert transcodes.numbers()["running"] == 0

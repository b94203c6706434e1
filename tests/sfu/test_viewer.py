"""A viewer is shown what the stage decides; its reports and requests reach its own tracks alone."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from liveserver.core.errors import PeerError
from liveserver.rtp import feedback, rtcp
from liveserver.sfu.viewer import Viewer
from tests.sfu.hall import Hall
from tests.sfu.peers import KEYFRAME, Ear, Sender, Studio
from tests.sfu.sdp import AUDIO, VIDEO, VP8_ONLY, offer

H264, OPUS = 104, 111


class Lesson(Studio):
    """A publisher with sound, camera and screen, all of which have sent a keyframe."""

    def __init__(self, hall: Hall, certificate):
        super().__init__(hall, certificate)
        self.teacher, _ = self.publisher(offer(AUDIO, VIDEO, VIDEO))
        self.stage.publish(self.teacher)
        self.sound = Sender(self.teacher, hall, ssrc=1, payload_type=OPUS, mid=b"0")
        self.camera = Sender(self.teacher, hall, ssrc=2, payload_type=H264, mid=b"1")
        self.screen = Sender(self.teacher, hall, ssrc=3, payload_type=H264, mid=b"2")
        self.play(3, key=True)

    def play(self, frames: int, *, key: bool = False) -> None:
        for number in range(frames):
            self.sound.send(b"\xfcsound")
            start = KEYFRAME if key and number == 0 else b"\x41"
            self.camera.send(start + b"camera")
            self.screen.send(start + b"screen")
            self.hall.clock.advance(40)

    def hears(self, viewer: Viewer, data: bytes) -> None:
        """What the viewer says by RTCP, in the clear."""
        now_ns = self.hall.clock.now_ns
        if feedback.fold(self.hall.fanout, viewer.session, data, now_ns):
            viewer.lost_picture(now_ns)

    def sees(self, ear: Ear) -> set[bytes]:
        """What came in the last frames: b"sound", b"camera", b"screen"."""
        self.play(20)
        ear.look()
        ear.media.clear()
        self.play(3)
        ear.look()
        return {bytes(packet.payload)[-6:].lstrip(b"\xfc") for packet in ear.media}


@pytest.fixture
def lesson(hall: Hall, certificate) -> Iterator[Lesson]:
    made = Lesson(hall, certificate)
    yield made
    made.close()


def watching(*sections: str, **how: str) -> str:
    return offer(*sections, direction="recvonly", **how)


class TestWhatIsShown:
    def test_sound_and_camera(self, lesson):
        _, ear = lesson.viewer(watching(AUDIO, VIDEO))
        assert lesson.sees(ear) == {b"sound", b"camera"}

    def test_the_screen_while_it_is_shared(self, lesson):
        _, ear = lesson.viewer(watching(AUDIO, VIDEO))
        lesson.stage.share_screen(True)
        assert lesson.sees(ear) == {b"sound", b"screen"}
        lesson.stage.share_screen(False)
        assert lesson.sees(ear) == {b"sound", b"camera"}

    def test_a_second_video_shows_the_other(self, lesson):
        _, ear = lesson.viewer(watching(AUDIO, VIDEO, VIDEO))
        assert lesson.sees(ear) == {b"sound", b"camera"}
        lesson.stage.share_screen(True)
        assert lesson.sees(ear) == {b"sound", b"camera", b"screen"}

    def test_sound_alone_or_picture_alone(self, lesson):
        _, ear = lesson.viewer(watching(AUDIO))
        _, eye = lesson.viewer(watching(VIDEO))
        assert (lesson.sees(ear), lesson.sees(eye)) == ({b"sound"}, {b"camera"})

    def test_who_comes_before_the_publisher_is_shown_it_when_it_comes(self, hall, certificate):
        studio = Studio(hall, certificate)
        viewer, _ = studio.viewer(watching(VIDEO))
        assert viewer.videos[0].source is None
        teacher, _ = studio.publisher(offer(VIDEO))
        studio.stage.publish(teacher)
        assert viewer.videos[0].source is teacher.uplinks[0]
        studio.close()

    async def test_a_new_publisher_replaces_the_old_one_for_everybody(self, lesson):
        viewer, ear = lesson.viewer(watching(AUDIO, VIDEO))
        lesson.sees(ear)
        old = lesson.teacher
        lesson.teacher, _ = lesson.publisher(offer(AUDIO, VIDEO))
        lesson.stage.publish(lesson.teacher)
        assert lesson.told[old].closed_reasons == ["replaced"]
        assert lesson.stage.publisher is lesson.teacher
        assert viewer.videos[0].source is lesson.teacher.uplink("camera")
        await old.wait_closed()
        assert lesson.stage.publisher is lesson.teacher

    def test_a_codec_the_viewer_lacks_is_told_once(self, lesson):
        viewer, ear = lesson.viewer(watching(AUDIO, VP8_ONLY))
        for _ in range(3):
            lesson.stage.show_all()
        assert lesson.told[viewer].unsupported_codecs == ["h264"]
        assert lesson.sees(ear) == {b"sound"}

    def test_firefox_is_held_back_and_others_are_not(self, lesson):
        fire, _ = lesson.viewer(watching(VIDEO, origin="mozilla...THIS_IS_SDPARTA-140.0"))
        plain, _ = lesson.viewer(watching(VIDEO))
        assert (fire.hold_ns > 0, plain.hold_ns) == (True, 0)

    def test_the_lesson_s_own_pause_and_its_end(self, lesson, hall):
        _, ear = lesson.viewer(watching(AUDIO, VIDEO))
        lesson.sees(ear)
        lesson.stage.hold(True, hall.clock.now_ns)
        assert lesson.sees(ear) == set()
        lesson.stage.hold(False, hall.clock.now_ns)
        assert lesson.sees(ear) == {b"sound", b"camera"}


class TestRequests:
    def test_a_lost_packet_comes_again_on_its_own_track(self, lesson, hall):
        viewer, ear = lesson.viewer(watching(AUDIO, VIDEO))
        lesson.sees(ear)
        video = viewer.videos[0].outbound
        wanted = [packet for packet in ear.media if packet.ssrc == video.ssrc][-1]
        ear.media.clear()
        lesson.hears(viewer, rtcp.build([rtcp.Nack(9, video.ssrc, (wanted.sequence,))]))
        ear.look()
        assert [packet.ssrc for packet in ear.media] == [video.rtx_ssrc]

    def test_a_request_for_a_track_of_somebody_else_is_ignored(self, lesson, hall):
        viewer, ear = lesson.viewer(watching(VIDEO))
        other, other_ear = lesson.viewer(watching(VIDEO))
        lesson.sees(ear)
        lesson.sees(other_ear)
        ssrc = other.videos[0].outbound.ssrc
        wanted = other_ear.media[-1].sequence
        other_ear.media.clear()
        lesson.hears(viewer, rtcp.build([rtcp.Nack(9, ssrc, (wanted,))]))
        ear.look()
        other_ear.look()
        assert other_ear.media == []

    @pytest.mark.parametrize("request_of", ["pli", "fir"])
    def test_a_lost_picture_is_shown_again_from_the_cache(self, lesson, hall, request_of):
        viewer, ear = lesson.viewer(watching(VIDEO))
        lesson.sees(ear)
        ear.media.clear()
        ssrc = viewer.videos[0].outbound.ssrc
        asked = rtcp.PictureLoss(9, ssrc) if request_of == "pli" else rtcp.FullIntraRequest(9, ((ssrc, 1),))
        lesson.hears(viewer, rtcp.build([asked]))
        hall.clock.advance(0)
        ear.look()
        assert bytes(ear.media[0].payload).startswith(KEYFRAME)

    def test_what_is_lost_on_the_way_is_noted(self, lesson, hall):
        viewer, _ = lesson.viewer(watching(VIDEO))
        block = rtcp.ReportBlock(viewer.videos[0].outbound.ssrc, 64, 10, 5, 0, 0, 0)
        lesson.hears(viewer, rtcp.build([rtcp.ReceiverReport(9, (block,))]))
        counters = hall.fanout.counters(viewer.videos[0].row)
        assert (counters.fraction_lost, counters.lost, counters.highest_sequence) == (64, 10, 5)

    def test_the_estimate_of_its_path_is_noted(self, lesson, hall):
        viewer, _ = lesson.viewer(watching(VIDEO))
        lesson.hears(viewer, rtcp.build([rtcp.Remb(9, 2_000_000, (viewer.videos[0].outbound.ssrc,))]))
        assert hall.fanout.bandwidth_bps(viewer.session) == 2_000_000

    @pytest.mark.parametrize("folder", ["rtp", "rtcp", "srtp"])
    def test_the_corpora_in_the_clear(self, lesson, hall, corpus, folder):
        viewer, ear = lesson.viewer(watching(AUDIO, VIDEO))
        for data in corpus(folder).values():
            with contextlib.suppress(PeerError):
                lesson.hears(viewer, data)
        assert lesson.sees(ear) == {b"sound", b"camera"}


class TestReports:
    def test_sender_reports_of_all_tracks_under_one_name(self, lesson, hall):
        viewer, ear = lesson.viewer(watching(AUDIO, VIDEO))
        lesson.play(10)
        ear.look()
        viewer.report(hall.clock.wall_ns)
        found = ear.look()
        reports = [packet for packet in found if isinstance(packet, rtcp.SenderReport)]
        assert {r.ssrc for r in reports} == {viewer.audio.outbound.ssrc, viewer.videos[0].outbound.ssrc}
        names = [packet for packet in found if isinstance(packet, rtcp.SourceDescription)]
        assert {name for packet in names for name in packet.cnames.values()} == {"lesson"}

    def test_they_come_with_the_first_packets(self, lesson):
        _, ear = lesson.viewer(watching(AUDIO, VIDEO))
        assert any(isinstance(packet, rtcp.SenderReport) for packet in ear.look())

    async def test_a_farewell_names_every_source_even_in_the_dark(self, lesson, hall):
        viewer, ear = lesson.viewer(watching(AUDIO, VIDEO))
        lesson.play(5)
        ear.look()
        hall.flags.darken(1, 3)
        viewer.close("cut")
        bye = next(packet for packet in ear.look() if isinstance(packet, rtcp.Bye))
        assert set(bye.ssrcs) == {viewer.audio.outbound.ssrc, viewer.videos[0].outbound.ssrc}
        await viewer.wait_closed()


class TestOthers:
    def test_one_viewer_s_end_changes_nothing_for_another(self, lesson):
        one, _ = lesson.viewer(watching(AUDIO, VIDEO))
        _, ear = lesson.viewer(watching(AUDIO, VIDEO))
        for downlink in [one.audio, *one.videos]:
            downlink.close()
        assert lesson.sees(ear) == {b"sound", b"camera"}

    def test_thirty_m_lines_are_answered_and_two_are_shown(self, lesson):
        _, ear = lesson.viewer(watching(AUDIO, *[VIDEO] * 10))
        lesson.stage.share_screen(True)
        assert lesson.sees(ear) == {b"sound", b"camera", b"screen"}

    def test_what_operators_see(self, lesson):
        lesson.viewer(watching(AUDIO, VIDEO))
        shown = lesson.stage.describe()
        assert shown["viewers"] == 1
        assert shown["publisher"]["tracks"][1]["viewers"] == 1

"""One viewer's track: from the cache to live, from source to source, and how it looks to the receiver."""

from __future__ import annotations

from itertools import pairwise

import pytest

from liveserver.rtp import rtcp
from tests.sfu.hall import (
    FRAME_TICKS,
    MS,
    ahead,
    assert_continuous,
    frames,
    joined,
    live,
    tags,
)


class TestJoining:
    def test_the_picture_starts_with_the_last_keyframe_and_leaves_nothing_out(self, hall, camera):
        seat = joined(hall, camera)
        camera.play(25)
        packets = seat.look()
        assert_continuous(packets)
        assert tags(packets) == [f"c{frame}.{part}" for frame in range(45) for part in range(3)]

    def test_the_first_packets_leave_at_once(self, hall, camera):
        seat = joined(hall, camera)
        hall.clock.advance(0)
        assert tags(seat.look()) == ["c0.0", "c0.1", "c0.2"]

    def test_frames_are_spaced_and_catch_up_within_a_second(self, hall, camera):
        seat = joined(hall, camera)
        hall.clock.advance(5)
        assert len(frames(seat.look())) == 1
        camera.play(10)
        assert seat.downlink.is_live

    def test_timestamps_follow_the_moment_of_sending_until_live(self, hall, camera):
        seat = joined(hall, camera)
        sent = []
        for _ in range(60):
            hall.clock.advance(1)
            sent += [(hall.clock.now_ns, packet) for packet in seat.look()]
        for (before_ns, before), (after_ns, after) in pairwise(sent):
            gap = (after_ns - before_ns) // MS * 90
            assert abs(ahead(after.timestamp, before.timestamp) - gap) <= 180, "spacing is not the sending's"

    def test_once_live_the_source_s_own_timestamps_return(self, hall, camera):
        seat = live(hall, camera)
        seat.look()
        stamp = camera.timestamp & 0xFFFFFFFF
        camera.frame()
        assert {packet.timestamp for packet in seat.look()} == {stamp}

    def test_it_goes_live_between_two_frames(self, hall, camera):
        seat = joined(hall, camera)
        hall.clock.advance(500)  # the cache is sent, nothing new came
        first, second, third = camera.make()
        camera.deliver([first])
        camera.deliver([second])
        camera.deliver([third])
        hall.clock.advance(40)
        camera.play(20)
        packets = seat.look()
        assert_continuous(packets)
        assert seat.downlink.is_live

    @pytest.mark.parametrize("stall_ms", [100, 500, 2000])
    def test_a_source_that_fell_behind_the_clock_is_followed_until_live(self, hall, camera, stall_ms):
        seat = joined(hall, camera)
        hall.clock.advance(stall_ms)  # its timestamps stand still meanwhile
        camera.play(2 + stall_ms // 30)
        assert_continuous(seat.look())
        assert seat.downlink.is_live

    def test_packets_of_a_frame_that_is_still_arriving_wait_for_the_rest(self, hall, camera):
        first, second, third = camera.make()
        camera.deliver([first])
        seat = joined(hall, camera)
        hall.clock.advance(400)
        assert "c20.0" not in tags(seat.look())
        camera.deliver([second, third])
        hall.clock.advance(40)
        camera.play(3)
        seat.look()
        assert_continuous(seat.media)

    def test_a_gap_of_the_source_is_kept(self, hall):
        camera = hall.source()
        camera.play(5, key_every=100)
        camera.make(packets=1)  # one frame never arrives
        camera.play(5)
        seat = joined(hall, camera)
        camera.play(10)
        numbers = [packet.sequence for packet in seat.look()]
        gaps = [ahead(after, before, 16) for before, after in pairwise(numbers)]
        assert sorted(gaps)[-2:] == [1, 2]

    def test_a_slow_link_is_given_more_time(self, hall, camera):
        camera.play(5, key_every=20)  # five frames since the keyframe
        fast = joined(hall, camera)
        slow = joined(hall, camera, spare_bps=3_000_000)
        hall.clock.advance(30)
        assert len(frames(fast.look())) > len(frames(slow.look())) > 0

    def test_two_viewers_get_numbers_of_their_own(self, hall, camera):
        one, other = joined(hall, camera), joined(hall, camera)
        camera.play(10)
        assert_continuous(one.look())
        assert_continuous(other.look())
        assert one.media[0].sequence != other.media[0].sequence

    def test_firefox_waits_before_its_first_picture(self, hall, camera):
        seat = hall.seat()
        seat.downlink.attach(camera.uplink, hold_ns=75 * MS)
        hall.clock.advance(74)
        assert seat.look() == []
        camera.play(10)
        seat.look()
        assert_continuous(seat.media)

    def test_without_a_keyframe_it_waits_and_the_source_is_asked(self, hall):
        camera = hall.source()
        camera.play(3)
        assert camera.uplink.keyframe_due(hall.clock.now_ns)
        seat = joined(hall, camera)
        camera.play(20)
        assert seat.look() == []
        assert camera.uplink.keyframe_due(hall.clock.now_ns)
        camera.frame(key=True)
        camera.play(5)
        assert tags(seat.look())[0] == "c23.0"
        assert_continuous(seat.media)

    def test_a_group_too_long_to_replay_asks_the_source(self, hall):
        camera = hall.source()
        camera.play(120, key_every=1000, packets=5)
        seat = joined(hall, camera)
        hall.clock.advance(100)
        assert seat.look() == []
        assert camera.uplink.keyframe_due(hall.clock.now_ns)

    def test_before_the_first_packet_nothing_is_sent(self, hall):
        camera = hall.source()
        seat = joined(hall, camera)
        hall.clock.advance(1000)
        assert seat.look() == []
        camera.play(5, key_every=100)
        seat.look()
        assert_continuous(seat.media)

    def test_sound_begins_with_the_next_packet(self, hall):
        microphone = hall.source("audio", "opus")
        microphone.play(10)
        seat = joined(hall, microphone, kind="audio")
        microphone.play(5)
        packets = seat.look()
        assert_continuous(packets)
        assert tags(packets)[-1] == "a14.0"
        assert len(packets) >= 4

    def test_payload_type_source_and_mid_are_the_viewer_s(self, hall, camera):
        seat = live(hall, camera)
        expected = seat.outbound.codecs[camera.uplink.codec][0]
        for packet in seat.look():
            assert (packet.ssrc, packet.payload_type) == (seat.outbound.ssrc, expected)
            assert packet.extension(4) == b"1"


class TestSwitching:
    def test_camera_to_screen_and_back_keeps_numbers_and_time_going(self, hall, camera):
        screen = hall.source("screen", camera.uplink.codec, ssrc=99, sequence=30_000, timestamp=123)
        seat = live(hall, camera)
        screen.frame(key=True)
        for source in (screen, camera, screen, camera):
            seat.downlink.attach(source.uplink)
            for _ in range(12):
                camera.frame()
                screen.frame()
                hall.clock.advance(40)
        seat.look()
        for before, after in pairwise(seat.media):
            assert ahead(after.sequence, before.sequence, 16) == 1
            assert 0 <= ahead(after.timestamp, before.timestamp) < 90_000
        assert seat.downlink.is_live
        assert {t[0] for t in tags(seat.media)} == {"c", "s"}

    def test_time_that_passed_without_a_source_passed_for_the_viewer(self, hall, camera):
        seat = live(hall, camera)
        seat.downlink.detach()
        last = seat.look()[-1]
        hall.clock.advance(3000)
        again = hall.source(codec=camera.uplink.codec, ssrc=5, sequence=9, timestamp=77)
        again.play(2, key_every=100)
        seat.downlink.attach(again.uplink)
        hall.clock.advance(0)
        first = seat.look()[0]
        assert ahead(first.sequence, last.sequence, 16) == 1
        assert ahead(first.timestamp, last.timestamp) == pytest.approx(3080 * 90, abs=9000)

    def test_a_replaced_publisher_is_followed(self, hall, camera):
        seat = live(hall, camera)
        for number in range(3):
            old, camera = (
                camera,
                hall.source(codec=camera.uplink.codec, ssrc=number, sequence=number, timestamp=0),
            )
            old.uplink.close()
            assert seat.downlink.source is None
            camera.play(3, key_every=100)
            seat.downlink.attach(camera.uplink)
            camera.play(12)
        seat.look()
        for before, after in pairwise(seat.media):
            assert ahead(after.sequence, before.sequence, 16) == 1
            assert ahead(after.timestamp, before.timestamp) >= 0

    def test_a_new_ssrc_of_the_same_track_is_followed_from_its_keyframe(self, hall, camera):
        seat = live(hall, camera)
        before = len(seat.look())
        camera.ssrc, camera.sequence, camera.timestamp = 777, 12, 99
        camera.play(2)
        assert seat.look() == []
        camera.frame(key=True)
        camera.play(10)
        seat.look()
        assert tags(seat.media[before:])[0].endswith(".0")
        for one, after in pairwise(seat.media):
            assert ahead(after.sequence, one.sequence, 16) == 1
            assert ahead(after.timestamp, one.timestamp) >= 0
        assert seat.downlink.is_live

    def test_another_codec_is_another_payload_type(self, hall):
        camera = hall.source(codec="h264")
        camera.play(3, key_every=100)
        seat = live(hall, camera)
        assert {packet.payload_type for packet in seat.look()} == {102}
        camera.uplink.close()
        other = hall.source(codec="vp8", ssrc=3)
        other.play(3, key_every=100)
        seat.downlink.attach(other.uplink)
        other.play(10)
        assert {packet.payload_type for packet in seat.look()} == {96}

    def test_a_codec_the_viewer_lacks_cannot_be_shown(self, hall):
        camera = hall.source(codec="h264")
        assert not hall.seat(codecs=("vp8",)).downlink.can_show(camera.uplink)

    def test_after_close_nothing_is_sent_or_kept(self, hall, camera):
        seat = live(hall, camera)
        seat.look()
        seat.downlink.close()
        camera.play(5)
        seat.downlink.repair(hall.clock.now_ns)
        seat.ask([1])
        assert seat.look() == []
        assert camera.uplink.downlinks == camera.uplink.waiting == set()

    def test_closing_in_the_middle_of_a_replay_stops_it(self, hall, camera):
        seat = joined(hall, camera)
        hall.clock.advance(0)
        seat.look()
        seat.downlink.close()
        hall.clock.advance(1000)
        assert seat.look() == []


class TestReports:
    def test_a_report_ties_our_clock_to_the_viewer_s_timestamps(self, hall, camera):
        seat = live(hall, camera)
        packets = seat.look()
        seat.downlink.report(hall.clock.wall_ns)
        seat.look()
        (report,) = (packet for packet in seat.rtcp if isinstance(packet, rtcp.SenderReport))
        assert (report.ssrc, report.packets) == (seat.outbound.ssrc, len(packets))
        assert abs(ahead(report.rtp_timestamp, camera.timestamp & 0xFFFFFFFF)) <= FRAME_TICKS

    def test_without_a_source_there_is_nothing_to_report(self, hall, camera):
        seat = hall.seat()
        seat.downlink.report(hall.clock.wall_ns)
        seat.downlink.attach(hall.source().uplink)
        seat.downlink.report(hall.clock.wall_ns)
        assert seat.look() == seat.rtcp == []

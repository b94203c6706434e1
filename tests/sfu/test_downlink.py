"""One viewer's track: from the cache to live, repair, and what it looks like to the receiver."""

from __future__ import annotations

from itertools import pairwise

import pytest

from liveserver.rtp import header, rtcp
from liveserver.rtp.header import Packet
from tests.sfu.hall import (
    FRAME_TICKS,
    MS,
    Hall,
    Seat,
    Source,
    ahead,
    assert_continuous,
    frames,
    tags,
)


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


@pytest.fixture(params=["h264", "vp8"])
def camera(hall: Hall, request: pytest.FixtureRequest) -> Source:
    """A camera in the middle of a group of pictures: 20 frames since the keyframe."""
    source = hall.source(codec=request.param)
    source.play(20, key_every=100)
    return source


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


def lost(packet: Packet) -> tuple[int, bytes]:
    """(original sequence number, payload) of an RTX packet (RFC 4588 4)."""
    payload = bytes(packet.payload)
    return int.from_bytes(payload[:2]), payload[2:]


class TestRetransmission:
    def test_a_live_packet_comes_again_as_it_was(self, hall, camera):
        seat = live(hall, camera)
        seat.look()
        camera.frame()
        wanted = seat.look()[1]
        seat.ask([wanted.sequence])
        seat.look()
        (again,) = seat.rtx
        assert lost(again) == (wanted.sequence, bytes(wanted.payload))
        assert (again.timestamp, again.marker) == (wanted.timestamp, wanted.marker)
        assert again.payload_type == seat.outbound.codecs[camera.uplink.codec][1]

    def test_a_replayed_packet_comes_again_with_the_timestamp_it_had(self, hall, camera):
        seat = live(hall, camera)
        replayed = seat.look()[:20]
        seat.ask([packet.sequence for packet in replayed])
        seat.look()
        assert [(*lost(p), p.timestamp) for p in seat.rtx] == [
            (p.sequence, bytes(p.payload), p.timestamp) for p in replayed
        ]

    def test_a_packet_that_came_too_late_for_its_replayed_frame_has_the_frame_s_timestamp(self, hall):
        camera = hall.source()
        camera.play(3, key_every=100)
        first, second, third = camera.make()
        camera.deliver([first, third])
        seat = joined(hall, camera)
        hall.clock.advance(300)
        seat.look()
        camera.deliver([second], repaired=True)
        camera.play(3)
        seat.look()
        shown = {p.timestamp for p in seat.media if bytes(p.payload).endswith((b"|c3.0", b"|c3.2"))}
        before = next(p for p in seat.media if bytes(p.payload).endswith(b"|c3.0"))
        seat.ask([(before.sequence + 1) & 0xFFFF])
        seat.look()
        late = [p.timestamp for p in seat.media + seat.rtx if bytes(p.payload).endswith(b"|c3.1")]
        assert len(shown) == 1
        assert late and set(late) == shown

    def test_again_and_again_uses_new_numbers(self, hall, camera):
        seat = live(hall, camera)
        wanted = seat.look()[-1].sequence
        for _ in range(5):
            seat.ask([wanted])
        seat.look()
        numbers = [packet.sequence for packet in seat.rtx]
        assert [ahead(b, a, 16) for a, b in pairwise(numbers)] == [1] * 4

    def test_without_rtx_the_very_packet_comes_again(self, hall, camera):
        seat = joined(hall, camera, rtx=False)
        hall.clock.advance(0)
        raw = list(seat.datagrams())
        sequence = header.parse(raw[1]).sequence
        seat.ask([sequence])
        assert list(seat.datagrams()) == [raw[1]]

    def test_numbers_never_sent_are_ignored_and_counted(self, hall, camera):
        seat = live(hall, camera)
        last = seat.look()[-1].sequence
        seat.ask([(last + n) & 0xFFFF for n in (1, 500, 30_000, 40_000)])
        seat.look()
        assert seat.rtx == []
        assert seat.counters.rtx_unknown == 4

    def test_a_storm_of_requests_is_held_to_the_budget(self, hall, camera):
        seat = live(hall, camera)
        numbers = [packet.sequence for packet in seat.look()]
        for _ in range(60):
            seat.ask(numbers)
        seat.look()
        sent = sum(len(packet.data) for packet in seat.rtx)
        assert 100_000 < sent < 300_000
        assert seat.counters.rtx_capped > 0
        hall.clock.advance(100)
        before = len(seat.rtx)
        seat.ask(numbers[:5])
        seat.look()
        assert len(seat.rtx) == before + 5

    def test_nothing_of_another_source_is_sent_again(self, hall, camera):
        seat = live(hall, camera)
        old = seat.look()[-5:]
        screen = hall.source("screen", camera.uplink.codec, ssrc=99, sequence=500)
        screen.play(5, key_every=100)
        seat.downlink.attach(screen.uplink)
        screen.play(5)
        seat.ask([packet.sequence for packet in old])
        seat.look()
        assert seat.rtx == []


class TestRepair:
    """A viewer's picture loss never goes to the source while the cache can help."""

    def test_the_cache_is_replayed_with_numbers_and_time_going_on(self, hall, camera):
        seat = live(hall, camera)
        before = len(seat.look())
        seat.downlink.repair(hall.clock.now_ns)
        camera.play(15)
        seat.look()
        assert tags(seat.media[before:])[:3] == ["c0.0", "c0.1", "c0.2"]
        for one, after in pairwise(seat.media):
            assert ahead(after.sequence, one.sequence, 16) == 1
            assert ahead(after.timestamp, one.timestamp) >= 0
        assert seat.downlink.is_live

    def test_the_timestamps_of_live_frames_are_the_source_s_again(self, hall, camera):
        seat = live(hall, camera)
        seat.downlink.repair(hall.clock.now_ns)
        camera.play(15)
        seat.look()
        stamp = camera.timestamp & 0xFFFFFFFF
        camera.frame()
        assert {packet.timestamp for packet in seat.look()} == {stamp}

    def test_requests_within_250_ms_count_as_one(self, hall, camera):
        seat = live(hall, camera)
        for _ in range(6):
            for _ in range(40):
                seat.downlink.repair(hall.clock.now_ns)
            camera.frame()
            hall.clock.advance(40)
        assert seat.downlink.repairs == 1
        camera.play(5)
        seat.downlink.repair(hall.clock.now_ns)
        assert seat.downlink.repairs == 2

    def test_while_catching_up_nothing_starts_anew(self, hall, camera):
        seat = joined(hall, camera)
        hall.clock.advance(0)
        seat.downlink.repair(hall.clock.now_ns)
        camera.play(10)
        assert_continuous(seat.look())

    def test_the_source_is_asked_only_when_the_cache_cannot_help(self, hall):
        camera = hall.source()
        camera.play(5, key_every=100)
        seat = live(hall, camera)
        assert not camera.uplink.keyframe_due(hall.clock.now_ns)
        seat.downlink.repair(hall.clock.now_ns)
        assert not camera.uplink.keyframe_due(hall.clock.now_ns)

    def test_a_thousand_requests_of_forty_viewers_ask_the_source_twice_a_second(self, hall):
        camera = hall.source()
        camera.play(3)
        seats = [joined(hall, camera) for _ in range(40)]
        asked = 0
        for _ in range(200):  # two seconds
            for seat in seats:
                seat.downlink.repair(hall.clock.now_ns)
            asked += camera.uplink.keyframe_due(hall.clock.now_ns)
            hall.clock.advance(10)
        assert 2 <= asked <= 5

    def test_sound_has_no_picture_to_lose(self, hall):
        microphone = hall.source("audio", "opus")
        microphone.play(3)
        seat = joined(hall, microphone, kind="audio")
        microphone.play(3)
        seat.downlink.repair(hall.clock.now_ns)
        microphone.play(3)
        assert_continuous(seat.look())


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

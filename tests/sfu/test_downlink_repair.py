"""One viewer's track: what was lost on the way to the viewer, and on the way to us."""

from __future__ import annotations

from itertools import pairwise

from liveserver.rtp import header
from liveserver.rtp.header import Packet
from tests.sfu.hall import (
    ahead,
    assert_continuous,
    joined,
    live,
    tags,
)


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

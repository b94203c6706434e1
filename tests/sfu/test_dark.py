"""What a cut, a pause or a lost lease means for media: nothing leaves, by no way; then the cache first."""

from __future__ import annotations

from itertools import pairwise

import pytest

from liveserver.rtp.flags import ALL, AUDIO, VIDEO
from tests.sfu.hall import ROOM, Hall, Seat, Source, ahead, tags


@pytest.fixture
def camera(hall: Hall) -> Source:
    source = hall.source()
    source.play(10, key_every=100)
    return source


@pytest.fixture
def seat(hall: Hall, camera: Source) -> Seat:
    """A viewer who has caught up."""
    made = hall.seat()
    made.downlink.attach(camera.uplink)
    camera.play(10)
    assert made.downlink.is_live
    made.look()
    return made


def cut(hall: Hall) -> None:
    hall.flags.darken(ROOM, ALL)


def pause(hall: Hall) -> None:
    hall.flags.hold(ROOM, ALL)


def lose_lease(hall: Hall) -> None:
    hall.flags.renew(ROOM, hall.clock.now_ns)


def light(hall: Hall) -> None:
    hall.flags.darken(ROOM, 0)
    hall.flags.hold(ROOM, 0)
    hall.flags.renew(ROOM, 2**63)


@pytest.mark.parametrize("darken", [cut, pause, lose_lease])
class TestDark:
    def test_live_packets_stop(self, hall, camera, seat, darken):
        darken(hall)
        camera.play(20)
        assert seat.drop() == 0

    def test_a_replay_under_way_stops(self, hall, camera, seat, darken):
        late = hall.seat()
        late.downlink.attach(camera.uplink)
        hall.clock.advance(0)
        late.drop()
        darken(hall)
        camera.play(20)
        assert late.drop() == 0

    def test_no_retransmission_of_what_was_sent_before(self, hall, camera, seat, darken):
        numbers = [packet.sequence for packet in seat.media]
        darken(hall)
        seat.ask(numbers)
        assert seat.drop() == 0

    def test_a_repair_sends_nothing(self, hall, camera, seat, darken):
        darken(hall)
        seat.downlink.repair(hall.clock.now_ns)
        camera.play(10)
        assert seat.drop() == 0

    def test_who_joins_sees_nothing(self, hall, camera, seat, darken):
        darken(hall)
        late = hall.seat()
        late.downlink.attach(camera.uplink)
        camera.play(20)
        assert late.drop() == 0

    def test_a_farewell_still_leaves(self, hall, camera, seat, darken):
        darken(hall)
        assert hall.fanout.send_rtcp(seat.session, bytes.fromhex("80c9000100000001"))
        assert seat.drop() == 1


class TestLevels:
    def test_a_cut_picture_leaves_the_sound(self, hall, camera, seat):
        microphone = hall.source("audio", "opus")
        microphone.play(2)
        ear = hall.seat(kind="audio", ssrc=8000)
        ear.downlink.attach(microphone.uplink)
        hall.flags.darken(ROOM, VIDEO)
        microphone.play(5)
        camera.play(5)
        assert (seat.drop(), ear.drop() > 0) == (0, True)

    def test_a_cut_sound_leaves_the_picture(self, hall, camera, seat):
        hall.flags.darken(ROOM, AUDIO)
        camera.play(5)
        assert seat.drop() == 15

    def test_another_room_s_cut_changes_nothing(self, hall, camera, seat):
        hall.flags.darken(ROOM + 1, ALL)
        camera.play(5)
        assert seat.drop() == 15


@pytest.mark.parametrize("darken", [cut, pause])
class TestLightAgain:
    def test_viewers_start_from_the_cache_with_numbers_and_time_going_on(self, hall, camera, seat, darken):
        shown = len(seat.media)
        darken(hall)
        camera.play(20)
        light(hall)
        seat.downlink.begin(hall.clock.now_ns)
        camera.play(10)
        seat.look()
        assert tags(seat.media[shown:])[0] == "c0.0"
        for before, after in pairwise(seat.media):
            assert ahead(after.sequence, before.sequence, 16) == 1
            assert ahead(after.timestamp, before.timestamp) >= 0
        assert seat.downlink.is_live

    def test_even_right_after_a_viewer_s_own_request(self, hall, camera, seat, darken):
        darken(hall)
        seat.downlink.repair(hall.clock.now_ns)
        camera.play(3)
        light(hall)
        seat.downlink.begin(hall.clock.now_ns)
        hall.clock.advance(0)
        assert tags(seat.look())[:3] == ["c0.0", "c0.1", "c0.2"]

    @pytest.mark.parametrize("timestamp", [1000, 2**31 + 1000, 2**32 - 1000])
    def test_who_joined_in_the_dark_is_shown_like_anybody_else(self, hall, darken, timestamp):
        camera = hall.source(timestamp=timestamp)
        camera.play(5, key_every=100)
        darken(hall)
        seat = hall.seat()
        seat.downlink.attach(camera.uplink)
        camera.play(20)
        light(hall)
        seat.downlink.begin(hall.clock.now_ns)
        camera.play(15)
        seat.look()
        assert seat.downlink.is_live
        stamp = camera.timestamp & 0xFFFFFFFF
        camera.frame()
        assert {packet.timestamp for packet in seat.look()} == {stamp}

    @pytest.mark.parametrize("seconds", [60, 700, 1300])
    def test_sound_comes_back_after_any_length(self, hall, darken, seconds):
        microphone = hall.source("audio", "opus")
        microphone.play(5)
        ear = hall.seat(kind="audio")
        ear.downlink.attach(microphone.uplink)
        microphone.play(5)
        ear.look()
        darken(hall)
        for _ in range(seconds):  # 50 packets a second, of which one stands for all
            microphone.frame()
            microphone.sequence += 49
            microphone.timestamp += 49 * 960
            hall.clock.advance(1000)
        microphone.play(2)
        light(hall)
        ear.downlink.begin(hall.clock.now_ns)
        microphone.play(10)
        before, *after = ear.media[-1], *ear.look()
        assert len(after) >= 9
        assert ahead(after[0].sequence, before.sequence, 16) == 1
        assert ahead(after[0].timestamp, before.timestamp) > 0

    def test_what_was_said_in_the_dark_cannot_be_asked_for(self, hall, darken):
        microphone = hall.source("audio", "opus")
        microphone.play(5)
        ear = hall.seat(kind="audio", rtx=False)
        ear.downlink.attach(microphone.uplink)
        microphone.play(5)
        last = ear.look()[-1].sequence
        darken(hall)
        microphone.play(50)
        light(hall)
        ear.downlink.begin(hall.clock.now_ns)
        microphone.play(2)
        ear.look()
        ear.ask([(last + n) & 0xFFFF for n in range(3, 60)])
        assert ear.drop() == 0

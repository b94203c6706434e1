"""What of a track waits for a screen process, and what is left out when that cannot keep up."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest

from liveserver.core.screening import (
    Mode,
)
from liveserver.sfu.screen_lane import BEHIND_NS, MAX_WAITING_FRAMES, THIN_NS, Account, ScreenLane
from tests.sfu.hall import MS, Hall
from tests.sfu.school import Camera


class TestUnderLoad:
    """A lane whose process takes nothing."""

    @pytest.fixture
    def camera(self) -> Iterator[Camera]:
        hall = Hall()
        yield Camera(hall, hall.source("camera", "vp8").uplink)
        hall.close()

    def lane(self, camera: Camera, mode: Mode) -> ScreenLane:
        lane = ScreenLane(
            camera.uplink, Account(), camera.hall.clock, None, lambda: None, lambda lane: lane.empty()
        )
        lane.mode = mode
        lane.attach()
        return lane

    def play(self, camera: Camera, frames: int, *, key_every: int = 50) -> None:
        for _ in range(frames):
            camera.send(key=camera.sequence % key_every == 0)
            camera.hall.clock.advance(40)

    async def test_a_watched_lesson_is_looked_at_by_its_newest_keyframe_alone_for_a_while(self, camera):
        lane = self.lane(camera, Mode.WATCH)
        self.play(camera, 30)
        lane.keep_up(camera.hall.clock.now_ns, is_served=True)
        assert lane.is_thin and lane.is_behind
        self.play(camera, 60)
        assert [waiting.number for waiting in lane.waiting] == [51]
        camera.hall.clock.advance(THIN_NS // MS)
        assert lane.next(camera.hall.clock.now_ns).number == 51
        lane.keep_up(camera.hall.clock.now_ns, is_served=True)
        assert not lane.is_thin
        self.play(camera, 15)
        assert [waiting.number for waiting in lane.waiting] == list(range(101, 106))
        assert not lane.is_behind

    async def test_one_screened_before_it_is_shown_goes_on_with_its_newest_keyframe(self, camera):
        lane = self.lane(camera, Mode.SCREENED)
        self.play(camera, 60)
        lane.keep_up(camera.hall.clock.now_ns, is_served=True)
        assert [waiting.number for waiting in lane.waiting] == list(range(51, 61))
        assert not lane.is_thin

    async def test_without_a_keyframe_the_publisher_is_asked_for_one(self, camera):
        lane = self.lane(camera, Mode.SCREENED)
        self.play(camera, 40, key_every=1_000)
        camera.uplink.keyframe_due(camera.hall.clock.now_ns)
        lane.keep_up(camera.hall.clock.now_ns, is_served=True)
        assert [waiting.number for waiting in lane.waiting] == [1], "the keyframe it has is looked at"
        assert camera.uplink._keyframe_wanted
        assert lane.is_behind

    async def test_what_waits_long_is_looked_at_in_a_hurry(self, camera):
        lane = self.lane(camera, Mode.SCREENED)
        self.play(camera, 2)
        assert not lane.next(camera.hall.clock.now_ns).hurry
        camera.hall.clock.advance(BEHIND_NS // MS)
        assert lane.next(camera.hall.clock.now_ns).hurry

    @pytest.mark.parametrize("mode", list(Mode))
    async def test_what_waits_is_bounded(self, camera, mode):
        lane = self.lane(camera, mode)
        for number in range(MAX_WAITING_FRAMES + 50):
            camera.send(key=number == 0)
        assert len(lane.waiting) <= MAX_WAITING_FRAMES
        for number in range(50):
            camera.send(key=number == 0, size=1_000)
        assert lane._waiting_bytes == sum(len(waiting.frame.data) for waiting in lane.waiting)

    async def test_when_the_process_is_another_it_begins_with_the_newest_keyframe(self, camera):
        lane = self.lane(camera, Mode.WATCH)
        self.play(camera, 55)
        lane.restart()
        numbers = [waiting.number for waiting in lane.waiting]
        assert numbers == list(range(51, 56))
        assert all(b - a == 1 for a, b in pairwise(numbers))

"""One lesson's programme: its parts, its segments, and that a player can show them."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from liveserver.packaging.lane import PART_FRAMES, Lane, tracks_of
from liveserver.packaging.wire import Lost, Mark
from tests.packaging.media import BEGAN_MS, Publisher, inits, parts, play, run

FRAME_S = 1024 / 48_000


def seconds(part) -> float:
    return part.frames * FRAME_S


class TestAClass:
    @pytest.fixture(scope="class")
    @classmethod
    def made(cls):
        return run(Lane(1), list(Publisher(jitter_ms=(0, 5, 40, 2)).frames(12)))

    def test_parts_are_whole_but_for_a_segments_last(self, made):
        for part in parts(made):
            assert part.frames == PART_FRAMES or (Mark.LAST in part.marks and part.frames < PART_FRAMES)

    def test_a_segment_begins_with_a_keyframe_two_seconds_after_the_one_before(self, made):
        begun = [part for part in parts(made) if Mark.SEGMENT in part.marks]
        assert len(begun) >= 5
        assert all(Mark.INDEPENDENT in part.marks for part in begun)
        assert all(1.9 <= (b.start - a.start) / 48_000 <= 2.3 for a, b in pairwise(begun))

    def test_what_ends_a_segment_is_followed_by_what_begins_one(self, made):
        for part, following in pairwise(parts(made)):
            assert (Mark.LAST in part.marks) == (Mark.SEGMENT in following.marks)

    def test_parts_follow_each_other_without_a_hole(self, made):
        for part, following in pairwise(parts(made)):
            assert part.start + part.frames * 1024 == following.start
            assert following.wall_ms - part.wall_ms == pytest.approx(seconds(part) * 1000, abs=1)

    def test_a_player_shows_every_picture_once_and_in_time(self, made):
        played = play(inits(made)[0].video, [part.video + part.audio for part in parts(made)])
        assert played.codes == list(range(len(played.codes)))
        assert len(played.codes) >= 280
        assert all(0.03 <= b - a <= 0.05 for a, b in pairwise(played.picture_s))

    def test_sound_is_unbroken(self, made):
        played = play(inits(made)[0].audio, [part.audio for part in parts(made)])
        assert all(b - a == pytest.approx(FRAME_S, abs=1e-4) for a, b in pairwise(played.sound_s))

    def test_dates_are_those_of_the_arrival(self, made):
        assert abs(parts(made)[0].wall_ms - BEGAN_MS - 30) <= 5

    def test_a_part_leaves_within_a_quarter_of_a_second(self):
        lane, late_ms = Lane(1), []
        for frame in Publisher().frames(6):
            made = parts(lane.push(frame))
            late_ms += [frame.arrival_ms - part.wall_ms - seconds(part) * 1000 for part in made]
        assert max(late_ms[2:]) < 250

    def test_both_renditions_have_the_same_sound(self, made):
        part = parts(made)[5]
        assert tracks_of(part.video) == [2]
        assert tracks_of(part.audio) == [1]


class TestAScreenAtRest:
    def test_is_filled_so_that_the_picture_lasts_as_long_as_the_sound(self):
        made = run(Lane(1), list(Publisher(fps=1).frames(9)))
        played = play(inits(made)[0].video, [part.video + part.audio for part in parts(made)])
        assert all(part.video for part in parts(made))
        assert all(b - a <= 0.5 for a, b in pairwise(played.picture_s))
        shown = [code for code, following in pairwise([*played.codes, None]) if code != following]
        assert shown == list(range(len(shown))), "each picture, then the same one until the next"
        assert len(shown) >= 7

    def test_that_ends_altogether_stands(self):
        frames = list(Publisher().frames(4))
        made = run(Lane(1), frames, until_ms=frames[-1].arrival_ms + 5000)
        played = play(inits(made)[0].video, [part.video + part.audio for part in parts(made)])
        assert played.picture_s[-1] > 8
        assert played.codes[-1] == 99


class TestWithoutSound:
    def test_there_is_silence(self):
        frames = list(Publisher(sound=False).frames(6))
        made = run(Lane(1), frames, until_ms=frames[-1].arrival_ms)
        assert sum(map(seconds, parts(made))) > 5
        played = play(inits(made)[0].video, [part.video + part.audio for part in parts(made)])
        assert played.sound_s[-1] > 5


class TestWithoutAPicture:
    def test_segments_have_two_seconds_of_sound(self):
        frames = [frame for frame in Publisher().frames(9) if frame.track == "audio"]
        made = run(Lane(1), frames)
        begun = [part for part in parts(made) if Mark.SEGMENT in part.marks]
        assert all((b.start - a.start) / 48_000 == pytest.approx(2.0, abs=0.35) for a, b in pairwise(begun))
        assert all(Mark.INDEPENDENT in part.marks and not part.video for part in parts(made))

    def test_a_picture_that_comes_later_is_a_discontinuity(self):
        sound = list(Publisher().frames(10))
        frames = [frame for frame in sound if frame.track == "audio" or frame.arrival_ms > BEGAN_MS + 4100]
        made = run(Lane(1), frames)
        first = next(part for part in parts(made) if part.video)
        assert Mark.DISCONTINUITY | Mark.SEGMENT | Mark.INDEPENDENT in first.marks
        assert first.wall_ms == pytest.approx(BEGAN_MS + 6050, abs=60)


class TestALoss:
    def test_what_cannot_be_shown_is_left_out_and_a_keyframe_asked_for(self):
        frames = list(Publisher().frames(6))
        index = next(
            n
            for n, frame in enumerate(frames)
            if frame.arrival_ms > BEGAN_MS + 2500 and frame.track == "video"
        )
        frames[index] = type(frames[index])(
            **{
                **{name: getattr(frames[index], name) for name in frames[index].__slots__},
                "lost": True,
            }
        )
        made = run(Lane(1), frames)
        assert Lost(1) in made
        played = play(inits(made)[0].video, [part.video + part.audio for part in parts(made)])
        missing = set(range(130)) - set(played.codes)
        assert missing
        assert max(missing) == 99

    @pytest.mark.parametrize("began_s", [0.3, 2.5])
    def test_at_the_very_beginning_is_waited_out_whatever_the_timestamps(self, began_s):
        """What a lane gets first when a cut has been lifted: the middle of a group of pictures."""
        frames = [
            replace(frame, timestamp=(frame.timestamp + 3_000_000_000) % 2**32)
            for frame in Publisher().frames(8)
            if frame.track == "audio" or frame.arrival_ms > BEGAN_MS + began_s * 1000
        ]
        made = run(Lane(1), frames)
        first = next(part for part in parts(made) if part.video)
        assert first.wall_ms == pytest.approx(BEGAN_MS + (2030 if began_s < 2 else 4030), abs=80)

    def test_bytes_that_are_no_picture_do_no_harm(self):
        frames = list(Publisher().frames(5))
        broken = [
            type(f)(
                f.lane, f.track, f.codec, f.keyframe, f.lost, f.source, f.timestamp, f.arrival_ms, b"\xff" * 9
            )
            if number % 40 == 7
            else f
            for number, f in enumerate(frames)
        ]
        assert len(parts(run(Lane(1), broken))) > 10


class TestAnotherSize:
    def test_begins_a_segment_with_another_init(self):
        first = list(Publisher().frames(3))
        second = list(Publisher(width=160, height=120, began_ms=BEGAN_MS + 3000, source=70).frames(4))
        made = run(Lane(1), [*first, *second])
        assert [(init.width, init.height) for init in inits(made)] == [(320, 240), (160, 120)]
        changed = next(part for part in parts(made) if part.init == 2)
        assert Mark.DISCONTINUITY | Mark.SEGMENT in changed.marks
        for number, init in enumerate(inits(made), 1):
            play(init.video, [part.video + part.audio for part in parts(made) if part.init == number])


class TestNoKeyframeForLong:
    def test_no_segment_is_longer_than_the_target_duration(self):
        made = run(Lane(1), list(Publisher(keyframe_s=9).frames(14)))
        played = play(inits(made)[0].video, [part.video + part.audio for part in parts(made)])
        assert set(range(330)) <= set(played.codes)
        begun = [part.start for part in parts(made) if Mark.SEGMENT in part.marks]
        assert all((b - a) / 48_000 <= 4.35 for a, b in pairwise(begun))
        assert all(Mark.INDEPENDENT in part.marks for part in parts(made) if Mark.SEGMENT in part.marks)

"""Decoding and encoding: sizes, bit rates, keyframes, times, and what cannot be decoded."""

from __future__ import annotations

from dataclasses import replace

import pytest

from liveserver.transcode.video import MAX_MACROBLOCKS, SourceRate, Undecodable, Video, fitted
from liveserver.transcode.wire import Picture
from tests.transcode.media import STEP, Camera, numbers

OTHER = {"h264": "vp8", "vp8": "h264"}


def pushed(video: Video, frames: list, *, is_behind: bool = False) -> list[Picture]:
    return [picture for frame in frames for picture in video.push(frame, is_behind=is_behind)]


@pytest.fixture(params=["h264", "vp8"])
def codec(request: pytest.FixtureRequest) -> str:
    return request.param


class TestThePictures:
    def test_each_frame_becomes_one_at_its_own_time(self, codec):
        frames = Camera(codec).take(60)
        pictures = pushed(Video("screen", 1_000_000), frames)
        assert [picture.timestamp for picture in pictures] == [frame.timestamp for frame in frames]
        assert numbers(pictures, OTHER[codec]) == list(range(60))
        assert {(p.track, p.source) for p in pictures} == {("screen", frames[0].source)}

    def test_a_keyframe_first_and_every_two_seconds(self, codec):
        pictures = pushed(Video("camera", 1_000_000), Camera(codec).take(101))
        assert [number for number, p in enumerate(pictures) if p.keyframe] == [0, 50, 100]

    def test_one_is_made_on_request_but_not_right_after_another(self, codec):
        camera, video = Camera(codec), Video("camera", 1_000_000)
        pictures = pushed(video, camera.take(2))
        video.want_keyframe()
        pictures += pushed(video, camera.take(20))
        video.want_keyframe()
        video.want_keyframe()
        pictures += pushed(video, camera.take(20))
        assert [number for number, p in enumerate(pictures) if p.keyframe] == [0, 22]

    def test_with_frames_waiting_behind_it_a_picture_is_decoded_and_not_shown(self, codec):
        camera, video = Camera(codec), Video("camera", 1_000_000)
        assert pushed(video, camera.take(30), is_behind=True) == []
        assert numbers(pushed(video, camera.take(1)), OTHER[codec]) == [30]

    def test_sixty_pictures_a_second_become_thirty(self):
        frames = Camera("vp8").take(40)
        fast = [replace(frame, timestamp=number * 1500) for number, frame in enumerate(frames)]
        assert len(pushed(Video("camera", 1_000_000), fast)) == 20

    def test_a_source_that_begins_anew_begins_a_new_clock(self, codec):
        video = Video("camera", 1_000_000)
        pushed(video, Camera(codec).take(5))
        pictures = pushed(video, Camera(codec, 640, 480, start=77).take(3, source=2))
        assert [(p.source, p.timestamp) for p in pictures] == [(2, 77 + n * STEP) for n in range(3)]
        assert pictures[0].keyframe

    def test_a_picture_of_another_size_begins_with_a_keyframe(self, codec):
        video = Video("camera", 1_000_000)
        small, large = Camera(codec, 320, 240).take(5), Camera(codec, 640, 360).take(5)
        large = [
            replace(frame, timestamp=large[0].timestamp + (5 + n) * STEP) for n, frame in enumerate(large)
        ]
        pictures = pushed(video, small + large)
        assert [number for number, p in enumerate(pictures) if p.keyframe] == [0, 5]
        assert numbers(pictures, OTHER[codec]) == [0, 1, 2, 3, 4] * 2


class TestWhatCannotBeDecoded:
    def test_before_the_first_keyframe_nothing_comes(self, codec):
        assert pushed(Video("camera", 1_000_000), Camera(codec).take(10)[1:]) == []

    def test_garbage_is_said_and_the_next_keyframe_is_shown(self):
        camera, video = Camera("vp8"), Video("camera", 1_000_000)
        pushed(video, camera.take(3))
        bad = replace(camera.take(1)[0], data=b"\xff" * 3)
        with pytest.raises(Undecodable):
            video.push(bad, is_behind=False)
        assert len(pushed(video, camera.take(60))) == 14  # from the keyframe of picture 50 on

    def test_a_picture_of_a_size_nobody_has_is_refused(self):
        huge = b"\x10\x02\x00\x9d\x01\x2a\xff\x3f\xff\x3f" + bytes(200)  # VP8, 16383 x 16383
        frame = replace(Camera("vp8").take(1)[0], data=huge)
        with pytest.raises(Undecodable):
            Video("camera", 1_000_000).push(frame, is_behind=False)


class TestSizes:
    @pytest.mark.parametrize(
        ("source", "sent"),
        [
            ((640, 360), (640, 360)),
            ((641, 361), (640, 360)),
            ((1280, 720), (1280, 720)),
            ((720, 1280), (720, 1280)),
            ((1920, 1080), (1280, 720)),
            ((3840, 2160), (1280, 720)),
            ((2, 2), (16, 16)),
        ],
    )
    def test_up_to_720p_they_are_kept_beyond_scaled(self, source, sent):
        assert fitted(*source) == sent

    @pytest.mark.parametrize("source", [(1024, 1024), (1278, 722), (4000, 300), (300, 4000), (4096, 2304)])
    def test_odd_shapes_stay_within_the_level_and_nearly_in_shape(self, source):
        width, height = fitted(*source)
        assert -(-width // 16) * -(-height // 16) <= MAX_MACROBLOCKS
        assert width % 2 == height % 2 == 0
        assert width / height == pytest.approx(source[0] / source[1], rel=0.1)


class TestTheBitRate:
    def test_of_the_source_is_known_after_a_second(self):
        rate = SourceRate()
        rate.add(0, 50_000)
        assert rate.bps is None
        for number in range(1, 101):
            rate.add(number * STEP, 5_000)
        assert rate.bps == pytest.approx(1_000_000, rel=0.05)

    def test_is_about_the_source_s_and_never_above_the_cap(self):
        frames = Camera("h264", 640, 360).take(150)
        source = sum(len(frame.data) for frame in frames[50:])
        free, capped = pushed(Video("camera", 5_000_000), frames), pushed(Video("camera", 150_000), frames)
        sent = [sum(len(part) for p in pictures[50:] for part in p.payloads) for pictures in (free, capped)]
        assert sent[0] < 2 * source
        assert sent[1] * 8 / 4 < 2 * 150_000

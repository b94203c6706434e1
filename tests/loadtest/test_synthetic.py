"""The synthetic lesson: it must look like H.264 to whoever parses it, and weigh about a megabit."""

from __future__ import annotations

from itertools import pairwise

from liveserver.rtp import h264
from liveserver.rtp.keyframe import is_whole_start, starts_keyframe
from loadtest.synthetic import FRAMES_PER_S, KEYFRAME_EVERY, Lesson, read_trailer, trailer


def sizes(lesson: Lesson, *, keyframe: bool = False) -> list[int]:
    """Octets of each payload, with the trailer."""
    return [len(body.octets + trailer(0, 0, 0)) for body in lesson.picture(keyframe=keyframe)]


class TestPictures:
    def test_a_keyframe_begins_with_its_parameter_sets(self):
        bodies = list(Lesson().picture(keyframe=True))
        assert is_whole_start("h264", bodies[0].octets)
        assert [unit[0] & 0x1F for unit in h264.aggregated(bodies[0].octets)] == [h264.SPS, h264.PPS]
        assert starts_keyframe("h264", bodies[1].octets)

    def test_other_pictures_are_no_keyframes(self):
        bodies = list(Lesson().picture(keyframe=False))
        assert not any(starts_keyframe("h264", body.octets) for body in bodies)

    def test_the_last_packet_alone_has_the_marker(self):
        for keyframe in (True, False):
            marks = [body.marker for body in Lesson().picture(keyframe=keyframe)]
            assert marks == [False] * (len(marks) - 1) + [True]

    def test_packets_of_a_picture_are_about_equal_the_longer_ones_last(self):
        lesson = Lesson()
        counts = set()
        for _ in range(200):
            found = sizes(lesson)
            assert all(0 <= later - earlier <= 1 for earlier, later in pairwise(found))
            counts.add(len(found))
        assert {4, 5} <= counts

    def test_equal_packets_are_equal(self):
        assert sizes(Lesson(equal=True)) == [1000] * 5

    def test_two_seconds_weigh_about_two_megabits(self):
        lesson = Lesson()
        pictures = [sizes(lesson, keyframe=number == 0) for number in range(KEYFRAME_EVERY)]
        sounds = [len(lesson.sound().octets) + 20 for _ in range(100)]
        total = (sum(map(sum, pictures)) + sum(sounds)) * 8
        assert 0.85e6 < total / (KEYFRAME_EVERY / FRAMES_PER_S) < 1.15e6


class TestTrailer:
    def test_it_says_when_and_which(self):
        assert read_trailer(b"payload" + trailer(2**62 + 5, 2**34 + 1, 0)) == (2**62 + 5, 2**34 + 1)

    def test_no_start_code_can_arise(self):
        assert all(octet >= 0x40 for octet in trailer(0, 0, 0))

    def test_other_payloads_have_none(self):
        assert read_trailer(b"short") is None
        assert read_trailer(bytes(100)) is None

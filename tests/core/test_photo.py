"""Photos of random checks: taken in within bounds, and judged so that no model fails anybody."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from liveserver.core.errors import PeerError
from liveserver.core.messages import Blob, PhotoHead
from liveserver.core.photo import MAX_PIECE_BYTES, Alive, Assembly, Looked, Turn, judge, liveness

PHOTO = bytes(range(256)) * 150  # three pieces


def head(photo: bytes = PHOTO) -> PhotoHead:
    return PhotoHead("c1", len(photo), hashlib.sha256(photo).hexdigest())


def pieces(photo: bytes = PHOTO, size: int = MAX_PIECE_BYTES) -> list[bytes]:
    return [photo[start : start + size] for start in range(0, len(photo), size)]


def refused(assembly: Assembly, piece: bytes) -> bool:
    with pytest.raises(PeerError) as error:
        assembly.add(piece)
    return error.value.code == "bad_message"


class TestAssembly:
    def test_is_whole_with_its_last_piece(self) -> None:
        assembly = Assembly()
        assembly.begin(head())
        *first, last = pieces()
        assert [assembly.add(piece) for piece in first] == [None, None]
        assert assembly.add(last) == (head(), PHOTO, b"")
        assert not assembly.expects

    def test_takes_nothing_that_was_not_announced(self) -> None:
        assert refused(Assembly(), b"x")

    def test_takes_no_piece_beyond_what_was_announced(self) -> None:
        assembly = Assembly()
        assembly.begin(head(b"ab"))
        assert refused(assembly, b"abc")
        assert not assembly.expects

    @pytest.mark.parametrize("piece", [b"", b"x" * (MAX_PIECE_BYTES + 1)])
    def test_pieces_have_a_bound(self, piece: bytes) -> None:
        assembly = Assembly()
        assembly.begin(head())
        assert refused(assembly, piece)

    def test_another_photo_than_the_announced_is_refused(self) -> None:
        assembly = Assembly()
        assembly.begin(PhotoHead("c1", 3, hashlib.sha256(b"abc").hexdigest()))
        assert refused(assembly, b"abd")

    def test_a_second_one_follows_at_once(self) -> None:
        assembly, turned = Assembly(), b"turned" * 3
        announced = replace(head(), turned=Blob(len(turned), hashlib.sha256(turned).hexdigest()))
        assembly.begin(announced)
        *first, last = pieces(PHOTO + turned)
        assert [assembly.add(piece) for piece in first] == [None] * len(first)
        assert assembly.add(last) == (announced, PHOTO, turned)

    def test_another_second_one_than_was_announced_is_refused(self) -> None:
        assembly = Assembly()
        assembly.begin(replace(head(b"abc"), turned=Blob(1, hashlib.sha256(b"x").hexdigest())))
        assert refused(assembly, b"abcy")

    def test_a_new_announcement_begins_anew(self) -> None:
        assembly = Assembly()
        assembly.begin(head())
        assembly.add(pieces()[0])
        assembly.begin(head(b"ab"))
        assert assembly.add(b"ab") == (head(b"ab"), b"ab", b"")


@pytest.mark.parametrize(
    ("looked", "verdict"),
    [
        (Looked(0), (False, "no_face")),
        (Looked(2, distance=0.3), (None, "several_faces")),
        (Looked(1, blur=0.95), (False, "blurred")),
        (Looked(1, yaw=-60), (False, "turned_away")),
        (Looked(1, pitch=55), (False, "turned_away")),
        (Looked(1, distance=0.4), (True, "")),
        (Looked(1, distance=0.6), (None, "not_alike")),
        (Looked(1), (True, "not_enrolled")),
        (Looked(1, distance=0.1, repeats=True), (None, "repeated")),
        (Looked(1, blur=0.95, repeats=True), (None, "repeated")),
    ],
)
def test_what_a_learner_can_mend_he_takes_again_and_doubt_goes_to_a_person(
    looked: Looked, verdict: tuple[bool | None, str]
) -> None:
    assert judge(looked, same_below=0.6) == verdict


class TestLiveness:
    """`yaw` grows to the learner's own left, as the camera sees him."""

    @pytest.mark.parametrize(
        ("asked", "before", "after", "alive", "why"),
        [
            (Turn.LEFT, 0, 25, Alive.YES, ""),
            (Turn.RIGHT, 5, -20, Alive.YES, ""),
            (Turn.LEFT, -10, 2, Alive.YES, ""),
            (Turn.LEFT, 0, -25, Alive.NO, "other_way"),
            (Turn.RIGHT, 0, 25, Alive.NO, "other_way"),
            (Turn.LEFT, 20, 22, Alive.NO, "not_turned"),
            (Turn.LEFT, 0, 8, Alive.UNKNOWN, "little_turned"),
            (Turn.RIGHT, 0, 8, Alive.UNKNOWN, "little_turned"),
        ],
    )
    def test_is_a_turn_of_the_head_the_way_that_was_asked(
        self, asked: Turn, before: float, after: float, alive: Alive, why: str
    ) -> None:
        found = liveness(Looked(1, yaw=before), Looked(1, yaw=after), 0.3, 0.6, asked)
        assert (found.alive, found.why) == (alive, why)
        assert (found.yaw, found.distance) == ((before, after), 30)

    def test_another_face_that_turns_is_none(self) -> None:
        found = liveness(Looked(1), Looked(1, yaw=25), 0.61, 0.6, Turn.LEFT)
        assert (found.alive, found.why) == (Alive.NO, "another_face")

    @pytest.mark.parametrize(("one", "other"), [(0, 1), (1, 0), (1, 2)])
    def test_without_one_face_in_each_nothing_is_known(self, one: int, other: int) -> None:
        found = liveness(Looked(one), Looked(other, yaw=25), 0.0, 0.6, Turn.LEFT)
        assert (found.alive, found.why, found.yaw) == (Alive.UNKNOWN, "no_single_face", None)

"""Photos of random checks: taken in within bounds, and judged so that no model fails anybody."""

from __future__ import annotations

import hashlib

import pytest

from liveserver.core.errors import PeerError
from liveserver.core.messages import PhotoHead
from liveserver.core.photo import MAX_PIECE_BYTES, Assembly, Looked, judge

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
        assert assembly.add(last) == (head(), PHOTO)
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

    def test_a_new_announcement_begins_anew(self) -> None:
        assembly = Assembly()
        assembly.begin(head())
        assembly.add(pieces()[0])
        assembly.begin(head(b"ab"))
        assert assembly.add(b"ab") == (head(b"ab"), b"ab")


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

"""The messages of a process that looks at files, and what of them is not believed."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveserver.confined.framing import WireError
from liveserver.stills.wire import (
    DESCRIPTOR_BYTES,
    Decoder,
    Faces,
    FaceSeen,
    File,
    Message,
    Ready,
    Refused,
    Seen,
    Text,
    encode,
)

FACE = FaceSeen((1, 2, 30, 40), 0.9, 0.1, -20.0, 5.5, 0.0)
DESCRIPTOR = struct.pack("!128f", *range(128))
MESSAGES: list[Message] = [
    File(b"\xff\xd8"),
    Ready({"one": "ab" * 32, "two": "cd" * 32}),
    Seen({"porn": 0.5, "violence": 1.0}, (Text("加微信", (0, 0, 10, 20), 0.7), Text("", (0, 0, 0, 0), 0.0))),
    Seen({}, ()),
    Faces((FACE, FACE), DESCRIPTOR, b"l" * 128, b"jpeg"),
    Faces((), b"", b"", b"jpeg"),
    Refused("neither JPEG nor PNG"),
]


def refused(message: Message) -> None:
    with pytest.raises(WireError):
        Decoder().feed(encode(message))


class TestMessages:
    @pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
    def test_each_comes_as_it_went(self, message):
        assert Decoder().feed(encode(message)) == [message]

    def test_they_come_one_after_the_other_in_pieces_of_any_size(self):
        stream, decoder, heard = b"".join(map(encode, MESSAGES)), Decoder(), []
        for at in range(0, len(stream), 7):
            heard += decoder.feed(stream[at : at + 7])
        assert heard == MESSAGES


class TestWhatIsNotBelieved:
    @pytest.mark.parametrize(
        "face",
        [
            FaceSeen((30, 2, 1, 40), 0.9, 0.1, 0, 0, 0),
            FaceSeen((1, 2, 3, 4), 1.1, 0.1, 0, 0, 0),
            FaceSeen((1, 2, 3, 4), 0.9, math.nan, 0, 0, 0),
            FaceSeen((1, 2, 3, 4), 0.9, 0.1, 181, 0, 0),
            FaceSeen((1, 2, 3, 4), 0.9, 0.1, 0, math.inf, 0),
        ],
    )
    def test_a_face_that_cannot_be(self, face):
        refused(Faces((face,), DESCRIPTOR, b"", b"jpeg"))

    def test_a_descriptor_without_a_face_or_a_face_without_one(self):
        refused(Faces((), DESCRIPTOR, b"", b"jpeg"))
        refused(Faces((FACE,), b"", b"", b"jpeg"))
        refused(Faces((FACE,), DESCRIPTOR[:-1], b"", b"jpeg"))

    def test_a_descriptor_that_is_no_numbers(self):
        refused(Faces((FACE,), b"\xff" * DESCRIPTOR_BYTES, b"", b"jpeg"))

    def test_a_score_beyond_one(self):
        refused(Seen({"porn": 1.5}, ()))

    def test_more_than_there_may_be(self):
        refused(Faces((FACE,) * 51, DESCRIPTOR, b"", b"jpeg"))
        refused(Refused("x" * 201))

    @given(st.integers(0, 40), st.binary(max_size=200))
    def test_any_other_bytes(self, kind, body):
        data = struct.pack("!IB", 1 + len(body), kind) + body
        try:
            Decoder().feed(data)
        except WireError:
            return

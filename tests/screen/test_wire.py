"""The wire to the screen process: what one side writes the other reads, anything else is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveserver.confined.framing import WireError, framed
from liveserver.core.screening import Category, Kind, Line, Mode
from liveserver.screen import wire
from liveserver.screen.wire import (
    Alive,
    Close,
    Decoder,
    Done,
    Found,
    Frame,
    List,
    Looked,
    Lost,
    Open,
    Passed,
    Ready,
    Refused,
)
from tests.screen.media import RULES

SCORES = {Category.PORN: 0.25, Category.BENIGN: 1.0}
LINE = Line("加微信 领彩金", (1, 2, 300, 40), Category.GAMBLING, 0.5)
MESSAGES = [
    Open(7, "screen", Mode.SCREENED, RULES),
    Open(8, "camera", Mode.OFF),
    Frame(7, 1, 2**32 - 1, 2**40, True, "h264", b"frame"),
    Frame(7, 2, 0, 0, False, "vp8", bytes(wire.MAX_FRAME_BYTES), hurry=True),
    Close(7),
    List("house", "彩金\tgambling\t0.9\n".encode()),
    Ready({"open-nsfw": "ab" * 32, "other": "00" * 32}),
    Passed(7, 1, 2**32 - 1),
    Looked(7, 3, SCORES, b"jpeg"),
    Looked(7, 3, {}),
    Found(
        7, 4, Kind.TEXT, SCORES, {"reader": "cd" * 32}, (LINE, LINE), ("彩金",), bytes(wire.MAX_JPEG_BYTES)
    ),
    Lost(7),
    Done(7, 3, 35_000),
    Alive(),
    Refused("weapons.onnx: its SHA-256 is another"),
]


class TestWhatIsWrittenIsRead:
    @pytest.mark.parametrize("message", MESSAGES, ids=lambda m: type(m).__name__)
    def test_whole(self, message):
        assert Decoder().feed(wire.encode(message)) == [message]

    def test_in_any_pieces(self):
        small = [message for message in MESSAGES if len(wire.encode(message)) < 1_000]
        stream = b"".join(map(wire.encode, small))
        for size in (1, 3, 7):
            decoder = Decoder()
            pieces = [stream[start : start + size] for start in range(0, len(stream), size)]
            assert [message for piece in pieces for message in decoder.feed(piece)] == small

    def test_long_texts_are_cut_between_letters(self):
        (read,) = Decoder().feed(wire.encode(Found(1, 1, Kind.TEXT, {}, {}, (Line("赌" * 999, (0, 0, 1, 1)),),
                                                   (), b"")))  # fmt: skip
        assert read.lines[0].text == "赌" * (wire.MAX_TEXT_BYTES // 3)


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("kind", "body"),
        [
            (0, b""),
            (1, b"\0\0\0\1\2\0\0\0"),
            (1, b"\0\0\0\1\0\x09\0\0"),
            (1, b"\0\0\0\1\0\0\0\1"),
            (2, bytes(22)),
            (2, bytes(20) + b"\4\0x"),
            (2, bytes(20) + b"\0\2x"),
            (3, bytes(5)),
            (16, b"\1\0\0\0\1a" + bytes(31)),
            (16, b"\1\0\0\0\1\xff" + bytes(32)),
            (18, bytes(8) + b"\1\0\x7f\xf8\0\0\0\0\0\0" + bytes(4)),
            (18, bytes(8) + b"\1\0\x40\0\0\0\0\0\0\0" + bytes(4)),
            (18, bytes(8) + b"\0" + b"\0\1\0\0"),
            (19, bytes(8) + b"\x63"),
            (22, b"x"),
        ],
        ids=[
            "unknown kind", "third track", "unknown mode", "no rule", "no frame", "unknown flag",
            "unknown codec", "too long", "hash cut off", "no text", "no number", "score of 2",
            "thumbnail too large", "unknown sort", "alive with a body",
        ],
    )  # fmt: skip
    def test_by_name(self, kind, body):
        with pytest.raises(WireError):
            Decoder().feed(framed(kind, body))

    @given(st.integers(0, 30), st.binary(max_size=200))
    def test_anything_is_read_or_refused(self, kind, body):
        try:
            wire.decode(kind, body)
        except WireError:
            return

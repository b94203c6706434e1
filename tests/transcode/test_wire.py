"""The wire to the transcode process: what one side writes the other reads, anything else is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveserver.transcode import wire
from liveserver.transcode.wire import Decoder, Forget, Frame, Lost, Picture, Ready, WantKeyframe, WireError

MESSAGES = [
    Frame("camera", "h264", True, 2**32 - 1, 7, b"frame"),
    Frame("screen", "vp8", False, 0, 2**32 - 1, bytes(wire.MAX_FRAME_BYTES)),
    WantKeyframe("screen"),
    Forget("camera"),
    Ready(),
    Picture("camera", True, 1, 2, (b"a", b"bc")),
    Picture("screen", False, 1, 2, (bytes(wire.MAX_PAYLOAD_BYTES),) * wire.MAX_PAYLOADS),
    Lost("camera"),
]


class TestWhatIsWrittenIsRead:
    @pytest.mark.parametrize("message", MESSAGES, ids=lambda m: type(m).__name__)
    def test_whole(self, message):
        assert Decoder().feed(wire.encode(message)) == [message]

    def test_in_any_pieces(self):
        small = [message for message in MESSAGES if len(wire.encode(message)) < 100]
        stream = b"".join(map(wire.encode, small))
        for size in (1, 3, 7):
            decoder = Decoder()
            pieces = [stream[start : start + size] for start in range(0, len(stream), size)]
            assert [message for piece in pieces for message in decoder.feed(piece)] == small


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        "stream",
        [
            b"\0\0\0\0",
            b"\xff\xff\xff\xff",
            b"\0\0\0\1\x63",
            b"\0\0\0\2\x10\0",
            b"\0\0\0\1\x02",
            b"\0\0\0\2\x02\x02",
            b"\0\0\0\x0c\x01\0\x01\x01\0\0\0\1\0\0\0\1",
            b"\0\0\0\x0d\x01\0\x03\x01\0\0\0\1\0\0\0\1x",
            b"\0\0\0\x0d\x01\0\x01\x02\0\0\0\1\0\0\0\1x",
            b"\0\0\0\x0b\x11\0\x01\0\0\0\1\0\0\0\1",
            b"\0\0\0\x0d\x11\0\x01\0\0\0\1\0\0\0\1\0\0",
            b"\0\0\0\x0e\x11\0\x01\0\0\0\1\0\0\0\1\0\2x",
            b"\0\0\0\x0c\x11\0\x01\0\0\0\1\0\0\0\1\0",
        ],
        ids=[
            "empty", "too long", "unknown kind", "ready with a body", "no track", "third track",
            "no frame data", "unknown codec", "a boolean of 2", "no payload", "empty payload",
            "payload cut off", "size cut off",
        ],
    )  # fmt: skip
    def test_by_name(self, stream):
        with pytest.raises(WireError):
            Decoder().feed(stream)

    def test_payloads_too_large_or_too_many(self):
        for payloads in ((bytes(wire.MAX_PAYLOAD_BYTES + 1),), (b"x",) * (wire.MAX_PAYLOADS + 1)):
            with pytest.raises(WireError):
                Decoder().feed(wire.encode(Picture("camera", True, 1, 2, payloads)))

    @given(st.binary(max_size=200))
    def test_anything_is_read_or_refused(self, stream):
        try:
            Decoder().feed(stream)
            Decoder().feed(len(stream).to_bytes(4, "big") + stream)
        except WireError:
            return

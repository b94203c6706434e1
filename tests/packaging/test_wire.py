"""The wire to the packaging process: what one side writes the other reads, anything else is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveserver.confined.framing import WireError
from liveserver.packaging.lane import Lane
from liveserver.packaging.wire import (
    Decoder,
    Forget,
    Frame,
    Init,
    Lost,
    Mark,
    Part,
    Ready,
    Report,
    decode,
    encode,
)

MESSAGES = [
    Frame(7, "video", "h264", True, False, 2**32 - 1, 5, 1_790_000_000_000, b"frame"),
    Frame(0, "audio", "opus", False, True, 0, 2**32 - 1, 0, b"\0"),
    Report(7, "audio", 2**64 - 1, 9),
    Forget(2**32 - 1),
    Ready(),
    Init(7, 3, 1280, 720, "avc1.42e01f", b"video", b"audio"),
    Init(7, 1, 0, 0, "", b"", b"audio"),
    Part(7, 3, Mark.INDEPENDENT | Mark.SEGMENT | Mark.DISCONTINUITY | Mark.LAST, 2**40, 15, 17, b"v", b"a"),
    Lost(7),
]


class TestWhatIsWrittenIsRead:
    @pytest.mark.parametrize("message", MESSAGES, ids=lambda m: type(m).__name__)
    def test_whole(self, message):
        assert Decoder().feed(encode(message)) == [message]

    def test_in_any_pieces(self):
        stream = b"".join(map(encode, MESSAGES))
        decoder = Decoder()
        assert [
            m for start in range(0, len(stream), 3) for m in decoder.feed(stream[start : start + 3])
        ] == MESSAGES


class TestWhatIsRefused:
    @settings(deadline=None)
    @given(st.integers(0, 255), st.binary(max_size=80))
    def test_anything_is_read_or_refused_by_name(self, kind, body):
        try:
            decode(kind, body)
        except WireError:
            return

    @pytest.mark.parametrize(
        "message", [m for m in MESSAGES if not isinstance(m, Frame)], ids=lambda m: type(m).__name__
    )
    def test_what_is_too_long_or_cut_off(self, message):
        whole = encode(message)
        for body in (whole[5:] + b"x", whole[5:-1]):
            if body != whole[5:] and not (isinstance(message, Ready) and not body):
                with pytest.raises(WireError):
                    decode(whole[4], body)


class TestWhatStrangersSend:
    @settings(deadline=None, max_examples=60)
    @given(
        st.lists(
            st.tuples(
                st.sampled_from([("audio", "opus"), ("video", "h264")]), st.booleans(), st.booleans(),
                st.integers(0, 3), st.integers(0, 2**32 - 1), st.integers(0, 20_000),
                st.binary(min_size=1, max_size=60) | st.binary(max_size=40).map(lambda b: b"\0\0\1g" + b),
            ),
            max_size=12,
        )
    )  # fmt: skip
    def test_never_ends_a_lane(self, frames):
        lane = Lane(1)
        for (track, codec), keyframe, lost, source, timestamp, at_ms, data in frames:
            lane.push(
                Frame(1, track, codec, keyframe, lost, source, timestamp, 1_790_000_000_000 + at_ms, data)
            )
        lane.tick(1_790_000_030_000)

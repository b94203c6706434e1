"""Which packet a picture can be started with; the VP8 descriptor (RFC 7741 §4.2)."""

from __future__ import annotations

import contextlib

import pytest
from aiortc.codecs.vpx import VpxPayloadDescriptor
from hypothesis import given
from hypothesis import strategies as st

from liveserver.core.errors import PeerError
from liveserver.rtp import vp8
from liveserver.rtp.keyframe import is_whole_start, starts_keyframe

SPS, PPS, IDR, SLICE, SEI = b"\x67sps", b"\x68pps", b"\x65idr", b"\x41slice", b"\x06sei"


def stap(*units: bytes) -> bytes:
    return b"\x78" + b"".join(len(unit).to_bytes(2) + unit for unit in units)


class TestH264:
    @pytest.mark.parametrize(
        "payload",
        [
            SPS,
            IDR,
            stap(SPS, PPS),
            stap(SEI, SPS, PPS, IDR),
            b"\x7c\x85idr",  # FU-A, start of an IDR slice
            b"\x7c\x87sps",
        ],
    )
    def test_starts_with_an_idr_slice_or_a_sequence_parameter_set(self, payload):
        assert starts_keyframe("h264", payload)

    @pytest.mark.parametrize(
        "payload",
        [
            b"",
            SLICE,
            PPS,
            SEI,
            stap(SEI, SLICE),
            b"\x78",
            b"\x78\x00",
            b"\x78\x00\x05",
            b"\x7c",
            b"\x7c\x05idr",  # the middle of an IDR slice
            b"\x7c\x45idr",  # its end
            b"\x7c\x81slice",
        ],
    )
    def test_nothing_else_does(self, payload):
        assert not starts_keyframe("h264", payload)

    def test_a_slice_alone_may_miss_its_parameter_sets(self):
        assert is_whole_start("h264", stap(SPS, PPS))
        assert not is_whole_start("h264", IDR)


class TestVp8:
    KEY, DELTA = b"\x10\x00\x00\x9d\x01\x2a", b"\x11\x00\x00"

    def test_first_packet_of_a_frame_without_the_inverse_keyframe_bit(self):
        assert starts_keyframe("vp8", b"\x10" + self.KEY)
        assert is_whole_start("vp8", b"\x10" + self.KEY)

    @pytest.mark.parametrize(
        "payload", [b"", b"\x10", b"\x10" + DELTA, b"\x00" + KEY, b"\x11" + KEY, b"\x80" + KEY]
    )
    def test_nothing_else(self, payload):
        assert not starts_keyframe("vp8", payload)

    @given(
        picture_id=st.none() | st.integers(0, 0x7FFF),
        tl0picidx=st.none() | st.integers(0, 255),
        tid=st.none() | st.tuples(st.integers(0, 3), st.integers(0, 1)),
        keyidx=st.none() | st.integers(0, 31),
    )
    def test_every_extended_field_is_passed_over(self, **fields):
        descriptor = bytes(VpxPayloadDescriptor(partition_start=1, partition_id=0, **fields))
        assert vp8.describe(descriptor + self.KEY) == (len(descriptor), True, True)
        assert vp8.describe(descriptor + self.DELTA) == (len(descriptor), True, False)

    def test_a_short_picture_id_is_one_octet(self):
        assert vp8.describe(b"\x90\x80\x11" + self.KEY) == (3, True, True)

    @given(st.binary(max_size=8))
    def test_any_octets_are_described_or_refused(self, payload):
        with contextlib.suppress(PeerError):
            assert 0 < vp8.describe(payload).size < len(payload)


class TestHostileInput:
    def test_the_corpus_starts_a_keyframe_or_not(self, corpus):
        for data in corpus("h264") + corpus("rtp"):
            for codec in ("h264", "vp8", "opus"):
                assert starts_keyframe(codec, data) in (True, False)

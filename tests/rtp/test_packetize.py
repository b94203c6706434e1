"""Payloads: what comes out of the depacketizer is what went in."""

from __future__ import annotations

import pytest

from liveserver.rtp import h264, header, vp8
from liveserver.rtp.depacketize import Depacketizer
from liveserver.rtp.keyframe import is_whole_start, starts_keyframe
from liveserver.rtp.packetize import MAX_PAYLOAD_BYTES, h264_payloads, units, vp8_payloads

SPS, PPS, SEI, IDR, SLICE = (
    b"\x67\x42\xe0\x1f\x8c",
    b"\x68\xce\x3c\x80\x01",
    b"\x06\x05\x01",
    b"\x65",
    b"\x41",
)


def annex_b(*parts: bytes) -> bytes:
    return b"".join(b"\0\0\0\1" + part for part in parts)


def whole(payloads: list[bytes], codec: str) -> list[bytes]:
    """The frames that a receiver makes of the payloads of one picture."""
    depacketizer, frames = Depacketizer(codec), []
    for index, payload in enumerate(payloads):
        data = header.build(
            payload_type=96, sequence=index, timestamp=9, ssrc=1, payload=payload,
            marker=index == len(payloads) - 1,
        )  # fmt: skip
        frames += depacketizer.push(header.parse(data), 0)
    return [frame.data for frame in frames]


class TestH264:
    @pytest.mark.parametrize("size", [1, 100, 1169, 1170, 1171, 5000, 60_001])
    def test_an_access_unit_survives_whatever_its_size(self, size):
        unit = annex_b(SPS, PPS, IDR + b"\x55" * size)
        payloads = h264_payloads(unit)
        assert max(map(len, payloads)) <= MAX_PAYLOAD_BYTES
        assert whole(payloads, "h264") == [unit]

    def test_parameter_sets_travel_together_in_front_of_the_picture(self):
        payloads = h264_payloads(annex_b(SPS, PPS, IDR + b"\x55" * 3000))
        assert payloads[0][0] & 0x1F == h264.STAP_A
        assert h264.beginning_types(payloads[0]) == [h264.SPS, h264.PPS]
        assert starts_keyframe("h264", payloads[0])
        assert is_whole_start("h264", payloads[0])

    def test_what_encoders_say_of_themselves_is_left_out(self):
        assert h264_payloads(annex_b(SEI, SLICE + b"x")) == [SLICE + b"x"]

    def test_start_codes_of_three_bytes_and_trailing_zeros(self):
        assert list(units(b"\0\0\1\x67a\0\0\0\1\x68b\0\0")) == [b"\x67a", b"\x68b"]

    def test_nothing_comes_of_nothing(self):
        assert h264_payloads(b"") == []


class TestVp8:
    @pytest.mark.parametrize("size", [1, 1166, 1167, 5000])
    @pytest.mark.parametrize("key", [True, False])
    def test_a_frame_survives_whatever_its_size(self, size, key):
        frame = (b"\x10" if key else b"\x11") + b"\x55" * size
        payloads = vp8_payloads(frame, 0x7FFF)
        assert max(map(len, payloads)) <= MAX_PAYLOAD_BYTES
        described = [vp8.describe(payload) for payload in payloads]
        assert [d.starts_frame for d in described] == [True] + [False] * (len(payloads) - 1)
        assert b"".join(p[d.size :] for p, d in zip(payloads, described, strict=True)) == frame
        assert starts_keyframe("vp8", payloads[0]) == key

    def test_each_packet_names_its_picture(self):
        for payload in vp8_payloads(bytes(3000), 0x1234):
            assert payload[2:4] == b"\x92\x34"

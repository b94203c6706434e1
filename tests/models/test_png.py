"""An operator's PNG: the header says what it is before a decoder sees it."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.limits import Limits, PictureError
from models.png import SIGNATURE, decode, size


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack("!I", len(body)) + name + body + struct.pack("!I", zlib.crc32(name + body))


def header(width: int, height: int, depth: int = 8, colour: int = 2, rest: bytes = bytes(3)) -> bytes:
    return SIGNATURE + chunk(b"IHDR", struct.pack("!IIBB", width, height, depth, colour) + rest)


def png(pixels: np.ndarray, colour: int) -> bytes:
    """uint8 (H, W, C) as a PNG of 8 bits without filters."""
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    return (
        header(pixels.shape[1], pixels.shape[0], colour=colour)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


RGB = np.random.default_rng(4).integers(0, 255, (20, 30, 3), dtype=np.uint8)


class TestDecoding:
    def test_the_pixels_are_those_that_were_written(self):
        assert np.array_equal(decode(png(RGB, 2)), RGB)

    def test_grey_is_a_colour_too(self):
        assert np.array_equal(decode(png(RGB[:, :, :1], 0)), np.repeat(RGB[:, :, :1], 3, axis=2))

    def test_what_is_transparent_lies_on_white(self):
        cover = np.array([0, 255, 128], dtype=np.uint8)
        ink = np.full((1, 3, 4), 100, dtype=np.uint8)
        ink[0, :, 3] = cover
        assert decode(png(ink, 6))[0, :, 0].tolist() == [255, 100, 177]


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("data", "why"),
        [
            (b"", "no PNG"),
            (b"\xff\xd8\xff", "no PNG"),
            (SIGNATURE, "cut short"),
            (header(8, 8)[:-1], "cut short"),
            (SIGNATURE + chunk(b"IDAT", bytes(13)), "cut short"),
            (header(8, 8)[:-1] + b"\0", "damaged"),
            (header(0, 8), "0 by 8"),
            (header(8, 0), "8 by 0"),
            (header(65500, 65500), "65500 by 65500"),
            (header(1 << 31, 1), "by 1 pixels"),
            (header(8, 8, depth=3), "kind of PNG"),
            (header(8, 8, colour=5), "kind of PNG"),
            (header(8, 8, rest=b"\0\0\2"), "kind of PNG"),
        ],
    )
    def test_by_its_header(self, data, why):
        with pytest.raises(PictureError, match=why):
            size(data)

    def test_more_bytes_or_pixels_than_the_limit(self):
        with pytest.raises(PictureError, match="bytes"):
            size(png(RGB, 2), Limits(100, 1_000_000))
        with pytest.raises(PictureError, match="30 by 20"):
            size(png(RGB, 2), Limits(1_000_000, 599))

    @pytest.mark.parametrize("keep", [40, 400, -20])
    def test_what_is_cut_short(self, keep):
        with pytest.raises(PictureError):
            decode(png(RGB, 2)[:keep])

    @settings(max_examples=150, deadline=None)
    @given(st.integers(min_value=0), st.binary(min_size=1, max_size=4))
    def test_damaged_files_decode_or_are_refused(self, at, patch):
        data = bytearray(png(RGB, 2))
        at %= len(data)
        data[at : at + len(patch)] = patch
        try:
            decode(bytes(data))
        except PictureError:
            return

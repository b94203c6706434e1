"""A photo's header says what it is before any decoder sees it; what is not plainly a photo is refused."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.jpeg import Header, decode, encode, header
from models.limits import PHOTO, PictureError

from .pictures import photo_file

FUZZ = Path(__file__).parents[2].parent / "shared" / "data" / "fuzz"


def picture(height: int = 64, width: int = 96) -> np.ndarray:
    rows, columns = np.mgrid[0:height, 0:width]
    return np.stack([rows * 3 % 256, columns * 2 % 256, (rows + columns) % 256], axis=2).astype(np.uint8)


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack("!BBH", 0xFF, marker, len(body) + 2) + body


def frame(width: int, height: int, *, marker: int = 0xC0, precision: int = 8, sampling: int = 0x11) -> bytes:
    components = b"".join(bytes((at, sampling, 0)) for at in (1, 2, 3))
    return segment(marker, struct.pack("!BHHB", precision, height, width, 3) + components)


SOI, SCAN, EOI = b"\xff\xd8", segment(0xDA, bytes(10)), b"\xff\xd9"


def exif(orientation: int, order: str = "<") -> bytes:
    start = {"<": b"II*\0", ">": b"MM\0*"}[order]
    entry = struct.pack(f"{order}HHIHH", 0x0112, 3, 1, orientation, 0)
    return segment(0xE1, b"Exif\0\0" + start + struct.pack(f"{order}IH", 8, 1) + entry + bytes(4))


class TestHeader:
    @pytest.mark.parametrize(
        ("name", "size", "orientation"),
        [
            ("president_a_1.jpg", (910, 1137), 1),
            ("president_a_2.jpg", (626, 1200), 1),
            ("liveness_real_1.jpg", (640, 480), 6),
        ],
    )
    def test_a_photo_says_its_size_and_how_the_camera_was_held(self, name, size, orientation):
        assert header(photo_file(name)) == Header(*size, 3, orientation)

    def test_a_header_alone_is_enough(self):
        assert header(SOI + frame(33, 44) + SCAN + EOI) == Header(33, 44, 3)

    @pytest.mark.parametrize(
        ("data", "why"),
        [
            (b"", "no JPEG"),
            (b"\x89PNG\r\n\x1a\n", "no JPEG"),
            (SOI, "cut short"),
            (SOI + frame(8, 8), "cut short"),
            (SOI + frame(8, 8) + SCAN, "cut short"),
            (SOI + frame(8, 8)[:-1], "cut short"),
            (SOI + b"\x00\x00", "no marker"),
            (SOI + SCAN + EOI, "without a frame"),
            (SOI + frame(8, 8) + frame(8, 8) + SCAN + EOI, "two frames"),
            (SOI + frame(65500, 65500) + SCAN + EOI, "65500 by 65500"),
            (SOI + frame(2001, 2000) + SCAN + EOI, "2001 by 2000"),
            (SOI + frame(0, 8) + SCAN + EOI, "0 by 8"),
            (SOI + frame(8, 0) + SCAN + EOI, "8 by 0"),
            (SOI + frame(8, 8, precision=12) + SCAN + EOI, "8 bits"),
            (SOI + frame(8, 8, sampling=0x51) + SCAN + EOI, "sampling"),
            (SOI + frame(8, 8, marker=0xC9) + SCAN + EOI, "c9 is not taken"),
            (SOI + frame(8, 8, marker=0xC3) + SCAN + EOI, "c3 is not taken"),
            (SOI + frame(8, 8) + SCAN * 65 + EOI, "scans"),
            (SOI + segment(0xFE, b"x")[:3] + b"\x01", "cut short"),
            (SOI + bytes(PHOTO.bytes), "more than"),
        ],
    )
    def test_what_is_refused_and_why(self, data, why):
        with pytest.raises(PictureError, match=why):
            header(data)

    @pytest.mark.parametrize("order", ["<", ">"])
    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_exif_is_read_in_either_order(self, order, orientation):
        assert header(SOI + exif(orientation, order) + frame(8, 8) + SCAN + EOI).orientation == orientation

    @pytest.mark.parametrize("orientation", [0, 9, 255])
    def test_an_impossible_orientation_is_none(self, orientation):
        assert header(SOI + exif(orientation) + frame(8, 8) + SCAN + EOI).orientation == 1

    @given(st.binary(max_size=120))
    def test_exif_of_any_bytes_is_no_error(self, body):
        data = SOI + segment(0xE1, b"Exif\0\0II*\0" + body) + frame(8, 8) + SCAN + EOI
        assert 1 <= header(data).orientation <= 8


class TestDecoding:
    def test_what_was_encoded_comes_back_nearly_the_same(self):
        again = decode(encode(picture(), scale=2))
        assert np.abs(again.astype(int) - picture()).mean() < 4

    @pytest.mark.parametrize("shape", [(1, 1), (7, 33), (480, 640)])
    def test_of_any_size(self, shape):
        assert decode(encode(picture(*shape))).shape == (*shape, 3)

    def test_nothing_of_the_metadata_is_written_again(self):
        again = encode(decode(photo_file("president_a_1.jpg")))
        assert b"Exif" not in again and b"Obama" not in again

    @pytest.mark.parametrize(
        ("orientation", "turned"),
        [
            (1, lambda rgb: rgb),
            (2, np.fliplr),
            (3, lambda rgb: np.rot90(rgb, 2)),
            (4, np.flipud),
            (5, lambda rgb: rgb.transpose(1, 0, 2)),
            (6, lambda rgb: np.rot90(rgb, -1)),
            (7, lambda rgb: np.rot90(rgb, 2).transpose(1, 0, 2)),
            (8, np.rot90),
        ],
    )
    def test_it_stands_upright_however_the_camera_was_held(self, orientation, turned):
        data = encode(picture())
        held = data[:2] + exif(orientation) + data[2:]
        assert np.array_equal(decode(held), turned(decode(data)))

    @pytest.mark.parametrize("keep", [0.3, 0.6, 0.95])
    def test_a_photo_cut_short_is_refused_even_with_an_end_put_on(self, keep):
        data = photo_file("president_a_1.jpg")
        for end in (b"", EOI):
            with pytest.raises(PictureError):
                decode(data[: int(len(data) * keep)] + end)

    def test_two_pictures_in_one_file_are_refused_or_one(self):
        assert decode(encode(picture()) + encode(picture())).shape == (64, 96, 3)


class TestHostileFiles:
    @pytest.mark.parametrize("folder", ["jpeg", "image"])
    def test_each_decodes_or_is_refused(self, folder):
        files = sorted((FUZZ / folder).glob("*"))
        if not files:
            pytest.skip(f"no shared test data: {FUZZ / folder}")
        taken = 0
        for file in files:
            try:
                taken += decode(file.read_bytes()).shape[2] == 3
            except PictureError:
                continue
        assert 0 < taken < len(files) // 2

    @settings(max_examples=200, deadline=None)
    @given(st.integers(min_value=0), st.binary(min_size=1, max_size=6))
    def test_a_damaged_photo_too(self, at, patch):
        data = bytearray(encode(picture()))
        at %= len(data)
        data[at : at + len(patch)] = patch
        try:
            decode(bytes(data))
        except PictureError:
            return

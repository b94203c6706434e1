"""JPEG files of strangers: first their header, strictly and in Python; then decoding, in a confined process.

`header` reads sizes before a decoder sees the file: a learner's has at most 1 MB and 4 million pixels
(REL-G33), and all have at most 64 scans, Huffman codes (baseline or progressive), grey or YCbCr. `decode` and
`encode` are FFmpeg's (PyAV): call `decode` only where a crash costs nothing.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np

from models.limits import PHOTO, Limits, PictureError
from models.resize import Pixels

MAX_SCANS = 64  # a progressive file of a camera or browser has about ten; each costs a whole decoding
_SOI, _EOI, _SOS, _APP1 = 0xD8, 0xD9, 0xDA, 0xE1
_FRAMES = (0xC0, 0xC1, 0xC2)  # baseline, extended, progressive
_REFUSED = {*range(0xC3, 0xD0)} - {0xC4}  # lossless, hierarchical, arithmetic coding
_TABLES = (0xC4, 0xDB, 0xDD, 0xFE, *range(0xE0, 0xF0))  # DHT, DQT, DRI, comments, applications
_ORIENTATION = 0x0112  # Exif 2.3, 4.6.4
_SHORT = 3


@dataclass(frozen=True, slots=True)
class Header:
    """Size in pixels as stored, 1 or 3 components, how the camera was held (Exif 1 to 8; 1 is upright)."""

    width: int
    height: int
    components: int
    orientation: int = 1


def header(data: bytes, limits: Limits = PHOTO) -> Header:
    """What a whole file says of itself. Raises `PictureError`."""
    if len(data) > limits.bytes:
        raise PictureError(f"more than {limits.bytes} bytes")
    if data[:2] != bytes((0xFF, _SOI)):
        raise PictureError("no JPEG")
    at, frame, orientation = 2, None, 1
    while True:
        marker, at = _marker(data, at)
        if len(data) - at < 2:
            raise PictureError("cut short")
        (length,) = struct.unpack_from("!H", data, at)
        body = data[at + 2 : at + length]
        if length < 2 or at + length > len(data):
            raise PictureError("cut short")
        at += length
        if marker in _FRAMES:
            if frame is not None:
                raise PictureError("two frames")
            frame = _frame(body, limits)
        elif marker == _APP1 and body[:6] == b"Exif\0\0":
            orientation = _orientation(body[6:])
        elif marker == _SOS:
            break
        elif marker not in _TABLES:
            raise PictureError(f"marker {marker:02x} is not taken")
    if frame is None:
        raise PictureError("a scan without a frame")
    _check_scans(data, at)
    return Header(*frame, orientation)


def _marker(data: bytes, at: int) -> tuple[int, int]:
    """(the marker at this place, what follows it); it may be filled up with FF before."""
    if data[at : at + 1] != b"\xff":
        raise PictureError("cut short" if at >= len(data) else "no marker where one is expected")
    while data[at : at + 1] == b"\xff":
        at += 1
    if at >= len(data):
        raise PictureError("cut short")
    return data[at], at + 1


def _frame(body: bytes, limits: Limits) -> tuple[int, int, int]:
    """(width, height, components) of a frame header, ITU-T T.81 B.2.2."""
    if len(body) < 6:
        raise PictureError("a frame header that is too short")
    precision, height, width, components = struct.unpack_from("!BHHB", body)
    if precision != 8 or components not in (1, 3) or len(body) != 6 + 3 * components:
        raise PictureError("neither grey nor YCbCr of 8 bits")
    if not width or not height or width * height > limits.pixels:
        raise PictureError(f"{width} by {height} pixels; at most {limits.pixels} in all are taken")
    for component in range(components):
        sampling = body[7 + 3 * component]
        if not (1 <= sampling >> 4 <= 4 and 1 <= sampling & 15 <= 4):
            raise PictureError("an impossible sampling")
    return width, height, components


def _check_scans(data: bytes, at: int) -> None:
    # Within a scan FF is followed by 00 or by a restart, so these are markers.
    if data.count(bytes((0xFF, _SOS)), at) >= MAX_SCANS:
        raise PictureError(f"more than {MAX_SCANS} scans")
    if data.find(bytes((0xFF, _EOI)), at) < 0:
        raise PictureError("cut short")


def _orientation(tiff: bytes) -> int:
    """The tag of the first directory, or 1: a photo with bad Exif is still a photo."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None or len(tiff) < 8:
        return 1
    (start,) = struct.unpack_from(f"{order}I", tiff, 4)
    if start + 2 > len(tiff):
        return 1
    (count,) = struct.unpack_from(f"{order}H", tiff, start)
    for at in range(start + 2, min(start + 2 + 12 * count, len(tiff) - 11), 12):
        tag, kind, values, value = struct.unpack_from(f"{order}HHIH", tiff, at)
        if tag == _ORIENTATION and kind == _SHORT and values == 1 and 1 <= value <= 8:
            return int(value)
    return 1


def decode(data: bytes, limits: Limits = PHOTO) -> Pixels:
    """The picture upright, uint8 (H, W, 3) RGB. Raises `PictureError`. Call it in a process that may end:
    hostile bytes have made decoders crash before."""
    said = header(data, limits)
    decoder = av.CodecContext.create("mjpeg", "r")
    assert isinstance(decoder, av.VideoCodecContext)
    decoder.thread_count = 1
    decoder.options = {"max_pixels": str(limits.pixels), "err_detect": "explode"}
    try:
        frames = [*decoder.decode(av.Packet(data)), *decoder.decode(None)]
        if len(frames) != 1 or (frames[0].width, frames[0].height) != (said.width, said.height):
            raise PictureError("damaged")
        stored: Pixels = frames[0].reformat(format="rgb24", threads=1).to_ndarray().astype(np.uint8)
    except (av.FFmpegError, ValueError, OSError) as error:
        raise PictureError("damaged") from error
    return _upright(stored, said.orientation)


def _upright(stored: Pixels, orientation: int) -> Pixels:
    """Turned and mirrored as Exif says the camera was held."""
    turned = stored.transpose(1, 0, 2) if orientation >= 5 else stored
    if orientation in (3, 4, 7, 8):
        turned = turned[::-1]
    if orientation in (2, 3, 6, 7):
        turned = turned[:, ::-1]
    return np.ascontiguousarray(turned)


def encode(rgb: Pixels, *, scale: int = 4) -> bytes:
    """uint8 (H, W, 3) RGB as a baseline JPEG without metadata. `scale`: FFmpeg's, 2 (best) to 31."""
    height, width = rgb.shape[:2]
    encoder = av.CodecContext.create("mjpeg", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuvj420p"
    encoder.time_base, encoder.thread_count = Fraction(1, 25), 1
    encoder.options = {"qmin": str(scale), "qmax": str(scale), "huffman": "optimal"}
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
    frame.pts = 0
    packets = [*encoder.encode(frame.reformat(format="yuvj420p", threads=1)), *encoder.encode(None)]
    return b"".join(map(bytes, packets))

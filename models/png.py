"""PNG files, for the operator's own pictures: header strictly, then FFmpeg (PyAV) in a confined process."""

from __future__ import annotations

import struct
import zlib

import av
import numpy as np

from models.limits import FILE, Limits, PictureError
from models.resize import Pixels

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}  # by colour type
_MAX_EDGE = 65_535


def size(data: bytes, limits: Limits = FILE) -> tuple[int, int]:
    """(width, height) in pixels, of the header (PNG 11.2.2). Raises `PictureError`."""
    if len(data) > limits.bytes:
        raise PictureError(f"more than {limits.bytes} bytes")
    if data[:8] != SIGNATURE:
        raise PictureError("no PNG")
    if len(data) < 33 or data[8:16] != b"\0\0\0\x0dIHDR":
        raise PictureError("cut short")
    width, height, depth, colour, *methods, check = struct.unpack_from("!IIBBBBBI", data, 16)
    if zlib.crc32(data[12:29]) != check:
        raise PictureError("damaged")
    if depth not in _DEPTHS.get(colour, ()) or methods[:2] != [0, 0] or methods[2] > 1:
        raise PictureError("a kind of PNG that there is not")
    if not 0 < width <= _MAX_EDGE or not 0 < height <= _MAX_EDGE or width * height > limits.pixels:
        raise PictureError(f"{width} by {height} pixels; at most {limits.pixels} in all are taken")
    return width, height


def decode(data: bytes, limits: Limits = FILE) -> Pixels:
    """uint8 (H, W, 3) RGB, what is transparent on white. Raises `PictureError`. Call it as `jpeg.decode`."""
    width, height = size(data, limits)
    decoder = av.CodecContext.create("png", "r")
    assert isinstance(decoder, av.VideoCodecContext)
    decoder.thread_count = 1
    decoder.options = {"max_pixels": str(limits.pixels), "err_detect": "explode"}
    try:
        frames = [*decoder.decode(av.Packet(data)), *decoder.decode(None)]
        if len(frames) != 1 or (frames[0].width, frames[0].height) != (width, height):
            raise PictureError("damaged")
        rgba = frames[0].reformat(format="rgba", threads=1).to_ndarray().astype(np.uint8, copy=False)
    except (av.FFmpegError, ValueError, OSError) as error:
        raise PictureError("damaged") from error
    if (rgba[:, :, 3] == 255).all():
        return np.ascontiguousarray(rgba[:, :, :3])
    cover = rgba[:, :, 3:].astype(np.uint16)
    return ((rgba[:, :, :3] * cover + 255 * (255 - cover) + 127) // 255).astype(np.uint8)

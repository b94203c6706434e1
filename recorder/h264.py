"""H.264 as a recording needs it: NAL units, parameter sets, picture size (ITU-T H.264, ISO/IEC 14496-15).

Access units come as Annex B (start codes) and go into the file with 4-byte lengths. Parameter sets stay in
the samples as they came and are also named in the sample entry, so both kinds of player find them.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

SLICE, IDR, SPS, PPS, AUD, FILLER = 1, 5, 7, 8, 9, 12
MAX_SIDE = 8192  # pixels; level 6.2
MAX_NALS = 512  # of one access unit
_EXTENDED_PROFILES = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})


class H264Error(Exception):
    """The bytes are not H.264 that can be recorded."""


@dataclass(frozen=True, slots=True)
class VideoConfig:
    """What a decoder must know before the first picture. Width and height in pixels, after cropping."""

    sps: tuple[bytes, ...]
    pps: tuple[bytes, ...]
    width: int
    height: int

    def avcc(self) -> bytes:
        """AVCDecoderConfigurationRecord, ISO/IEC 14496-15 §5.3.3.1, with 4-byte lengths."""
        first = self.sps[0]
        parts = [bytes((1, first[1], first[2], first[3], 0xFF, 0xE0 | len(self.sps)))]
        parts += [struct.pack("!H", len(nal)) + nal for nal in self.sps]
        parts.append(bytes((len(self.pps),)))
        parts += [struct.pack("!H", len(nal)) + nal for nal in self.pps]
        if first[1] in (100, 110, 122, 144):
            chroma, luma_depth, chroma_depth = _Sps(first).depths()
            parts.append(bytes((0xFC | chroma, 0xF8 | luma_depth, 0xF8 | chroma_depth, 0)))
        return b"".join(parts)


@dataclass(frozen=True, slots=True)
class AccessUnit:
    """One picture's NAL units, delimiters and filler left out."""

    nals: tuple[bytes, ...]
    idr: bool
    picture: bool
    sps: tuple[bytes, ...]
    pps: tuple[bytes, ...]

    def sample(self, before: tuple[bytes, ...] = ()) -> bytes:
        """The bytes of the MP4 sample, each NAL unit after its 4-byte length."""
        return b"".join(struct.pack("!I", len(nal)) + nal for nal in (*before, *self.nals))


def split(annex_b: bytes) -> list[bytes]:
    """NAL units of an Annex B stream, without start codes and trailing zeros (H.264 Annex B.1)."""
    nals: list[bytes] = []
    at = annex_b.find(b"\0\0\1")
    while at >= 0:
        start = at + 3
        at = annex_b.find(b"\0\0\1", start)
        nal = annex_b[start : at if at >= 0 else len(annex_b)].rstrip(b"\0")
        if nal:
            nals.append(nal)
        if len(nals) > MAX_NALS:
            raise H264Error("too many NAL units")
    return nals


def access_unit(annex_b: bytes) -> AccessUnit:
    """Look into one frame. Raises H264Error when it holds no NAL unit or one with the forbidden bit."""
    kept: list[bytes] = []
    sps: list[bytes] = []
    pps: list[bytes] = []
    kinds: set[int] = set()
    for nal in split(annex_b):
        if nal[0] & 0x80:
            raise H264Error("forbidden bit")
        kind = nal[0] & 0x1F
        if kind in (AUD, FILLER):
            continue
        kinds.add(kind)
        kept.append(nal)
        if kind == SPS:
            sps.append(nal)
        elif kind == PPS:
            pps.append(nal)
    if not kept:
        raise H264Error("no NAL unit")
    if len(sps) > 31 or len(pps) > 255:
        raise H264Error("too many parameter sets")
    return AccessUnit(tuple(kept), IDR in kinds, bool(kinds & {SLICE, IDR}), tuple(sps), tuple(pps))


def video_config(sps: tuple[bytes, ...], pps: tuple[bytes, ...]) -> VideoConfig:
    """Raises H264Error when a set is missing, too long, or its picture size makes no sense."""
    if not sps or not pps:
        raise H264Error("no parameter sets")
    if any(len(nal) > 0xFFFF or len(nal) < 4 for nal in sps) or any(len(nal) > 0xFFFF for nal in pps):
        raise H264Error("parameter set of a wrong size")
    width, height = _Sps(sps[0]).size()
    return VideoConfig(sps, pps, width, height)


class _Bits:
    """Reads an RBSP bit by bit; emulation prevention bytes are taken out (H.264 §7.4.1.1)."""

    def __init__(self, nal: bytes) -> None:
        rbsp = nal[:256].replace(b"\0\0\3", b"\0\0")  # sizes sit in the first bytes; scaling lists too
        self._value = int.from_bytes(rbsp, "big")
        self._left = len(rbsp) * 8

    def take(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise H264Error("parameter set too short")
        return (self._value >> self._left) & ((1 << count) - 1)

    def ue(self) -> int:
        """Exp-Golomb, H.264 §9.1."""
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > 31:
                raise H264Error("bad Exp-Golomb code")
        return (1 << zeros) - 1 + self.take(zeros)

    def se(self) -> int:
        value = self.ue()
        return (value + 1) // 2 if value & 1 else -(value // 2)


class _Sps:
    """seq_parameter_set_data up to the cropping rectangle, H.264 §7.3.2.1.1."""

    def __init__(self, nal: bytes) -> None:
        bits = _Bits(nal[1:])
        profile = bits.take(8)
        bits.take(16)  # constraints, level
        bits.ue()  # id
        self._chroma, self._luma_depth, self._chroma_depth, separate = 1, 0, 0, 0
        if profile in _EXTENDED_PROFILES:
            self._chroma = bits.ue()
            if self._chroma > 3:
                raise H264Error("chroma format")
            separate = bits.take(1) if self._chroma == 3 else 0
            self._luma_depth, self._chroma_depth = bits.ue(), bits.ue()
            if max(self._luma_depth, self._chroma_depth) > 6:
                raise H264Error("bit depth")
            bits.take(1)
            if bits.take(1):
                _skip_scaling(bits, 8 if self._chroma != 3 else 12)
        bits.ue()  # log2_max_frame_num
        _skip_order(bits)
        bits.ue()  # reference frames
        bits.take(1)
        columns, rows = bits.ue() + 1, bits.ue() + 1
        frames_only = bits.take(1)
        if not frames_only:
            bits.take(1)
        bits.take(1)
        left, right, top, bottom = (bits.ue() for _ in range(4)) if bits.take(1) else (0, 0, 0, 0)
        wide = 2 if self._chroma in (1, 2) and not separate else 1
        high = (2 if self._chroma == 1 and not separate else 1) * (2 - frames_only)
        self._width = columns * 16 - (left + right) * wide
        self._height = rows * 16 * (2 - frames_only) - (top + bottom) * high

    def size(self) -> tuple[int, int]:
        if not (0 < self._width <= MAX_SIDE and 0 < self._height <= MAX_SIDE):
            raise H264Error(f"picture of {self._width}x{self._height}")
        return self._width, self._height

    def depths(self) -> tuple[int, int, int]:
        """chroma_format_idc, bit depths of luma and chroma minus 8."""
        return self._chroma, self._luma_depth, self._chroma_depth


def _skip_scaling(bits: _Bits, lists: int) -> None:
    for index in range(lists):
        if not bits.take(1):
            continue
        last = following = 8
        for _ in range(16 if index < 6 else 64):
            if following:
                following = (last + bits.se()) % 256
            last = following or last


def _skip_order(bits: _Bits) -> None:
    kind = bits.ue()
    if kind == 0:
        bits.ue()
    elif kind == 1:
        bits.take(1)
        bits.se()
        bits.se()
        for _ in range(min(bits.ue(), 255)):
            bits.se()

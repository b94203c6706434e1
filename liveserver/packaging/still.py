"""Pictures that say: nothing has changed. For sources that send few, such as a shared screen at rest.

Players stop when the picture's track ends before the sound's, and a browser sends one frame a second of a
screen nobody touches. Between two frames of such a source stands a P picture of skipped macroblocks alone (20
bytes or so; ITU-T H.264 7.3.4, 8.4.1.1: it is the picture before it). It takes a frame number, so the numbers
of the frames that follow it are moved up to the next keyframe, whole slices unchanged otherwise.

Only streams whose slices refer to the picture right before them can be filled: baseline as browsers and x264
without B pictures send it, CAVLC, frames alone. Others are left as they are.
"""

from __future__ import annotations

from dataclasses import dataclass

from liveserver.packaging.bits import Bits, Writer, escape, patched, unescape

_SLICE, _IDR = 1, 5
_HEADER_BYTES = 64  # of a slice: what is read lies in them
_EXTENDED_PROFILES = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})


@dataclass(frozen=True, slots=True)
class _Sets:
    """What the parameter sets say that slices depend on."""

    frame_bits: int
    order_kind: int
    order_bits: int
    macroblocks: int
    is_field_order_there: bool
    has_deblocking: bool


@dataclass(frozen=True, slots=True)
class _Slice:
    """Where in a slice its numbers are, and what they are."""

    pps: int
    number_at: int
    number: int
    order_at: int
    order: int


class Stills:
    """Follows one track's NAL units in their order."""

    def __init__(self) -> None:
        self._sets: _Sets | None = None
        self._added = 0  # since the keyframe
        self._last: _Slice | None = None  # with its numbers as they were sent on
        self._nal_header = 0x61

    def configure(self, sps: bytes, pps: bytes) -> None:
        """Parameter sets of the frames that follow."""
        try:
            self._sets = _sets(sps, pps)
        except ValueError:
            self._sets = None
        self._last, self._added = None, 0

    def follow(self, nals: tuple[bytes, ...]) -> tuple[bytes, ...]:
        """The NAL units of the next frame, moved behind what was added."""
        return tuple(self._moved(nal) if nal[0] & 0x1F in (_SLICE, _IDR) else nal for nal in nals)

    def make(self) -> bytes | None:
        """One more picture like the last, as a NAL unit; None where that cannot be done."""
        sets, last = self._sets, self._last
        if sets is None or last is None:
            return None
        self._added += 1
        number = (last.number + 1) % (1 << sets.frame_bits)
        order = (last.order + 2) % (1 << sets.order_bits) if sets.order_bits else 0
        self._last = _Slice(last.pps, 0, number, 0, order)
        bits = Writer().ue(0).ue(5).ue(last.pps).put(number, sets.frame_bits)  # slice type 5: all P
        if sets.order_bits:
            bits.put(order, sets.order_bits)
            if sets.is_field_order_there:
                bits.ue(0)
        # One reference, none moved, none marked, the usual quantiser.
        bits.put(0, 1).put(0, 1).put(0, 1).ue(0)
        if sets.has_deblocking:
            bits.ue(1)
        return bytes((0x61,)) + escape(bits.ue(sets.macroblocks).rbsp())

    def _moved(self, nal: bytes) -> bytes:
        sets = self._sets
        if sets is None:
            return nal
        try:
            found = _slice(nal, sets)
        except ValueError:
            self._last = None  # it cannot be filled behind this
            return nal
        if nal[0] & 0x1F == _IDR:
            self._added = 0
        added = self._added
        number = (found.number + added) % (1 << sets.frame_bits)
        order = (found.order + 2 * added) % (1 << sets.order_bits) if sets.order_bits else 0
        self._last = _Slice(found.pps, 0, number, 0, order)
        if not added:
            return nal
        data = patched(unescape(nal), found.number_at, sets.frame_bits, number)
        if sets.order_bits:
            data = patched(data, found.order_at, sets.order_bits, order)
        return escape(data)


def _sets(sps: bytes, pps: bytes) -> _Sets:
    """Raises ValueError for streams that cannot be filled."""
    bits = Bits(unescape(sps[1:]))
    profile = bits.take(8)
    bits.take(16)
    bits.ue()
    if profile in _EXTENDED_PROFILES and (
        bits.ue() != 1 or bits.ue() or bits.ue() or bits.take(1) or bits.take(1)
    ):
        raise ValueError("a chroma format, depth or scaling that is not the usual")
    frame_bits, order_kind = bits.ue() + 4, bits.ue()
    order_bits = bits.ue() + 4 if order_kind == 0 else 0
    if order_kind == 1 or frame_bits > 16 or order_bits > 16:
        raise ValueError("an order of pictures by cycles")
    bits.ue()
    bits.take(1)
    macroblocks = (bits.ue() + 1) * (bits.ue() + 1)
    if not bits.take(1) or macroblocks > 139_264:
        raise ValueError("fields, or too large")
    bits = Bits(unescape(pps[1:]))
    bits.ue()
    bits.ue()
    is_cabac, is_field_order_there = bits.take(1), bool(bits.take(1))
    groups, references = bits.ue(), bits.ue()
    bits.ue()
    is_weighted = bits.take(1)
    bits.take(2)
    for _ in range(3):
        bits.se()
    has_deblocking = bool(bits.take(1))
    bits.take(1)
    if is_cabac or groups or references or is_weighted or bits.take(1):
        raise ValueError("a way of coding that is not baseline's usual")
    return _Sets(frame_bits, order_kind, order_bits, macroblocks, is_field_order_there, has_deblocking)


def _slice(nal: bytes, sets: _Sets) -> _Slice:
    """Raises ValueError for a slice behind which nothing can be filled."""
    if not nal[0] & 0x60:
        raise ValueError("a picture that is no reference")
    is_idr = nal[0] & 0x1F == _IDR
    bits = Bits(unescape(nal[:_HEADER_BYTES]))
    bits.take(8)
    bits.ue()
    kind, pps = bits.ue() % 5, bits.ue()
    number_at = bits.at
    number = bits.take(sets.frame_bits)
    if is_idr:
        bits.ue()
    order_at, order = bits.at, 0
    if sets.order_bits:
        order = bits.take(sets.order_bits)
        if sets.is_field_order_there:
            bits.se()
    if kind == 0:
        _check_references(bits)
    elif kind != 2:
        raise ValueError("neither I nor P")
    if not is_idr and bits.take(1):
        raise ValueError("references are marked one by one")
    return _Slice(pps, number_at, number, order_at, order)


def _check_references(bits: Bits) -> None:
    """Raises ValueError unless the slice refers to the picture right before it alone."""
    if bits.take(1) and bits.ue():
        raise ValueError("several references")
    # Where an order is given, it has to be the one there is: the picture before, then the end.
    if bits.take(1) and (bits.ue() or bits.ue() or bits.ue() != 3):
        raise ValueError("references in another order")

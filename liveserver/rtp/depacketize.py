"""From RTP packets to encoded frames: H.264 access units (RFC 6184), VP8 (RFC 7741), Opus (RFC 7587).

Two stages. The `Depacketizer` puts packets in order, waiting a bounded time for those that RTX may still
bring; an assembly makes frames of what comes in order. A frame is handed over only when it is whole and so is
every frame back to a keyframe: after a loss the pictures until the next whole keyframe are dropped.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from liveserver.core.errors import PeerError
from liveserver.rtp import h264, vp8
from liveserver.rtp.header import Packet
from liveserver.rtp.sequence import MAX_DROPOUT, unwrap16

WATCH_WAIT_NS = 400_000_000  # NACK is asked once per round trip and may be lost itself: several must fit
# A recording has time. What waits here is lost with the node, and of what came at most 2 s may be (REL-G1).
RECORD_WAIT_NS = 1_600_000_000
WATCH_WAITING = 256  # packets held back behind a gap
RECORD_WAITING = 2048  # 1.6 s of a screen at 10 Mbit/s
MAX_MISORDER = 256
MAX_FRAME_BYTES = 2_000_000
MAX_FRAME_PARTS = 4096  # packets or NAL units of one frame; a million of one octet each would fit the bytes
MAX_PARAMETER_SETS_BYTES = 4096

_START_CODE = b"\0\0\0\1"


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame: an Annex B access unit, a VP8 frame or an Opus packet.

    `timestamp` in RTP ticks, uint32. `arrival_ns` is when its first packet arrived, monotonic. `lost_before`
    counts the packets since the frame before this one that never came, or could not be used.
    """

    data: bytes
    timestamp: int
    keyframe: bool
    arrival_ns: int
    lost_before: int


class Depacketizer:
    """Frames of one SSRC; `codec` "h264", "vp8" or "opus". Make a new one for a new SSRC.

    A missing packet is waited for up to `wait_ns`, while at most `waiting` are held back behind it. `late`
    counts packets that came after they had been given up.
    """

    def __init__(self, codec: str, wait_ns: int = WATCH_WAIT_NS, waiting: int = WATCH_WAITING):
        self._assembly = _ASSEMBLIES[codec]()
        self._wait_ns = wait_ns
        self._most_waiting = waiting
        self._next: int | None = None  # extended number of the packet to assemble next
        self._waiting: dict[int, tuple[Packet, int]] = {}  # in order of arrival
        self._restart_at = -1
        self.late = 0

    def push(self, packet: Packet, arrival_ns: int) -> list[Frame]:
        """Take one packet, in any order; the frames that it completes. A malformed one counts as lost."""
        if self._next is None:
            self._next = packet.sequence
        number = unwrap16(packet.sequence, self._next)
        if not -MAX_MISORDER <= number - self._next <= MAX_DROPOUT:
            # Far from all we know. One such packet is a stray, two in a row are a sender that began anew.
            if packet.sequence != self._restart_at:
                self._restart_at = (packet.sequence + 1) & 0xFFFF
                return []
            frames = self.flush()
            self._assembly.lose(1)
            self._next = number = packet.sequence
            self._waiting[number] = (packet, arrival_ns)
            return frames + self._release(arrival_ns)
        if number < self._next:
            self.late += 1
            return []
        self._waiting.setdefault(number, (packet, arrival_ns))
        return self._release(arrival_ns)

    def flush(self) -> list[Frame]:
        """No more will come: what still waits, without what is missing. An unfinished frame is dropped."""
        frames: list[Frame] = []
        for number in sorted(self._waiting):
            self._skip_to(number)
            frames += self._assembly.add(*self._waiting[number])
            self._next = number + 1
        self._waiting.clear()
        return frames

    def _release(self, now_ns: int) -> list[Frame]:
        frames: list[Frame] = []
        while self._waiting:
            assert self._next is not None
            entry = self._waiting.pop(self._next, None)
            if entry is None:
                _, oldest_ns = next(iter(self._waiting.values()))
                if now_ns - oldest_ns < self._wait_ns and len(self._waiting) <= self._most_waiting:
                    break
                self._skip_to(min(self._waiting))
                continue
            frames += self._assembly.add(*entry)
            self._next += 1
        return frames

    def _skip_to(self, number: int) -> None:
        assert self._next is not None
        if number > self._next:
            self._assembly.lose(number - self._next)
            self._next = number


class _Assembly(Protocol):
    """Packets come in order; `lose(count)` tells of those missing between the last `add` and the next."""

    def add(self, packet: Packet, arrival_ns: int) -> list[Frame]: ...

    def lose(self, count: int) -> None: ...


class OpusAssembly:
    """Each packet is a frame and stands alone."""

    def __init__(self) -> None:
        self._lost = 0

    def add(self, packet: Packet, arrival_ns: int) -> list[Frame]:
        payload = packet.payload
        if not payload:
            return []
        frame = Frame(payload, packet.timestamp, True, arrival_ns, self._lost)
        self._lost = 0
        return [frame]

    def lose(self, count: int) -> None:
        self._lost += count


class _VideoAssembly:
    """Packets of one timestamp make a frame, which ends at the marker or where the next timestamp begins."""

    def __init__(self) -> None:
        self._lost = 0
        self._gap = False  # packets are missing right before the next one
        self._trusted = False  # every frame back to a keyframe was whole
        self._open = False
        self._timestamp = self._arrival_ns = self._size = 0
        self._whole = False
        self._parts: list[bytes] = []

    def add(self, packet: Packet, arrival_ns: int) -> list[Frame]:
        payload = packet.payload
        if not payload:
            return []  # a probe of the path, in sequence but without media
        gap, self._gap = self._gap, False
        frames: list[Frame] = []
        if self._open and packet.timestamp != self._timestamp:
            self._whole = self._whole and not gap
            frames += self._close()
        if not self._open:
            self._begin(packet.timestamp, arrival_ns)
            self._whole = not gap or self._is_first(payload)
        elif gap:
            self._whole = False
        self._arrival_ns = min(self._arrival_ns, arrival_ns)
        try:
            self._append(payload)
        except PeerError:
            self._lost += 1
            self._whole = False
        if packet.marker:
            frames += self._close()
        return frames

    def lose(self, count: int) -> None:
        self._lost += count
        self._gap = True
        self._trusted = False

    def _begin(self, timestamp: int, arrival_ns: int) -> None:
        self._open = True
        self._timestamp, self._arrival_ns, self._size = timestamp, arrival_ns, 0
        self._parts = []

    def _close(self) -> list[Frame]:
        self._open = False
        finished = self._finish() if self._whole else None
        if finished is None:
            self._trusted = self._trusted and self._whole
            return []
        data, keyframe = finished
        self._trusted = self._trusted or keyframe
        if not self._trusted:
            return []
        frame = Frame(data, self._timestamp, keyframe, self._arrival_ns, self._lost)
        self._lost = 0
        return [frame]

    def _keep(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > MAX_FRAME_BYTES or len(self._parts) >= MAX_FRAME_PARTS:
            self._parts.clear()
            raise PeerError("frame_too_large")
        self._parts.append(part)

    def _is_first(self, payload: bytes) -> bool:
        """Whether nothing of the frame can lie in packets before this one."""
        raise NotImplementedError

    def _append(self, payload: bytes) -> None:
        """Take one payload; PeerError when it is malformed or does not continue the one before."""
        raise NotImplementedError

    def _finish(self) -> tuple[bytes, bool] | None:
        """The frame and whether it is a keyframe; None when there is no picture in it."""
        raise NotImplementedError


class H264Assembly(_VideoAssembly):
    """NAL units, alone, aggregated (STAP-A) or in pieces (FU-A), become Annex B access units.

    Parameter sets stay where they are; an IDR picture that has none with it gets those sent last.
    """

    def __init__(self) -> None:
        super().__init__()
        self._kinds: set[int] = set()
        self._pieces: list[bytes] | None = None  # of the NAL unit an FU-A has begun
        self._parameter_sets: list[bytes] = []

    def _begin(self, timestamp: int, arrival_ns: int) -> None:
        super()._begin(timestamp, arrival_ns)
        self._kinds = set()
        self._pieces = None

    def _is_first(self, payload: bytes) -> bool:
        kinds = h264.beginning_types(payload)
        return bool(kinds) and kinds[0] in (h264.SPS, h264.ACCESS_UNIT_DELIMITER)

    def _append(self, payload: bytes) -> None:
        kind = payload[0] & 0x1F
        if kind == h264.FU_A:
            self._append_piece(payload)
            return
        if self._pieces is not None:
            raise PeerError("h264_malformed", "the unit before has no end")
        if kind == h264.STAP_A:
            for unit in h264.aggregated(payload):
                self._append_unit(unit)
        else:
            self._append_unit(payload)

    def _append_piece(self, payload: bytes) -> None:
        """RFC 6184 §5.8: the unit's header is put together from the two octets of the first piece."""
        if len(payload) < 3:
            raise PeerError("h264_malformed", "a piece of nothing")
        if payload[1] & h264.FU_START:
            if self._pieces is not None:
                raise PeerError("h264_malformed", "the unit before has no end")
            self._pieces = [bytes((payload[0] & 0xE0 | payload[1] & 0x1F,))]
        elif self._pieces is None:
            raise PeerError("h264_malformed", "a piece without its beginning")
        self._pieces.append(payload[2:])
        if len(self._pieces) > MAX_FRAME_PARTS:
            raise PeerError("frame_too_large")
        if payload[1] & h264.FU_END:
            unit, self._pieces = b"".join(self._pieces), None
            self._append_unit(unit)

    def _append_unit(self, unit: bytes) -> None:
        kind = unit[0] & 0x1F
        if unit[0] & 0x80 or not 0 < kind < h264.STAP_A:
            raise PeerError("h264_malformed", f"no NAL unit of type {kind} is taken")
        self._keep(unit)
        if kind == h264.SPS:
            self._parameter_sets = [unit]
        elif kind == h264.PPS:
            self._remember(unit)
        self._kinds.add(kind)

    def _remember(self, unit: bytes) -> None:
        """A picture parameter set belongs with the sequence parameter set before it."""
        known = self._parameter_sets
        if unit not in known and sum(map(len, known)) + len(unit) <= MAX_PARAMETER_SETS_BYTES:
            known.append(unit)

    def _finish(self) -> tuple[bytes, bool] | None:
        if self._pieces is not None:
            self._whole = False
        if not self._whole or not any(h264.SLICE <= kind <= h264.IDR for kind in self._kinds):
            return None
        keyframe = h264.IDR in self._kinds and len(self._parameter_sets) > 1  # of both kinds
        units = self._parts
        if keyframe and h264.SPS not in self._kinds:
            units = self._parameter_sets + units
        return b"".join(_START_CODE + unit for unit in units), keyframe


class Vp8Assembly(_VideoAssembly):
    """Payloads without their descriptors, one after the other, are the frame."""

    def __init__(self) -> None:
        super().__init__()
        self._keyframe = False

    def _is_first(self, payload: bytes) -> bool:
        return True  # `_append` refuses a first part that does not say it is one

    def _append(self, payload: bytes) -> None:
        descriptor = vp8.describe(payload)
        if descriptor.starts_frame != (not self._parts):
            raise PeerError("vp8_malformed", "a frame without its beginning, or with two")
        if descriptor.starts_frame:
            self._keyframe = descriptor.keyframe
        self._keep(payload[descriptor.size :])

    def _finish(self) -> tuple[bytes, bool] | None:
        return b"".join(self._parts), self._keyframe


_ASSEMBLIES: dict[str, Callable[[], _Assembly]] = {
    "h264": H264Assembly,
    "vp8": Vp8Assembly,
    "opus": OpusAssembly,
}

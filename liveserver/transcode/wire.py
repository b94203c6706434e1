"""The messages between a node and its transcode process, framed as `confined.framing` says.

node → process

    1 frame     track u8 | codec u8 | keyframe u8 | source u32 | timestamp u32 | encoded frame
    2 keyframe  track u8                   a viewer needs one
    3 forget    track u8                   nobody watches it any more

process → node

    16 ready                               it is confined and listens
    17 picture  track u8 | keyframe u8 | source u32 | timestamp u32 | (u16 size | RTP payload)…
    18 lost     track u8                   it cannot go on without a keyframe of the source

A track is 0 (camera) or 1 (screen), a codec 1 (H.264, Annex B) or 2 (VP8), `source` the publisher's SSRC and
`timestamp` its RTP time. Numbers and SSRC of the packets are the node's business.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TypeAlias

from liveserver.confined.framing import Framing, WireError, framed
from liveserver.rtp.packetize import CODECS, MAX_PAYLOAD_BYTES

TRACKS = ("camera", "screen")
MAX_FRAME_BYTES = 2_000_000  # as rtp/depacketize makes them at most
MAX_PAYLOADS = 1024  # of one picture: 1.2 MB, far above what the bit rate allows

_FRAME = struct.Struct("!BBBII")
_PICTURE = struct.Struct("!BBII")
_SIZE = struct.Struct("!H")
_MAX_BODY = max(
    _FRAME.size + MAX_FRAME_BYTES, _PICTURE.size + MAX_PAYLOADS * (_SIZE.size + MAX_PAYLOAD_BYTES)
)
_FRAME_KIND, _KEYFRAME_KIND, _FORGET_KIND, _READY_KIND, _PICTURE_KIND, _LOST_KIND = 1, 2, 3, 16, 17, 18


@dataclass(frozen=True, slots=True)
class Frame:
    """One encoded frame of the publisher."""

    track: str
    codec: str
    keyframe: bool
    source: int
    timestamp: int
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class WantKeyframe:
    """A viewer needs a keyframe of what the process makes of `track`."""

    track: str


@dataclass(frozen=True, slots=True)
class Forget:
    """Nobody watches `track` any more: its codecs may go."""

    track: str


@dataclass(frozen=True, slots=True)
class Ready:
    """The process is confined and listens."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture in the other codec, cut into RTP payloads of at most `MAX_PAYLOAD_BYTES`."""

    track: str
    keyframe: bool
    source: int
    timestamp: int
    payloads: tuple[bytes, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Lost:
    """The process waits for a keyframe of the source."""

    track: str


ToProcess: TypeAlias = Frame | WantKeyframe | Forget
ToNode: TypeAlias = Ready | Picture | Lost
Message: TypeAlias = ToProcess | ToNode


def encode(message: Message) -> bytes:
    """One message as it travels."""
    match message:
        case Frame():
            head = _FRAME.pack(
                TRACKS.index(message.track),
                1 + CODECS.index(message.codec),
                message.keyframe,
                message.source,
                message.timestamp,
            )
            return framed(_FRAME_KIND, head + message.data)
        case Picture():
            head = _PICTURE.pack(
                TRACKS.index(message.track), message.keyframe, message.source, message.timestamp
            )
            parts = [part for payload in message.payloads for part in (_SIZE.pack(len(payload)), payload)]
            return framed(_PICTURE_KIND, head + b"".join(parts))
        case WantKeyframe(track):
            return framed(_KEYFRAME_KIND, bytes((TRACKS.index(track),)))
        case Forget(track):
            return framed(_FORGET_KIND, bytes((TRACKS.index(track),)))
        case Lost(track):
            return framed(_LOST_KIND, bytes((TRACKS.index(track),)))
        case Ready():
            return framed(_READY_KIND, b"")


def decode(kind: int, body: bytes) -> Message:
    """One message from its kind and body. Raises `WireError`."""
    match kind:
        case 1:
            return _frame(body)
        case 2:
            return WantKeyframe(_only_track(body))
        case 3:
            return Forget(_only_track(body))
        case 16:
            if body:
                raise WireError("ready has a body")
            return Ready()
        case 17:
            return _picture(body)
        case 18:
            return Lost(_only_track(body))
        case _:
            raise WireError(f"unknown kind {kind}")


class Decoder(Framing[Message]):
    """Of these messages."""

    def __init__(self) -> None:
        super().__init__(_MAX_BODY, decode)


def _frame(body: bytes) -> Frame:
    if not _FRAME.size < len(body) <= _FRAME.size + MAX_FRAME_BYTES:
        raise WireError(f"a frame of {len(body)} bytes")
    track, codec, keyframe, source, timestamp = _FRAME.unpack_from(body)
    if not 1 <= codec <= len(CODECS):
        raise WireError(f"codec {codec}")
    data = body[_FRAME.size :]
    return Frame(_track(track), CODECS[codec - 1], _boolean(keyframe), source, timestamp, data)


def _picture(body: bytes) -> Picture:
    if len(body) < _PICTURE.size:
        raise WireError("a picture is cut off")
    track, keyframe, source, timestamp = _PICTURE.unpack_from(body)
    payloads: list[bytes] = []
    position = _PICTURE.size
    while position < len(body):
        start = position + _SIZE.size
        if start > len(body) or len(payloads) == MAX_PAYLOADS:
            raise WireError("a payload's size is cut off, or there are too many")
        (size,) = _SIZE.unpack_from(body, position)
        position = start + size
        if not 0 < size <= MAX_PAYLOAD_BYTES or position > len(body):
            raise WireError(f"a payload of {size} bytes")
        payloads.append(body[start:position])
    if not payloads:
        raise WireError("a picture without payload")
    return Picture(_track(track), _boolean(keyframe), source, timestamp, tuple(payloads))


def _only_track(body: bytes) -> str:
    if len(body) != 1:
        raise WireError(f"{len(body)} bytes instead of a track")
    return _track(body[0])


def _track(number: int) -> str:
    if number >= len(TRACKS):
        raise WireError(f"track {number}")
    return TRACKS[number]


def _boolean(number: int) -> bool:
    if number > 1:
        raise WireError(f"{number} where 0 or 1 is expected")
    return bool(number)

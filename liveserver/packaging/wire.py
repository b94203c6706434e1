"""The messages between a node and its packaging process, framed as `confined.framing` says.

node → process

    1 frame    lane u32 | track u8 | codec u8 | keyframe u8 | lost u8 | source u32 | timestamp u32
               | arrival_ms u64 | encoded frame
    2 report   lane u32 | track u8 | ntp u64 | timestamp u32
    3 forget   lane u32                          nothing of it is wanted any more

process → node

    16 ready                                     it is confined and listens
    17 init    lane u32 | number u32 | width u16 | height u16 | codec | video init | audio init
    18 part    lane u32 | init u32 | flags u8 | start u64 | frames u16 | wall_ms u64 | video | audio
    19 lost    lane u32                          it cannot go on without a keyframe

A lane is one lesson's programme: one picture, one voice. A track is 0 (audio) or 1 (video), a codec 0 (Opus)
or 1 (H.264, Annex B). `start` counts samples at 48 kHz from the lane's origin, `frames` AAC frames of 1,024
samples. Where a field has no size, it stands behind its length (u32).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from enum import IntFlag
from typing import TypeAlias

from liveserver.confined.body import Body, member, sized
from liveserver.confined.framing import Framing, WireError, framed

TRACKS = ("audio", "video")
CODECS = ("opus", "h264")
MAX_FRAME_BYTES = 2_000_000  # as rtp/depacketize makes them at most
MAX_PART_BYTES = 16_000_000  # the pictures of a third of a second; eight of the largest
MAX_INIT_BYTES = 65_536
_MAX_CODEC = 32

_LANE = struct.Struct("!I")
_FRAME = struct.Struct("!IBBBBIIQ")
_REPORT = struct.Struct("!IBQI")
_INIT = struct.Struct("!IIHH")
_PART = struct.Struct("!IIBQHQ")
_MAX_BODY = _PART.size + 8 + 2 * MAX_PART_BYTES
_FRAME_KIND, _REPORT_KIND, _FORGET_KIND, _READY_KIND, _INIT_KIND, _PART_KIND, _LOST_KIND = (
    1,
    2,
    3,
    16,
    17,
    18,
    19,
)


class Mark(IntFlag):
    """What is special about a part."""

    INDEPENDENT = 1
    """It begins with a keyframe, or has no picture at all."""
    SEGMENT = 2
    """It begins a segment."""
    DISCONTINUITY = 4
    """What came before does not lead up to it."""
    LAST = 8
    """It ends its segment."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame as viewers get it; `lost`: something before it never came. `arrival_ms` since 1970."""

    lane: int
    track: str
    codec: str
    keyframe: bool
    lost: bool
    source: int
    timestamp: int
    arrival_ms: int
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Report:
    """A sender report of the source (RFC 3550 6.4.1)."""

    lane: int
    track: str
    ntp: int
    timestamp: int


@dataclass(frozen=True, slots=True)
class Forget:
    lane: int


@dataclass(frozen=True, slots=True)
class Ready:
    """The process is confined and listens."""


@dataclass(frozen=True, slots=True)
class Init:
    """What a player needs before parts that name `number`; `audio` is for sound alone."""

    lane: int
    number: int
    width: int
    height: int
    codec: str
    video: bytes = field(repr=False)
    audio: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Part:
    """`video` holds the pictures and `audio` the sound of the same time; the first may be empty."""

    lane: int
    init: int
    marks: Mark
    start: int
    frames: int
    wall_ms: int
    video: bytes = field(repr=False)
    audio: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Lost:
    lane: int


ToProcess: TypeAlias = Frame | Report | Forget
ToNode: TypeAlias = Ready | Init | Part | Lost
Message: TypeAlias = ToProcess | ToNode


def encode(message: Message) -> bytes:
    """One message as it travels."""
    match message:
        case Frame():
            head = _FRAME.pack(
                message.lane,
                TRACKS.index(message.track),
                CODECS.index(message.codec),
                message.keyframe,
                message.lost,
                message.source,
                message.timestamp,
                message.arrival_ms,
            )
            return framed(_FRAME_KIND, head + message.data)
        case Report():
            body = _REPORT.pack(message.lane, TRACKS.index(message.track), message.ntp, message.timestamp)
            return framed(_REPORT_KIND, body)
        case Init():
            head = _INIT.pack(message.lane, message.number, message.width, message.height)
            parts = (sized(message.codec.encode()), sized(message.video), sized(message.audio))
            return framed(_INIT_KIND, head + b"".join(parts))
        case Part():
            head = _PART.pack(
                message.lane, message.init, message.marks, message.start, message.frames, message.wall_ms
            )
            return framed(_PART_KIND, head + sized(message.video) + sized(message.audio))
        case Forget(lane):
            return framed(_FORGET_KIND, _LANE.pack(lane))
        case Lost(lane):
            return framed(_LOST_KIND, _LANE.pack(lane))
        case Ready():
            return framed(_READY_KIND, b"")


class Decoder(Framing[Message]):
    """Of these messages."""

    def __init__(self) -> None:
        super().__init__(_MAX_BODY, decode)


def decode(kind: int, body: bytes) -> Message:
    """One message from its kind and body. Raises `WireError`."""
    reading = Body(body)
    message = _read(kind, reading)
    reading.end()
    return message


def _read(kind: int, body: Body) -> Message:
    match kind:
        case 1:
            return _frame(body)
        case 2:
            lane, track, ntp, timestamp = body.unpack(_REPORT)
            return Report(lane, member(TRACKS, track), ntp, timestamp)
        case 3:
            return Forget(*body.unpack(_LANE))
        case 16:
            return Ready()
        case 17:
            lane, number, width, height = body.unpack(_INIT)
            codec, video = body.text(_MAX_CODEC), body.sized(MAX_INIT_BYTES)
            return Init(lane, number, width, height, codec, video, body.sized(MAX_INIT_BYTES))
        case 18:
            return _part(body)
        case 19:
            return Lost(*body.unpack(_LANE))
        case _:
            raise WireError(f"unknown kind {kind}")


def _frame(body: Body) -> Frame:
    lane, track, codec, keyframe, lost, source, timestamp, arrival_ms = body.unpack(_FRAME)
    if keyframe > 1 or lost > 1:
        raise WireError("a flag that is neither 0 nor 1")
    data = body.rest(MAX_FRAME_BYTES)
    return Frame(
        lane, member(TRACKS, track), member(CODECS, codec), bool(keyframe), bool(lost), source, timestamp,
        arrival_ms, data,
    )  # fmt: skip


def _part(body: Body) -> Part:
    lane, init, marks, start, frames, wall_ms = body.unpack(_PART)
    if marks > sum(Mark) or not frames:
        raise WireError(f"a part with marks {marks} and {frames} frames")
    video = body.sized(MAX_PART_BYTES)
    return Part(lane, init, Mark(marks), start, frames, wall_ms, video, body.sized(MAX_PART_BYTES))

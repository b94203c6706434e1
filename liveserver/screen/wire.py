"""The messages between a node and a screen process, framed as `confined.framing` says.

node → process

    1 open   lane u32 | track u8 | mode u8 | rules…    look at this track so; again: so from now on
    2 frame  lane u32 | number u32 | timestamp u32 | at u64 | flags u8 | codec u8 | encoded frame
    3 close  lane u32                                  the track is over
    4 list   name | rows                               words to look for, instead of those before (TSV)

process → node

    16 ready   count u8 | (name | SHA-256)…            it is confined, and these are its models
    17 passed  lane u32 | first u32 | last u32         these frames may be shown
    18 looked  lane u32 | number u32 | scores | thumbnail
    19 found   lane u32 | number u32 | kind u8 | scores | models | lines | why | JPEG
    20 lost    lane u32                                it cannot go on without a keyframe
    21 done    lane u32 | number u32 | cost u32        the frame's turn is over; CPU time in microseconds
    22 alive                                           it is at something that takes long
    23 refused  reason                                 a model cannot be used; it ends

A lane is one track of one lesson as the node numbers them, `number` counts the frames of a lane from 1,
`at` is when a frame arrived (milliseconds, monotonic), `timestamp` its RTP time. Flags: 1 keyframe, 2 others
wait. Texts are UTF-8 behind their length. Each frame is answered by one `done`, after all that came of it.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from liveserver.confined.body import Body, member, share, sized
from liveserver.confined.framing import Framing, WireError, framed
from liveserver.core.screening import Action, Category, Kind, Line, Mode, Rule
from liveserver.rtp.packetize import CODECS

TRACKS = ("camera", "screen")
MAX_FRAME_BYTES = 2_000_000  # as rtp/depacketize makes them at most
MAX_JPEG_BYTES = 1_500_000
MAX_THUMBNAIL_BYTES = 65_535
MAX_RULES = 256
MAX_MODELS = 32
MAX_LINES = 64
MAX_TEXT_BYTES = 1_000
MAX_WHY = 16
MAX_LIST_BYTES = 1 << 20

_KINDS, _CATEGORIES, _ACTIONS, _MODES = tuple(Kind), tuple(Category), tuple(Action), tuple(Mode)
_OPEN = struct.Struct("!IBBH")
_RULE = struct.Struct("!BBBd")
_FRAME = struct.Struct("!IIIQBB")
_LANE = struct.Struct("!I")
_PASSED = struct.Struct("!III")
_LOOK = struct.Struct("!II")
_DONE = struct.Struct("!III")
_SCORE = struct.Struct("!Bd")
_BOX = struct.Struct("!HHHHBd")
_SHA256_BYTES = 32
MAX_BODY = max(_FRAME.size + MAX_FRAME_BYTES, MAX_JPEG_BYTES + 500_000)
_KEYFRAME, _HURRY = 1, 2


@dataclass(frozen=True, slots=True)
class Open:
    """Look at `track` by these rules; for a lane that is open already, from its next frame on."""

    lane: int
    track: str
    mode: Mode
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class Frame:
    """One encoded frame. `hurry`: more wait than can be looked at closely."""

    lane: int
    number: int
    timestamp: int
    at_ms: int
    keyframe: bool
    codec: str
    data: bytes = field(repr=False)
    hurry: bool = False


@dataclass(frozen=True, slots=True)
class Close:
    lane: int


@dataclass(frozen=True, slots=True)
class List:
    """From the next line of text on, `rows` (TSV, UTF-8) are the list `name`."""

    name: str
    rows: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Ready:
    """The process is confined and listens. `models`: name → SHA-256 (hex) of those that score pictures."""

    models: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Passed:
    """The frames from `first` to `last` may be shown; those before that have not passed never may."""

    lane: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Looked:
    """A picture was scored. `thumbnail`: a JPEG of at most 320x180, or empty."""

    lane: int
    number: int
    scores: Mapping[str, float]
    thumbnail: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Found:
    """A picture, or the text in it, for which the rules ask for something to be done."""

    lane: int
    number: int
    kind: Kind
    scores: Mapping[str, float]
    models: Mapping[str, str]
    lines: tuple[Line, ...]
    why: tuple[str, ...]
    jpeg: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Lost:
    lane: int


@dataclass(frozen=True, slots=True)
class Done:
    lane: int
    number: int
    cost_us: int


@dataclass(frozen=True, slots=True)
class Alive:
    pass


@dataclass(frozen=True, slots=True)
class Refused:
    """A model cannot be used, and why: without it nothing is looked at."""

    reason: str


ToProcess: TypeAlias = Open | Frame | Close | List
ToNode: TypeAlias = Ready | Passed | Looked | Found | Lost | Done | Alive | Refused
Message: TypeAlias = ToProcess | ToNode


def encode(message: Message) -> bytes:
    """One message as it travels."""
    match message:
        case Open(lane, track, mode, rules):
            head = _OPEN.pack(lane, TRACKS.index(track), _MODES.index(mode), len(rules))
            return framed(1, head + b"".join(map(_rule_bytes, rules)))
        case Frame(lane, number, timestamp, at_ms, keyframe, codec, data, hurry):
            flags = keyframe * _KEYFRAME | hurry * _HURRY
            head = _FRAME.pack(lane, number, timestamp, at_ms, flags, CODECS.index(codec))
            return framed(2, head + data)
        case Close(lane):
            return framed(3, _LANE.pack(lane))
        case List(name, rows):
            return framed(4, sized(clipped(name)) + sized(rows))
        case Ready(models):
            return framed(16, _models_bytes(models))
        case Passed(lane, first, last):
            return framed(17, _PASSED.pack(lane, first, last))
        case Looked(lane, number, scores, thumbnail):
            return framed(18, _LOOK.pack(lane, number) + _scores_bytes(scores) + sized(thumbnail))
        case Found(lane, number, kind, scores, models, lines, why, jpeg):
            parts = (
                _LOOK.pack(lane, number),
                bytes((_KINDS.index(kind),)),
                _scores_bytes(scores),
                _models_bytes(models),
                bytes((len(lines),)),
                *map(_line_bytes, lines),
                bytes((len(why),)),
                *(sized(clipped(text)) for text in why),
                sized(jpeg),
            )
            return framed(19, b"".join(parts))
        case Lost(lane):
            return framed(20, _LANE.pack(lane))
        case Done(lane, number, cost_us):
            return framed(21, _DONE.pack(lane, number, min(cost_us, 0xFFFFFFFF)))
        case Alive():
            return framed(22, b"")
        case Refused(reason):
            return framed(23, sized(clipped(reason)))


def decode(kind: int, body: bytes) -> Message:
    """One message from its kind and body. Raises `WireError`."""
    read = Body(body)
    message = _message(kind, read)
    read.end()
    return message


def _message(kind: int, read: Body) -> Message:
    match kind:
        case 1:
            lane, track, mode, count = read.unpack(_OPEN)
            if count > MAX_RULES:
                raise WireError(f"{count} rules")
            rules = tuple(_rule(read) for _ in range(count))
            return Open(lane, member(TRACKS, track), member(_MODES, mode), rules)
        case 2:
            lane, number, timestamp, at_ms, flags, codec = read.unpack(_FRAME)
            if flags > _KEYFRAME | _HURRY:
                raise WireError(f"flags {flags}")
            data = read.rest(MAX_FRAME_BYTES)
            name, hurry = member(CODECS, codec), bool(flags & _HURRY)
            return Frame(lane, number, timestamp, at_ms, bool(flags & _KEYFRAME), name, data, hurry)
        case 3:
            return Close(*read.unpack(_LANE))
        case 4:
            return List(read.text(MAX_TEXT_BYTES), read.sized(MAX_LIST_BYTES))
        case 16:
            return Ready(_models(read))
        case 17:
            return Passed(*read.unpack(_PASSED))
        case 18:
            lane, number = read.unpack(_LOOK)
            return Looked(lane, number, _scores(read), read.sized(MAX_THUMBNAIL_BYTES))
        case 19:
            return _found(read)
        case 20:
            return Lost(*read.unpack(_LANE))
        case 21:
            return Done(*read.unpack(_DONE))
        case 22:
            return Alive()
        case 23:
            return Refused(read.text(MAX_TEXT_BYTES))
        case _:
            raise WireError(f"unknown kind {kind}")


def _found(read: Body) -> Found:
    lane, number = read.unpack(_LOOK)
    kind = member(_KINDS, read.count(len(_KINDS)))
    scores, models = _scores(read), _models(read)
    lines = tuple(_line(read) for _ in range(read.count(MAX_LINES)))
    why = tuple(read.text(MAX_TEXT_BYTES) for _ in range(read.count(MAX_WHY)))
    return Found(lane, number, kind, scores, models, lines, why, read.sized(MAX_JPEG_BYTES))


class Decoder(Framing[Message]):
    """Of these messages."""

    def __init__(self) -> None:
        super().__init__(MAX_BODY, decode)


def _rule(read: Body) -> Rule:
    kind, category, action, threshold = read.unpack(_RULE)
    what = member(_KINDS, kind), member(_CATEGORIES, category)
    return Rule(*what, share(threshold), member(_ACTIONS, action))


def _scores(read: Body) -> dict[str, float]:
    found: dict[str, float] = {}
    for _ in range(read.count(len(_CATEGORIES))):
        category, score = read.unpack(_SCORE)
        found[member(_CATEGORIES, category)] = share(score)
    return found


def _models(read: Body) -> dict[str, str]:
    count = read.count(MAX_MODELS)
    return {read.text(MAX_TEXT_BYTES): read.take(_SHA256_BYTES).hex() for _ in range(count)}


def _line(read: Body) -> Line:
    text = read.text(MAX_TEXT_BYTES)
    left, top, right, bottom, label, score = read.unpack(_BOX)
    return Line(text, (left, top, right, bottom), member(_CATEGORIES, label), share(score))


def _rule_bytes(rule: Rule) -> bytes:
    kind, category = _KINDS.index(rule.kind), _CATEGORIES.index(rule.category)
    return _RULE.pack(kind, category, _ACTIONS.index(rule.action), rule.threshold)


def _scores_bytes(scores: Mapping[str, float]) -> bytes:
    known = {category: scores[category] for category in _CATEGORIES if category in scores}
    parts = (_SCORE.pack(_CATEGORIES.index(category), score) for category, score in known.items())
    return bytes((len(known),)) + b"".join(parts)


def _models_bytes(models: Mapping[str, str]) -> bytes:
    parts = (sized(name.encode()) + bytes.fromhex(digest) for name, digest in models.items())
    return bytes((len(models),)) + b"".join(parts)


def _line_bytes(line: Line) -> bytes:
    box = (min(edge, 0xFFFF) for edge in line.box)
    return sized(clipped(line.text)) + _BOX.pack(*box, _CATEGORIES.index(line.label), line.score)


def clipped(text: str) -> bytes:
    """At most MAX_TEXT_BYTES of UTF-8."""
    return text.encode("utf-8", "replace")[:MAX_TEXT_BYTES].decode("utf-8", "ignore").encode()

"""The messages between the server and a process that looks at files, framed as `confined.framing` says.

server → process

    1 file      the file                               one at a time: each is answered

process → server

    16 ready    count u8 | (name | SHA-256)…           it is confined, and these are its models
    17 seen     scores | lines                         what a picture shows, and the text in it
    18 faces    faces | descriptor | look | JPEG       who is on a photo, and the photo encoded anew
    19 refused  why                                    the file is no picture that is taken

Texts are UTF-8 behind their length. A process answers files with `seen` or with `faces`, as it was started.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from liveserver.confined.body import Body, share, sized
from liveserver.confined.framing import Framing, WireError, framed

MAX_FILE_BYTES = 20_000_000
MAX_JPEG_BYTES = 4_000_000
MAX_MODELS = 16
MAX_SCORES = 32
MAX_LINES = 200
MAX_FACES = 50
DESCRIPTOR_BYTES, LOOK_BYTES = 512, 128
_MAX_TEXT_BYTES = 4_000
_COUNT, _SHARE, _BOX = struct.Struct("!B"), struct.Struct("!d"), struct.Struct("!IIII")
_ANGLES = struct.Struct("!ddd")
_SHA256_BYTES = 32
_MAX_BODY = MAX_FILE_BYTES

Box: TypeAlias = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class File:
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Ready:
    """The process is confined and listens. `models`: name → SHA-256 (hex)."""

    models: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Text:
    """A line of text. `box`: left, top, right, bottom in pixels. `score`: how sure of it, 0 to 1."""

    line: str
    box: Box
    score: float


@dataclass(frozen=True, slots=True)
class Seen:
    """What a picture shows: category → 0 to 1, and the text in it from top to bottom."""

    scores: Mapping[str, float]
    lines: tuple[Text, ...]


@dataclass(frozen=True, slots=True)
class FaceSeen:
    """One face. `blur`: 0 (sharp) to 1; `yaw`, `pitch`, `roll` in degrees (`models.face_measures.Pose`)."""

    box: Box
    score: float
    blur: float
    yaw: float
    pitch: float
    roll: float


@dataclass(frozen=True, slots=True)
class Faces:
    """Who is on a photo, the largest face first. `descriptor`: of that one, 128 floats, or empty.

    `look`: 1024 bits by which the photo is known again (`models.duplicates`). `jpeg`: the photo upright and
    encoded anew: nothing of the file that came is in it but its pixels.
    """

    faces: tuple[FaceSeen, ...]
    descriptor: bytes = field(repr=False)
    look: bytes = field(repr=False)
    jpeg: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Refused:
    """The file is no picture that is taken."""

    why: str


Message: TypeAlias = File | Ready | Seen | Faces | Refused


def encode(message: Message) -> bytes:
    """One message as it travels."""
    match message:
        case File(data):
            return framed(1, data)
        case Ready(models):
            listed = [sized(name.encode()) + bytes.fromhex(digest) for name, digest in models.items()]
            return framed(16, _COUNT.pack(len(listed)) + b"".join(listed))
        case Seen(scores, lines):
            counted = [sized(name.encode()) + _SHARE.pack(score) for name, score in scores.items()]
            body = _COUNT.pack(len(counted)) + b"".join(counted) + _COUNT.pack(len(lines))
            for text in lines:
                body += sized(text.line.encode()) + _BOX.pack(*text.box) + _SHARE.pack(text.score)
            return framed(17, body)
        case Faces(faces, descriptor, look, jpeg):
            body = _COUNT.pack(len(faces))
            for face in faces:
                body += _BOX.pack(*face.box) + _SHARE.pack(face.score) + _SHARE.pack(face.blur)
                body += _ANGLES.pack(face.yaw, face.pitch, face.roll)
            return framed(18, body + sized(descriptor) + sized(look) + jpeg)
        case Refused(why):
            return framed(19, sized(why.encode()))


class Decoder(Framing[Message]):
    """Of these messages."""

    def __init__(self) -> None:
        super().__init__(_MAX_BODY, decode)


def decode(kind: int, data: bytes) -> Message:
    """One message from its kind and body. Raises `WireError`."""
    body = Body(data)
    message: Message
    match kind:
        case 1:
            message = File(data)
            return message
        case 16:
            count = body.count(MAX_MODELS)
            message = Ready({body.text(64): body.take(_SHA256_BYTES).hex() for _ in range(count)})
        case 17:
            scores = {body.text(64): _share(body) for _ in range(body.count(MAX_SCORES))}
            lines = [
                Text(body.text(_MAX_TEXT_BYTES), _box(body), _share(body))
                for _ in range(body.count(MAX_LINES))
            ]
            message = Seen(scores, tuple(lines))
        case 18:
            faces = tuple(_face(body) for _ in range(body.count(MAX_FACES)))
            descriptor, look = body.sized(DESCRIPTOR_BYTES), body.sized(LOOK_BYTES)
            _check_descriptor(descriptor, bool(faces))
            message = Faces(faces, descriptor, look, body.rest(MAX_JPEG_BYTES))
        case 19:
            message = Refused(body.text(200))
        case _:
            raise WireError(f"kind {kind}")
    body.end()
    return message


def _share(body: Body) -> float:
    (number,) = body.unpack(_SHARE)
    return share(number)


def _box(body: Body) -> Box:
    left, top, right, bottom = body.unpack(_BOX)
    if left > right or top > bottom:
        raise WireError("a box that is inside out")
    return left, top, right, bottom


def _text(body: Body) -> Text:
    return Text(body.text(_MAX_TEXT_BYTES), _box(body), _share(body))


def _face(body: Body) -> FaceSeen:
    box, score, blur, angles = _box(body), _share(body), _share(body), body.unpack(_ANGLES)
    if not all(-180 <= angle <= 180 for angle in angles):
        raise WireError("an angle that there is not")
    return FaceSeen(box, score, blur, *angles)


def _check_descriptor(descriptor: bytes, is_there: bool) -> None:
    if len(descriptor) != is_there * DESCRIPTOR_BYTES:
        raise WireError(f"a descriptor of {len(descriptor)} bytes")
    if not all(math.isfinite(number) for (number,) in struct.iter_unpack("!f", descriptor)):
        raise WireError("a descriptor that is no numbers")

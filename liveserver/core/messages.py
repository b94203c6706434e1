"""Control messages: JSON on the data channel `control` and on the WebSocket (docs/PROTOCOL.md section 1).

What a client says is one of the dataclasses below, made of its text by `core.reading`; the `…_message`
functions build what the server says. Nothing else in the server reads or writes this JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from liveserver.core.errors import PeerError

MAX_MESSAGE_BYTES = 65536
MAX_CHAT_CHARACTERS = 500
MAX_REF_CHARACTERS = 64
MAX_TOKEN_CHARACTERS = 4096
MAX_CHOICES = 8
MAX_PHOTO_BYTES = 1_000_000
MAX_WATCHED = 128
"""Lessons whose thumbnails one moderator's page shows at once; more do not fit a screen."""

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Join:
    token: str | None


@dataclass(frozen=True, slots=True)
class Heartbeat:
    seq: int


@dataclass(frozen=True, slots=True)
class Visibility:
    """`state`: foreground, hidden or audio_only."""

    state: str


@dataclass(frozen=True, slots=True)
class Chat:
    text: str
    ref: str | None


@dataclass(frozen=True, slots=True)
class Sources:
    """What the instructor sends; `mids` maps "audio", "camera", "screen" to m-lines."""

    camera: bool = False
    screen: bool = False
    microphone: bool = False
    blank: bool = False
    mids: Mapping[str, str] | None = None

    def as_json(self) -> Json:
        return {
            "camera": self.camera,
            "screen": self.screen,
            "microphone": self.microphone,
            "blank": self.blank,
            "mids": dict(self.mids or {}),
        }


@dataclass(frozen=True, slots=True)
class Pause:
    on: bool


@dataclass(frozen=True, slots=True)
class CallOn:
    """The instructor calls on a learner, or is done with him."""

    person: str
    on: bool


@dataclass(frozen=True, slots=True)
class Watch:
    """Of the wall: the lessons whose thumbnails are on the moderator's screen."""

    lessons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """`choice` names options by their place, or is one number; None: a question instead of a photo."""

    challenge: str
    choice: tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class Blob:
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class PhotoHead:
    """A JPEG of `size` bytes follows in binary messages; `sha256` is the whole photo's, hex.

    `turned`: of a second one right behind it, of the head turned as the check asked.
    """

    challenge: str
    size: int
    sha256: str
    turned: Blob | None = None

    @property
    def total(self) -> int:
        """Bytes of all that follows."""
        return self.size + (self.turned.size if self.turned is not None else 0)


Message = Join | Heartbeat | Visibility | Chat | Sources | Pause | CallOn | Answer | PhotoHead
WallMessage = Join | Heartbeat | Watch


def dumps(message: Json) -> str:
    """The compact text of a message; made once per broadcast."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"))


def newest_within(items: Iterable[Json], limit: int) -> list[Json]:
    """The last of `items` that together have at most `limit` bytes as JSON, in their order."""
    kept: list[Json] = []
    for item in reversed(list(items)):
        limit -= len(dumps(item).encode()) + 1
        if limit < 0:
            break
        kept.append(item)
    return kept[::-1]


def error_message(error: PeerError) -> Json:
    """An `error` for the peer that caused it."""
    message: Json = {"type": "error", "code": error.code, "detail": error.detail}
    if error.ref is not None:
        message["ref"] = error.ref
    return message


def notice_message(code: str, detail: str = "") -> Json:
    return {"type": "notice", "code": code, "detail": detail}


def muted_message(person: str, name: str, active: bool, reason: str, at_ms: int) -> Json:
    return {"type": "muted", "person": person, "name": name, "active": active, "reason": reason,
            "at_ms": at_ms}  # fmt: skip


def cut_measured_message(cut: Mapping[str, Any], measured: Mapping[str, Any]) -> Json:
    """How long a cut took: of `cut` its level, person, epoch, by and at_ms."""
    shown = {name: cut[name] for name in ("level", "person", "epoch", "by", "at_ms")}
    return {"type": "cut_measured", **shown, "measured": dict(measured)}


def cut_message(active: bool, level: str, reason: str, at_ms: int) -> Json:
    return {"type": "cut", "active": active, "level": level, "reason": reason, "at_ms": at_ms}

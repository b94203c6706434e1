"""Control messages: JSON on the data channel `control` and on the WebSocket (docs/PROTOCOL.md section 1).

`parse` turns a text into one of the dataclasses below or raises PeerError; the `…_message` functions
build what the server says. Nothing else in the server reads or writes this JSON.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from liveserver.core.errors import PeerError
from liveserver.core.ledger import storable

MAX_MESSAGE_BYTES = 65536
MAX_DEPTH = 32
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


def parse(text: str | bytes) -> Message:
    """Read one message of a lesson. Raises PeerError bad_json, too_large, bad_message, unknown_type,
    not_available, chat_too_long."""
    kind, message = _read(text)
    reader = _READERS.get(kind)
    if reader is None:
        raise PeerError("unknown_type", "no such message type")
    return reader(message)


def parse_wall(text: str | bytes) -> WallMessage:
    """Read one message of the wall. Raises PeerError as `parse`."""
    kind, message = _read(text)
    reader = _WALL_READERS.get(kind)
    if reader is None:
        raise PeerError("unknown_type", "no such message type")
    return reader(message)


def _read(text: str | bytes) -> tuple[str, Json]:
    """Its type, and the message."""
    if isinstance(text, bytes):
        raise PeerError("bad_message", "nothing announced a binary message")
    if len(text.encode("utf-8", "surrogatepass")) > MAX_MESSAGE_BYTES:
        raise PeerError("too_large", f"more than {MAX_MESSAGE_BYTES} bytes", status=413)
    message = loads(text)
    if not isinstance(message, dict):
        raise PeerError("bad_message", "a message is a JSON object")
    kind = message.get("type")
    if not isinstance(kind, str):
        raise PeerError("bad_message", "a message has a type")
    return kind, message


def loads(text: str) -> Any:
    """Strict JSON: no duplicate keys, no NaN, at most 32 deep, well-formed text; else PeerError bad_json."""
    if text.count("[") + text.count("{") > MAX_DEPTH and _depth(text) > MAX_DEPTH:
        raise PeerError("bad_json", f"nested more than {MAX_DEPTH} deep")
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
        # A lone surrogate, raw or escaped, cannot be stored or sent on.
        (json.dumps(value, ensure_ascii=False) if "\\u" in text else text).encode()
    except (ValueError, RecursionError) as error:
        raise PeerError("bad_json", "not valid JSON") from error
    return value


def dumps(message: Json) -> str:
    """The compact text of a message; made once per broadcast."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"))


def _depth(text: str) -> int:
    """The deepest nesting outside strings: json.loads itself recurses per level."""
    depth = deepest = 0
    in_string = escaped = False
    for character in text:
        if in_string:
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == '"':
                in_string = False
        elif character == '"':
            in_string = True
        elif character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    return deepest


def _unique(pairs: list[tuple[str, Any]]) -> Json:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key occurs twice")
    return found


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _read_join(message: Json) -> Join:
    token = message.get("token")
    if token is not None and (not isinstance(token, str) or len(token) > MAX_TOKEN_CHARACTERS):
        raise PeerError("bad_message", "token must be a string")
    return Join(token)


def _read_heartbeat(message: Json) -> Heartbeat:
    seq = message.get("seq", 0)
    if not isinstance(seq, int) or isinstance(seq, bool) or not 0 <= seq < 2**53:
        raise PeerError("bad_message", "seq must be a whole number")
    return Heartbeat(seq)


def _read_visibility(message: Json) -> Visibility:
    state = message.get("state")
    if state not in ("foreground", "hidden", "audio_only"):
        raise PeerError("bad_message", "state must be foreground, hidden or audio_only")
    return Visibility(state)


def _read_chat(message: Json) -> Chat:
    text, ref = message.get("text"), message.get("ref")
    if not isinstance(text, str) or not text.strip():
        raise PeerError("bad_message", "text must not be empty")
    if len(text) > MAX_CHAT_CHARACTERS:
        raise PeerError("chat_too_long", f"at most {MAX_CHAT_CHARACTERS} characters")
    if ref is not None and (not isinstance(ref, str) or len(ref) > MAX_REF_CHARACTERS):
        raise PeerError("bad_message", f"ref must be a string of at most {MAX_REF_CHARACTERS} characters")
    return Chat(storable(text.strip()), ref)


def _read_sources(message: Json) -> Sources:
    flags = {name: message.get(name, False) for name in ("camera", "screen", "microphone", "blank")}
    if not all(isinstance(value, bool) for value in flags.values()):
        raise PeerError("bad_message", "camera, screen, microphone and blank are true or false")
    mids = message.get("mids") or {}
    known = ("audio", "camera", "screen")
    if not isinstance(mids, dict) or not all(
        key in known and isinstance(value, str) and len(value) <= 16 for key, value in mids.items()
    ):
        raise PeerError("bad_message", "mids maps audio, camera, screen to m-lines")
    return Sources(**flags, mids=mids)


def _read_pause(message: Json) -> Pause:
    on = message.get("on")
    if not isinstance(on, bool):
        raise PeerError("bad_message", "on is true or false")
    return Pause(on)


def _read_call_on(message: Json) -> CallOn:
    person, on = message.get("person"), message.get("on")
    if not isinstance(person, str) or not isinstance(on, bool):
        raise PeerError("bad_message", "person is a text, on is true or false")
    return CallOn(person, on)


def _read_watch(message: Json) -> Watch:
    lessons = message.get("lessons")
    if not isinstance(lessons, list) or len(lessons) > MAX_WATCHED:
        raise PeerError("bad_message", f"lessons is a list of at most {MAX_WATCHED}")
    if not all(isinstance(lesson, str) and len(lesson) <= 64 for lesson in lessons):
        raise PeerError("bad_message", "lessons are named by their ids")
    return Watch(tuple(lessons))


def _read_answer(message: Json) -> Answer:
    challenge = _challenge(message)
    if message.get("instead") == "quiz" and "choice" not in message:
        return Answer(challenge, None)
    choice = message.get("choice")
    if not isinstance(choice, list) or not 1 <= len(choice) <= MAX_CHOICES:
        raise PeerError("bad_message", f"choice is a list of 1 to {MAX_CHOICES} whole numbers")
    if not all(isinstance(item, int) and not isinstance(item, bool) and abs(item) < 2**53 for item in choice):
        raise PeerError("bad_message", "choice is a list of whole numbers")
    return Answer(challenge, tuple(choice))


def _read_photo(message: Json) -> PhotoHead:
    turned = message.get("turned")
    if turned is not None and not isinstance(turned, dict):
        raise PeerError("bad_message", "turned has size and sha256 of a second photo")
    one, other = _read_blob(message), None if turned is None else _read_blob(turned)
    return PhotoHead(_challenge(message), one.size, one.sha256, other)


def _read_blob(message: Json) -> Blob:
    size, digest = message.get("size"), message.get("sha256")
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        raise PeerError("bad_message", "size is the photo's length in bytes")
    if size > MAX_PHOTO_BYTES:
        raise PeerError("too_large", f"a photo has at most {MAX_PHOTO_BYTES} bytes", status=413)
    if not isinstance(digest, str) or len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
        raise PeerError("bad_message", "sha256 is the photo's, in 64 hexadecimal digits")
    return Blob(size, digest)


def _challenge(message: Json) -> str:
    challenge = message.get("challenge")
    if not isinstance(challenge, str) or not 1 <= len(challenge) <= MAX_REF_CHARACTERS:
        raise PeerError("bad_message", "challenge is the id of a check")
    return challenge


_READERS: Mapping[str, Callable[[Json], Message]] = {
    "join": _read_join,
    "heartbeat": _read_heartbeat,
    "visibility": _read_visibility,
    "chat": _read_chat,
    "sources": _read_sources,
    "pause": _read_pause,
    "call_on": _read_call_on,
    "answer": _read_answer,
    "photo": _read_photo,
}
_WALL_READERS: Mapping[str, Callable[[Json], WallMessage]] = {
    "join": _read_join,
    "heartbeat": _read_heartbeat,
    "watch": _read_watch,
}


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

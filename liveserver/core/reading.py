"""Control messages read: strict JSON first, then each type by its own reader (docs/PROTOCOL.md section 1).

What does not fit raises PeerError; nothing of it is repaired.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from liveserver.core.errors import PeerError
from liveserver.core.ledger import storable
from liveserver.core.messages import (
    MAX_CHAT_CHARACTERS,
    MAX_CHOICES,
    MAX_MESSAGE_BYTES,
    MAX_PHOTO_BYTES,
    MAX_REF_CHARACTERS,
    MAX_TOKEN_CHARACTERS,
    MAX_WATCHED,
    Answer,
    Blob,
    CallOn,
    Chat,
    Heartbeat,
    Join,
    Json,
    Message,
    Pause,
    PhotoHead,
    Sources,
    Visibility,
    WallMessage,
    Watch,
)

MAX_DEPTH = 32


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

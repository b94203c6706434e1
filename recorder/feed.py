"""The wire between a media node and the recorder: length-prefixed messages on a unix stream socket.

    0       4       6               6+h                       4+n
    +-------+-------+---------------+-------------------------+
    | n u32 | h u16 | JSON, h bytes | payload, n-2-h bytes    |      big-endian; n counts what follows it
    +-------+-------+---------------+-------------------------+

The JSON object's `type` says what it is; only `frame` has a payload. Times are milliseconds since 1970
on the node's clock (`…_ms`), RTP timestamps are uint32 in ticks of `clock_rate`.

node → recorder

- `open`: `recording`, `lesson`, `title`, `started_at_ms`, `feed`, `retain_until_ms`?
- `frame`: `recording`, `n`, `track`, `codec`, `rtp_timestamp`, `clock_rate`, `keyframe`, `arrival_ms`,
  `lost_before`, `lost_reason`?, `source`?
- `report`: `recording`, `track`, `ntp` (64-bit, RFC 3550 §4), `rtp_timestamp`
- `close`, `ack`: `recording`

`feed` names one run of the sending process and `n` counts the frames it sent for a track, from 1: after a
reconnect the sender repeats its last seconds and the recorder drops what it already has. `source` is any
number that changes when the publisher's SSRC does. `lost_before` counts packets (or, when the sender's own
buffer overflowed, frames) missing right before this frame.

recorder → node: `event`, see `Event`. A `sealed` or `failed` event is repeated until it is acknowledged.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

MAX_HEADER_BYTES = 0xFFFF  # the prefix's u16
MAX_PAYLOAD_BYTES = 4 * 1024 * 1024  # a 4K keyframe is far below 1 MB
MAX_TITLE = 500  # characters
_PREFIX = struct.Struct("!IH")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,71}")  # with the number of a reel


class FeedError(Exception):
    """The other side broke the wire format. `code` is stable, `detail` is for people."""

    def __init__(self, code: str, detail: str = ""):
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail


class Track(StrEnum):
    """What a stream of frames shows or carries."""

    CAMERA = "camera"
    SCREEN = "screen"
    AUDIO = "audio"


class Codec(StrEnum):
    """Codecs a node forwards: H.264 as Annex B access units, VP8 frames, Opus packets."""

    H264 = "h264"
    VP8 = "vp8"
    OPUS = "opus"


class State(StrEnum):
    """A recording's life, as events tell it."""

    RECORDING = "recording"
    SEALING = "sealing"
    SEALED = "sealed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Open:
    """Start a recording, or go on with it after a reconnect."""

    recording: str
    lesson: str
    title: str
    started_at_ms: int
    feed: str = ""
    retain_until_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Frame:
    """One complete encoded frame."""

    recording: str
    n: int
    track: Track
    codec: Codec
    rtp_timestamp: int
    clock_rate: int
    keyframe: bool
    arrival_ms: int
    lost_before: int
    data: bytes = field(repr=False)
    lost_reason: str = "lost"
    source: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """A sender report: `ntp` and `rtp_timestamp` name the same instant on the publisher's clock."""

    recording: str
    track: Track
    ntp: int
    rtp_timestamp: int


@dataclass(frozen=True, slots=True)
class Close:
    """The lesson ended: seal the recording."""

    recording: str


@dataclass(frozen=True, slots=True)
class Ack:
    """The node has stored the final event; the recorder may forget the recording."""

    recording: str


@dataclass(frozen=True, slots=True)
class Event:
    """What became of a recording. `fields` is the JSON object as it travels, `type` left out."""

    fields: Mapping[str, Any]


Message: TypeAlias = Open | Frame | Report | Close | Ack | Event


def encode(message: Message) -> bytes:
    """One message as it travels. Raises FeedError `too_large`."""
    payload = b""
    header: dict[str, Any]
    match message:
        case Frame():
            payload = message.data
            header = {
                "type": "frame",
                "recording": message.recording,
                "n": message.n,
                "track": message.track.value,
                "codec": message.codec.value,
                "rtp_timestamp": message.rtp_timestamp,
                "clock_rate": message.clock_rate,
                "keyframe": message.keyframe,
                "arrival_ms": message.arrival_ms,
                "lost_before": message.lost_before,
            }
            if message.lost_before:
                header["lost_reason"] = message.lost_reason
            if message.source:
                header["source"] = message.source
        case Report():
            header = {
                "type": "report",
                "recording": message.recording,
                "track": message.track.value,
                "ntp": message.ntp,
                "rtp_timestamp": message.rtp_timestamp,
            }
        case Open():
            header = {
                "type": "open",
                "recording": message.recording,
                "lesson": message.lesson,
                "title": message.title,
                "started_at_ms": message.started_at_ms,
                "feed": message.feed,
                "retain_until_ms": message.retain_until_ms,
            }
        case Close():
            header = {"type": "close", "recording": message.recording}
        case Ack():
            header = {"type": "ack", "recording": message.recording}
        case Event():
            header = {"type": "event", **message.fields}
    text = json.dumps(header, separators=(",", ":")).encode()
    if len(text) > MAX_HEADER_BYTES or len(payload) > MAX_PAYLOAD_BYTES:
        raise FeedError("too_large", f"header {len(text)}, payload {len(payload)} bytes")
    return _PREFIX.pack(2 + len(text) + len(payload), len(text)) + text + payload


class Decoder:
    """Turns a byte stream into messages; holds at most one incomplete message.

    A message with a wrong field is left out and counted in `refused` (`refusal` is the newest), because the
    sender would only repeat it after a reconnect and every recording would be lost with it.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self.refused = 0
        self.refusal: FeedError | None = None

    def feed(self, data: bytes) -> list[Message]:
        """Messages completed by `data`. Raises FeedError `bad_length`, `bad_header`: the stream is lost."""
        buffer = self._buffer
        buffer += data
        messages: list[Message] = []
        start = 0
        while len(buffer) - start >= _PREFIX.size:
            length, header_length = _PREFIX.unpack_from(buffer, start)
            if length > 2 + MAX_HEADER_BYTES + MAX_PAYLOAD_BYTES or header_length + 2 > length:
                raise FeedError("bad_length", f"{length} bytes, header {header_length}")
            end = start + 4 + length
            if len(buffer) < end:
                break
            body = start + _PREFIX.size
            header = bytes(buffer[body : body + header_length])
            start = end
            try:
                messages.append(decode(header, bytes(buffer[body + header_length : end])))
            except FeedError as error:
                if error.code == "bad_header":
                    raise
                self.refused += 1
                self.refusal = error
        del buffer[:start]
        return messages


def decode(header: bytes, payload: bytes) -> Message:
    """One message from its two parts. Raises FeedError `bad_header`, `bad_field` or `unknown_type`."""
    try:
        fields = json.loads(header)
    except (ValueError, RecursionError):
        raise FeedError("bad_header", "not JSON") from None
    if not isinstance(fields, dict):
        raise FeedError("bad_header", "not an object")
    match fields.get("type"):
        case "frame":
            return _frame(fields, payload)
        case "report":
            return Report(
                _name(fields, "recording"),
                _track(fields),
                _int(fields, "ntp", 2**64),
                _int(fields, "rtp_timestamp", 2**32),
            )
        case "open":
            retain = fields.get("retain_until_ms")
            return Open(
                _name(fields, "recording"),
                _name(fields, "lesson"),
                _text(fields, "title", MAX_TITLE),
                _int(fields, "started_at_ms", 2**48),
                _text(fields, "feed", 64),
                None if retain is None else _int(fields, "retain_until_ms", 2**48),
            )
        case "close":
            return Close(_name(fields, "recording"))
        case "ack":
            return Ack(_name(fields, "recording"))
        case "event":
            del fields["type"]
            return Event(fields)
        case other:
            raise FeedError("unknown_type", repr(other)[:80])


def _frame(fields: Mapping[str, Any], payload: bytes) -> Frame:
    codec = fields.get("codec")
    if codec not in ("h264", "vp8", "opus"):
        raise FeedError("bad_field", "codec")
    keyframe = fields.get("keyframe")
    if not isinstance(keyframe, bool):
        raise FeedError("bad_field", "keyframe")
    track = _track(fields)
    if (codec == "opus") != (track is Track.AUDIO):
        raise FeedError("bad_field", f"{codec} on {track.value}")
    clock_rate = _int(fields, "clock_rate", 1_000_000)
    if clock_rate < 1000:
        raise FeedError("bad_field", "clock_rate")
    return Frame(
        _name(fields, "recording"),
        _int(fields, "n", 2**53),
        track,
        Codec(codec),
        _int(fields, "rtp_timestamp", 2**32),
        clock_rate,
        keyframe,
        _int(fields, "arrival_ms", 2**48),
        _int(fields, "lost_before", 2**32),
        payload,
        _text(fields, "lost_reason", 64) if "lost_reason" in fields else "lost",
        _int(fields, "source", 2**32) if "source" in fields else 0,
    )


def _int(fields: Mapping[str, Any], name: str, limit: int) -> int:
    value = fields.get(name)
    if type(value) is not int or not 0 <= value < limit:  # bool is an int to isinstance
        raise FeedError("bad_field", name)
    return value


def _text(fields: Mapping[str, Any], name: str, limit: int) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or len(value) > limit:
        raise FeedError("bad_field", name)
    return value


def is_name(text: str) -> bool:
    """Whether a recording or lesson may be called so: it is a file's name too."""
    return _NAME.fullmatch(text) is not None


def _name(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not is_name(value):
        raise FeedError("bad_field", name)
    return value


def _track(fields: Mapping[str, Any]) -> Track:
    value = fields.get("track")
    if value not in ("camera", "screen", "audio"):
        raise FeedError("bad_field", "track")
    return Track(value)

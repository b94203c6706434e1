"""Logs are events: one JSON object a line on stderr, a fixed dotted name and fields.

The names are listed in `Event` and are an interface. Ids are bound once (`get_logger(lesson=…)`).
Keys, tokens, names of people and what they write never reach a log: `redact` sees to the usual fields,
whoever logs sees to the rest. Nothing is logged per packet or per request: those are counted.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, MutableMapping
from enum import StrEnum
from typing import Any, TextIO, cast

import structlog

from liveserver.config.units import LogLevel


class Event(StrEnum):
    """Every event the server logs."""

    NODE_STARTED = "node.started"
    NODE_READY = "node.ready"
    NODE_STOPPING = "node.stopping"
    NODE_STOPPED = "node.stopped"
    NODE_BLOCKED = "node.blocked"
    PROCESS_STARTED = "process.started"
    PROCESS_ENDED = "process.ended"
    PROCESS_RESTARTING = "process.restarting"
    PROCESS_KILLED = "process.killed"
    PROCESS_FROZEN = "process.frozen"
    SETUP_USED = "setup.used"
    SIGN_IN_LOCKED = "sign_in.locked"
    SIGN_IN_COPIED = "sign_in.copied"
    PHONES_SEALED = "people.phones_sealed"
    OIDC_FAILED = "oidc.failed"
    HTTP_FAILED = "http.failed"
    HTTP_REFUSED = "http.refused"
    SOCKET_FAILED = "socket.failed"
    SOCKET_SLOW = "socket.slow"
    LESSON_CREATED = "lesson.created"
    LESSON_STARTED = "lesson.started"
    LESSON_PAUSED = "lesson.paused"
    LESSON_ENDED = "lesson.ended"
    LESSON_CUT = "lesson.cut"
    LESSON_RESTORED = "lesson.restored"
    LESSON_FAILED = "lesson.failed"
    WALL_FAILED = "wall.failed"
    CLOCK_STEP = "clock.step"
    HOURS_SETTLED = "hours.settled"
    HOURS_FAILED = "hours.failed"
    PEER_JOINED = "peer.joined"
    PEER_LEFT = "peer.left"
    PEER_REPLACED = "peer.replaced"
    PEER_REFUSED = "peer.refused"
    PEER_FAILED = "peer.failed"
    UPLINK_STARTED = "uplink.started"
    UPLINK_LOST = "uplink.lost"
    UPLINK_KEYFRAME_REQUESTED = "uplink.keyframe_requested"
    RECORDING_STARTED = "recording.started"
    RECORDING_SEALED = "recording.sealed"
    RECORDING_FAILED = "recording.failed"
    RECORDING_GAP = "recording.gap"
    RECORDING_ARCHIVED = "recording.archived"
    RECORDING_DELETION_REFUSED = "recording.deletion_refused"
    RECORDING_DELETED = "recording.deleted"
    RECORDING_HELD = "recording.held"
    ARCHIVE_ALARM = "archive.alarm"
    ARCHIVE_ALARM_OVER = "archive.alarm_over"
    OBJECT_DAMAGED = "object.damaged"
    OBJECTS_READ = "objects.read"
    OBJECTS_READ_FAILED = "objects.read_failed"
    RECORDER_CONNECTED = "recorder.connected"
    RECORDER_LOST = "recorder.lost"
    RECORDER_UNREACHABLE = "recorder.unreachable"
    RECORDER_EVENT_FAILED = "recorder.event_handler_failed"
    HLS_STARTED = "hls.started"
    HLS_STOPPED = "hls.stopped"
    PACKAGING_FAILED = "packaging.failed"
    PACKAGING_RESTARTING = "packaging.restarting"
    TRANSCODE_STARTED = "transcode.started"
    TRANSCODE_STOPPED = "transcode.stopped"
    TRANSCODE_RESTARTING = "transcode.restarting"
    TRANSCODE_FAILED = "transcode.failed"
    TRANSCODE_REFUSED = "transcode.refused"
    INCIDENT_FOUND = "incident.found"
    INCIDENT_DECIDED = "incident.decided"
    INCIDENTS_LOST = "incidents.lost"
    INCIDENTS_ERASED = "incidents.erased"
    EVIDENCE_FAILED = "evidence.failed"
    POLICY_CHANGED = "policy.changed"
    LEXICON_CHANGED = "lexicon.changed"
    LEXICON_FAILED = "lexicon.failed"
    PHOTO_NOT_JUDGED = "photo.not_judged"
    CHECKS_UNREADABLE = "checks.unreadable"
    SCREENING_BLIND = "screening.blind"
    SCREENING_SEES = "screening.sees"
    SCREENING_ACTED = "screening.acted"
    SCREENING_FAILED = "screening.failed"
    SCREENING_LACKS = "screening.lacks"
    SCREENING_SIGHT = "screening.sight"
    SCREENING_ALARM = "screening.alarm"
    SCREENING_ALARM_OVER = "screening.alarm_over"
    SCREENING_BLOCKED = "screening.blocked"
    SCREEN_PROCESS_RESTARTING = "screen_process.restarting"
    SCREEN_PROCESS_FAILED = "screen_process.failed"
    MODELS_MISSING = "models.missing"
    GUARD_STARTED = "guard.started"
    GUARD_FAILED = "guard.failed"
    GUARD_LEASE_LOST = "guard.lease_lost"
    GUARD_LEASE_BACK = "guard.lease_back"
    BUS_CONNECTED = "bus.connected"
    BUS_LOST = "bus.lost"
    LEDGER_KEY_MISSING = "ledger.key_missing"
    AUDIT_MADE = "audit.made"
    AUDIT_FOUND = "audit.found"
    AUDIT_FAILED = "audit.failed"
    LEDGER_UNGUARDED = "ledger.unguarded"
    LEDGER_HEAD_FAILED = "ledger.head_failed"
    WITNESS_AWAY = "witness.away"
    WITNESS_BACK = "witness.back"
    WITNESS_WEAK = "witness.weak"
    WITNESS_REFUSES = "witness.refuses"
    STORE_OPENED = "store.opened"
    STORE_FAILED = "store.failed"
    FRONT_STARTED = "front.started"
    FRONT_FAILED = "front.failed"
    FANOUT_TWIN = "fanout.twin"
    LIBRARY = "library"
    """A warning of a library we use, under `logger` and `message`."""


REDACTED = "[redacted]"
_SECRET = frozenset(
    {
        "answer",
        "client_secret",
        "handle",
        "number",
        "authorization",
        "body",
        "cookie",
        "ice_pwd",
        "key",
        "link",
        "name",
        "offer",
        "password",
        "sdp",
        "secret",
        "setup_link",
        "store_url",
        "text",
        "title",
        "token",
        "tokens",
        "url",
    }
)
_MAX_DEPTH = 4
_MAX_TEXT = 4000  # characters; enough for a traceback's end, too little to flood a disk


def redact(logger: object, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """structlog processor: blank every field whose name says that its value is private, at any depth."""
    return cast(MutableMapping[str, Any], _redacted(event, 0))


def _redacted(value: object, depth: int) -> object:
    if isinstance(value, Mapping):
        if depth == _MAX_DEPTH:
            return "[deep]"
        return {
            str(name): REDACTED if str(name).lower() in _SECRET else _redacted(item, depth + 1)
            for name, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_redacted(item, depth + 1) for item in value] if depth < _MAX_DEPTH else "[deep]"
    if isinstance(value, str) and len(value) > _MAX_TEXT:
        return "…" + value[-_MAX_TEXT:]
    return value


def _listed(logger: object, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """structlog processor: marks an event nobody listed: our mistake, tests look for it."""
    if event.get("event") not in _NAMES:
        event["unlisted"] = True
    return event


_NAMES = frozenset(str(event) for event in Event)


class _Stream:
    """Writes whole lines; a full disk or a closed pipe loses the line and is counted, never raised."""

    def __init__(self, stream: TextIO):
        self._stream = stream
        self.lost = 0

    def msg(self, message: str) -> None:
        try:
            self._stream.write(message + "\n")
            self._stream.flush()
        except (OSError, ValueError):  # ValueError: the stream was closed
            self.lost += 1

    log = debug = info = warning = warn = error = critical = fatal = exception = failure = msg


class _FromLibraries(logging.Handler):
    """Warnings of libraries (asyncio, aiohttp, SQLAlchemy) become events of their own."""

    def emit(self, record: logging.LogRecord) -> None:
        fields: dict[str, Any] = {"logger": record.name, "message": record.getMessage()}
        if record.exc_info and record.exc_info[0] is not None:
            fields["exc_info"] = record.exc_info
        level = "error" if record.levelno >= logging.ERROR else "warning"
        getattr(get_logger(), level)(Event.LIBRARY, **fields)


def set_up(level: LogLevel, process: str, stream: TextIO | None = None) -> None:
    """Once per process, first thing. `process` is bound to each line: `node`, `supervisor`."""
    output = _Stream(stream or sys.stderr)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _with_process(process),
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _listed,
            structlog.processors.format_exc_info,
            redact,
            structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=lambda *_: output,
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    root.handlers[:] = [_FromLibraries(logging.WARNING)]
    root.setLevel(logging.WARNING)


def _with_process(process: str) -> structlog.types.Processor:
    def bind(logger: object, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event.setdefault("process", process)
        return event

    return bind


def get_logger(**bound: object) -> structlog.typing.FilteringBoundLogger:
    """A logger with `bound` ids on each of its lines: `get_logger(lesson=…, peer=…)`."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(**bound)
    return logger

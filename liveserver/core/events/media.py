"""What the instructor publishes, and what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass

from liveserver.core.messages import Sources


@dataclass(frozen=True, slots=True)
class SourcesChanged:
    connection: str
    sources: Sources


@dataclass(frozen=True, slots=True)
class PauseAsked:
    connection: str
    on: bool


@dataclass(frozen=True, slots=True)
class CalledOn:
    """The instructor at `connection` calls on a learner, or is done with him."""

    connection: str
    person: str
    on: bool


@dataclass(frozen=True, slots=True)
class Published:
    """An instructor's media connection is up."""

    connection: str
    person: str
    name: str
    tracks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unpublished:
    """That connection ended; `session` is its WHIP session's id, which the page knows.

    `heard_at_ms`: when its media was last heard of, where that is long before.
    """

    connection: str
    reason: str
    session: str = ""
    heard_at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class ClosePublisher:
    reason: str


@dataclass(frozen=True, slots=True)
class Hold:
    """Forward nothing (the lesson's own pause), or go on."""

    on: bool


@dataclass(frozen=True, slots=True)
class ShareScreen:
    on: bool


@dataclass(frozen=True, slots=True)
class Record:
    """Start or stop the recording."""

    on: bool

"""What attendance is reckoned from beside joins: pages in the foreground, media that arrives."""

from __future__ import annotations

from dataclasses import dataclass

from liveserver.core.presets import Frozen


@dataclass(frozen=True, slots=True)
class Seen:
    """A visibility message."""

    connection: str
    visibility: str


@dataclass(frozen=True, slots=True)
class Receiving:
    """Media arrives at a connection since `at_ms`, or did so until then; a publisher's arrives here."""

    connection: str
    on: bool
    at_ms: int


@dataclass(frozen=True, slots=True)
class HoursPlanned:
    """By what hours will be reckoned, unless the lesson has begun."""

    policy: Frozen

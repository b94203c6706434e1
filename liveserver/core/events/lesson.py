"""A lesson and those in it: who comes and goes, in what state it is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from liveserver.core.permissions import Role


class LessonState(StrEnum):
    WAITING = "waiting"
    LIVE = "live"
    PAUSED = "paused"
    CUT = "cut"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Member:
    """One connection of one person. `transport` is webrtc, websocket or whip."""

    connection: str
    person: str
    name: str
    role: Role
    transport: str
    joined_at_ms: int
    visibility: str = "foreground"
    receives: bool = False


@dataclass(frozen=True, slots=True)
class Joined:
    member: Member


@dataclass(frozen=True, slots=True)
class Greeted:
    """A member's control channel is open, or it asked again: tell it where things stand."""

    connection: str


@dataclass(frozen=True, slots=True)
class Left:
    connection: str
    reason: str


@dataclass(frozen=True, slots=True)
class Ended:
    by: str


@dataclass(frozen=True, slots=True)
class Tick:
    """Once a second."""


@dataclass(frozen=True, slots=True)
class Keep:
    """Write the lesson's state to the store."""

    state: LessonState
    started_at_ms: int | None
    ended_at_ms: int | None
    instructor: str

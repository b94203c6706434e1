"""A lesson in some state, and what comes of an event, for tests of its rules."""

from __future__ import annotations

from typing import Any

from liveserver.core import events, messages
from liveserver.core.events.chat import Said
from liveserver.core.events.cut import Cut, CutMade, Level
from liveserver.core.events.lesson import Joined, Member
from liveserver.core.events.media import (
    Published,
)
from liveserver.core.events.telling import Append
from liveserver.core.permissions import Role
from liveserver.core.room import RoomState

NOW = 1_772_415_000_000


def lesson(**fields: Any) -> RoomState:
    return RoomState(lesson="abc", title="Lathe safety", **fields)


def member(
    person: str, role: Role = Role.LEARNER, connection: str | None = None, transport: str = "websocket"
) -> Member:
    return Member(connection or f"c-{person}", person, person.title(), role, transport, NOW)


def joined(state: RoomState, *members: Member) -> RoomState:
    for one in members:
        state.apply(Joined(one), NOW)
    return state


def live(state: RoomState | None = None) -> RoomState:
    state = state or lesson()
    state.apply(Published("pub", "teacher", "Ms Li", ("audio", "camera")), NOW)
    return state


def cut(level: Level = Level.LESSON, person: str | None = None) -> CutMade:
    return CutMade(Cut(level, "gambling advert", NOW, "mod", 1, person, "n:1"), "n:1", "n")


def said(connection: str, text: str = "hello", ref: str | None = None) -> Said:
    return Said(connection, "line-1", b"s" * 16, messages.Chat(text, ref))


def facts(effects: list[events.Effect]) -> list[str]:
    return [effect.type for effect in effects if isinstance(effect, Append)]


def of(kind: type, effects: list[events.Effect]) -> list[Any]:
    return [effect for effect in effects if isinstance(effect, kind)]

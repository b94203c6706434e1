"""Lines of the chat, and who may write them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from liveserver.core import messages
from liveserver.core.messages import Json
from liveserver.core.screening import Verdict


class LineState(StrEnum):
    """Where a chat line stands (core.chat)."""

    SHOWN = "shown"
    HELD = "held"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Mute:
    """Who may not chat in a lesson, and since when. `incidents`: those that led to it, if nobody did it."""

    person: str
    name: str
    reason: str
    at_ms: int
    by: str
    incidents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Said:
    """A chat line; `line_id` and `salt` come from the shell, which has the randomness.

    `verdict`: what screening says of it, None if nothing.
    """

    connection: str
    line_id: str
    salt: bytes
    chat: messages.Chat
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True)
class LineJudged:
    """A person decides whether the class sees a line, whatever it was before.

    `line` {id, from, text, at_ms}; `was`: what the store has of it. `incident`: what is decided, else "".
    """

    line: Json
    was: LineState
    show: bool
    by: str
    incident: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class MuteAsked:
    """Take the chat from a person, or give it back. `name`: for one who is not there."""

    person: str
    on: bool
    by: str
    reason: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class ChatSaved:
    """The text behind a chat fact, kept outside the ledger so that it can be erased."""

    line_id: str
    person: str
    name: str
    role: str
    text: str
    at_ms: int
    salt: bytes
    state: LineState = LineState.SHOWN


@dataclass(frozen=True, slots=True)
class KeepLine:
    """Write where a chat line stands to the store."""

    line_id: str
    state: LineState


@dataclass(frozen=True, slots=True)
class KeepMute:
    """Write to the store that a person is muted, or no longer."""

    mute: Mute
    on: bool

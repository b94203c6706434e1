"""Lines of the chat, and who is muted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ChatLine:
    """A chat message as people read it.

    The ledger has its id, its author and the commitment under `salt`: erasing this row erases the words
    and leaves every proof valid.
    """

    id: str
    lesson: str
    person: str
    name: str
    role: str
    text: str
    at_ms: int
    salt: bytes
    state: str = "shown"
    """shown, held or removed."""


@dataclass(frozen=True, slots=True)
class Muted:
    """A person whom the chat of a lesson was taken from. `incidents`: what led to it, if nobody did it."""

    lesson: str
    person: str
    name: str
    reason: str
    at_ms: int
    by: str
    incidents: tuple[str, ...] = ()

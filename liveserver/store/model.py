"""What the store keeps, as values. Facts and entries of the ledger: `liveserver.core.ledger`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from liveserver.core.ledger import JSON


class StoreError(Exception):
    """The store cannot do what was asked: not reachable, in use, damaged, or newer than this program."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """One live session. `state`: waiting, live, paused, cut or ended."""

    id: str
    title: str
    instructor: str
    """The name of who teaches, empty until somebody does."""
    state: str
    created_at_ms: int
    started_at_ms: int | None = None
    ended_at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Recording:
    """One recording of a lesson. `state`: recording, sealing, sealed or failed."""

    id: str
    lesson: str
    state: str
    path: str
    """Relative to the object store."""
    started_at_ms: int
    sha256: str | None = None
    """Of the sealed file, as hex."""
    size: int | None = None
    """Bytes."""
    duration_ms: int | None = None
    sealed_at_ms: int | None = None
    retain_until_ms: int | None = None
    locked: bool = False
    """Whether the object store refuses to delete it before `retain_until_ms`."""
    gaps: Sequence[Mapping[str, JSON]] = ()
    detail: str = ""


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

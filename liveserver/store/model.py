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
    programmes: str = ""
    """`core.retention.Programme`s by commas: how long its recordings are kept."""


@dataclass(frozen=True, slots=True)
class Recording:
    """One recording of a lesson. `state`: recording, sealing, sealed, failed, or deleted after its date."""

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
    programmes: str = ""
    """What `retain_until_ms` was reckoned from; a later change of policy never shortens it."""
    hold: str = ""
    """Why it is under legal hold: it is then not deleted whatever its date."""
    deleted_at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object of a recording, where it was last read back. `store`: disk or s3."""

    key: str
    recording: str
    size: int
    sha256: str
    store: str
    stored_at_ms: int
    version: str | None = None
    retain_until_ms: int | None = None
    locked: bool = False
    verified_at_ms: int | None = None
    verdict: str = ""
    """Of the last reading: `recorder.reverify.Verdict`, "" before the first."""


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

"""Recordings, and where their objects are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from liveserver.core.ledger import JSON


@dataclass(frozen=True, slots=True)
class Recording:
    """One recording of a lesson, or one reel of a long one (`recorder.reels`).

    `state`: recording, sealing, sealed, failed, or deleted after its date.
    """

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
    series: str = ""
    """The id of the first reel, which all share."""
    reel: int = 1
    begins_ms: int = 0
    """Where this reel begins, from the first one's beginning."""


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

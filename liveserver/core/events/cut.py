"""Cuts: made, measured, restored, put on record."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from liveserver.core.measured import Measured

MAX_REASON_CHARACTERS = 200


class Level(StrEnum):
    """How much a cut takes away, the weakest first; `person` names one learner."""

    CHAT = "chat"
    PICTURE = "picture"
    PAUSE = "pause"
    LESSON = "lesson"
    PERSON = "person"


@dataclass(frozen=True, slots=True)
class Cut:
    """An active cut. `person` only with Level.PERSON; `by` is who cut; `id` names it on every node."""

    level: Level
    reason: str
    at_ms: int
    by: str
    epoch: int = 0
    person: str | None = None
    id: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """Somebody has asked to restore; a second person has to before `expires_at_ms` (wall clock).

    It is void once the lesson has another epoch than when it was asked.
    """

    by: str
    reason: str
    at_ms: int
    expires_at_ms: int
    epoch: int


@dataclass(frozen=True, slots=True)
class CutMade:
    """`act`: as the guard names it, empty when another node tells the ledger; `node` made it.

    `stands`: it does so still; else only the ledger has to hear of it.
    """

    cut: Cut
    act: str = ""
    node: str = ""
    stands: bool = True


@dataclass(frozen=True, slots=True)
class CutMeasured:
    """How long a cut took on `node`."""

    cut: Cut
    node: str
    measured: Measured
    act: str


@dataclass(frozen=True, slots=True)
class RestoreAsked:
    """The first of two persons wants to restore."""

    asked: Asked
    act: str


@dataclass(frozen=True, slots=True)
class Restored:
    """What was cut before `epoch` is not any more. `first_by`: who asked first, where two were needed.

    `lifted`: the levels, for the ledger; `act` as in `CutMade`.
    """

    reason: str
    by: str
    at_ms: int
    epoch: int
    lifted: tuple[str, ...] = ()
    first_by: str | None = None
    act: str = ""


@dataclass(frozen=True, slots=True)
class Refresh:
    """What was dark may be seen again: viewers start from the cache."""


@dataclass(frozen=True, slots=True)
class CarriedOut:
    """Everybody has been told of that cut, and who is sent away is."""

    cut: str


@dataclass(frozen=True, slots=True)
class NoteCut:
    """Put a cut into the list of cuts, with its times once they are known."""

    cut: Cut
    node: str
    measured: Measured | None = None


@dataclass(frozen=True, slots=True)
class NoteRestored:
    """The cuts in the list that were made before `epoch` do not stand any more."""

    epoch: int
    at_ms: int
    by: str


@dataclass(frozen=True, slots=True)
class KeepEvidence:
    """The recording that has just ended shows why the lesson was cut: it is kept, whatever its date."""

    reason: str
    by: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """The ledger has that act."""

    act: str

"""Random checks: asked, answered, photos looked at, misses excused."""

from __future__ import annotations

from dataclasses import dataclass

from liveserver.core.challenge import CheckKind
from liveserver.core.photo import Liveness, Turn
from liveserver.core.quiz import Question


@dataclass(frozen=True, slots=True)
class ChallengeAsked:
    """Check one learner now, or all (`person` None). `id` comes from the shell, which has the randomness."""

    by: str
    id: str
    kind: CheckKind
    question: Question | None
    person: str | None


@dataclass(frozen=True, slots=True)
class ChallengeAnswered:
    """`choice`: places of options, or one number."""

    connection: str
    challenge: str
    choice: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class QuestionWanted:
    """A question instead of a photo."""

    connection: str
    challenge: str


@dataclass(frozen=True, slots=True)
class PhotoTaken:
    """A whole photo came; `photo` is the name under which the shell keeps it, `turned` a second one's."""

    connection: str
    challenge: str
    photo: str
    turned: str = ""


@dataclass(frozen=True, slots=True)
class PhotoJudged:
    """What the models say: True, False (take another), None (a person must look)."""

    person: str
    challenge: str
    photo: str
    passed: bool | None
    detail: str
    liveness: Liveness | None = None
    turned: str = ""


@dataclass(frozen=True, slots=True)
class PhotoReviewed:
    by: str
    person: str
    challenge: str
    passed: bool


@dataclass(frozen=True, slots=True)
class CheckRevised:
    """A person excuses a missed check, or takes the excuse back (`excused` False)."""

    by: str
    person: str
    challenge: str
    reason: str
    excused: bool


@dataclass(frozen=True, slots=True)
class Judge:
    """Have a learner's photo looked at; `PhotoJudged` follows. `asked`: how `turned` was asked to be."""

    person: str
    challenge: str
    photo: str
    turned: str = ""
    asked: Turn = Turn.LEFT

"""What can happen to a lesson, and what its rules then ask the shell to do.

The vocabulary between `core.room` (pure) and `liveserver.rooms.rooms` (the shell).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from liveserver.core import messages
from liveserver.core.challenge import CheckKind
from liveserver.core.measured import Measured
from liveserver.core.messages import Json, Sources
from liveserver.core.permissions import Permission, Role
from liveserver.core.photo import Liveness, Turn
from liveserver.core.presets import Frozen
from liveserver.core.quiz import Question
from liveserver.core.screening import Action, Verdict


class LessonState(StrEnum):
    WAITING = "waiting"
    LIVE = "live"
    PAUSED = "paused"
    CUT = "cut"
    ENDED = "ended"


class Level(StrEnum):
    """How much a cut takes away, the weakest first; `person` names one learner."""

    CHAT = "chat"
    PICTURE = "picture"
    PAUSE = "pause"
    LESSON = "lesson"
    PERSON = "person"


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


# --- events -------------------------------------------------------------------------------------


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
class IncidentSeen:
    """An incident of this lesson, new or changed, as the `incident` message without its type."""

    incident: Json


@dataclass(frozen=True, slots=True)
class SightChanged:
    """How far behind live viewers are, and whether they get the slate instead of the picture."""

    delay_ms: int
    held_back: bool


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
class SourcesChanged:
    connection: str
    sources: Sources


@dataclass(frozen=True, slots=True)
class PauseAsked:
    connection: str
    on: bool


@dataclass(frozen=True, slots=True)
class HoursPlanned:
    """By what hours will be reckoned, unless the lesson has begun."""

    policy: Frozen


@dataclass(frozen=True, slots=True)
class CalledOn:
    """The instructor at `connection` calls on a learner, or is done with him."""

    connection: str
    person: str
    on: bool


@dataclass(frozen=True, slots=True)
class Published:
    """An instructor's media connection is up."""

    connection: str
    person: str
    name: str
    tracks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unpublished:
    """That connection ended; `session` is its WHIP session's id, which the page knows.

    `heard_at_ms`: when its media was last heard of, where that is long before.
    """

    connection: str
    reason: str
    session: str = ""
    heard_at_ms: int | None = None


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
class Ended:
    by: str


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
class Tick:
    """Once a second."""


Event = (
    Joined | Greeted | Left | Said | LineJudged | MuteAsked | IncidentSeen | SightChanged | Seen | Receiving
    | SourcesChanged | PauseAsked | CalledOn | HoursPlanned | Published | Unpublished | CutMade | Restored
    | Ended | Tick | ChallengeAsked | ChallengeAnswered | QuestionWanted | PhotoTaken | PhotoJudged
    | PhotoReviewed | CheckRevised | CutMeasured | RestoreAsked
)  # fmt: skip


# --- effects ------------------------------------------------------------------------------------


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
class Append:
    """A fact for the ledger."""

    type: str
    data: Mapping[str, Any]
    chat: ChatSaved | None = None


@dataclass(frozen=True, slots=True)
class Send:
    connection: str
    message: Json


@dataclass(frozen=True, slots=True)
class Tell:
    """The same words to several connections."""

    connections: tuple[str, ...]
    message: Json


@dataclass(frozen=True, slots=True)
class Broadcast:
    """To every connection, or to those whose role may `to`."""

    message: Json
    to: Permission | None = None


@dataclass(frozen=True, slots=True)
class Close:
    """End one connection with a WebSocket close code."""

    connection: str
    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class ClosePublisher:
    reason: str


@dataclass(frozen=True, slots=True)
class Hold:
    """Forward nothing (the lesson's own pause), or go on."""

    on: bool


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


@dataclass(frozen=True, slots=True)
class ShareScreen:
    on: bool


@dataclass(frozen=True, slots=True)
class Record:
    """Start or stop the recording."""

    on: bool


@dataclass(frozen=True, slots=True)
class Keep:
    """Write the lesson's state to the store."""

    state: LessonState
    started_at_ms: int | None
    ended_at_ms: int | None
    instructor: str


@dataclass(frozen=True, slots=True)
class Judge:
    """Have a learner's photo looked at; `PhotoJudged` follows. `asked`: how `turned` was asked to be."""

    person: str
    challenge: str
    photo: str
    turned: str = ""
    asked: Turn = Turn.LEFT


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


@dataclass(frozen=True, slots=True)
class Report:
    """Screening's verdict on a line took effect: it goes on record. `line` is None when the same line was
    said again while it waits; `action` is what was done."""

    verdict: Verdict
    line: ChatSaved | None
    action: Action


Effect = (
    Append | Send | Tell | Broadcast | Close | ClosePublisher | Hold | Refresh | ShareScreen | Record | Keep
    | KeepLine | KeepMute | Report | Judge | CarriedOut | KeepEvidence | NoteCut | NoteRestored | Recorded
)  # fmt: skip

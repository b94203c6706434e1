"""The rules of one live lesson: `RoomState.apply(event, now_ms) -> effects`. No I/O, no clock.

States of a lesson and what moves it:

    waiting ──published──▶ live ◀──pause on/off──▶ paused
       │                    │                        │
       └────────────────────┴── cut (level lesson) ──┴──▶ cut ──restored──▶ waiting
    any but ended ── ended ──▶ ended (final)

A fact (`Append`) always stands before the effects that acknowledge it, and the shell commits it first.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from liveserver.core import (
    challenge_rules,
    cut_rules,
    joining_rules,
    presence_rules,
    publishing_rules,
    screening_rules,
)
from liveserver.core.chat import ChatState
from liveserver.core.check_plan import Checks
from liveserver.core.errors import PeerError
from liveserver.core.events import Effect, Event
from liveserver.core.events.attendance import HoursPlanned, Receiving, Seen
from liveserver.core.events.chat import LineJudged, MuteAsked, Said
from liveserver.core.events.checks import (
    ChallengeAnswered,
    ChallengeAsked,
    CheckRevised,
    PhotoJudged,
    PhotoReviewed,
    PhotoTaken,
    QuestionWanted,
)
from liveserver.core.events.cut import (
    Cut,
    CutMade,
    CutMeasured,
    Level,
    RestoreAsked,
    Restored,
)
from liveserver.core.events.lesson import Ended, Greeted, Joined, Keep, Left, LessonState, Member, Tick
from liveserver.core.events.media import (
    CalledOn,
    ClosePublisher,
    PauseAsked,
    Published,
    Record,
    SourcesChanged,
    Unpublished,
)
from liveserver.core.events.screening import IncidentSeen, SightChanged
from liveserver.core.events.telling import Append, Broadcast, Close, Send
from liveserver.core.kill import strongest
from liveserver.core.log_in import SamePerson
from liveserver.core.messages import Json, Sources
from liveserver.core.permissions import Permission, Role, allows
from liveserver.core.presets import Frozen, frozen

COUNTS_A_SECOND = 1_000
"""Learners told a new number of viewers in a second: in a class of 10,000 each hears it every 10 s."""


CLOSE_GONE = 4410


@dataclass(slots=True)
class RoomState:
    """Everything live about one lesson. Owned by the room's task."""

    lesson: str
    title: str
    instructor: str = ""
    state: LessonState = LessonState.WAITING
    started_at_ms: int | None = None
    ended_at_ms: int | None = None
    members: dict[str, Member] = field(default_factory=dict)
    publisher: str | None = None
    publisher_person: str | None = None
    sources: Sources = field(default_factory=Sources)
    cuts: dict[Level, Cut] = field(default_factory=dict)
    removed: dict[str, Cut] = field(default_factory=dict)
    checks: Checks = field(default_factory=Checks)
    chat: ChatState = field(default_factory=ChatState)
    incidents: dict[str, Json] = field(default_factory=dict)
    """The newest, by id."""
    screening: Json = field(default_factory=lambda: {"delay_ms": 0, "held_back": False})
    same_person: SamePerson = SamePerson.TAKEOVER
    hours_policy: Frozen = field(default_factory=lambda: frozen("default"))
    _learners: dict[str, tuple[str, ...]] = field(default_factory=dict)  # person → connections
    called_on: set[str] = field(default_factory=set)
    """Learners the instructor has called on; their media comes before that of others."""
    _staff: dict[str, None] = field(default_factory=dict)  # connections of all others
    changes: list[Json] = field(default_factory=list)
    """Of who is here and how, since the last presence tick."""
    presence_digest: str = ""
    """Of all who are here, as of the last presence tick that had changes."""
    _told: tuple[object, ...] = ()
    _count_due_ms: int = 0
    _roster_told: tuple[object, ...] = ()

    def apply(self, event: Event, now_ms: int) -> list[Effect]:
        """What follows from `event`. Raises PeerError when the one who caused it may not."""
        return _RULES[type(event)](self, event, now_ms)

    # --- what others may ask ---

    @property
    def viewers(self) -> int:
        """Learners present; a person counts once."""
        return len(self._learners)

    @property
    def learners(self) -> Mapping[str, Collection[str]]:
        """Who attends: person → connections."""
        return self._learners

    def who_may(self, permission: Permission | None) -> list[str]:
        """The connections of those whose role may; of all for None. What learners may not asks no learner."""
        if permission is None:
            return list(self.members)
        some = self.members if allows(Role.LEARNER, permission) else self._staff
        return [name for name in some if allows(self.members[name].role, permission)]

    def require(self, connection: str, permission: Permission) -> Member:
        """The member, if its role may; else PeerError forbidden."""
        member = self.members.get(connection)
        if member is None or not allows(member.role, permission):
            raise PeerError("forbidden", "your role may not do this", status=403)
        return member

    @property
    def cut(self) -> Cut | None:
        """The strongest active cut of the whole lesson."""
        return strongest(self.cuts)

    def admit(self, person: str, role: Role) -> None:
        """Raise PeerError lesson_ended, lesson_cut or person_removed (410) when nobody may come in."""
        if self.state is LessonState.ENDED:
            raise PeerError("lesson_ended", "this lesson has ended", status=410)
        if person in self.removed:
            raise PeerError("person_removed", self.removed[person].reason, status=410)
        if self.state is LessonState.CUT and not allows(role, Permission.RESTORE):
            cut = self.cuts.get(Level.LESSON)
            raise PeerError("lesson_cut", cut.reason if cut else "", status=410)

    def summary(self) -> Json:
        """The `lesson` object of `joined` and of the `lesson` message."""
        return {
            "id": self.lesson,
            "title": self.title,
            "instructor": self.instructor,
            "state": self.state,
            "started_at_ms": self.started_at_ms,
            "viewers": self.viewers,
            "publishing": self.publisher is not None,
        }

    def require_voice(self, connection: str) -> None:
        """Raise PeerError forbidden, chat_off or chat_muted (403) when this member may not chat now."""
        member = self.require(connection, Permission.CHAT)
        if Level.CHAT in self.cuts:
            raise PeerError("chat_off", "a moderator has closed the chat", status=403)
        self.chat.require_voice(member.person)

    def require_alone(self, person: str, role: Role) -> None:
        """Raises PeerError `already_here` (409) for a learner who is here, where a second one is refused."""
        if role is Role.LEARNER and self.same_person is SamePerson.REFUSE and person in self._learners:
            raise PeerError("already_here", "you are in this lesson already", status=409, retry_after_s=5)

    # --- what several rules do ---

    def enter(self, member: Member) -> None:
        """He is here."""
        if member.role is Role.LEARNER:
            self._learners[member.person] = (*self._learners.get(member.person, ()), member.connection)
            self.checks.arrived(member.person)
        else:
            self._staff[member.connection] = None
        self.members[member.connection] = member
        self.changes.append({"joined": member.person, "connection": member.connection})

    def leave(self, member: Member, reason: str) -> list[Effect]:
        """He is here no more."""
        del self.members[member.connection]
        self._staff.pop(member.connection, None)
        others = tuple(one for one in self._learners.pop(member.person, ()) if one != member.connection)
        if others:
            self._learners[member.person] = others
        self.changes.append({"left": member.person, "connection": member.connection})
        fact = {"person": member.person, "connection": member.connection, "reason": reason}
        return [Append("leave", fact)]

    def send_away(self, leaving: list[Member], told: Json, reason: str, code: str) -> list[Effect]:
        """Everyone in `leaving` is told why, then shown the door."""
        effects: list[Effect] = []
        for member in leaving:
            effects += [
                Send(member.connection, told),
                *self.leave(member, reason),
                Close(member.connection, CLOSE_GONE, code),
            ]
        return effects

    def connections_of(self, person: str) -> list[Member]:
        """A learner's connections from the index, of others by looking."""
        if person in self._learners:
            return [self.members[connection] for connection in self._learners[person]]
        return [member for member in self.members.values() if member.person == person]

    def lesson_message(self) -> Broadcast:
        """How the lesson stands, for all."""
        summary = self.summary()
        return Broadcast({"type": "lesson"} | {k: v for k, v in summary.items() if k not in ("id", "title")})

    def kept(self) -> Keep:
        """How the lesson stands, for the store."""
        return Keep(self.state, self.started_at_ms, self.ended_at_ms, self.instructor)

    # --- rules of the lesson itself ---

    def _said(self, event: Said, now_ms: int) -> list[Effect]:
        self.require_voice(event.connection)
        return self.chat.said(self.members[event.connection], event, now_ms)

    def _line_judged(self, event: LineJudged, now_ms: int) -> list[Effect]:
        return self.chat.judged(event, self.connections_of(event.line["from"]["person"]), now_ms)

    def _mute_asked(self, event: MuteAsked, now_ms: int) -> list[Effect]:
        return self.chat.mute_asked(event, self.connections_of(event.person), now_ms)

    def _hours_planned(self, event: HoursPlanned, now_ms: int) -> list[Effect]:
        if self.started_at_ms is None:
            self.hours_policy = event.policy
        return []

    def _ended(self, event: Ended, now_ms: int) -> list[Effect]:
        if self.state is LessonState.ENDED:
            return []
        self.state = LessonState.ENDED
        self.ended_at_ms = now_ms
        self.publisher = None
        checks = challenge_rules.revealed(self)
        leaving = list(self.members.values())
        told = self.lesson_message().message
        effects = checks + self.send_away(leaving, told, "ended", "lesson_ended")
        fact = Append("end", {"by": event.by})
        return [fact, self.kept(), Record(False), ClosePublisher("ended"), *effects]

    def _tick(self, event: Tick, now_ms: int) -> list[Effect]:
        effects = challenge_rules.ticked(self, now_ms) + presence_rules.ticked(self)
        effects += self._tell_standing(now_ms)
        listed = (tuple(self.members), frozenset(self.called_on))
        if listed != self._roster_told:
            self._roster_told = listed
            effects.append(Broadcast(joining_rules.roster(self), Permission.SEE_ROSTER))
        return effects

    def _tell_standing(self, now_ms: int) -> list[Effect]:
        """How the lesson stands, when that is news; of a large class the mere number not at each tick."""
        told = (self.state, self.publisher is not None, self.viewers)
        if told == self._told or (told[:2] == self._told[:2] and now_ms < self._count_due_ms):
            return []
        self._told = told
        self._count_due_ms = now_ms + self.viewers // COUNTS_A_SECOND * 1000
        return [self.lesson_message()]


# Each rule takes the event type it is listed under.
_RULES: Mapping[type[Event], Callable[[RoomState, Any, int], list[Effect]]] = {
    Joined: joining_rules.joined,
    Greeted: joining_rules.greeted,
    Left: joining_rules.left,
    Said: RoomState._said,
    LineJudged: RoomState._line_judged,
    MuteAsked: RoomState._mute_asked,
    IncidentSeen: screening_rules.incident_seen,
    Seen: presence_rules.seen,
    Receiving: presence_rules.receiving,
    SightChanged: screening_rules.sight_changed,
    SourcesChanged: publishing_rules.sources_changed,
    PauseAsked: publishing_rules.pause_asked,
    CalledOn: publishing_rules.called_on,
    HoursPlanned: RoomState._hours_planned,
    Published: publishing_rules.published,
    Unpublished: publishing_rules.unpublished,
    CutMade: cut_rules.cut_made,
    CutMeasured: cut_rules.cut_measured,
    RestoreAsked: cut_rules.restore_asked,
    Restored: cut_rules.restored,
    Ended: RoomState._ended,
    Tick: RoomState._tick,
    ChallengeAsked: challenge_rules.asked,
    ChallengeAnswered: challenge_rules.answered,
    QuestionWanted: challenge_rules.question_wanted,
    PhotoTaken: challenge_rules.photo_taken,
    PhotoJudged: challenge_rules.photo_judged,
    PhotoReviewed: challenge_rules.photo_reviewed,
    CheckRevised: challenge_rules.revised,
}

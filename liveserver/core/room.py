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

from liveserver.core import challenge_rules, messages, presence_rules
from liveserver.core.challenge import CheckState
from liveserver.core.challenge_rules import Checks
from liveserver.core.chat import ChatState
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
    CarriedOut,
    Cut,
    CutMade,
    CutMeasured,
    KeepEvidence,
    Level,
    NoteCut,
    NoteRestored,
    Recorded,
    Refresh,
    RestoreAsked,
    Restored,
)
from liveserver.core.events.lesson import Ended, Greeted, Joined, Keep, Left, LessonState, Member, Tick
from liveserver.core.events.media import (
    CalledOn,
    ClosePublisher,
    Hold,
    PauseAsked,
    Published,
    Record,
    ShareScreen,
    SourcesChanged,
    Unpublished,
)
from liveserver.core.events.screening import IncidentSeen, SightChanged
from liveserver.core.events.telling import Append, Broadcast, Close, Send, Tell
from liveserver.core.kill import cut_to_json, strongest
from liveserver.core.log_in import SamePerson
from liveserver.core.messages import Json, Sources
from liveserver.core.permissions import Permission, Role, allows
from liveserver.core.presets import Frozen, frozen
from liveserver.core.screening import Action, Kind

CALLED_ON_AT_ONCE = 10
INCIDENTS_TOLD = 50
INCIDENTS_BYTES = 32_768  # of them, in `joined`
ROSTER_SIZE = 200
COUNTS_A_SECOND = 1_000
"""Learners told a new number of viewers in a second: in a class of 10,000 each hears it every 10 s."""


CLOSE_REPLACED = 4409
CLOSE_GONE = 4410
CLOSE_FORBIDDEN = 4403


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
    _learners: dict[str, dict[str, None]] = field(default_factory=dict)  # person → connections
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

    def joined_message(self, member: Member, now_ms: int) -> Json:
        cut = self.cut
        return {
            "type": "joined",
            "lesson": self.summary(),
            "you": {
                "person": member.person,
                "name": member.name,
                "role": member.role,
                "muted": member.person in self.chat.mutes,
            },
            "sources": self.sources.as_json(),
            "chat": list(self.chat.history),
            "chat_on": Level.CHAT not in self.cuts,
            "screening": self.screening,
            "cut": messages.cut_message(True, cut.level, cut.reason, cut.at_ms) if cut else None,
            "server_time_ms": now_ms,
        } | self._for_watchers(member)

    def _for_watchers(self, member: Member) -> Json:
        """What `joined` adds for moderators and for the instructor."""
        if allows(member.role, Permission.SEE_INCIDENTS):
            incidents = messages.newest_within(self.incidents.values(), INCIDENTS_BYTES)
            return self.chat.told_to_moderators() | {"incidents": incidents}
        if allows(member.role, Permission.PUBLISH):
            return {"incidents": [without_evidence(incident) for incident in self.incidents.values()]}
        return {}

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

    # --- rules ---

    def _joined(self, event: Joined, now_ms: int) -> list[Effect]:
        member = event.member
        self.admit(member.person, member.role)
        effects: list[Effect] = []
        if member.role is Role.LEARNER:
            self.require_alone(member.person, member.role)
            for other in list(self._learners.get(member.person, ())):  # by the index: 10,000 may join at once
                effects += self._replace(self.members[other])
            self._learners.setdefault(member.person, {})[member.connection] = None
            self.checks.arrived(member.person)
        else:
            self._staff[member.connection] = None
        self.members[member.connection] = member
        self.changes.append({"joined": member.person, "connection": member.connection})
        fact = {"person": member.person, "role": member.role, "connection": member.connection,
                "transport": member.transport}  # fmt: skip
        effects.append(Append("join", fact))
        # A WebRTC member is greeted when its data channel opens.
        greeting = [] if member.transport == "webrtc" else self._greeting(member, now_ms)
        return [*effects, *greeting]

    def _greeted(self, event: Greeted, now_ms: int) -> list[Effect]:
        member = self.members.get(event.connection)
        return self._greeting(member, now_ms) if member else []

    def _greeting(self, member: Member, now_ms: int) -> list[Effect]:
        effects: list[Effect] = [Send(member.connection, self.joined_message(member, now_ms))]
        if allows(member.role, Permission.SEE_ROSTER):
            effects.append(Send(member.connection, self._roster()))
        check = self.checks.book.of(member.person) if member.role is Role.LEARNER else None
        if check is not None and check.state is CheckState.ISSUED:
            effects.append(Send(member.connection, check.shown()))  # the page was loaded anew meanwhile
        return effects

    def _replace(self, member: Member) -> list[Effect]:
        detail = "opened somewhere else"
        return [
            *self._leave(member, "replaced"),
            Send(member.connection, {"type": "replaced", "detail": detail}),
            Close(member.connection, CLOSE_REPLACED, "replaced"),
        ]

    def _leave(self, member: Member, reason: str) -> list[Effect]:
        del self.members[member.connection]
        self._staff.pop(member.connection, None)
        connections = self._learners.get(member.person, {})
        connections.pop(member.connection, None)
        if not connections:
            self._learners.pop(member.person, None)
        self.changes.append({"left": member.person, "connection": member.connection})
        fact = {"person": member.person, "connection": member.connection, "reason": reason}
        return [Append("leave", fact)]

    def _left(self, event: Left, now_ms: int) -> list[Effect]:
        member = self.members.get(event.connection)
        return self._leave(member, event.reason) if member else []

    def _said(self, event: Said, now_ms: int) -> list[Effect]:
        self.require_voice(event.connection)
        return self.chat.said(self.members[event.connection], event, now_ms)

    def _line_judged(self, event: LineJudged, now_ms: int) -> list[Effect]:
        return self.chat.judged(event, self._connections_of(event.line["from"]["person"]), now_ms)

    def _mute_asked(self, event: MuteAsked, now_ms: int) -> list[Effect]:
        return self.chat.mute_asked(event, self._connections_of(event.person), now_ms)

    def _incident_seen(self, event: IncidentSeen, now_ms: int) -> list[Effect]:
        incident = event.incident
        is_new = incident["id"] not in self.incidents
        self.incidents[incident["id"]] = incident
        if len(self.incidents) > INCIDENTS_TOLD:
            del self.incidents[next(iter(self.incidents))]
        effects: list[Effect] = [
            Broadcast({"type": "incident"} | incident, Permission.SEE_INCIDENTS),
            Broadcast({"type": "incident"} | without_evidence(incident), Permission.PUBLISH),
        ]
        # What learners write is not the instructor's doing; of what is seen and heard he is warned.
        if is_new and incident["kind"] != Kind.CHAT and Action(incident["action"]).rank >= Action.WARN.rank:
            warning = {"type": "warning", "category": incident["category"], "what": incident["kind"],
                       "at_ms": incident["at_ms"], "incident": incident["id"]}  # fmt: skip
            effects.append(Broadcast(warning, Permission.PUBLISH))
        return effects

    def _sight_changed(self, event: SightChanged, now_ms: int) -> list[Effect]:
        """What viewers are told of screening: how late they see, and why they may see nothing."""
        told = {"delay_ms": event.delay_ms, "held_back": event.held_back}
        if told == self.screening:
            return []
        self.screening = told
        return [Broadcast({"type": "screening"} | told)]

    def _sources_changed(self, event: SourcesChanged, now_ms: int) -> list[Effect]:
        self.require(event.connection, Permission.PUBLISH)
        self.sources = event.sources
        shown = event.sources.as_json()
        return [
            Append("sources", {key: shown[key] for key in ("camera", "screen", "microphone", "blank")}),
            ShareScreen(event.sources.screen),
            Broadcast({"type": "sources"} | shown),
        ]

    def _pause_asked(self, event: PauseAsked, now_ms: int) -> list[Effect]:
        member = self.require(event.connection, Permission.PUBLISH)
        wanted = LessonState.PAUSED if event.on else LessonState.LIVE
        if self.state not in (LessonState.LIVE, LessonState.PAUSED) or self.state is wanted:
            return []
        self.state = wanted
        fact = Append("pause" if event.on else "resume", {"person": member.person})
        return [fact, self._keep(), Hold(event.on), self._lesson_message()]

    def _called_on(self, event: CalledOn, now_ms: int) -> list[Effect]:
        self.require(event.connection, Permission.PUBLISH)
        if event.person not in self._learners:
            raise PeerError("unknown_person", "this learner is not here", status=404)
        if event.on == (event.person in self.called_on):
            return []
        self.called_on &= self._learners.keys()
        if event.on and len(self.called_on) >= CALLED_ON_AT_ONCE:
            raise PeerError("busy", f"at most {CALLED_ON_AT_ONCE} are called on at once", status=409)
        (self.called_on.add if event.on else self.called_on.discard)(event.person)
        return [Tell(tuple(self._learners[event.person]), {"type": "called_on", "on": event.on})]

    def _hours_planned(self, event: HoursPlanned, now_ms: int) -> list[Effect]:
        if self.started_at_ms is None:
            self.hours_policy = event.policy
        return []

    def _published(self, event: Published, now_ms: int) -> list[Effect]:
        self.admit(event.person, Role.INSTRUCTOR)
        was_away = self.started_at_ms is not None and self.publisher is None
        self.publisher = event.connection
        self.publisher_person = event.person
        self.instructor = event.name or self.instructor
        effects: list[Effect] = [
            Append("publish", {"person": event.person, "connection": event.connection,
                               "tracks": list(event.tracks)}),
        ]  # fmt: skip
        if not self.sources.mids and not (self.sources.camera or self.sources.microphone):
            # A publisher without our page (OBS) says nothing of its sources: take its m-lines.
            self.sources = Sources(camera="camera" in event.tracks, microphone="audio" in event.tracks)
        if self.state is LessonState.WAITING:
            self.state = LessonState.LIVE
            if self.started_at_ms is None:
                self.started_at_ms = now_ms
                effects += [Append("hours_policy", self.hours_policy.as_json())]
                effects += challenge_rules.committed(self)
                effects.append(Append("start", {"person": event.person}))
            effects.append(self._keep())
        effects += [Record(True), Broadcast({"type": "sources"} | self.sources.as_json())]
        effects.append(self._lesson_message())
        if was_away:
            effects.append(Broadcast(messages.notice_message("publisher_back")))
        return effects

    def _unpublished(self, event: Unpublished, now_ms: int) -> list[Effect]:
        if event.reason == "replaced":
            # Another page or program publishes: the one that did must not fight to come back.
            told = {"type": "replaced", "session": event.session, "detail": "another page publishes now"}
            return [
                Append("unpublish", {"connection": event.connection, "reason": event.reason}),
                Broadcast(told, Permission.PUBLISH),
            ]
        if self.publisher != event.connection:
            return []
        self.publisher = None
        fact = {"connection": event.connection, "reason": event.reason}
        heard = {} if event.heard_at_ms is None else {"heard_at_ms": event.heard_at_ms}
        effects: list[Effect] = [Append("unpublish", fact | heard)]
        if self.state in (LessonState.LIVE, LessonState.PAUSED):
            effects.append(Broadcast(messages.notice_message("publisher_lost")))
        effects.append(self._lesson_message())
        return effects

    def _cut_made(self, event: CutMade, now_ms: int) -> list[Effect]:
        cut = event.cut
        recorded: list[Effect] = []
        if event.act:
            recorded = [Append("cut", cut_to_json(cut)), NoteCut(cut, event.node), Recorded(event.act)]
        carried_out = self._cut_off(cut) if event.stands else []
        return [*recorded, *carried_out, CarriedOut(cut.id)]

    def _cut_off(self, cut: Cut) -> list[Effect]:
        if cut.level is Level.PERSON:
            return self._remove_person(cut)
        self.cuts[cut.level] = cut
        told = messages.cut_message(True, cut.level, cut.reason, cut.at_ms)
        if cut.level is not Level.LESSON or self.state is LessonState.ENDED:
            return [Broadcast(told)]
        self.state = LessonState.CUT
        self.publisher = None
        leaving = [m for m in self.members.values() if not allows(m.role, Permission.RESTORE)]
        effects = self._send_away(leaving, told, "cut", "lesson_cut")
        return [*effects, ClosePublisher("cut"), Record(False), Broadcast(told),
                self._lesson_message(), self._keep(), KeepEvidence(cut.reason, cut.by)]  # fmt: skip

    def _cut_measured(self, event: CutMeasured, now_ms: int) -> list[Effect]:
        cut = cut_to_json(event.cut)
        told = messages.cut_measured_message(cut, event.measured.shown())
        return [
            Append("cut_measured", {**cut, "node": event.node, **event.measured.as_json()}),
            Broadcast(told, Permission.CUT),
            NoteCut(event.cut, event.node, event.measured),
            Recorded(event.act),
        ]

    def _restore_asked(self, event: RestoreAsked, now_ms: int) -> list[Effect]:
        asked = event.asked
        data = {"by": asked.by, "reason": asked.reason, "at_ms": asked.at_ms,
                "expires_at_ms": asked.expires_at_ms}  # fmt: skip
        return [
            Append("restore_asked", {**data, "epoch": asked.epoch}),
            Broadcast({"type": "restore_asked", **data}, Permission.RESTORE),
            Recorded(event.act),
        ]

    def _remove_person(self, cut: Cut) -> list[Effect]:
        assert cut.person is not None
        self.removed[cut.person] = cut
        told = messages.cut_message(True, cut.level, cut.reason, cut.at_ms)
        leaving = list(self._connections_of(cut.person))
        effects = self._send_away(leaving, told, "removed", "person_removed")
        if self.publisher is not None and self.publisher_person == cut.person:
            effects.append(ClosePublisher("removed"))
        return effects

    def _send_away(self, leaving: list[Member], told: Json, reason: str, code: str) -> list[Effect]:
        """Everyone in `leaving` is told why, then shown the door."""
        effects: list[Effect] = []
        for member in leaving:
            effects += [
                Send(member.connection, told),
                *self._leave(member, reason),
                Close(member.connection, CLOSE_GONE, code),
            ]
        return effects

    def _restored(self, event: Restored, now_ms: int) -> list[Effect]:
        recorded: list[Effect] = []
        if event.act:
            fact = {"reason": event.reason, "by": event.by, "first_by": event.first_by, "at_ms": event.at_ms,
                    "epoch": event.epoch, "lifted": list(event.lifted)}  # fmt: skip
            recorded = [
                Append("restore", fact),
                NoteRestored(event.epoch, event.at_ms, event.by),
                Recorded(event.act),
            ]
        return [*recorded, *self._lift(event)]

    def _lift(self, event: Restored) -> list[Effect]:
        strongest = self.cut.level if self.cut else Level.PERSON
        lifted = [level for level, cut in self.cuts.items() if cut.epoch < event.epoch]
        back = [person for person, cut in self.removed.items() if cut.epoch < event.epoch]
        if not lifted and not back:
            return []
        for level in lifted:
            del self.cuts[level]
        for person in back:
            del self.removed[person]
        effects: list[Effect] = []
        if self.state is LessonState.CUT and Level.LESSON not in self.cuts:
            self.state = LessonState.WAITING
            effects.append(self._keep())
        told = messages.cut_message(False, strongest, event.reason, event.at_ms)
        return [*effects, Refresh(), Broadcast(told), self._lesson_message()]

    def _ended(self, event: Ended, now_ms: int) -> list[Effect]:
        if self.state is LessonState.ENDED:
            return []
        self.state = LessonState.ENDED
        self.ended_at_ms = now_ms
        self.publisher = None
        checks = challenge_rules.revealed(self)
        leaving = list(self.members.values())
        told = self._lesson_message().message
        effects = checks + self._send_away(leaving, told, "ended", "lesson_ended")
        fact = Append("end", {"by": event.by})
        return [fact, self._keep(), Record(False), ClosePublisher("ended"), *effects]

    def _tick(self, event: Tick, now_ms: int) -> list[Effect]:
        effects = challenge_rules.ticked(self, now_ms) + presence_rules.ticked(self)
        effects += self._tell_standing(now_ms)
        connections = tuple(self.members)
        if connections != self._roster_told:
            self._roster_told = connections
            effects.append(Broadcast(self._roster(), Permission.SEE_ROSTER))
        return effects

    def _tell_standing(self, now_ms: int) -> list[Effect]:
        """How the lesson stands, when that is news; of a large class the mere number not at each tick."""
        told = (self.state, self.publisher is not None, self.viewers)
        if told == self._told or (told[:2] == self._told[:2] and now_ms < self._count_due_ms):
            return []
        self._told = told
        self._count_due_ms = now_ms + self.viewers // COUNTS_A_SECOND * 1000
        return [self._lesson_message()]

    def _roster(self) -> Json:
        people = [
            {"person": m.person, "name": m.name, "role": m.role, "joined_at_ms": m.joined_at_ms,
             "transport": m.transport}
            for m in list(self.members.values())[:ROSTER_SIZE]
        ]  # fmt: skip
        return {"type": "roster", "viewers": self.viewers, "people": people}

    def _connections_of(self, person: str) -> list[Member]:
        """A learner's connections from the index, of others by looking."""
        if person in self._learners:
            return [self.members[connection] for connection in self._learners[person]]
        return [member for member in self.members.values() if member.person == person]

    def _lesson_message(self) -> Broadcast:
        summary = self.summary()
        return Broadcast({"type": "lesson"} | {k: v for k, v in summary.items() if k not in ("id", "title")})

    def _keep(self) -> Keep:
        return Keep(self.state, self.started_at_ms, self.ended_at_ms, self.instructor)


def without_evidence(incident: Json) -> Json:
    """What the instructor is told of an incident."""
    return {key: value for key, value in incident.items() if key not in ("text", "person", "evidence")}


# Each rule takes the event type it is listed under.
_RULES: Mapping[type[Event], Callable[[RoomState, Any, int], list[Effect]]] = {
    Joined: RoomState._joined,
    Greeted: RoomState._greeted,
    Left: RoomState._left,
    Said: RoomState._said,
    LineJudged: RoomState._line_judged,
    MuteAsked: RoomState._mute_asked,
    IncidentSeen: RoomState._incident_seen,
    Seen: presence_rules.seen,
    Receiving: presence_rules.receiving,
    SightChanged: RoomState._sight_changed,
    SourcesChanged: RoomState._sources_changed,
    PauseAsked: RoomState._pause_asked,
    CalledOn: RoomState._called_on,
    HoursPlanned: RoomState._hours_planned,
    Published: RoomState._published,
    Unpublished: RoomState._unpublished,
    CutMade: RoomState._cut_made,
    CutMeasured: RoomState._cut_measured,
    RestoreAsked: RoomState._restore_asked,
    Restored: RoomState._restored,
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

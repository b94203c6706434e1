"""The lessons of this node: found, opened, joined, published to, cut. What the HTTP edge calls.

A lesson has a `Room` here while it is neither over nor forgotten; its row in the flags, its stage and its
task come and go with the room.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Coroutine, Sequence
from typing import Any, Protocol

from liveserver import shapes
from liveserver.bus import Bus
from liveserver.checks.challenges import Challenges
from liveserver.clock import Clock
from liveserver.core import messages
from liveserver.core.challenge import CheckKind
from liveserver.core.errors import PeerError
from liveserver.core.events.attendance import HoursPlanned
from liveserver.core.events.chat import LineJudged, LineState, MuteAsked
from liveserver.core.events.checks import CheckRevised, PhotoReviewed
from liveserver.core.events.cut import Level
from liveserver.core.events.lesson import Ended, Joined, LessonState, Tick
from liveserver.core.events.screening import IncidentSeen, SightChanged
from liveserver.core.ledger import Fact
from liveserver.core.log_in import SamePerson
from liveserver.core.messages import Json
from liveserver.core.people import Placement
from liveserver.core.permissions import Permission, Role, allows
from liveserver.core.presets import frozen
from liveserver.core.quiz import Question
from liveserver.core.register import Register
from liveserver.core.retention import Programme, programmes_text
from liveserver.core.room import RoomState
from liveserver.core.screening import Sight
from liveserver.cut.acts import Acts
from liveserver.cut.guard import Guard
from liveserver.hls.tier import Broadcast, Tier
from liveserver.hours.attending import EVERY_S
from liveserver.log import Event, get_logger
from liveserver.recording import Recordings
from liveserver.revocations import Revocations
from liveserver.rooms.arrivals import Arrivals
from liveserver.rooms.connections import Connection, PublisherEnd, ViewerEnd
from liveserver.rooms.reopening import Reopening
from liveserver.rooms.room import Room
from liveserver.rooms.voice import Carrier
from liveserver.rooms.ways import Ways
from liveserver.rooms.writing import Promise
from liveserver.screening import Screening
from liveserver.sessions import Answer, Patched, Sessions
from liveserver.sfu.forwarder import Forwarder
from liveserver.sfu.screens import Screens
from liveserver.sfu.stage import Stage
from liveserver.sfu.transcode import Transcodes
from liveserver.store import Lesson, Store
from liveserver.tokens import Claims, session_ended

_ID_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
_ID_LENGTH = 10
_TICK_S = 1.0
_SETTLE_S = 1.0  # at the end, for what is under way
_NOWHERE = Placement()
_log = get_logger()


class Admission(Protocol):
    """Whom a class's lesson is for, and what it starts under. Raises PeerError for what is refused."""

    async def require_member(self, training_class: str, claims: Claims) -> None: ...

    async def require_open(self, lesson: Lesson) -> str: ...


class Rooms:
    """Owns the rooms. All methods belong to the main loop."""

    def __init__(
        self,
        store: Store,
        bus: Bus,
        guard: Guard,
        forwarder: Forwarder,
        recordings: Recordings,
        clock: Clock,
        *,
        transcodes: Transcodes | None = None,
        screens: Screens | None = None,
        challenges: Challenges | None = None,
        screening: Screening | None = None,
        admission: Admission | None = None,
        tier: Tier | None = None,
        max_lessons: int = 256,
        max_viewers: int = 1_000,
        max_joining: int = 500,
        max_webrtc: int = 5_000,
        tell_every_s: int = EVERY_S,
        same_person: SamePerson = SamePerson.TAKEOVER,
        receipt: Promise | None = None,
        revocations: Revocations | None = None,
    ):
        self._revocations = revocations
        self._receipt = receipt
        self._store = store
        self._bus = bus
        self._guard = guard
        self._forwarder = forwarder
        self._recordings = recordings
        self._transcodes = transcodes
        self._screens = screens
        self._challenges = challenges
        self._screening = screening
        self._admission = admission
        self._clock = clock
        self._max_lessons = max_lessons
        self._reopening = Reopening(store, guard, clock, challenges, screening, tell_every_s, same_person)
        self._rooms: dict[str, Room] = {}
        self._ways = Ways(self._rooms, tier, clock, max_webrtc, max_viewers)
        self._opening: dict[str, asyncio.Task[Room]] = {}
        self._free_rows = list(range(forwarder.flags.rooms - 1, -1, -1))
        self._sessions = Sessions(forwarder.candidates)
        self._arrivals = Arrivals(max_joining, lambda: forwarder.is_behind)
        self._spawned: set[asyncio.Task[None]] = set()
        self._ticking: asyncio.Task[None] | None = None
        self._unsubscribe: list[Any] = []
        self._acts = Acts(guard, forwarder, clock, self._rooms, self._room, self._spawn)
        recordings.listener = self
        if revocations is not None:
            revocations.listen(lambda: self._sessions.end_void(revocations.revoked.voids))
        if screening is not None:
            screening.incidents.listen(self._incident_seen)
            screening.tell(self._sight_changed)

    # --- life ---

    async def start(self) -> None:
        """Make every lesson that is not over known to the guard; begin to listen for its cuts."""
        after = None
        while True:
            lessons, after = await self._store.lessons.page(None, after, 200)
            for lesson in lessons:
                if lesson.state != LessonState.ENDED:
                    self._guard.know(lesson.id)
            if after is None:
                break
        self._unsubscribe = self._acts.listen(self._bus, asyncio.get_running_loop())
        self._acts.catch_up()
        self._ticking = asyncio.create_task(self._tick(), name="rooms tick")

    async def stop(self) -> None:
        """Close every room; lessons keep their state for the next start."""
        for unsubscribe in self._unsubscribe:
            unsubscribe()
        if self._ticking is not None:
            self._ticking.cancel()
            await asyncio.gather(self._ticking, return_exceptions=True)
        # What still opens a room comes first, or that room would outlive the node.
        under_way = [*self._spawned, *self._opening.values()]
        if under_way:
            await asyncio.wait(under_way, timeout=_SETTLE_S)
        for room in list(self._rooms.values()):
            await room.stop("server_stopping")
        for task in self._spawned:
            task.cancel()  # it waits for a room that is gone
        await asyncio.gather(*self._spawned, return_exceptions=True)

    # --- lessons ---

    async def create_lesson(
        self,
        title: str,
        by: Claims,
        programmes: frozenset[Programme] = frozenset(),
        *,
        preset: str = "default",
        planned_s: int | None = None,
        planned_start_ms: int | None = None,
        placed: Placement = _NOWHERE,
    ) -> Lesson:
        """A new lesson in state waiting; a fact in the ledger before it is returned.

        `preset`: `core.presets.Name`, that of the project it is `placed` in before. `planned_s`: teaching
        time that counts at most.

        Raises PeerError `text_refused` (422) for a title that screening refuses.
        """
        policy = None
        if self._screening is not None:
            self._screening.require_clean("", title, person=by.person)
            policy = self._screening.policies.standard
        now_ms = self._clock.wall_ms()
        name = "".join(secrets.choice(_ID_ALPHABET) for _ in range(_ID_LENGTH))
        own = frozenset(map(Programme, filter(None, placed.programmes.split(","))))
        taught_under = programmes_text(programmes | own)
        preset = placed.preset or preset
        lesson = Lesson(
            name,
            title,
            "",
            LessonState.WAITING,
            now_ms,
            programmes=taught_under,
            policy=policy.name if policy else "",
            policy_version=policy.version if policy else 0,
            preset=preset,
            planned_s=planned_s,
            course=placed.course,
            training_class=placed.training_class,
            course_id=placed.course_id,
            project=placed.project,
            planned_start_ms=planned_start_ms,
        )
        await self._store.lessons.create(lesson)
        said = {"by": by.person, "title": title, "programmes": taught_under, "preset": preset,
                "planned_s": planned_s, "course": placed.course, "class": placed.training_class,
                "project": placed.project, "planned_start_ms": planned_start_ms}  # fmt: skip
        await self._store.append([Fact("create", name, now_ms, said)])
        self._guard.know(name)
        _log.info(Event.LESSON_CREATED, lesson=name)
        return lesson

    async def lesson(self, lesson_id: str) -> Json:
        """The REST shape of one lesson. Raises PeerError unknown_lesson (404)."""
        return self._describe(await self._store.lessons.known(lesson_id))

    async def lessons(self, state: str | None, after: str | None, limit: int) -> Json:
        """A page of lessons, newest first."""
        found, following = await self._store.lessons.page(state, after, limit)
        return {"items": [self._describe(lesson) for lesson in found], "next": following}

    def on_wall(self) -> list[Json]:
        """The lessons that are open here and not over, as the moderators' wall shows them."""
        return [
            self._tile(room.state)
            for room in self._rooms.values()
            if room.state.state is not LessonState.ENDED
        ]

    def describe(self, lessons: Sequence[Lesson]) -> list[Json]:
        """The REST shapes of lessons as the store has them."""
        return [self._describe(lesson) for lesson in lessons]

    async def end(self, lesson_id: str, claims: Claims) -> Json:
        """End the lesson; everybody is told, the recording is sealed."""
        room = await self._room(lesson_id)
        await room.ask(Ended(claims.person))
        return await self.lesson(lesson_id)

    async def cut(
        self,
        lesson_id: str,
        claims: Claims,
        level: str,
        reason: str,
        person: str | None = None,
        began_ns: int | None = None,
    ) -> Json:
        """Hand the cut to the guard's thread; what follows in the room comes back over the bus."""
        await self._known_to_guard(lesson_id)
        cut = self._guard.cut(lesson_id, Level(level), reason, person, claims.person, began_ns)
        return await self._guard.call(cut)

    async def restore(self, lesson_id: str, claims: Claims, reason: str) -> Json:
        """Lift every cut of the lesson, or be the first of two persons who do."""
        await self._known_to_guard(lesson_id)
        return await self._guard.call(self._guard.restore(lesson_id, reason, claims.person))

    async def recordings(self, lesson_id: str | None, after: str | None, limit: int) -> Json:
        """The recordings of one lesson, or a page of all of them."""
        if lesson_id is not None:
            lesson = await self._store.lessons.known(lesson_id)
            found = await self._store.recordings.of(lesson_id)
            return {"items": [shapes.recording(r, lesson.title) for r in found], "next": None}
        page, following = await self._store.recordings.page(after, limit)
        titles: dict[str, str] = {}
        for recording in page:
            if recording.lesson not in titles:
                lesson_or_none = await self._store.lessons.one(recording.lesson)
                titles[recording.lesson] = lesson_or_none.title if lesson_or_none else ""
        return {"items": [shapes.recording(r, titles[r.lesson]) for r in page], "next": following}

    async def recording(self, recording_id: str) -> Json:
        """One recording. Raises PeerError `not_found`."""
        found = await self._store.recordings.one(recording_id)
        if found is None:
            raise PeerError("not_found", "there is no such recording", status=404)
        lesson = await self._store.lessons.one(found.lesson)
        return shapes.recording(found, lesson.title if lesson else "")

    async def cuts(self, lesson_id: str, after: str | None, limit: int) -> Json:
        """A page of all cuts there were, newest first."""
        await self._store.lessons.known(lesson_id)
        rows, following = await self._store.cuts.of(lesson_id, after, limit)
        return {"items": [shapes.cut(row) for row in rows], "next": following}

    def may_play(self, lesson_id: str, person: str, role: str) -> None:
        """Recordings of a cut lesson are for those who judge it, and never for a person removed from it.

        Raises PeerError lesson_cut, person_removed (410).
        """
        kill = self._guard.kill_of(lesson_id)
        if person in kill.removed:
            raise PeerError("person_removed", kill.removed[person].reason, status=410)
        judges = any(one == role and allows(one, Permission.SEE_EVIDENCE) for one in Role)
        if Level.LESSON in kill.cuts and not judges:
            raise PeerError("lesson_cut", kill.cuts[Level.LESSON].reason, status=410)

    async def reels(self, recording_id: str) -> list[Json]:
        """All reels of the recording that this one belongs to, in their order; none if there is none."""
        found = await self._store.recordings.one(recording_id)
        if found is None:
            return []
        lesson = await self._store.lessons.one(found.lesson)
        title = lesson.title if lesson else ""
        return [shapes.recording(reel, title) for reel in await self._store.recordings.reels(found)]

    # --- media and control ---

    async def publish(self, lesson_id: str, claims: Claims, offer: str) -> Answer:
        """Begin a WHIP session. Raises PeerError lesson_cut, lesson_ended (410), sdp_…, no_common_codec, and
        where a class is not in order the code of the gate (409)."""
        room = await self._admitted(lesson_id, claims)
        await self._prepare_start(room)
        self._require_standing(claims)
        end = PublisherEnd(room, claims, self._clock)
        publisher, sdp = self._forwarder.publish(room.stage, offer, end)
        end.publisher = publisher
        return self._sessions.begin(publisher, lesson_id, claims, sdp, end.send_away)

    async def watch(self, lesson_id: str, claims: Claims, offer: str) -> Answer:
        """Begin a WHEP session. Raises PeerError as `publish`, not_enrolled (403), already_here (409),
        lesson_full, webrtc_full (503)."""
        room = await self._admitted(lesson_id, claims)
        self._require_standing(claims)
        if claims.role is Role.LEARNER:
            room.state.require_alone(claims.person, claims.role)
            self._ways.check_seat(room, claims.person, len(self._arrivals))
            self._arrivals.check()
        connection = Connection(room, claims, self._clock)
        end = ViewerEnd(room, connection, self._clock, self._spawn, self._arrivals.settle)
        viewer, sdp = self._forwarder.watch(room.stage, offer, end)
        end.viewer = viewer
        self._arrivals.begin(connection.id)
        if claims.role is Role.LEARNER:
            self._sessions.only_one_arrives(viewer, lesson_id, claims.person)
        return self._sessions.begin(viewer, lesson_id, claims, sdp, end.send_away)

    async def wide(self, lesson_id: str, claims: Claims) -> Broadcast:
        """The lesson in the wide tier, for somebody who asks for media there.

        Raises PeerError as `publish`; not_available (404) where there is no such tier, not_live (503) while
        there is nothing to package.
        """
        known = self.wide_at_once(lesson_id, claims)
        if known is not None:
            return known
        self._ways.require_hls()
        room = await self._room(lesson_id)
        await self._require_member(room, claims)
        return self._ways.wide(room, claims)

    def wide_at_once(self, lesson_id: str, claims: Claims) -> Broadcast | None:
        """As `wide`, of a learner who asked just before: nobody waits for that. None of anybody else."""
        room = self._rooms.get(lesson_id)
        if room is None or not self._ways.has_asked(room, claims.person):  # a player asks six times a second
            return None
        return self._ways.wide(room, claims)

    async def patch(self, session_id: str, claims: Claims, fragment: str, if_match: str | None) -> Patched:
        """Trickle candidates or restart ICE; see `Sessions.patch`."""
        return self._sessions.patch(session_id, claims, fragment, if_match)

    async def leave(self, session_id: str, claims: Claims) -> None:
        """End a WHIP or WHEP session."""
        self._sessions.leave(session_id, claims)

    async def connect(self, lesson_id: str, claims: Claims, carrier: Carrier) -> Connection:
        """Join by WebSocket; `joined` has been sent when this returns.

        Raises PeerError; to somebody shut out by a cut it first says which one.
        """
        room = await self._room(lesson_id)
        try:
            room.state.admit(claims.person, claims.role)
        except PeerError:
            self._explain(room, claims, carrier)
            raise
        await self._require_member(room, claims)
        connection = Connection(room, claims, self._clock)
        room.voice.reach(connection.id, carrier)
        try:
            await room.ask(Joined(connection.member("websocket")))
        except PeerError:
            room.voice.forget(connection.id)
            raise
        return connection

    def recording_changed(self, lesson: str, message: Json) -> None:
        """The recorder reports: show it to those who teach and moderate."""
        room = self._rooms.get(lesson)
        if room is not None:
            room.voice.tell(room.state.who_may(Permission.SEE_ROSTER), message)

    # --- random checks ---

    async def challenge(
        self, lesson_id: str, claims: Claims, kind: CheckKind, person: str | None, question: Question | None
    ) -> Json:
        """Check one learner now, or all. Raises PeerError not_live (409), unknown_person (404), text_refused
        (422) for a question that screening refuses."""
        room = await self._room(lesson_id)
        if question is not None and self._screening is not None:
            asked = "\n".join((question.text, *question.options))
            self._screening.require_clean(lesson_id, asked, person=claims.person, name=claims.name)
        return await self._checks.ask(room, kind, claims.person, person, question)

    async def challenges(self, lesson_id: str, after: int, limit: int, person: str | None) -> Json:
        """The checks of a lesson, or of one learner in it, in the order of issue."""
        await self._store.lessons.known(lesson_id)
        return await self._checks.listed(lesson_id, after, limit, person)

    def consents(self, claims: Claims) -> bool:
        """Whether the bearer agreed to photos."""
        return self._checks.agreed(claims.person)

    async def agree(self, claims: Claims, text_sha256: str) -> None:
        """The bearer agrees to photos. Raises PeerError `bad_request` for words that are not ours."""
        await self._checks.agree(claims.person, text_sha256)

    async def withdraw(self, claims: Claims) -> None:
        """The bearer takes it back; photos there are are erased."""
        await self._checks.withdraw(claims.person)

    async def photo(self, lesson_id: str, photo: str, claims: Claims, reason: str) -> bytes:
        """The JPEG of a photo of this lesson; each look is a fact. Raises PeerError `not_found`."""
        return await self._checks.photo(lesson_id, photo, claims.person, reason)

    async def review(
        self, lesson_id: str, claims: Claims, challenge: str, person: str, *, passed: bool
    ) -> None:
        """What a person found in a photo. Raises PeerError unknown_challenge (404), challenge_over (409)."""
        room = await self._room(lesson_id)
        await room.ask(PhotoReviewed(claims.person, person, challenge, passed))

    async def revise_check(self, lesson_id: str, revised: CheckRevised) -> None:
        """Excuse a missed check of a lesson that is not over, or take that back.

        Raises PeerError not_missed, not_excused, not_live (409).
        """
        room = await self._room(lesson_id)
        await room.ask(revised)

    def noted(self, fact: Fact) -> None:
        """A fact that was kept without its lesson's room, which may be open still: hours count it at once."""
        room = self._rooms.get(fact.lesson or "")
        if room is not None:
            room.attending.take(fact)

    @property
    def _checks(self) -> Challenges:
        if self._challenges is None:
            raise PeerError("not_available", "this server has no challenges", status=404)
        return self._challenges

    # --- moderation ---

    async def judge_line(
        self, lesson_id: str, line_id: str, *, show: bool, by: str, incident: str = "", reason: str = ""
    ) -> None:
        """Show a line of the chat to the class, or take it away. Raises PeerError `not_found` (404)."""
        room = await self._room(lesson_id)
        line = await self._store.chat.line(lesson_id, line_id)
        if line is None:
            raise PeerError("not_found", "the lesson's chat has no such line", status=404)
        shown = {key: value for key, value in shapes.chat(line).items() if key != "type"}
        await room.ask(LineJudged(shown, LineState(line.state), show, by, incident, reason))

    async def mute(self, lesson_id: str, person: str, *, on: bool, by: str, reason: str = "") -> Json:
        """Take the chat of a lesson from a person, or give it back; how it stands then."""
        room = await self._room(lesson_id)
        before = room.state.chat.mutes.get(person)
        await room.ask(MuteAsked(person, on, by, reason))
        mute = room.state.chat.mutes.get(person) or before
        stands = {"name": mute.name, "reason": mute.reason, "at_ms": mute.at_ms} if mute else {
            "name": "", "reason": reason, "at_ms": self._clock.wall_ms()}  # fmt: skip
        return {"person": person, "active": on} | stands

    def register(self, lesson_id: str) -> tuple[Register, int] | None:
        """What an open room knows of attendance, for reading, and its time; None where none is open."""
        room = self._rooms.get(lesson_id)
        return (room.attending.register, room.now_ms()) if room is not None else None

    # --- for operators ---

    def debug(self) -> Json:
        """Every room, task, queue depth and drop counter."""
        return {
            "rooms": [
                {
                    "lesson": room.state.lesson,
                    "state": room.state.state,
                    "members": len(room.state.members),
                    "events_waiting": room.waiting,
                    "events_dropped": room.dropped_events,
                    "recording": room.recording,
                    "stage": room.stage.describe(),
                }
                for room in self._rooms.values()
            ],
            "screens": self._screens.describe() if self._screens is not None else [],
            "front": dict(self._forwarder.front.counters),
            "peers": len(self._forwarder.peers),
            "sessions": len(self._sessions),
            "joining": len(self._arrivals),
            "late_seconds": round(self._forwarder.late_s, 3),
            "front_backlog": round(self._forwarder.front.backlog, 3),
            "tasks": len(asyncio.all_tasks()),
        }

    def numbers(self) -> dict[str, float]:
        """For /metrics."""
        live = [r for r in self._rooms.values() if r.state.state is LessonState.LIVE]
        return {
            "open": len(self._rooms),
            "live": len(live),
            "viewers": sum(room.state.viewers for room in self._rooms.values()),
            "peers": len(self._forwarder.peers),
            "joining": len(self._arrivals),
            "late_seconds": round(self._forwarder.late_s, 3),
            "front_backlog": round(self._forwarder.front.backlog, 3),
            "joins_refused_total": self._arrivals.refused_total,
            "events_dropped_total": sum(room.dropped_events for room in self._rooms.values()),
            **self._ways.numbers(),
        }

    # --- inside ---

    async def _admitted(self, lesson_id: str, claims: Claims) -> Room:
        """The room, for somebody who may be in it."""
        room = await self._room(lesson_id)
        room.state.admit(claims.person, claims.role)
        await self._require_member(room, claims)
        return room

    def _require_standing(self, claims: Claims) -> None:
        """Once more after all waiting: whoever was shut out meanwhile gets no session."""
        if self._revocations is not None and self._revocations.revoked.voids(claims):
            raise session_ended()

    async def _require_member(self, room: Room, claims: Claims) -> None:
        if room.training_class and self._admission is not None:
            await self._admission.require_member(room.training_class, claims)

    async def _prepare_start(self, room: Room) -> None:
        """Before the first picture: are the gates open, and under which policy of hours does it start?"""
        if room.state.started_at_ms is not None:
            return
        lesson = await self._store.lessons.known(room.state.lesson)
        preset = lesson.preset
        if self._admission is not None:
            preset = await self._admission.require_open(lesson)
        if preset != lesson.preset:
            await self._store.lessons.update(lesson.id, preset=preset)
        planned_ms = None if lesson.planned_s is None else lesson.planned_s * 1000
        await room.ask(HoursPlanned(frozen(preset, planned_ms)))

    async def _room(self, lesson_id: str) -> Room:
        """The lesson's room, opened at its first use. Several may wait for the same opening."""
        room = self._rooms.get(lesson_id)
        if room is not None:
            return room
        if lesson_id not in self._opening:
            lesson = await self._store.lessons.known(lesson_id)
            if lesson_id in self._rooms:
                return self._rooms[lesson_id]
        if lesson_id not in self._opening:
            opening = asyncio.create_task(self._open(lesson), name=f"opening {lesson_id}")
            self._opening[lesson_id] = opening
            opening.add_done_callback(lambda _: self._opening.pop(lesson_id, None))
        return await asyncio.shield(self._opening[lesson_id])

    async def _open(self, lesson: Lesson) -> Room:
        if len(self._rooms) >= self._max_lessons:
            self._drop_idle()
        if len(self._rooms) >= self._max_lessons or not self._free_rows:
            raise PeerError("lesson_full", "this server has too many lessons", status=503, retry_after_s=30)
        row = self._free_rows.pop()
        self._forwarder.flags.clear(row)
        self._guard.know(lesson.id)
        self._guard.open(lesson.id, row)
        state, attending = await self._reopening.bring_back(lesson)
        transcode = self._transcodes.of(lesson.id) if self._transcodes is not None else None
        screen = self._screens.of(lesson.id) if self._screens is not None else None
        stage = Stage(row, self._forwarder.flags, transcode, screen)
        stage.hold(state.state is LessonState.PAUSED, self._clock.monotonic_ns())
        room = Room(
            state,
            stage,
            self._store,
            self._recordings,
            self._clock,
            self._guard,
            self._screening,
            self._challenges.photos if self._challenges is not None else None,
            attending,
            training_class=lesson.training_class,
            receipt=self._receipt,
        )
        self._forwarder.stages.add(stage)
        self._rooms[lesson.id] = room
        return room

    def _drop_idle(self) -> None:
        """Forget rooms that are over and empty, to make room for others."""
        for lesson_id, room in list(self._rooms.items()):
            is_over = room.state.state is LessonState.ENDED
            if is_over and not room.state.members and not room.stage.viewers and not room.waiting:
                self._drop(lesson_id, room)

    def _drop(self, lesson_id: str, room: Room) -> None:
        del self._rooms[lesson_id]
        self._ways.drop(lesson_id)
        self._forwarder.stages.discard(room.stage)
        self._guard.close(lesson_id)
        if self._screening is not None:
            self._screening.policies.close(lesson_id)
            self._screening.incidents.close(lesson_id)
        self._free_rows.append(room.stage.room)
        self._spawn(room.stop("ended"))

    def _explain(self, room: Room, claims: Claims, carrier: Carrier) -> None:
        state = room.state
        cut = state.removed.get(claims.person) or (state.cut if state.state is LessonState.CUT else None)
        if cut is not None:
            carrier.send(messages.dumps(messages.cut_message(True, cut.level, cut.reason, cut.at_ms)))
        else:
            carrier.send(messages.dumps({"type": "lesson"} | state.summary()))

    def _tile(self, state: RoomState) -> Json:
        waiting = self._screening.incidents.waiting(state.lesson) if self._screening else 0
        return shapes.tile(state, self._standing(state.lesson), waiting=waiting)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work`, keep it, and wait for it at the end."""
        task = asyncio.create_task(work)
        self._spawned.add(task)
        task.add_done_callback(self._spawned.discard)

    def _sight_changed(self, lesson: str, sight: Sight) -> None:
        """How well screening sees a lesson: those who watch are told what it means to them."""
        room = self._rooms.get(lesson)
        if room is not None:
            room.post(SightChanged(sight.delay_ms, sight.held_back))

    def _incident_seen(self, lesson: str, message: Json, waiting: int) -> None:
        """Screening found something, or a person decided on it: show it to those who are there."""
        room = self._rooms.get(lesson)
        if room is not None:
            room.post(IncidentSeen(message))

    async def _known_to_guard(self, lesson_id: str) -> None:
        """The guard's word will do: the database may be away. Raises PeerError unknown_lesson (404)."""
        if not self._guard.knows(lesson_id):
            await self._store.lessons.known(lesson_id)
            self._guard.know(lesson_id)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            for room in self._rooms.values():
                room.post(Tick())
            self._ways.tick(len(self._arrivals))
            self._acts.catch_up()
            self._sessions.forget_closed()

    def _describe(self, lesson: Lesson) -> Json:
        room = self._rooms.get(lesson.id)
        state = room.state if room is not None else self._reopening.state(lesson)
        return shapes.lesson(lesson, state, self._standing(lesson.id))

    def _standing(self, lesson_id: str) -> shapes.Standing:
        cut = self._guard.kill_of(lesson_id).strongest
        measured = self._guard.measured(lesson_id, cut.id) if cut is not None else None
        return shapes.Standing(cut, measured, self._guard.asked(lesson_id))

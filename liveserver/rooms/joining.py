"""Coming into a lesson and going: by WebSocket, WHEP, WHIP or LL-HLS."""

from __future__ import annotations

from typing import Protocol

from liveserver.clock import Clock
from liveserver.core import messages
from liveserver.core.errors import PeerError
from liveserver.core.events.attendance import HoursPlanned
from liveserver.core.events.lesson import Joined, LessonState
from liveserver.core.permissions import Role
from liveserver.core.presets import frozen
from liveserver.hls.tier import Broadcast
from liveserver.revocations import Revocations
from liveserver.rooms.arrivals import Arrivals
from liveserver.rooms.connections import Connection, PublisherEnd, ViewerEnd
from liveserver.rooms.registry import Registry
from liveserver.rooms.room import Room
from liveserver.rooms.voice import Carrier
from liveserver.rooms.ways import Ways
from liveserver.sessions import Answer, Patched, Sessions
from liveserver.sfu.forwarder import Forwarder
from liveserver.store import Lesson, Store
from liveserver.tokens import Claims, session_ended


class Admission(Protocol):
    """Whom a class's lesson is for, and what it starts under. Raises PeerError for what is refused."""

    async def require_member(self, training_class: str, claims: Claims) -> None: ...

    async def require_open(self, lesson: Lesson) -> str: ...


class Joining:
    """On the main loop. Owns the WHIP and WHEP sessions, and the joins under way."""

    def __init__(
        self,
        registry: Registry,
        store: Store,
        forwarder: Forwarder,
        clock: Clock,
        ways: Ways,
        max_joining: int,
        admission: Admission | None,
        revocations: Revocations | None,
    ):
        self._registry = registry
        self._store = store
        self._forwarder = forwarder
        self._clock = clock
        self._ways = ways
        self._admission = admission
        self._revocations = revocations
        self._sessions = Sessions(forwarder.candidates)
        self._arrivals = Arrivals(max_joining, lambda: forwarder.is_behind)
        if revocations is not None:
            revocations.listen(lambda: self._sessions.end_void(revocations.revoked.voids))

    @property
    def sessions(self) -> int:
        """How many there are."""
        return len(self._sessions)

    @property
    def under_way(self) -> int:
        """Joins that have not connected yet."""
        return len(self._arrivals)

    def tick(self) -> None:
        """Once a second: who is invited to a seat, which sessions are over."""
        self._ways.tick(len(self._arrivals))
        self._sessions.forget_closed()

    def numbers(self) -> dict[str, float]:
        """For /metrics."""
        return {
            "joining": len(self._arrivals),
            "joins_refused_total": self._arrivals.refused_total,
            **self._ways.numbers(),
        }

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
        end = ViewerEnd(room, connection, self._clock, self._registry.spawn, self._arrivals.settle)
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
        room = await self._registry.room(lesson_id)
        await self._require_member(room, claims)
        return self._ways.wide(room, claims)

    def wide_at_once(self, lesson_id: str, claims: Claims) -> Broadcast | None:
        """As `wide`, of a learner who asked just before: nobody waits for that. None of anybody else."""
        room = self._registry.get(lesson_id)
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
        room = await self._registry.room(lesson_id)
        try:
            room.state.admit(claims.person, claims.role)
        except PeerError:
            _explain(room, claims, carrier)
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

    async def _admitted(self, lesson_id: str, claims: Claims) -> Room:
        """The room, for somebody who may be in it."""
        room = await self._registry.room(lesson_id)
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


def _explain(room: Room, claims: Claims, carrier: Carrier) -> None:
    state = room.state
    cut = state.removed.get(claims.person) or (state.cut if state.state is LessonState.CUT else None)
    if cut is not None:
        carrier.send(messages.dumps(messages.cut_message(True, cut.level, cut.reason, cut.at_ms)))
    else:
        carrier.send(messages.dumps({"type": "lesson"} | state.summary()))

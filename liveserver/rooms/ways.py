"""Two ways to a lesson's media, and who takes which: seats for WebRTC, LL-HLS for everybody else.

Beside `rooms`, on the main loop. `rooms` is theirs, for reading.
"""

from __future__ import annotations

from collections.abc import Mapping

from liveserver.clock import Clock
from liveserver.core.errors import PeerError
from liveserver.core.events.attendance import Receiving
from liveserver.core.events.lesson import LessonState
from liveserver.core.permissions import Role
from liveserver.hls.audience import Audience
from liveserver.hls.tier import Broadcast, Tier
from liveserver.rooms.room import Room
from liveserver.rooms.seats import Learner, Seats, Taken
from liveserver.tokens import Claims


class Ways:
    """`tier` may be None: then there is WebRTC alone. `max_viewers` is the bound of one lesson."""

    def __init__(
        self, rooms: Mapping[str, Room], tier: Tier | None, clock: Clock, max_webrtc: int, max_viewers: int
    ):
        self._rooms = rooms
        self._tier = tier
        self._clock = clock
        self._max_viewers = max_viewers
        self._audiences: dict[str, Audience] = {}
        self._seats = Seats(max_webrtc, self._is_called_on)

    def require_hls(self) -> None:
        """Raises PeerError not_available (404) where there is no such tier."""
        if self._tier is None:
            raise PeerError("not_available", "this server has no HLS", status=404)

    def has_asked(self, room: Room, person: str) -> bool:
        """Whether this person's player asked just before."""
        return self._audience(room).has(person)

    def wide(self, room: Room, claims: Claims) -> Broadcast:
        """The lesson in LL-HLS, for somebody whose player asks.

        Raises PeerError lesson_cut, lesson_ended, person_removed (410), not_live (503) while there is nothing
        to package.
        """
        self.require_hls()
        assert self._tier is not None
        running = self._tier.running(room.state.lesson)
        if running is None or running.over_ns is None:
            room.state.admit(claims.person, claims.role)
            if running is None and room.stage.publisher is None:
                raise PeerError("not_live", "nobody is teaching yet", status=503, retry_after_s=2)
            running = self._tier.wanted(
                room.state.lesson, room.stage, lambda: room.state.state is LessonState.ENDED
            )
        elif claims.person in room.state.removed:
            raise PeerError("person_removed", room.state.removed[claims.person].reason, status=410)
        if claims.role is Role.LEARNER:
            self._audience(room).asked(claims.person, self._clock.monotonic_ns())
        return running

    def check_seat(self, room: Room, person: str, joining: int) -> None:
        """Raises PeerError webrtc_full or, where there is no other way to watch, lesson_full (503)."""
        if any(room.state.members[one].transport == "webrtc" for one in room.state.learners.get(person, ())):
            return  # he has one: the session before this one ends
        if self._tier is not None:
            self._seats.check((room.state.lesson, person), self._taken(room, joining))
        elif len(room.stage.viewers) >= self._max_viewers:
            raise PeerError("lesson_full", "this lesson is full", status=503, retry_after_s=10)

    def tick(self, joining: int) -> None:
        """Once a second: whose media arrives, and who is invited to a seat."""
        now_ns = self._clock.monotonic_ns()
        for audience in self._audiences.values():
            audience.tick(now_ns)
        called_on = [
            (lesson, person)
            for lesson, room in self._rooms.items()
            for person in room.state.called_on
            if _sockets_alone(room, person)
        ]

        def taken(lesson: str) -> Taken | None:
            room = self._rooms.get(lesson)
            return None if room is None else self._taken(room, joining)

        for lesson, person in self._seats.invited(called_on, taken, now_ns):
            room = self._rooms[lesson]
            for connection in _sockets_alone(room, person):
                room.voice.send(connection, {"type": "invite", "transport": "webrtc"})

    def drop(self, lesson: str) -> None:
        """The lesson has left this node."""
        self._audiences.pop(lesson, None)
        if self._tier is not None:
            self._tier.close(lesson)

    def numbers(self) -> dict[str, float]:
        """For /metrics."""
        return {"without_seat": len(self._seats), "seats_refused_total": self._seats.refused_total}

    def _taken(self, room: Room, joining: int) -> Taken:
        node = sum(len(one.stage.viewers) for one in self._rooms.values()) + joining
        return Taken(node, len(room.stage.viewers), self._max_viewers)

    def _is_called_on(self, learner: Learner) -> bool:
        room = self._rooms.get(learner[0])
        return room is not None and learner[1] in room.state.called_on

    def _audience(self, room: Room) -> Audience:
        """Who asks for the lesson's media over HTTP: learners whose only connection is a socket."""
        lesson = room.state.lesson
        if lesson not in self._audiences:

            def tell(connection: str, on: bool, at_ns: int) -> None:
                ago_ms = (self._clock.monotonic_ns() - at_ns) // 1_000_000
                room.post(Receiving(connection, on, room.now_ms() - ago_ms))

            self._audiences[lesson] = Audience(lambda person: _sockets_alone(room, person), tell)
        return self._audiences[lesson]


def _sockets_alone(room: Room, person: str) -> list[str]:
    """The sockets of somebody who has no media connection."""
    own = room.state.learners.get(person, ())
    return [name for name in own if room.state.members[name].transport == "websocket"]

"""The lessons of this node, put together: what the HTTP edge calls, part by part; their life and their clock.

A lesson has a `Room` here while it is neither over nor forgotten; its row in the flags, its stage and its
task come and go with the room.
"""

from __future__ import annotations

import asyncio
from typing import Any

from liveserver.bus import Bus
from liveserver.checks.challenges import Challenges
from liveserver.config.sections import RoomsConfig
from liveserver.core.events.lesson import LessonState, Tick
from liveserver.core.events.screening import IncidentSeen, SightChanged
from liveserver.core.messages import Json
from liveserver.core.permissions import Permission
from liveserver.core.register import Register
from liveserver.core.screening import Sight
from liveserver.cut.acts import Acts
from liveserver.revocations import Revocations
from liveserver.rooms.checking import Checking
from liveserver.rooms.joining import Admission, Joining
from liveserver.rooms.lessons import Lessons
from liveserver.rooms.moderating import Moderating
from liveserver.rooms.playback import Playback
from liveserver.rooms.registry import Registry
from liveserver.rooms.reopening import Reopening
from liveserver.rooms.surroundings import MediaPlane, Surroundings
from liveserver.rooms.ways import Ways

_TICK_S = 1.0


class Rooms:
    """Everything about the lessons of a node, part by part. All methods belong to the main loop."""

    def __init__(
        self,
        around: Surroundings,
        media: MediaPlane,
        bus: Bus,
        limits: RoomsConfig,
        *,
        challenges: Challenges | None = None,
        admission: Admission | None = None,
        revocations: Revocations | None = None,
    ):
        store, clock, guard, forwarder = around.store, around.clock, around.guard, media.forwarder
        self._store = store
        self._bus = bus
        self._guard = guard
        self._media = media
        reopening = Reopening(around, challenges)
        self.registry = registry = Registry(around, media, reopening, limits.max_lessons)
        """Which lessons have a room."""
        ways = Ways(registry.rooms, media.tier, clock, limits.max_webrtc, limits.max_viewers)
        registry.on_drop(ways.drop)
        self.lessons = Lessons(around, registry, reopening)
        """Made, ended, shown."""
        self.joining = Joining(
            registry, store, forwarder, clock, ways, limits.max_joining, admission, revocations
        )
        """Coming in and going, by whatever transport."""
        self.moderating = Moderating(registry, store, guard, clock)
        """Cuts, and the chat's lines and mutes."""
        self.checking = Checking(registry, store, challenges, around.screening)
        """Random checks."""
        self.playback = Playback(store, guard)
        """Recordings."""
        self._ticking: asyncio.Task[None] | None = None
        self._unsubscribe: list[Any] = []
        self._acts = Acts(guard, forwarder, clock, registry.rooms, registry.room, registry.spawn)
        around.recordings.listener = self
        if around.screening is not None:
            around.screening.incidents.listen(self._incident_seen)
            around.screening.tell(self._sight_changed)

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
        await self.registry.stop()

    def recording_changed(self, lesson: str, message: Json) -> None:
        """The recorder reports: show it to those who teach and moderate."""
        room = self.registry.get(lesson)
        if room is not None:
            room.voice.tell(room.state.who_may(Permission.SEE_ROSTER), message)

    def _sight_changed(self, lesson: str, sight: Sight) -> None:
        """How well screening sees a lesson: those who watch are told what it means to them."""
        room = self.registry.get(lesson)
        if room is not None:
            room.post(SightChanged(sight.delay_ms, sight.held_back))

    def _incident_seen(self, lesson: str, message: Json, waiting: int) -> None:
        """Screening found something, or a person decided on it: show it to those who are there."""
        room = self.registry.get(lesson)
        if room is not None:
            room.post(IncidentSeen(message))

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            for room in self.registry.rooms.values():
                room.post(Tick())
            self.joining.tick()
            self._acts.catch_up()

    # --- for operators, and for who reckons attendance ---

    def register(self, lesson_id: str) -> tuple[Register, int] | None:
        """What an open room knows of attendance, for reading, and its time; None where none is open."""
        room = self.registry.get(lesson_id)
        return (room.attending.register, room.now_ms()) if room is not None else None

    def debug(self) -> Json:
        """Every room, task, queue depth and drop counter."""
        forwarder, screens = self._media.forwarder, self._media.screens
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
                for room in self.registry.rooms.values()
            ],
            "screens": screens.describe() if screens is not None else [],
            "front": dict(forwarder.front.counters),
            "peers": len(forwarder.peers),
            "sessions": self.joining.sessions,
            "joining": self.joining.under_way,
            "late_seconds": round(forwarder.late_s, 3),
            "front_backlog": round(forwarder.front.backlog, 3),
            "tasks": len(asyncio.all_tasks()),
        }

    def numbers(self) -> dict[str, float]:
        """For /metrics."""
        forwarder = self._media.forwarder
        live = [r for r in self.registry.rooms.values() if r.state.state is LessonState.LIVE]
        return {
            "open": len(self.registry.rooms),
            "live": len(live),
            "viewers": sum(room.state.viewers for room in self.registry.rooms.values()),
            "peers": len(forwarder.peers),
            "late_seconds": round(forwarder.late_s, 3),
            "front_backlog": round(forwarder.front.backlog, 3),
            "events_dropped_total": sum(room.dropped_events for room in self.registry.rooms.values()),
            **self.joining.numbers(),
        }

"""The lessons of this node, put together: what the HTTP edge calls, part by part; their life and their clock.

A lesson has a `Room` here while it is neither over nor forgotten; its row in the flags, its stage and its
task come and go with the room.
"""

from __future__ import annotations

import asyncio
from typing import Any

from liveserver.bus import Bus
from liveserver.checks.challenges import Challenges
from liveserver.clock import Clock
from liveserver.core.events.lesson import LessonState, Tick
from liveserver.core.events.screening import IncidentSeen, SightChanged
from liveserver.core.log_in import SamePerson
from liveserver.core.messages import Json
from liveserver.core.permissions import Permission
from liveserver.core.register import Register
from liveserver.core.screening import Sight
from liveserver.cut.acts import Acts
from liveserver.cut.guard import Guard
from liveserver.hls.tier import Tier
from liveserver.hours.attending import EVERY_S
from liveserver.recording import Recordings
from liveserver.revocations import Revocations
from liveserver.rooms.checking import Checking
from liveserver.rooms.joining import Admission, Joining
from liveserver.rooms.lessons import Lessons
from liveserver.rooms.moderating import Moderating
from liveserver.rooms.playback import Playback
from liveserver.rooms.registry import Registry
from liveserver.rooms.reopening import Reopening
from liveserver.rooms.ways import Ways
from liveserver.rooms.writing import Promise
from liveserver.screening import Screening
from liveserver.sfu.forwarder import Forwarder
from liveserver.sfu.screens import Screens
from liveserver.sfu.transcode import Transcodes
from liveserver.store import Store

_TICK_S = 1.0


class Rooms:
    """Everything about the lessons of a node, part by part. All methods belong to the main loop."""

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
        self._store = store
        self._bus = bus
        self._guard = guard
        self._forwarder = forwarder
        self._screens = screens
        reopening = Reopening(store, guard, clock, challenges, screening, tell_every_s, same_person)
        self.registry = registry = Registry(
            store, guard, forwarder, recordings, clock, reopening, transcodes=transcodes, screens=screens,
            photos=challenges.photos if challenges is not None else None, screening=screening,
            max_lessons=max_lessons, receipt=receipt,
        )  # fmt: skip
        """Which lessons have a room."""
        ways = Ways(registry.rooms, tier, clock, max_webrtc, max_viewers)
        registry.on_drop(ways.drop)
        self.lessons = Lessons(registry, store, guard, clock, reopening, screening)
        """Made, ended, shown."""
        self.joining = Joining(registry, store, forwarder, clock, ways, max_joining, admission, revocations)
        """Coming in and going, by whatever transport."""
        self.moderating = Moderating(registry, store, guard, clock)
        """Cuts, and the chat's lines and mutes."""
        self.checking = Checking(registry, store, challenges, screening)
        """Random checks."""
        self.playback = Playback(store, guard)
        """Recordings."""
        self._ticking: asyncio.Task[None] | None = None
        self._unsubscribe: list[Any] = []
        self._acts = Acts(guard, forwarder, clock, registry.rooms, registry.room, registry.spawn)
        recordings.listener = self
        if screening is not None:
            screening.incidents.listen(self._incident_seen)
            screening.tell(self._sight_changed)

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
            "screens": self._screens.describe() if self._screens is not None else [],
            "front": dict(self._forwarder.front.counters),
            "peers": len(self._forwarder.peers),
            "sessions": self.joining.sessions,
            "joining": self.joining.under_way,
            "late_seconds": round(self._forwarder.late_s, 3),
            "front_backlog": round(self._forwarder.front.backlog, 3),
            "tasks": len(asyncio.all_tasks()),
        }

    def numbers(self) -> dict[str, float]:
        """For /metrics."""
        live = [r for r in self.registry.rooms.values() if r.state.state is LessonState.LIVE]
        return {
            "open": len(self.registry.rooms),
            "live": len(live),
            "viewers": sum(room.state.viewers for room in self.registry.rooms.values()),
            "peers": len(self._forwarder.peers),
            "late_seconds": round(self._forwarder.late_s, 3),
            "front_backlog": round(self._forwarder.front.backlog, 3),
            "events_dropped_total": sum(room.dropped_events for room in self.registry.rooms.values()),
            **self.joining.numbers(),
        }

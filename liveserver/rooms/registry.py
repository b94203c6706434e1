"""Which lessons have a room on this node: opened at the first use, dropped when over to make place."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from liveserver.core.errors import PeerError
from liveserver.core.events.lesson import LessonState
from liveserver.rooms.reopening import Reopening
from liveserver.rooms.room import Room
from liveserver.rooms.surroundings import MediaPlane, Surroundings
from liveserver.store import Lesson

_SETTLE_S = 1.0  # at the end, for what is under way


class Registry:
    """Owns the rooms. All methods belong to the main loop; `rooms` others read and never change."""

    def __init__(self, around: Surroundings, media: MediaPlane, reopening: Reopening, max_lessons: int):
        self.rooms: dict[str, Room] = {}
        self._around = around
        self._media = media
        self._reopening = reopening
        self._max_lessons = max_lessons
        self._opening: dict[str, asyncio.Task[Room]] = {}
        self._free_rows = list(range(media.forwarder.flags.rooms - 1, -1, -1))
        self._spawned: set[asyncio.Task[None]] = set()
        self._dropped: list[Callable[[str], None]] = []

    def get(self, lesson_id: str) -> Room | None:
        """The lesson's room, if it is open."""
        return self.rooms.get(lesson_id)

    def on_drop(self, dropped: Callable[[str], None]) -> None:
        """Tell it of every lesson that has no room here any more."""
        self._dropped.append(dropped)

    async def stop(self) -> None:
        """Close every room; lessons keep their state for the next start."""
        # What still opens a room comes first, or that room would outlive the node.
        under_way = [*self._spawned, *self._opening.values()]
        if under_way:
            await asyncio.wait(under_way, timeout=_SETTLE_S)
        for room in list(self.rooms.values()):
            await room.stop("server_stopping")
        for task in self._spawned:
            task.cancel()  # it waits for a room that is gone
        await asyncio.gather(*self._spawned, return_exceptions=True)

    async def room(self, lesson_id: str) -> Room:
        """The lesson's room, opened at its first use. Several may wait for the same opening."""
        room = self.rooms.get(lesson_id)
        if room is not None:
            return room
        if lesson_id not in self._opening:
            lesson = await self._around.store.lessons.known(lesson_id)
            if lesson_id in self.rooms:
                return self.rooms[lesson_id]
        if lesson_id not in self._opening:
            opening = asyncio.create_task(self._open(lesson), name=f"opening {lesson_id}")
            self._opening[lesson_id] = opening
            opening.add_done_callback(lambda _: self._opening.pop(lesson_id, None))
        return await asyncio.shield(self._opening[lesson_id])

    async def _open(self, lesson: Lesson) -> Room:
        if len(self.rooms) >= self._max_lessons:
            self._drop_idle()
        if len(self.rooms) >= self._max_lessons or not self._free_rows:
            raise PeerError("lesson_full", "this server has too many lessons", status=503, retry_after_s=30)
        row = self._free_rows.pop()
        guard, forwarder = self._around.guard, self._media.forwarder
        forwarder.flags.clear(row)
        guard.know(lesson.id)
        guard.open(lesson.id, row)
        state, attending = await self._reopening.bring_back(lesson)
        stage = self._media.stage(lesson.id, row)
        stage.hold(state.state is LessonState.PAUSED, self._around.clock.monotonic_ns())
        room = Room(state, stage, self._around, attending, lesson.training_class)
        forwarder.stages.add(stage)
        self.rooms[lesson.id] = room
        return room

    def _drop_idle(self) -> None:
        """Forget rooms that are over and empty, to make room for others."""
        for lesson_id, room in list(self.rooms.items()):
            is_over = room.state.state is LessonState.ENDED
            if is_over and not room.state.members and not room.stage.viewers and not room.waiting:
                self._drop(lesson_id, room)

    def _drop(self, lesson_id: str, room: Room) -> None:
        del self.rooms[lesson_id]
        for dropped in self._dropped:
            dropped(lesson_id)
        self._media.forwarder.stages.discard(room.stage)
        self._around.guard.close(lesson_id)
        screening = self._around.screening
        if screening is not None:
            screening.policies.close(lesson_id)
            screening.incidents.close(lesson_id)
        self._free_rows.append(room.stage.room)
        self.spawn(room.stop("ended"))

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work`, keep it, and wait for it at the end."""
        task = asyncio.create_task(work)
        self._spawned.add(task)
        task.add_done_callback(self._spawned.discard)

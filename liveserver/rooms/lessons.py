"""The lessons of this node: made, ended, shown as they stand."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from liveserver import shapes
from liveserver.core.events.lesson import Ended, LessonState
from liveserver.core.ledger import Fact
from liveserver.core.messages import Json
from liveserver.core.people import Placement
from liveserver.core.retention import Programme, programmes_text
from liveserver.core.room import RoomState
from liveserver.log import Event, get_logger
from liveserver.rooms.registry import Registry
from liveserver.rooms.reopening import Reopening
from liveserver.rooms.surroundings import Surroundings
from liveserver.store import Lesson
from liveserver.tokens import Claims

_ID_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
_ID_LENGTH = 10
_NOWHERE = Placement()
_log = get_logger()


class Lessons:
    """On the main loop. What has no room is shown as the store and the guard have it."""

    def __init__(self, around: Surroundings, registry: Registry, reopening: Reopening):
        self._store = around.store
        self._guard = around.guard
        self._clock = around.clock
        self._screening = around.screening
        self._registry = registry
        self._reopening = reopening

    async def create(
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
            self._screening.texts.require_clean("", title, person=by.person)
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

    async def one(self, lesson_id: str) -> Json:
        """The REST shape of one lesson. Raises PeerError unknown_lesson (404)."""
        return self._describe(await self._store.lessons.known(lesson_id))

    async def page(self, state: str | None, after: str | None, limit: int) -> Json:
        """A page of lessons, newest first."""
        found, following = await self._store.lessons.page(state, after, limit)
        return {"items": [self._describe(lesson) for lesson in found], "next": following}

    def describe(self, lessons: Sequence[Lesson]) -> list[Json]:
        """The REST shapes of lessons as the store has them."""
        return [self._describe(lesson) for lesson in lessons]

    def on_wall(self) -> list[Json]:
        """The lessons that are open here and not over, as the moderators' wall shows them."""
        return [
            self._tile(room.state)
            for room in self._registry.rooms.values()
            if room.state.state is not LessonState.ENDED
        ]

    async def end(self, lesson_id: str, claims: Claims) -> Json:
        """End the lesson; everybody is told, the recording is sealed."""
        room = await self._registry.room(lesson_id)
        await room.ask(Ended(claims.person))
        return await self.one(lesson_id)

    def _describe(self, lesson: Lesson) -> Json:
        room = self._registry.get(lesson.id)
        state = room.state if room is not None else self._reopening.state(lesson)
        return shapes.lesson(lesson, state, self._standing(lesson.id))

    def _tile(self, state: RoomState) -> Json:
        waiting = self._screening.incidents.waiting(state.lesson) if self._screening else 0
        return shapes.tile(state, self._standing(state.lesson), waiting=waiting)

    def _standing(self, lesson_id: str) -> shapes.Standing:
        cut = self._guard.kill_of(lesson_id).strongest
        measured = self._guard.measured(lesson_id, cut.id) if cut is not None else None
        return shapes.Standing(cut, measured, self._guard.asked(lesson_id))

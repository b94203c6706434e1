"""A lesson's room as it was: brought back from the store, the ledger and the guard when it is opened again.

The guard's word on cuts is the last one. What a crash left open in the ledger is closed here, by facts.
"""

from __future__ import annotations

from collections.abc import Sequence

from liveserver import shapes
from liveserver.checks.challenges import Challenges
from liveserver.core.chat import HELD_MAX, HISTORY, Held
from liveserver.core.events.chat import LineState
from liveserver.core.events.cut import Level
from liveserver.core.events.lesson import LessonState
from liveserver.core.kill import cut_to_json
from liveserver.core.ledger import Fact
from liveserver.core.presets import frozen
from liveserver.core.room import RoomState
from liveserver.core.screening_rules import INCIDENTS_TOLD
from liveserver.hours.attendance import read_register
from liveserver.hours.attending import Attending
from liveserver.rooms.surroundings import Surroundings
from liveserver.screening import Screening
from liveserver.store import ChatLine, Lesson


class Reopening:
    """Used by `rooms.Rooms`."""

    def __init__(self, around: Surroundings, challenges: Challenges | None):
        self._store = around.store
        self._guard = around.guard
        self._clock = around.clock
        self._screening = around.screening
        self._tell_every_s = around.tell_every_s
        self._same_person = around.same_person
        self._challenges = challenges

    async def bring_back(self, lesson: Lesson) -> tuple[RoomState, Attending]:
        """The room's state, and who attended so far."""
        state = self.state(lesson, await self._store.chat.newest(lesson.id, HISTORY))
        await self._reconcile(lesson, state)
        if self._challenges is not None:
            state.checks = await self._challenges.open(lesson)
        if self._screening is not None:
            await self._restore_moderation(lesson, state, self._screening)
        return state, await self._attending(lesson, state)

    async def _attending(self, lesson: Lesson, state: RoomState) -> Attending:
        """The register as the ledger has it. What a crash left open ends with the last fact before it."""
        state.hours_policy = frozen(lesson.preset, lesson.planned_s and lesson.planned_s * 1000)
        register = await read_register(self._store, lesson.id)
        if register.is_open:
            late = Fact("interrupted", lesson.id, self._clock.wall_ms(), {"until_ms": register.last_ms})
            await self._store.append([late])
            register.take(late.type, late.at_ms, late.data)
        return Attending(lesson.id, register, self._tell_every_s)

    async def _restore_moderation(self, lesson: Lesson, state: RoomState, screening: Screening) -> None:
        """Lines that wait, who is muted, the newest incidents, and what the lesson is screened by."""
        await screening.policies.open(lesson)
        for incident in await screening.incidents.open(lesson.id, INCIDENTS_TOLD):
            state.incidents[incident["id"]] = incident
        held = await self._store.chat.newest(lesson.id, HELD_MAX, LineState.HELD)
        cases = await self._store.incidents.of_lines(lesson.id, [line.id for line in held])
        for line in held:
            state.chat.held[line.id] = Held(shapes.held(line, cases.get(line.id)))
        for muted in await self._store.incidents.muted(lesson.id):
            state.chat.mutes[muted.person] = shapes.mute(muted)

    async def _reconcile(self, lesson: Lesson, state: RoomState) -> None:
        """A crash may fall between the kill file and the ledger: the store catches up with the guard here."""
        if state.state == lesson.state:
            return
        if any(known == lesson.id for known, _ in self._guard.unrecorded()):
            await self._store.lessons.update(lesson.id, state=state.state)
            return  # `_catch_up` puts the facts in
        cut = state.cuts.get(Level.LESSON)
        kind = "cut" if cut is not None else "restore"
        data = cut_to_json(cut) if cut is not None else {"reason": "", "by": "", "lifted": [Level.LESSON]}
        late = Fact(kind, lesson.id, self._clock.wall_ms(), {**data, "late": True})
        await self._store.append([late])
        await self._store.lessons.update(lesson.id, state=state.state)

    def state(self, lesson: Lesson, history: Sequence[ChatLine] = ()) -> RoomState:
        """What the store and the guard know; the guard's word on cuts is the last one."""
        kill = self._guard.kill_of(lesson.id)
        known = LessonState(lesson.state)
        if known is not LessonState.ENDED:
            if Level.LESSON in kill.cuts:
                known = LessonState.CUT
            elif known is LessonState.CUT:
                known = LessonState.WAITING
        state = RoomState(
            lesson=lesson.id,
            title=lesson.title,
            instructor=lesson.instructor,
            state=known,
            started_at_ms=lesson.started_at_ms,
            ended_at_ms=lesson.ended_at_ms,
            cuts=dict(kill.cuts),
            removed=dict(kill.removed),
            same_person=self._same_person,
        )
        state.chat.history.extend(shapes.chat(line) for line in history)
        return state

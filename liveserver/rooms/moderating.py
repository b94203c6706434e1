"""What moderators do in a lesson: cut, restore, judge lines of the chat, mute."""

from __future__ import annotations

from liveserver import shapes
from liveserver.clock import Clock
from liveserver.core.errors import PeerError
from liveserver.core.events.chat import LineJudged, LineState, MuteAsked
from liveserver.core.events.cut import Level
from liveserver.core.messages import Json
from liveserver.cut.guard import Guard
from liveserver.rooms.registry import Registry
from liveserver.store import Store
from liveserver.tokens import Claims


class Moderating:
    """On the main loop; cuts are the guard's."""

    def __init__(self, registry: Registry, store: Store, guard: Guard, clock: Clock):
        self._registry = registry
        self._store = store
        self._guard = guard
        self._clock = clock

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

    async def cuts(self, lesson_id: str, after: str | None, limit: int) -> Json:
        """A page of all cuts there were, newest first."""
        await self._store.lessons.known(lesson_id)
        rows, following = await self._store.cuts.of(lesson_id, after, limit)
        return {"items": [shapes.cut(row) for row in rows], "next": following}

    async def _known_to_guard(self, lesson_id: str) -> None:
        """The guard's word will do: the database may be away. Raises PeerError unknown_lesson (404)."""
        if not self._guard.knows(lesson_id):
            await self._store.lessons.known(lesson_id)
            self._guard.know(lesson_id)

    async def judge_line(
        self, lesson_id: str, line_id: str, *, show: bool, by: str, incident: str = "", reason: str = ""
    ) -> None:
        """Show a line of the chat to the class, or take it away. Raises PeerError `not_found` (404)."""
        room = await self._registry.room(lesson_id)
        line = await self._store.chat.line(lesson_id, line_id)
        if line is None:
            raise PeerError("not_found", "the lesson's chat has no such line", status=404)
        shown = {key: value for key, value in shapes.chat(line).items() if key != "type"}
        await room.ask(LineJudged(shown, LineState(line.state), show, by, incident, reason))

    async def mute(self, lesson_id: str, person: str, *, on: bool, by: str, reason: str = "") -> Json:
        """Take the chat of a lesson from a person, or give it back; how it stands then."""
        room = await self._registry.room(lesson_id)
        before = room.state.chat.mutes.get(person)
        await room.ask(MuteAsked(person, on, by, reason))
        mute = room.state.chat.mutes.get(person) or before
        stands = {"name": mute.name, "reason": mute.reason, "at_ms": mute.at_ms} if mute else {
            "name": "", "reason": reason, "at_ms": self._clock.wall_ms()}  # fmt: skip
        return {"person": person, "active": on} | stands

"""The inspector's work: samples drawn by a seed that is on record, and a log of what he looked at himself.

Every look is a fact in the ledger, so inspectors are seen as well, and so are looks of administrators and
moderators at what is a person's own. The same look within a minute is one; no more than some ten thousand
looks are remembered for that.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from typing import Any

from liveserver import shapes
from liveserver.clock import Clock
from liveserver.core import sample
from liveserver.core.errors import PeerError
from liveserver.core.ledger import JSON, Fact
from liveserver.core.messages import Json
from liveserver.core.permissions import Role
from liveserver.core.times import day_number, day_start_ms
from liveserver.core.trail import LOOK
from liveserver.store import Lesson, Sample, Store, View
from liveserver.store.inspections import POPULATION_MAX
from liveserver.tokens import Claims

DRAWN_MAX = 1_000
_SAME_MS = 60_000
_REMEMBERED = 10_000


class Inspections:
    """One node's."""

    def __init__(self, store: Store, clock: Clock):
        self._store = store
        self._book = store.inspections
        self._clock = clock
        self._lately: OrderedDict[tuple[str, str, str, str], int] = OrderedDict()

    async def draw(self, by: str, since: str, until: str, percent: int, seed: str | None) -> Json:
        """A sample of lessons that began on these days. Without a `seed` the server draws one.

        Raises PeerError `bad_request`: no such days, or a period with too many lessons.
        """
        from_ms, until_ms = _period(since, until)
        now_ms = self._clock.wall_ms()
        held = await self._book.held(from_ms, until_ms, now_ms)
        given = bytes.fromhex(seed) if seed else secrets.token_bytes(sample.SEED_BYTES)
        drawn = sample.draw(held, given, percent)
        if len(held) > POPULATION_MAX or len(drawn) > DRAWN_MAX:
            raise PeerError("bad_request", f"more than {DRAWN_MAX} lessons would be drawn: a shorter period")
        made = Sample(
            id=secrets.token_urlsafe(9),
            by=by,
            at_ms=now_ms,
            since=since,
            until=until,
            percent=percent,
            seed=given.hex(),
            population=len(held),
            population_sha256=sample.population_digest(held),
            total_s=sum(one.duration_s for one in held),
            drawn_s=sum(one.duration_s for one in drawn),
            lessons=tuple(one.id for one in drawn),
        )
        index = await self._book.save_sample(made, Fact("sample_drawn", None, now_ms, _fact(made)))
        return await self._shape(made) | {"entry": index}

    async def samples(self) -> Json:
        """The newest first, at most 50."""
        return {"items": [await self._shape(one) for one in await self._book.samples()], "next": None}

    async def views(self, by: str, after: int | None, limit: int) -> Json:
        """What one inspector looked at, the newest first."""
        found = await self._book.views(by, after, limit)
        lessons = await self._book.lessons(sorted({view.lesson for _, view in found}))
        items = [
            {
                "what": view.what,
                "lesson": view.lesson or None,
                "title": lessons[view.lesson].title if view.lesson in lessons else "",
                "subject": view.subject,
                "at": shapes.time(view.at_ms),
            }
            for _, view in found
        ]
        return {"items": items, "next": str(found[-1][0]) if len(found) == limit else None}

    async def saw(self, claims: Claims, what: str, lesson: str = "", subject: str = "") -> None:
        """Somebody of the staff has looked at something. A recording's lesson is looked up."""
        now_ms, look = self._clock.wall_ms(), (claims.person, what, lesson, subject)
        if abs(now_ms - self._lately.get(look, -_SAME_MS)) < _SAME_MS:
            return
        if what == "recording" and not lesson:
            found = await self._store.recordings.one(subject)
            lesson = found.lesson if found is not None else ""
        self._lately[look] = now_ms
        self._lately.move_to_end(look)
        if len(self._lately) > _REMEMBERED:
            self._lately.popitem(last=False)
        try:
            await self._record(claims, what, lesson, subject, now_ms)
        except BaseException:  # a look that is not on record is not one that was, however it ended
            self._lately.pop(look, None)
            raise

    async def _record(self, claims: Claims, what: str, lesson: str, subject: str, now_ms: int) -> None:
        data: dict[str, JSON] = {"by": claims.person, "what": what, "subject": subject}
        if claims.role is not Role.INSPECTOR:
            fact = Fact(LOOK, lesson or None, now_ms, data | {"role": str(claims.role)})
            await self._store.keep(f"{LOOK}-{secrets.token_hex(8)}", [fact])
            return
        view = View(claims.person, what, lesson, subject, now_ms)
        await self._book.save_view(view, Fact("inspected", lesson or None, now_ms, data))

    async def _shape(self, made: Sample) -> Json:
        known = await self._book.lessons(list(made.lessons))
        return {
            "id": made.id,
            "by": made.by,
            "at": shapes.time(made.at_ms),
            "since": made.since,
            "until": made.until,
            "percent": made.percent,
            "seed": made.seed,
            "population": made.population,
            "population_sha256": made.population_sha256,
            "total_s": made.total_s,
            "drawn_s": made.drawn_s,
            "lessons": [_lesson(known[name]) for name in made.lessons if name in known],
        }


def _lesson(lesson: Lesson) -> dict[str, Any]:
    return {
        "id": lesson.id,
        "title": lesson.title,
        "state": lesson.state,
        "started_at": shapes.time(lesson.started_at_ms),
        "ended_at": shapes.time(lesson.ended_at_ms),
    }


def _fact(made: Sample) -> dict[str, JSON]:
    return {
        "id": made.id,
        "by": made.by,
        "since": made.since,
        "until": made.until,
        "percent": made.percent,
        "seed": made.seed,
        "population": made.population,
        "population_sha256": made.population_sha256,
        "lessons": list(made.lessons),
    }


def _period(since: str, until: str) -> tuple[int, int]:
    try:
        first, last = day_number(since), day_number(until)
    except ValueError as error:
        raise PeerError("bad_request", str(error)) from error
    if last < first:
        raise PeerError("bad_request", "the period ends before it begins")
    return day_start_ms(first), day_start_ms(last + 1)

"""Hours changed by two persons: one asks with a reason, another decides (DOMAIN 2, HourAdjustment).

What is asked for is seconds, or that a missed check be excused (DOMAIN 9.4); while the lesson is not over
one person excuses alone, and whoever may do that may take it back.

Both acts stand in the ledger before they take effect; what was reckoned is never changed, only added to.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace
from typing import Protocol

from liveserver.clock import Clock
from liveserver.core.challenge_rules import revision
from liveserver.core.checks import MISSES, CheckResult
from liveserver.core.errors import PeerError
from liveserver.core.events.checks import CheckRevised
from liveserver.core.ledger import JSON, Fact
from liveserver.hours.attendance import Attendance, read_register
from liveserver.store import Adjustment, Lesson, Store

MOST_S = 86_400
_EXCUSED, _MISSED = "excused", "missed"


class OpenRooms(Protocol):
    """Lessons that are open on this node."""

    async def revise_check(self, lesson_id: str, revised: CheckRevised) -> None: ...

    def noted(self, fact: Fact) -> None: ...


class NoRooms:
    """Where no lesson is held."""

    async def revise_check(self, lesson_id: str, revised: CheckRevised) -> None:
        """Raises PeerError `not_live` (409)."""
        raise PeerError("not_live", "the lesson is not open here", status=409)

    def noted(self, fact: Fact) -> None:
        """Nobody has to know."""


class Adjustments:
    """What is asked for and decided, for all lessons."""

    def __init__(self, store: Store, attendance: Attendance, clock: Clock, rooms: OpenRooms | None = None):
        self._store = store
        self._book = store.attendance
        self._attendance = attendance
        self._clock = clock
        self._rooms = rooms or NoRooms()
        self._deciding = asyncio.Lock()

    async def request(self, lesson: Lesson, person: str, delta_s: int, reason: str, by: str) -> Adjustment:
        """Ask that `delta_s` be added to (or taken from) a learner's credited seconds.

        Raises PeerError `unknown_person` (404), and `bad_request` for nothing or more than a day.
        """
        if not 0 < abs(delta_s) <= MOST_S:
            raise PeerError("bad_request", f"from 1 to {MOST_S} seconds may be added or taken away")
        await self._attendance.standing_of(lesson, person)
        asked = Adjustment(
            secrets.token_urlsafe(9), lesson.id, person, delta_s, reason, "requested", by,
            self._clock.wall_ms(),
        )  # fmt: skip
        data: dict[str, JSON] = {
            "id": asked.id,
            "person": person,
            "delta_s": delta_s,
            "reason": reason,
            "by": by,
        }
        await self._store.append([Fact("adjustment_requested", lesson.id, asked.requested_at_ms, data)])
        await self._book.request(asked)
        return asked

    async def excuse(
        self, lesson: Lesson, challenge: str, person: str, reason: str, by: str, *, excused: bool
    ) -> Adjustment:
        """Excuse a missed check, or let it count again: at once, or asked for when the lesson is over.

        Raises PeerError `not_missed`, `not_excused`, `already_asked` (409).
        """
        async with self._deciding:
            after = _EXCUSED if excused else _MISSED
            now_ms, name = self._clock.wall_ms(), secrets.token_urlsafe(9)
            asked = Adjustment(name, lesson.id, person, 0, reason, "requested", by, now_ms,
                               challenge=challenge, after=after)  # fmt: skip
            if lesson.state != "ended":
                await self._rooms.revise_check(
                    lesson.id, CheckRevised(by, person, challenge, reason, excused)
                )
                asked = replace(asked, state="approved", decided_by=by, decided_at_ms=now_ms)
            else:
                await self._revision(asked)
                await self._only(asked)
                data: dict[str, JSON] = {"id": name, "person": person, "delta_s": 0, "reason": reason,
                                         "by": by, "challenge": challenge, "after": after}  # fmt: skip
                await self._store.append([Fact("adjustment_requested", lesson.id, now_ms, data)])
            await self._book.request(asked)
            return asked

    async def decide(self, adjustment: str, *, approve: bool, words: str, by: str) -> Adjustment:
        """Approve or refuse. A settled lesson gets its next revision.

        Raises PeerError `not_found` (404), `same_person` (403) for whoever asked, `already_decided` (409).
        """
        async with self._deciding:
            asked = await self._book.adjustment(adjustment)
            if asked is None:
                raise PeerError("not_found", "there is no such adjustment", status=404)
            if asked.requested_by == by:
                raise PeerError("same_person", "another person has to decide", status=403)
            if asked.state != "requested":
                raise PeerError("already_decided", "this was decided already", status=409)
            state = "approved" if approve else "refused"
            now_ms = self._clock.wall_ms()
            data: dict[str, JSON] = {"id": asked.id, "person": asked.person, "delta_s": asked.delta_s,
                                     "state": state, "reason": words, "by": by}  # fmt: skip
            facts = [Fact("adjustment_decided", asked.lesson, now_ms, data)]
            if approve and asked.challenge:
                before, after = await self._revision(asked)
                revised = revision(asked.challenge, asked.person, before, after, asked.reason,
                                   asked.requested_by, by)  # fmt: skip
                facts.append(Fact("challenge_revised", asked.lesson, now_ms, revised))
            await self._store.append(facts)
            for fact in facts:
                self._rooms.noted(fact)
            await self._book.decide(adjustment, state, by, now_ms, words)
        lesson = await self._store.lessons.one(asked.lesson)
        if approve and lesson is not None:
            await self._attendance.revise(lesson, f"adjustment {asked.id}")
        return replace(asked, state=state, decided_by=by, decided_at_ms=now_ms, decision=words)

    async def _revision(self, asked: Adjustment) -> tuple[CheckResult, CheckResult]:
        """What the check is, and what it would become. Raises PeerError `not_missed`, `not_excused` (409)."""
        register = await read_register(self._store, asked.lesson)
        if asked.after == _MISSED:
            missed = register.excused.get((asked.person, asked.challenge))
            if missed is None:
                raise PeerError("not_excused", "nobody has excused this check", status=409)
            return CheckResult.EXCUSED, missed
        result = register.result(asked.person, asked.challenge)
        if result is None or result not in MISSES:
            raise PeerError("not_missed", "this learner has missed no such check", status=409)
        return result, CheckResult.EXCUSED

    async def _only(self, asked: Adjustment) -> None:
        """Raises PeerError `already_asked` (409) while the same waits to be decided."""
        key = asked.person, asked.challenge
        for other in await self._book.adjustments(asked.lesson):
            if other.state == "requested" and (other.person, other.challenge) == key:
                raise PeerError("already_asked", "another person has to decide about this", status=409)

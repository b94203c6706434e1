"""Hours changed by two persons: one asks with a reason, another decides (DOMAIN 2, HourAdjustment).

Both acts stand in the ledger before they take effect; what was reckoned is never changed, only added to.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace

from liveserver.attendance import Attendance
from liveserver.clock import Clock
from liveserver.core.errors import PeerError
from liveserver.core.ledger import JSON, Fact
from liveserver.store import Adjustment, Lesson, Store

MOST_S = 86_400


class Adjustments:
    """What is asked for and decided, for all lessons."""

    def __init__(self, store: Store, attendance: Attendance, clock: Clock):
        self._store = store
        self._book = store.attendance
        self._attendance = attendance
        self._clock = clock
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
            await self._store.append([Fact("adjustment_decided", asked.lesson, now_ms, data)])
            await self._book.decide(adjustment, state, by, now_ms, words)
        lesson = await self._store.lesson(asked.lesson)
        if approve and lesson is not None:
            await self._attendance.revise(lesson, f"adjustment {asked.id}")
        return replace(asked, state=state, decided_by=by, decided_at_ms=now_ms, decision=words)

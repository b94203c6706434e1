"""Banks of questions: each course has its own, and there is one for all that have none (REQ-L13)."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from liveserver.clock import Clock
from liveserver.core import quiz
from liveserver.core.errors import PeerError
from liveserver.core.messages import Json
from liveserver.core.people import Status
from liveserver.screening import Screening
from liveserver.shapes import time
from liveserver.store import Store
from liveserver.store.challenges import BANK_MAX, BankQuestion

_ID_BYTES = 8


class Questions:
    """Owned by the main loop."""

    def __init__(self, store: Store, clock: Clock, screening: Screening):
        self._store = store
        self._clock = clock
        self._screening = screening

    async def add(self, course: str, questions: Sequence[quiz.Question], by: str) -> list[Json]:
        """All of them or none; `course` "" is the bank of those without one.

        Raises PeerError `unknown_course` (422), `text_refused` (422), `bank_full` (409).
        """
        if course and await self._store.people.courses.get(course) is None:
            raise PeerError("unknown_course", "course: there is no such course", status=422)
        for question in questions:
            self._screening.texts.require_clean("", "\n".join((question.text, *question.options)))
        there = [one for one in await self._store.challenges.bank(course) if one.course == course]
        if len(there) + len(questions) > BANK_MAX:
            raise PeerError("bank_full", f"a bank holds {BANK_MAX} questions", status=409)
        now_ms = self._clock.wall_ms()
        rows = [
            BankQuestion(
                secrets.token_hex(_ID_BYTES),
                course,
                question.text,
                json.dumps(question.as_json(), ensure_ascii=False),
                by,
                str(Status.ACTIVE),
                now_ms,
            )
            for question in questions
        ]
        await self._store.challenges.add_questions(rows)
        return [_shown(row) for row in rows]

    async def set_status(self, key: str, status: Status, by: str) -> Json:
        """Asked no more, or again. What was asked keeps its words. Raises PeerError `not_found` (404)."""
        act = "archived" if status is Status.ARCHIVED else "restored"
        catalogue = self._store.challenges.questions
        return _shown(await catalogue.change(key, {"status": str(status)}, by, self._clock.wall_ms(), act))

    async def page(self, wanted: str, after: str | None, limit: int, where: Mapping[str, Any]) -> Json:
        """Newest first, with their right answers."""
        found, following = await self._store.challenges.questions.page(wanted, after, limit, where)
        return {"items": [_shown(one) for one in found], "next": following}

    async def of_lesson(self, lesson: str) -> Json:
        """What the lesson's checks are drawn from, oldest first. Raises PeerError `unknown_lesson` (404)."""
        stored = await self._store.lessons.known(lesson)
        bank = await self._store.challenges.bank(stored.course_id)
        return {"items": [_shown(one) for one in bank], "next": None}


def _shown(one: BankQuestion) -> Json:
    return {
        "id": one.id,
        "course": one.course,
        **json.loads(one.body),
        "by": one.by,
        "status": one.status,
        "created_at": time(one.created_at_ms),
    }

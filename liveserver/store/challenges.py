"""What random checks are made of: each lesson's sealed seed, banks of questions, recorded consents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from liveserver.core.ledger import storable
from liveserver.store.access import Access
from liveserver.store.catalogue import Catalogue, once, row_of
from liveserver.store.tables.checks import CONSENTS, LESSON_CHECKS, QUESTIONS

BANK_MAX = 2_000
"""Questions of one course that are asked from."""


@dataclass(frozen=True, slots=True)
class BankQuestion:
    """A question never changes: another takes its place, and old checks keep theirs.

    `body`: JSON as `core.quiz.parse` reads it. `course` "" belongs to every course; `text` is what is asked.
    """

    id: str
    course: str
    text: str
    body: str
    by: str
    status: str
    created_at_ms: int
    PRIVATE: ClassVar[frozenset[str]] = frozenset()


class Challenges:
    """Part of the store; raises as it does."""

    def __init__(self, access: Access):
        self._access = access
        self.questions = Catalogue(access, "question", QUESTIONS, BankQuestion, ("text", "id"))

    async def seed(self, lesson: str, sealed: bytes, policy: str) -> tuple[bytes, str]:
        """The lesson's sealed seed and policy (JSON): what is there, else what is given, from now on."""
        storable(lesson)
        row = {"lesson": lesson, "seed": sealed, "policy": policy}
        insert = self._access.insert(LESSON_CHECKS).values(row).on_conflict_do_nothing()
        query = sa.select(LESSON_CHECKS).where(LESSON_CHECKS.c.lesson == lesson)

        async def work(connection: AsyncConnection) -> tuple[bytes, str]:
            await connection.execute(insert)
            found = (await connection.execute(query)).mappings().one()
            return bytes(found["seed"]), str(found["policy"])

        result: tuple[bytes, str] = await self._access.write(work)
        return result

    # Questions

    async def add_questions(self, questions: Sequence[BankQuestion]) -> None:
        """Add to banks, all or none. Raises PeerError `already_there` (409) for an id that is there."""
        if not questions:
            return
        rows = [row_of(question) for question in questions]
        fact = self.questions.fact

        async def work(connection: AsyncConnection) -> None:
            await once(connection, sa.insert(QUESTIONS), rows)

        await self._access.record(
            work, lambda _: [fact(None, one, one.by, one.created_at_ms, "added") for one in questions]
        )

    async def bank(self, course: str) -> list[BankQuestion]:
        """The course's own questions, or everybody's if it has none; oldest first, at most 2,000."""
        storable(course)
        c = QUESTIONS.c
        async with self._access.reading() as connection:
            for wanted in dict.fromkeys((course, "")):
                query = (
                    sa.select(QUESTIONS)
                    .where(c.course == wanted, c.status == "active")
                    .order_by(c.created_at_ms, c.id)
                    .limit(BANK_MAX)
                )
                rows = (await connection.execute(query)).mappings().all()
                if rows:
                    return [BankQuestion(**row) for row in rows]
        return []

    # Consents

    async def consent(self, person: str, purpose: str, text_sha256: str, at_ms: int) -> None:
        """`person` agreed to `purpose`, having been shown the text of that hash."""
        row = {
            "person": storable(person),
            "purpose": storable(purpose),
            "text_sha256": storable(text_sha256),
            "given_at_ms": at_ms,
        }
        await self._access.write(lambda c: c.execute(sa.insert(CONSENTS).values(row)))

    async def withdraw(self, person: str, purpose: str, at_ms: int) -> bool:
        """Take it back; whether there was one."""
        storable(person)
        c = CONSENTS.c
        statement = sa.update(CONSENTS).where(
            c.person == person, c.purpose == purpose, c.withdrawn_at_ms.is_(None)
        )
        done = await self._access.write(lambda w: w.execute(statement.values(withdrawn_at_ms=at_ms)))
        return bool(done.rowcount)

    async def consenting(self, purpose: str) -> set[str]:
        """Everybody who agrees to `purpose` now."""
        storable(purpose)
        c = CONSENTS.c
        query = sa.select(c.person).where(c.purpose == purpose, c.withdrawn_at_ms.is_(None)).distinct()
        async with self._access.reading() as connection:
            return set((await connection.execute(query)).scalars())

    async def consents(self, person: str) -> dict[str, int]:
        """What `person` agrees to now: purpose → when it was given."""
        storable(person)
        c = CONSENTS.c
        query = (
            sa.select(c.purpose, sa.func.max(c.given_at_ms))
            .where(c.person == person, c.withdrawn_at_ms.is_(None))
            .group_by(c.purpose)
        )
        async with self._access.reading() as connection:
            rows = (await connection.execute(query)).all()
        return {row[0]: row[1] for row in rows}

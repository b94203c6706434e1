"""What random checks are made of: each lesson's sealed seed, banks of questions, recorded consents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from liveserver.core.ledger import storable
from liveserver.store.access import Access
from liveserver.store.tables import CONSENTS, LESSON_CHECKS, QUESTIONS

BANK_MAX = 2_000
"""Questions of one course that are asked from."""


@dataclass(frozen=True, slots=True)
class BankQuestion:
    """`body`: JSON as `core.quiz.parse` reads it. `course` "" belongs to every course."""

    id: str
    course: str
    body: str
    by: str
    at_ms: int


class Challenges:
    """Part of the store; raises as it does."""

    def __init__(self, access: Access):
        self._access = access

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
        """Add to banks. Raises StoreError if an id exists."""
        rows = [
            {"id": q.id, "course": storable(q.course), "body": storable(q.body), "by": q.by, "at_ms": q.at_ms}
            for q in questions
        ]
        if rows:
            await self._access.write(lambda c: c.execute(sa.insert(QUESTIONS), rows))

    async def bank(self, course: str) -> list[BankQuestion]:
        """The course's own questions, or everybody's if it has none; oldest first, at most 2,000."""
        storable(course)
        c = QUESTIONS.c
        names = ("id", "course", "body", "by", "at_ms")
        async with self._access.reading() as connection:
            for wanted in dict.fromkeys((course, "")):
                query = (
                    sa.select(*(c[name] for name in names))
                    .where(c.course == wanted, c.retired_at_ms.is_(None))
                    .order_by(c.at_ms, c.id)
                    .limit(BANK_MAX)
                )
                rows = (await connection.execute(query)).mappings().all()
                if rows:
                    return [BankQuestion(**row) for row in rows]
        return []

    async def retire(self, question: str, at_ms: int) -> bool:
        """Ask it no more; whether it was asked until now. Its text stays for old proofs."""
        storable(question)
        c = QUESTIONS.c
        statement = sa.update(QUESTIONS).where(c.id == question, c.retired_at_ms.is_(None))
        done = await self._access.write(lambda w: w.execute(statement.values(retired_at_ms=at_ms)))
        return bool(done.rowcount)

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

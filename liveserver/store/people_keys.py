"""Keys of single persons, wrapped; and the photos that are sealed under them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from liveserver.core.ledger import storable
from liveserver.store.access import Access
from liveserver.store.tables.checks import FACES, PERSON_KEYS, PHOTOS

PHOTOS_COMPARED = 20_000
PHOTOS_PURPOSE = "photos"
"""What the key of photos and faces is kept under."""


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo of a check. `sha256` and `look` know it again; erased with it. `verdict`: of the models."""

    id: str
    lesson: str
    person: str
    challenge: str
    taken_at_ms: int
    size: int
    sha256: str
    look: bytes
    salt: bytes
    verdict: str
    erased_at_ms: int | None = None


class PeopleKeys:
    """Part of the store; raises as it does. A key's row outlives the key, to say when it was destroyed."""

    def __init__(self, access: Access):
        self._access = access

    async def key(self, person: str, purpose: str, wrapped: bytes, at_ms: int) -> bytes:
        """The wrapped key: what is there, else `wrapped` from now on."""
        return (await self.keys({person: wrapped}, purpose, at_ms))[person]

    async def keys(self, wrapped: Mapping[str, bytes], purpose: str, at_ms: int) -> dict[str, bytes]:
        """As `key`, for some hundred persons in one transaction."""
        rows = [
            {
                "person": storable(person),
                "purpose": storable(purpose),
                "wrapped": key,
                "made_at_ms": at_ms,
                "destroyed_at_ms": None,
            }
            for person, key in wrapped.items()
        ]
        if not rows:
            return {}
        c = PERSON_KEYS.c
        insert = self._access.insert(PERSON_KEYS)
        insert = insert.on_conflict_do_update(
            index_elements=["person", "purpose"],
            set_={"wrapped": insert.excluded.wrapped, "made_at_ms": at_ms},
            where=c.wrapped.is_(None),
        )
        query = sa.select(c.person, c.wrapped).where(c.person.in_(list(wrapped)), c.purpose == purpose)

        async def work(connection: AsyncConnection) -> dict[str, bytes]:
            await connection.execute(insert, rows)
            return {person: bytes(key) for person, key in await connection.execute(query)}

        result: dict[str, bytes] = await self._access.write(work)
        return result

    async def known(self, people: Sequence[str], purpose: str) -> dict[str, bytes]:
        """The wrapped keys there are, of some hundred persons."""
        c = PERSON_KEYS.c
        query = sa.select(c.person, c.wrapped).where(
            c.person.in_([storable(one) for one in people]), c.purpose == purpose, c.wrapped.is_not(None)
        )
        async with self._access.reading() as connection:
            return {person: bytes(key) for person, key in await connection.execute(query)}

    async def destroy(self, person: str, purpose: str, at_ms: int) -> bool:
        """Forget the key for ever, and what of the photos' knows them again; whether there was one."""
        storable(person)
        c, p = PERSON_KEYS.c, PHOTOS.c

        async def work(connection: AsyncConnection) -> bool:
            statement = sa.update(PERSON_KEYS).where(
                c.person == person, c.purpose == purpose, c.wrapped.is_not(None)
            )
            done = await connection.execute(statement.values(wrapped=None, destroyed_at_ms=at_ms))
            if purpose != PHOTOS_PURPOSE:
                return bool(done.rowcount)
            blank = {"sha256": "", "look": b"", "salt": b"", "erased_at_ms": at_ms}
            mine = sa.update(PHOTOS).where(p.person == person, p.erased_at_ms.is_(None))
            await connection.execute(mine.values(**blank))
            await connection.execute(sa.delete(FACES).where(FACES.c.person == person))
            return bool(done.rowcount)

        result: bool = await self._access.write(work)
        return result

    async def add_photo(self, photo: Photo) -> None:
        storable(photo.person)
        await self._access.write(lambda c: c.execute(sa.insert(PHOTOS).values(asdict(photo))))

    async def enrol(self, person: str, sealed: bytes, photo: str, at_ms: int) -> bool:
        """What later photos are compared with, unless there is one; whether it was taken."""
        row = {"person": storable(person), "sealed": sealed, "photo": photo, "at_ms": at_ms}
        insert = self._access.insert(FACES).values(row).on_conflict_do_nothing()
        done = await self._access.write(lambda c: c.execute(insert))
        return bool(done.rowcount)

    async def face(self, person: str) -> bytes | None:
        """The sealed descriptor of the enrolled face."""
        query = sa.select(FACES.c.sealed).where(FACES.c.person == storable(person))
        async with self._access.reading() as connection:
            found = (await connection.execute(query)).scalar_one_or_none()
        return bytes(found) if found is not None else None

    async def look(self, photo: str, look: bytes, verdict: str) -> None:
        """What it looks like, and what the models said of it."""
        statement = sa.update(PHOTOS).where(PHOTOS.c.id == photo).values(look=look, verdict=storable(verdict))
        await self._access.write(lambda c: c.execute(statement))

    async def photo(self, photo: str) -> Photo | None:
        storable(photo)
        async with self._access.reading() as connection:
            row = (await connection.execute(sa.select(PHOTOS).where(PHOTOS.c.id == photo))).mappings().first()
        return _photo(row) if row else None

    async def comparable(self, lesson: str, person: str) -> list[Photo]:
        """Photos that a new one of `person` may repeat: his own, and all of the lesson; newest first."""
        c = PHOTOS.c
        query = (
            sa.select(PHOTOS)
            .where(sa.or_(c.lesson == lesson, c.person == person), c.erased_at_ms.is_(None))
            .order_by(c.taken_at_ms.desc())
            .limit(PHOTOS_COMPARED)
        )
        async with self._access.reading() as connection:
            return [_photo(row) for row in (await connection.execute(query)).mappings()]

    async def taken_before(self, before_ms: int, limit: int) -> list[Photo]:
        """The oldest photos that are due to be erased."""
        c = PHOTOS.c
        query = (
            sa.select(PHOTOS)
            .where(c.taken_at_ms < before_ms, c.erased_at_ms.is_(None))
            .order_by(c.taken_at_ms)
            .limit(limit)
        )
        async with self._access.reading() as connection:
            return [_photo(row) for row in (await connection.execute(query)).mappings()]

    async def of_person(self, person: str) -> list[Photo]:
        """Every photo of one person that is not erased."""
        c = PHOTOS.c
        query = sa.select(PHOTOS).where(c.person == storable(person), c.erased_at_ms.is_(None))
        async with self._access.reading() as connection:
            return [_photo(row) for row in (await connection.execute(query)).mappings()]

    async def erased(self, photos: list[str], at_ms: int) -> None:
        """Their files are gone; what would know them again goes too."""
        blank = {"sha256": "", "look": b"", "salt": b"", "erased_at_ms": at_ms}
        statement = sa.update(PHOTOS).where(PHOTOS.c.id.in_(photos)).values(**blank)
        await self._access.write(lambda c: c.execute(statement))


def _photo(row: Any) -> Photo:
    return Photo(**{**row, "look": bytes(row["look"]), "salt": bytes(row["salt"])})

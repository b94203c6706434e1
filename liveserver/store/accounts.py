"""Accounts with their passkeys and stays, and attempts to sign in."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from liveserver.core.errors import PeerError
from liveserver.core.ledger import storable
from liveserver.core.log_in import Stay
from liveserver.core.sign_in import Attempts
from liveserver.store.access import Access
from liveserver.store.lists import Listing
from liveserver.store.tables.accounts import ACCOUNTS, ATTEMPTS, PASSKEY_CODES, PASSKEYS, STAYS, SUBJECTS

_DAY_MS = 86_400_000
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Account:
    """A person's way in. `name` is folded (`core.sign_in`), `role` "" for who has none over all lessons."""

    person: str
    name: str
    shown: str
    made_at_ms: int
    password: str = ""
    password_at_ms: int = 0
    role: str = ""
    link: str = ""
    closed_at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Passkey:
    id: str
    person: str
    public_key: bytes
    count: int
    label: str
    made_at_ms: int
    used_at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class StayRow:
    """A stay after signing in. `address` and `agent`: where from, as the client said."""

    id: str
    person: str
    handle: bytes
    before: bytes
    exchanged_at_ms: int
    began_at_ms: int
    seen_at_ms: int
    method: str
    address: str
    agent: str
    ended_at_ms: int | None = None
    ended: str = ""

    @property
    def stay(self) -> Stay:
        return Stay(self.handle, self.before, self.exchanged_at_ms, self.began_at_ms, self.seen_at_ms)


ACCOUNTS_BY_AGE = Listing(ACCOUNTS.c.made_at_ms, ACCOUNTS.c.person, lambda row: Account(**row))


class Accounts:
    """Part of the store; raises as it does."""

    def __init__(self, access: Access):
        self._access = access

    # Accounts

    async def add(self, account: Account) -> None:
        """Raises PeerError `account_exists` (409) if the person has one, or the name is taken."""
        storable(account.person + account.name + account.shown)

        insert = self._access.insert(ACCOUNTS).values(asdict(account)).on_conflict_do_nothing()
        done = await self._access.write(lambda connection: connection.execute(insert))
        if not done.rowcount:
            raise PeerError("account_exists", "the person has an account, or the name is taken", status=409)

    async def account(self, person: str) -> Account | None:
        return await self._one(ACCOUNTS.c.person == storable(person))

    async def named(self, name: str) -> Account | None:
        """Whose sign-in name this is; folded."""
        return await self._one(ACCOUNTS.c.name == storable(name))

    async def listed(
        self, after: str | None, limit: int, role: str | None = None
    ) -> tuple[list[Account], str | None]:
        """Newest first; raises PeerError `bad_request` for a cursor that is none."""
        query = sa.select(ACCOUNTS)
        if role is not None:
            query = query.where(ACCOUNTS.c.role == role)
        return await self._access.page(query, ACCOUNTS_BY_AGE, after, limit)

    async def roles_held(self) -> frozenset[str]:
        """Roles of accounts that are open."""
        query = sa.select(ACCOUNTS.c.role).where(ACCOUNTS.c.closed_at_ms.is_(None), ACCOUNTS.c.role != "")
        async with self._access.reading() as connection:
            return frozenset((await connection.execute(query.distinct())).scalars())

    async def change(self, person: str, **values: Any) -> None:
        """Set columns of one account. Raises PeerError `no_account` (404)."""
        statement = sa.update(ACCOUNTS).where(ACCOUNTS.c.person == storable(person)).values(**values)

        async def work(connection: AsyncConnection) -> None:
            if not (await connection.execute(statement)).rowcount:
                raise no_account()

        await self._access.write(work)

    async def give_role(self, person: str, role: str, forced: Collection[str]) -> int | None:
        """Another role, and in the same moment what was made for the one before is void: the link to set the
        password, the code for a first passkey; and the passkeys, where the role is one of `forced` and the
        one before was not. How many those were; None where they stay. Raises PeerError `no_account` (404).
        """
        c = ACCOUNTS.c
        before = sa.select(c.role).where(c.person == storable(person))
        give = sa.update(ACCOUNTS).where(c.person == person).values(role=role, link="")

        async def work(connection: AsyncConnection) -> int | None:
            known = (await connection.execute(before)).scalar()
            if known is None:
                raise no_account()
            await connection.execute(give)
            await connection.execute(sa.delete(PASSKEY_CODES).where(PASSKEY_CODES.c.person == person))
            if role not in forced or known in forced:
                return None
            return int(
                (await connection.execute(sa.delete(PASSKEYS).where(PASSKEYS.c.person == person))).rowcount
            )

        return await self._access.write(work)

    async def use_link(self, person: str, link: str) -> bool:
        """Whether `link` is the account's last, and was not used; from now on it is."""
        c = ACCOUNTS.c
        statement = sa.update(ACCOUNTS).where(c.person == storable(person), c.link == storable(link))
        done = await self._access.write(lambda connection: connection.execute(statement.values(link="")))
        return bool(link) and done.rowcount == 1

    async def _one(self, where: sa.ColumnElement[bool]) -> Account | None:
        async with self._access.reading() as connection:
            row = (await connection.execute(sa.select(ACCOUNTS).where(where))).mappings().first()
        return Account(**row) if row else None

    # Attempts

    async def attempt(self, key: str, now_ms: int, charge: Callable[[Attempts], tuple[Attempts, T]]) -> T:
        """Replace what is known of attempts on `key` by what `charge` makes of it; its second result.

        Read and written in one transaction of the one writer, so that none is lost. What is a day old goes.
        """
        c = ATTEMPTS.c
        query = sa.select(c.count, c.since_ms, c.locked_until_ms).where(c.key == key)

        async def work(connection: AsyncConnection) -> T:
            row = (await connection.execute(query)).first()
            after, result = charge(Attempts(*row) if row else Attempts(since_ms=now_ms))
            insert = self._access.insert(ATTEMPTS).values({"key": key, **asdict(after)})
            await connection.execute(insert.on_conflict_do_update(index_elements=["key"], set_=asdict(after)))
            await connection.execute(
                sa.delete(ATTEMPTS).where(c.since_ms < now_ms - _DAY_MS, c.locked_until_ms < now_ms)
            )
            return result

        result: T = await self._access.write(work)
        return result

    async def forgive(self, key: str) -> None:
        await self._access.write(lambda c: c.execute(sa.delete(ATTEMPTS).where(ATTEMPTS.c.key == key)))

    async def attempts(self, key: str) -> Attempts:
        c = ATTEMPTS.c
        query = sa.select(c.count, c.since_ms, c.locked_until_ms).where(c.key == key)
        async with self._access.reading() as connection:
            row = (await connection.execute(query)).first()
        return Attempts(*row) if row else Attempts()

    # Stays

    async def begin(self, row: StayRow) -> None:
        storable(row.address + row.agent)
        await self._access.write(lambda c: c.execute(sa.insert(STAYS).values(asdict(row))))

    async def stay(self, stay: str) -> StayRow | None:
        query = sa.select(STAYS).where(STAYS.c.id == storable(stay))
        async with self._access.reading() as connection:
            row = (await connection.execute(query)).mappings().first()
        return _stay(row) if row else None

    async def exchanged(self, stay: str, before: bytes, handle: bytes, now_ms: int) -> bool:
        """The handle `before` gave way to `handle`; False when another request was sooner."""
        c = STAYS.c
        statement = sa.update(STAYS).where(c.id == stay, c.handle == before, c.ended_at_ms.is_(None))
        values = {"handle": handle, "before": before, "exchanged_at_ms": now_ms, "seen_at_ms": now_ms}
        done = await self._access.write(lambda connection: connection.execute(statement.values(**values)))
        return bool(done.rowcount)

    async def end(self, stay: str, why: str, now_ms: int) -> bool:
        """Whether it went on until now."""
        return await self._end(STAYS.c.id == storable(stay), why, now_ms) == 1

    async def end_of(self, person: str, why: str, now_ms: int, spared: str = "") -> int:
        """Every stay of a person but `spared`; how many."""
        c = STAYS.c
        return await self._end(sa.and_(c.person == storable(person), c.id != spared), why, now_ms)

    async def stays_of(self, person: str, limit: int = 50) -> list[StayRow]:
        """The newest, those that are over as well."""
        c = STAYS.c
        query = sa.select(STAYS).where(c.person == storable(person)).order_by(c.began_at_ms.desc())
        async with self._access.reading() as connection:
            return [_stay(row) for row in (await connection.execute(query.limit(limit))).mappings()]

    async def forget_stays(self, before_ms: int) -> int:
        """Of stays that were last seen before then, nothing is kept; how many."""
        statement = sa.delete(STAYS).where(STAYS.c.seen_at_ms < before_ms)
        done = await self._access.write(lambda connection: connection.execute(statement))
        return int(done.rowcount)

    async def _end(self, where: sa.ColumnElement[bool], why: str, now_ms: int) -> int:
        statement = sa.update(STAYS).where(where, STAYS.c.ended_at_ms.is_(None))
        values = {"ended": why, "ended_at_ms": now_ms}
        done = await self._access.write(lambda connection: connection.execute(statement.values(**values)))
        return int(done.rowcount)

    # Passkeys

    async def add_passkey(
        self, passkey: Passkey, most: int, code: bytes | None = None, role: str | None = None
    ) -> bool:
        """`code`: the mark of one that is used up by it; `role`: the account's. False where somebody was
        sooner with the code, or gave another role.

        Raises PeerError `passkey_exists` (409), `too_many_passkeys` (409).
        """
        storable(passkey.label)
        insert = self._access.insert(PASSKEYS).values(asdict(passkey)).on_conflict_do_nothing()
        count = sa.select(sa.func.count()).where(PASSKEYS.c.person == passkey.person)
        acting = sa.select(ACCOUNTS.c.role).where(ACCOUNTS.c.person == passkey.person)
        c = PASSKEY_CODES.c
        use = sa.delete(PASSKEY_CODES).where(c.person == passkey.person, c.mark == code)

        async def work(connection: AsyncConnection) -> bool:
            if role is not None and (await connection.execute(acting)).scalar() != role:
                return False
            if code is not None and not (await connection.execute(use)).rowcount:
                return False
            if (await connection.execute(count)).scalar_one() >= most:
                raise PeerError("too_many_passkeys", f"an account has at most {most} passkeys", status=409)
            if not (await connection.execute(insert)).rowcount:
                raise PeerError("passkey_exists", "this passkey is registered", status=409)
            return True

        return await self._access.write(work)

    async def passkey(self, passkey: str) -> Passkey | None:
        query = sa.select(PASSKEYS).where(PASSKEYS.c.id == storable(passkey))
        async with self._access.reading() as connection:
            row = (await connection.execute(query)).mappings().first()
        return _passkey(row) if row else None

    async def passkeys_of(self, person: str) -> list[Passkey]:
        c = PASSKEYS.c
        query = sa.select(PASSKEYS).where(c.person == storable(person)).order_by(c.made_at_ms)
        async with self._access.reading() as connection:
            return [_passkey(row) for row in (await connection.execute(query)).mappings()]

    async def passkey_used(self, passkey: str, before: int, count: int, now_ms: int) -> bool:
        """The authenticator's counter went on from `before`; False when another sign-in was sooner."""
        c = PASSKEYS.c
        statement = sa.update(PASSKEYS).where(c.id == passkey, c.count == before)
        change = statement.values(count=count, used_at_ms=now_ms)
        done = await self._access.write(lambda connection: connection.execute(change))
        return bool(done.rowcount)

    async def remove_passkeys(self, person: str, passkey: str | None = None) -> int:
        """One of a person's, or all; how many."""
        statement = sa.delete(PASSKEYS).where(PASSKEYS.c.person == storable(person))
        if passkey is not None:
            statement = statement.where(PASSKEYS.c.id == storable(passkey))
        done = await self._access.write(lambda connection: connection.execute(statement))
        return int(done.rowcount)

    # Subjects of identity providers

    async def subject(self, issuer: str, subject: str) -> str | None:
        """Whom the provider's subject is bound to."""
        c = SUBJECTS.c
        query = sa.select(c.person).where(c.issuer == issuer, c.subject == storable(subject))
        async with self._access.reading() as connection:
            found: str | None = (await connection.execute(query)).scalar_one_or_none()
        return found

    async def bind(self, issuer: str, subject: str, person: str, now_ms: int) -> bool:
        """Bind once; False when the subject or the person is bound already."""
        row = {"issuer": issuer, "subject": storable(subject), "person": person, "bound_at_ms": now_ms}
        insert = self._access.insert(SUBJECTS).values(row).on_conflict_do_nothing()
        done = await self._access.write(lambda connection: connection.execute(insert))
        return bool(done.rowcount)

    async def count_passkeys(self, people: Sequence[str]) -> dict[str, int]:
        """How many each of them has; who has none is left out."""
        c = PASSKEYS.c
        query = sa.select(c.person, sa.func.count()).where(c.person.in_(list(people))).group_by(c.person)
        async with self._access.reading() as connection:
            return {row[0]: row[1] for row in (await connection.execute(query)).all()}


def no_account() -> PeerError:
    return PeerError("no_account", "there is no such account", status=404)


def _stay(row: Any) -> StayRow:
    return StayRow(**{**row, "handle": bytes(row["handle"]), "before": bytes(row["before"])})


def _passkey(row: Any) -> Passkey:
    return Passkey(**{**row, "public_key": bytes(row["public_key"])})

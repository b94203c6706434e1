"""What the database knows of one person by name or in his own words, blanked in one transaction.

Rows stay: ids, times and hours are what proofs and claims rest on; what screening found is evidence, and goes
on its own date. With the salts gone the ledger's commitments say nothing any more, and every proof holds
(REL-E10).
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from liveserver.core.errors import PeerError
from liveserver.core.ledger import Fact, storable
from liveserver.core.log_in import Ended
from liveserver.core.people import Status
from liveserver.store import ledger
from liveserver.store.access import Access
from liveserver.store.catalogue import not_found
from liveserver.store.tables.accounts import ACCOUNTS, PASSKEY_CODES, PASSKEYS, STAYS, SUBJECTS
from liveserver.store.tables.attendance import ATTENDEES
from liveserver.store.tables.chat import CHAT, MUTES
from liveserver.store.tables.people import ASSIGNMENTS, ENROLMENTS, PERSONS
from liveserver.store.tables.screening import INCIDENTS


class Erasing:
    """Part of the store; raises as it does."""

    def __init__(self, access: Access):
        self._access = access

    async def person(self, person: str, by: str, reason: str, at_ms: int) -> None:
        """For ever, of somebody who is archived and belongs to no class any more.

        Raises PeerError `not_found` (404), `not_archived`, `still_enrolled` (409).
        """
        storable(person)
        storable(reason)
        fact = ledger.prepare(
            Fact("person", None, at_ms, {"by": by, "act": "erased", "id": person, "reason": reason})
        )

        async def work(connection: AsyncConnection) -> None:
            await _require_gone(connection, person)
            for statement in (*_blanking(person), *_closing(person, at_ms)):
                await connection.execute(statement)

        await self._access.record(work, lambda _: [fact])


async def _require_gone(connection: AsyncConnection, person: str) -> None:
    status = (await connection.execute(sa.select(PERSONS.c.status).where(PERSONS.c.id == person))).scalar()
    if status is None:
        raise not_found()
    if status != Status.ARCHIVED:
        raise PeerError("not_archived", "archive the person first", status=409)
    for table, inside in ((ENROLMENTS, "enrolled"), (ASSIGNMENTS, "assigned")):
        query = sa.select(table.c.training_class).where(table.c.person == person, table.c.status == inside)
        if (await connection.execute(query.limit(1))).first() is not None:
            raise PeerError("still_enrolled", "the person belongs to a class", status=409)


def _closing(person: str, at_ms: int) -> list[sa.Update | sa.Delete]:
    """The account, if there is one: nobody signs in by it, and nothing of it says whose it was."""
    account, stay = ACCOUNTS.c, STAYS.c
    closed = {
        "name": f"erased {person}", "shown": "", "password": "", "link": "", "role": "",
        "closed_at_ms": sa.func.coalesce(account.closed_at_ms, at_ms),
    }  # fmt: skip
    going_on = sa.update(STAYS).where(stay.person == person, stay.ended_at_ms.is_(None))
    return [
        sa.update(ACCOUNTS).where(account.person == person).values(**closed),
        going_on.values(ended=Ended.CLOSED, ended_at_ms=at_ms),
        sa.update(STAYS).where(stay.person == person).values(address="", agent=""),
        sa.delete(PASSKEYS).where(PASSKEYS.c.person == person),
        sa.delete(PASSKEY_CODES).where(PASSKEY_CODES.c.person == person),
        sa.delete(SUBJECTS).where(SUBJECTS.c.person == person),
    ]


_NOBODY: dict[str, object] = {
    "name": "", "phone": "", "phone_sealed": b"", "phone_mark": b"", "enterprise": "", "salt": b"",
}  # fmt: skip


def _blanking(person: str) -> list[sa.Update]:
    blank: dict[sa.Table, tuple[sa.Column[str], dict[str, object]]] = {
        PERSONS: (PERSONS.c.id, _NOBODY),
        ENROLMENTS: (ENROLMENTS.c.person, {"student_no": "", "target_group": "", "subsidy_type": ""}),
        ASSIGNMENTS: (ASSIGNMENTS.c.person, {"certificate_no": ""}),
        ATTENDEES: (ATTENDEES.c.person, {"name": ""}),
        CHAT: (CHAT.c.person, {"name": "", "text": "", "salt": b""}),
        MUTES: (MUTES.c.person, {"name": ""}),
        INCIDENTS: (INCIDENTS.c.person, {"name": ""}),
    }
    return [sa.update(table).where(key == person).values(**values) for table, (key, values) in blank.items()]

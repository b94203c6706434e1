"""Whether the database itself refuses to change the ledger: its triggers, and the rights of our own role.

Whoever owns the tables can take a trigger away; so on PostgreSQL the server should work under a role that
owns nothing, with neither UPDATE nor DELETE on the ledger (`prepare_role`), and the owner is used for
migrations alone.
"""

from __future__ import annotations

import re

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from liveserver.store import database
from liveserver.store.database import WRITE
from liveserver.store.model.errors import StoreError

APPEND_ONLY = ("ledger", "ledger_tiles", "ledger_heads", "ledger_keys", "ledger_witnessed")
_ROLE = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_FOLLOWS = ("ledger", "ledger_tiles")
_OWNS = "SELECT pg_has_role(relowner, 'MEMBER') FROM pg_class WHERE oid = CAST(:name AS regclass)"
_CHANGES = """SELECT has_table_privilege(:name, 'UPDATE') AS "UPDATE",
 has_table_privilege(:name, 'DELETE') AS "DELETE", has_table_privilege(:name, 'TRUNCATE') AS "TRUNCATE"
"""
_SQLITE = ("no_update", "no_delete")
_POSTGRESQL = ("no_change", "no_truncate")


def triggers_of(dialect: str) -> set[str]:
    """The triggers that must be there."""
    kinds = _SQLITE if dialect == "sqlite" else _POSTGRESQL
    return {f"{table}_{kind}" for table in APPEND_ONLY for kind in kinds} | {
        f"{table}_in_order" for table in _FOLLOWS
    }


async def weaknesses(connection: AsyncConnection) -> list[str]:
    """What would let the ledger be changed, in words; empty when nothing does.

    On SQLite the owner of the file can do anything: there the triggers are all that can be asked for.
    """
    dialect = connection.dialect.name
    if dialect == "sqlite":
        query = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    else:
        # O: fires but for replicas; A: always. The migrations made them ALWAYS.
        query = "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled = 'A'"
    there = set((await connection.scalars(sa.text(query))).all())
    found = [f"the trigger {name} is missing" for name in sorted(triggers_of(dialect) - there)]
    if dialect == "postgresql":
        found += await _rights(connection)
    return found


async def prepare_role(url: str, role: str) -> None:
    """Bring the schema up to date and give `role`, which exists, what the server needs and no more.

    `url` is the owner's. Raises StoreError.
    """
    if _ROLE.fullmatch(role) is None:
        raise StoreError("a role's name has lower-case letters, digits and underscores")
    engine = database.connect(url)
    try:
        if engine.dialect.name != "postgresql":
            raise StoreError("roles are PostgreSQL's; a SQLite file belongs to who can write it")
        with database.failures_named():
            await database.migrate(engine)
            async with engine.execution_options(**{WRITE: True}).begin() as connection:
                for statement in _grants(role):
                    await connection.execute(sa.text(statement))
    finally:
        await engine.dispose()


def _grants(role: str) -> list[str]:
    ledger = ", ".join(APPEND_ONLY)
    return [
        f"GRANT USAGE ON SCHEMA public TO {role}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}",
        f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}",
        f"REVOKE UPDATE, DELETE, TRUNCATE, TRIGGER ON {ledger} FROM {role}",
        f"REVOKE ALL ON alembic_version FROM {role}",
        f"GRANT SELECT ON alembic_version TO {role}",
    ]


async def _rights(connection: AsyncConnection) -> list[str]:
    found = []
    role = "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
    if await connection.scalar(sa.text(role)):
        found.append("the server's role is a superuser")
    for table in APPEND_ONLY:
        if await connection.scalar(sa.text(_OWNS), {"name": table}):
            found.append(f"the server's role owns {table} and can take its triggers away")
        rights = (await connection.execute(sa.text(_CHANGES), {"name": table})).mappings().one()
        found += [f"the server's role has {right} on {table}" for right, has in rights.items() if has]
    return found

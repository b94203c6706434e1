"""What screening found, what people made of it, and who is muted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from liveserver.core.errors import PeerError
from liveserver.core.ledger import Fact, canonical_json, storable
from liveserver.store import ledger
from liveserver.store.access import Access
from liveserver.store.lists import Listing
from liveserver.store.model.chat import Muted
from liveserver.store.model.screening import Appeal, Case, Decided, Incident, Tally
from liveserver.store.tables.chat import MUTES
from liveserver.store.tables.screening import APPEALS, DECISIONS, INCIDENTS

ERASED_AT_ONCE = 200
_TIMED = 1_000  # decisions that the median is taken of


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which incidents; None asks for all. `state`: open, confirmed or dismissed."""

    lesson: str | None = None
    state: str | None = None
    kind: str | None = None
    category: str | None = None
    appealed: bool | None = None


class Incidents:
    """Part of the store; raises as it does."""

    def __init__(self, access: Access):
        self._access = access

    # --- what was found ---

    async def add(self, incident: Incident, fact: Fact) -> None:
        """An incident with the fact that holds its receipt, in one transaction."""
        for text in (
            incident.id,
            incident.lesson,
            incident.person,
            incident.name,
            incident.text,
            *incident.why,
        ):
            storable(text)
        canonical_json(list(incident.lines))
        row = asdict(incident) | {"why": list(incident.why), "lines": [dict(line) for line in incident.lines]}
        await self._access.append_rows([ledger.prepare(fact)], {INCIDENTS: [row]})

    async def grow(self, incident: str, more: int, score_ppm: int, until_ms: int) -> None:
        """It was seen `more` times again; what is there is only ever raised."""
        c = INCIDENTS.c
        values = {
            "count": c.count + more,
            "score_ppm": sa.case((c.score_ppm < score_ppm, score_ppm), else_=c.score_ppm),
            "until_ms": sa.case((c.until_ms < until_ms, until_ms), else_=c.until_ms),
        }
        change = sa.update(INCIDENTS).where(c.id == storable(incident)).values(values)
        await self._access.write(lambda connection: connection.execute(change))

    async def case(self, incident: str) -> Case | None:
        """One incident with its decision and appeal, or None if there is none of that id."""
        storable(incident)
        cases = await self._cases(sa.select(INCIDENTS).where(INCIDENTS.c.id == incident))
        return cases[0] if cases else None

    async def cases(self, wanted: Wanted, after: str | None, limit: int) -> tuple[list[Case], str | None]:
        """A page, newest first, and the cursor of the next one (None after the last).

        Raises PeerError `bad_request` for a cursor that is none.
        """
        query = _BY_AGE.page(_narrowed(sa.select(INCIDENTS), wanted), after, limit)
        async with self._access.reading() as connection:
            rows = (await connection.execute(query)).mappings().all()
        incidents, following = _BY_AGE.items(rows, limit)
        return await self._with_decisions(incidents), following

    async def of_lines(self, lesson: str, lines: Sequence[str]) -> dict[str, Case]:
        """The incidents that chat lines of a lesson led to, by line."""
        query = sa.select(INCIDENTS).where(
            INCIDENTS.c.lesson == storable(lesson), INCIDENTS.c.line.in_(list(lines))
        )
        return {case.incident.line: case for case in await self._cases(query)}

    async def waiting(self, lesson: str) -> int:
        """How many of a lesson's nobody has decided yet."""
        storable(lesson)
        query = sa.select(sa.func.count()).select_from(INCIDENTS)
        query = query.where(INCIDENTS.c.lesson == lesson, ~_decided())
        async with self._access.reading() as connection:
            return int((await connection.execute(query)).scalar_one())

    # --- what people made of it ---

    async def decide(self, decided: Decided, fact: Fact) -> None:
        """One more decision; the last one counts."""
        for text in (decided.note, decided.by):
            storable(text)
        await self._access.append_rows([ledger.prepare(fact)], {DECISIONS: [asdict(decided)]})

    async def appeal(self, appeal: Appeal, fact: Fact) -> None:
        """Somebody objects. Raises PeerError `appealed` (409) if somebody did before."""
        for text in (appeal.text, appeal.by):
            storable(text)
        add = self._access.insert(APPEALS).values(asdict(appeal)).on_conflict_do_nothing()

        async def work(connection: AsyncConnection) -> None:
            if (await connection.execute(add)).rowcount != 1:
                raise PeerError("appealed", "somebody has objected already", status=409)

        await self._access.write(work)
        await self._access.append_rows([ledger.prepare(fact)], {})

    async def tallies(self, lesson: str | None, since_ms: int) -> list[Tally]:
        """Counts per kind and category."""
        c, last = INCIDENTS.c, _last_decisions()

        def count(outcome: str) -> Any:
            return sa.func.coalesce(sa.func.sum(sa.case((last.c.outcome == outcome, 1), else_=0)), 0)

        query = (
            sa.select(c.kind, c.category, sa.func.count(), count("confirmed"), count("dismissed"))
            .select_from(INCIDENTS.outerjoin(last, last.c.incident == c.id))
            .where(*_since(lesson, since_ms), c.kind != "blind")
            .group_by(c.kind, c.category)
            .order_by(c.kind, c.category)
        )
        async with self._access.reading() as connection:
            rows = (await connection.execute(query)).all()
        return [Tally(row[0], row[1], int(row[2]), int(row[3]), int(row[4])) for row in rows]

    async def blindness(self, lesson: str | None, since_ms: int) -> tuple[int, int]:
        """How often screening was blind, and for how many milliseconds together."""
        c = INCIDENTS.c
        length = sa.func.coalesce(sa.func.sum(c.until_ms - c.at_ms), 0)
        query = sa.select(sa.func.count(), length).where(*_since(lesson, since_ms), c.kind == "blind")
        async with self._access.reading() as connection:
            row = (await connection.execute(query)).one()
        return int(row[0]), int(row[1])

    async def decision_times(self, lesson: str | None, since_ms: int) -> list[int]:
        """Milliseconds from finding to the decision that counts, of the newest thousand; in no order."""
        c, last = INCIDENTS.c, _last_decisions()
        query = (
            sa.select(last.c.at_ms - c.at_ms)
            .select_from(INCIDENTS.join(last, last.c.incident == c.id))
            .where(*_since(lesson, since_ms))
            .order_by(c.at_ms.desc())
            .limit(_TIMED)
        )
        async with self._access.reading() as connection:
            return [int(value) for value in (await connection.execute(query)).scalars()]

    # --- how long it is kept ---

    async def with_words(self, before_ms: int) -> list[Incident]:
        """The oldest incidents before a moment that still hold words or a picture."""
        c = INCIDENTS.c
        holds = sa.or_(c.evidence == "kept", c.text != "", c.name != "", sa.func.length(c.salt) > 0)
        query = sa.select(INCIDENTS).where(c.at_ms < before_ms, holds).order_by(c.at_ms).limit(ERASED_AT_ONCE)
        async with self._access.reading() as connection:
            return [_incident(row) for row in (await connection.execute(query)).mappings()]

    async def erase(self, incidents: Sequence[Incident], fact: Fact) -> None:
        """Forget their words, their pictures' places and their salts; that they happened stays.

        The hash of words goes as well: short ones could be guessed from it.
        """
        changes = []
        for found in incidents:
            receipt = dict(found.receipt)
            if found.kind == "chat":
                receipt.pop("content_sha256", None)
            evidence = "gone" if found.evidence else ""
            blank = {"text": "", "name": "", "salt": b"", "why": [], "lines": [], "evidence": evidence}
            change = sa.update(INCIDENTS).where(INCIDENTS.c.id == found.id)
            changes.append(change.values(blank | {"receipt": receipt}))

        async def work(connection: AsyncConnection) -> None:
            for change in changes:
                await connection.execute(change)

        await self._access.write(work)
        await self._access.append_rows([ledger.prepare(fact)], {})

    # --- who is muted ---

    async def mute(self, muted: Muted) -> None:
        """Add, or replace where it is."""
        for text in (muted.person, muted.name, muted.reason, muted.by):
            storable(text)
        insert = self._access.insert(MUTES).values(asdict(muted) | {"incidents": list(muted.incidents)})
        changed = {name: insert.excluded[name] for name in ("name", "reason", "at_ms", "by", "incidents")}
        upsert = insert.on_conflict_do_update(index_elements=["lesson", "person"], set_=changed)
        await self._access.write(lambda connection: connection.execute(upsert))

    async def unmute(self, lesson: str, person: str) -> None:
        gone = sa.delete(MUTES).where(MUTES.c.lesson == storable(lesson), MUTES.c.person == storable(person))
        await self._access.write(lambda connection: connection.execute(gone))

    async def muted(self, lesson: str) -> list[Muted]:
        """Everybody who is muted in a lesson, the first one first."""
        storable(lesson)
        query = sa.select(MUTES).where(MUTES.c.lesson == lesson).order_by(MUTES.c.at_ms, MUTES.c.person)
        async with self._access.reading() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [Muted(**{**row, "incidents": tuple(row["incidents"])}) for row in rows]

    # --- inside ---

    async def _cases(self, query: sa.Select[Any]) -> list[Case]:
        async with self._access.reading() as connection:
            incidents = [_incident(row) for row in (await connection.execute(query)).mappings()]
        return await self._with_decisions(incidents)

    async def _with_decisions(self, incidents: Sequence[Incident]) -> list[Case]:
        ids = [incident.id for incident in incidents]
        last = _last_decisions()
        decided = sa.select(last).where(last.c.incident.in_(ids))
        appealed = sa.select(APPEALS).where(APPEALS.c.incident.in_(ids))
        async with self._access.reading() as connection:
            decisions = {
                row["incident"]: _decision(row) for row in (await connection.execute(decided)).mappings()
            }
            appeals = {
                row["incident"]: Appeal(**row) for row in (await connection.execute(appealed)).mappings()
            }
        return [Case(found, decisions.get(found.id), appeals.get(found.id)) for found in incidents]


def _incident(row: Mapping[Any, Any]) -> Incident:
    return Incident(
        **{**row, "salt": bytes(row["salt"]), "why": tuple(row["why"]), "lines": tuple(row["lines"])}
    )


_BY_AGE = Listing(INCIDENTS.c.at_ms, INCIDENTS.c.id, _incident)


def _decision(row: Mapping[Any, Any]) -> Decided:
    return Decided(**{name: row[name] for name in ("incident", "outcome", "note", "by", "at_ms")})


def _last_decisions() -> sa.Subquery:
    """The decision that counts, of every incident that has one."""
    c = DECISIONS.c
    last = sa.select(sa.func.max(c.position).label("position")).group_by(c.incident).subquery()
    return sa.select(DECISIONS).join(last, last.c.position == c.position).subquery()


def _decided() -> sa.Exists:
    return sa.exists().where(DECISIONS.c.incident == INCIDENTS.c.id)


def _since(lesson: str | None, since_ms: int) -> list[Any]:
    conditions: list[Any] = [INCIDENTS.c.at_ms >= since_ms]
    if lesson is not None:
        conditions.append(INCIDENTS.c.lesson == storable(lesson))
    return conditions


def _narrowed(query: sa.Select[Any], wanted: Wanted) -> sa.Select[Any]:
    c = INCIDENTS.c
    for column, value in ((c.lesson, wanted.lesson), (c.kind, wanted.kind), (c.category, wanted.category)):
        if value is not None:
            query = query.where(column == storable(value))
    if wanted.state == "open":
        query = query.where(~_decided())
    elif wanted.state is not None:
        last = _last_decisions()
        query = query.where(c.id.in_(sa.select(last.c.incident).where(last.c.outcome == wanted.state)))
    if wanted.appealed is not None:
        has = sa.exists().where(APPEALS.c.incident == c.id)
        query = query.where(has if wanted.appealed else ~has)
    return query

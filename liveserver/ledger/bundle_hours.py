"""Hours as a bundle tells them: of everybody, or of one learner with his share of the settlement."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

from liveserver.core import attendance, merkle
from liveserver.core.bundle.form import text_of
from liveserver.core.errors import PeerError
from liveserver.core.heads import Head
from liveserver.core.ledger import canonical_json
from liveserver.core.share import facts_json, others_from, others_json, salt_of, share_leaf
from liveserver.hours.attendance import Attendance, read_register
from liveserver.store import Attended, Lesson, Settlement, Store

_AGAIN_S = 5


class BundleHours:
    def __init__(self, store: Store, attended: Attendance):
        self._store = store
        self._book = store.attendance
        self._attendance = attended

    async def of(
        self, lesson: Lesson, person: str | None, head: Head
    ) -> tuple[dict[str, Any], AsyncIterator[bytes]]:
        """What `lesson.json` says of the hours, and the lines of `hours.jsonl`.

        Raises PeerError `unknown_person` (404), `revised` (409) when the hours were settled after `head`,
        `not_available` (503) while they are being settled.
        """
        found = await self._book.settlements(lesson.id)
        settlement = found[-1] if found else None
        if settlement is not None and settlement.ledger_size >= head.size:
            raise PeerError("revised", "the hours were settled anew after that head", status=409)
        if settlement is not None and person is not None and not settlement.people_root:
            settlement = None  # from before there were shares: nothing joins it to the ledger
        about = {"as_of_ms": settlement.at_ms if settlement else head.at_ms, "settlement": _told(settlement)}
        if person is None:
            lines = self._settled(settlement) if settlement else self._provisional(lesson, head)
            return about, lines
        return about, _one(await self._own(lesson, person, settlement, head))

    async def _settled(self, settlement: Settlement) -> AsyncIterator[bytes]:
        salt = bytes.fromhex(settlement.salt)
        for row in await self._rows(settlement):
            told = {
                "person": row.person,
                "others": json.loads(row.others),
                "result": json.loads(row.result),
                "salt": salt_of(salt, row.person) if salt else "",
            }
            yield text_of(told)

    async def _provisional(self, lesson: Lesson, head: Head) -> AsyncIterator[bytes]:
        for record in await self._attendance.reckoned_from(lesson, head.size, head.at_ms):
            told = {
                "person": record.person,
                "others": others_json(record.facts.other),
                "result": record.as_json(),
                "salt": "",
            }
            yield text_of(told)

    async def _own(
        self, lesson: Lesson, person: str, settlement: Settlement | None, head: Head
    ) -> dict[str, Any]:
        if settlement is None:
            records = await self._attendance.reckoned_from(lesson, head.size, head.at_ms)
            record = next((one for one in records if one.person == person), None)
            if record is None:
                raise _unknown_person()
            return {"person": person, "facts": facts_json(record.facts), "result": record.as_json(),
                    "salt": "", "index": None, "path": []}  # fmt: skip
        rows = await self._rows(settlement)
        index = next((i for i, row in enumerate(rows) if row.person == person), None)
        if index is None:
            raise _unknown_person()
        row = rows[index]
        register = await read_register(self._store, lesson.id, settlement.ledger_size)
        others = others_from(json.loads(row.others))
        facts = facts_json(
            attendance.facts_of(register, register.frame(settlement.at_ms), person, lesson.id, others)
        )
        salt = salt_of(bytes.fromhex(settlement.salt), person)
        if share_leaf(canonical_json(facts), person, row.result, salt).hex() != row.leaf:
            raise PeerError("internal", "the learner's share is not the one that was settled", status=500)
        path = await asyncio.to_thread(_path, index, rows)
        return {"person": person, "facts": facts, "result": json.loads(row.result), "salt": salt,
                "index": index, "path": path}  # fmt: skip

    async def _rows(self, settlement: Settlement) -> list[Attended]:
        """By person, in the order of code points, as they were hashed: a database may sort otherwise."""
        rows = sorted(await self._book.rows(settlement.lesson), key=lambda row: row.person)
        root = await asyncio.to_thread(_root, rows)
        if len(rows) != settlement.people or settlement.people_root not in ("", root):
            raise PeerError("not_available", "hours are being settled", status=503, retry_after_s=_AGAIN_S)
        return rows


def _root(rows: Sequence[Attended]) -> str:
    return merkle.tree_root(bytes.fromhex(row.leaf) for row in rows if row.leaf).hex()


def _path(index: int, rows: Sequence[Attended]) -> list[str]:
    leaves = [bytes.fromhex(row.leaf) for row in rows]
    ranges = merkle.inclusion_ranges(index, len(leaves))
    return [merkle.tree_root(leaves[start:end]).hex() for start, end in ranges]


async def _one(told: dict[str, Any]) -> AsyncIterator[bytes]:
    yield text_of(told)


def _told(settlement: Settlement | None) -> dict[str, Any] | None:
    if settlement is None:
        return None
    return {
        "revision": settlement.revision,
        "at_ms": settlement.at_ms,
        "ledger_size": settlement.ledger_size,
        "people": settlement.people,
        "result_sha256": settlement.result_sha256,
        "people_root": settlement.people_root,
        "reason": settlement.reason,
    }


def _unknown_person() -> PeerError:
    return PeerError("unknown_person", "there is no such learner in the lesson", status=404)

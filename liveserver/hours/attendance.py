"""Attendance of lessons: reckoned from the ledger at any time, settled after the end, revised if need be.

A settlement names how much of the ledger it was reckoned from and the hash of its result, so anybody can
reckon it again. Later revisions follow an adjustment that two persons made, a check that was judged late, or
another lesson of the same person that has the same instant. The rules are `core.attendance`'s.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, TypeVar

from liveserver.clock import Clock
from liveserver.core import attendance
from liveserver.core.attendance import About, Record
from liveserver.core.errors import PeerError
from liveserver.core.hours import Kind, Other
from liveserver.core.ledger import JSON, Fact, canonical_json
from liveserver.core.merkle import tree_root
from liveserver.core.register import Register
from liveserver.core.share import SALT_BYTES, facts_json, others_json, salt_of, share_leaf
from liveserver.core.times import DAY_MS, china_day, day_number, day_start_ms
from liveserver.log import Event, get_logger
from liveserver.store import Attended, Lesson, Settlement, Store, StoreError

_PAGE = 1000
_SLICE_S = 0.002  # reckoning for one moment, before others are let in
_LOOK_EVERY_S = 5.0
_LATELY_S = 2.0  # who asks again so soon is told the same
_log = get_logger()
T = TypeVar("T")
Live = Callable[[str], tuple[Register, int] | None]


@dataclass(frozen=True, slots=True)
class Standing:
    """A lesson's attendance: `results` are `Record.as_json`, by person.

    `settlement`: of the revision it is, None while it is provisional.
    """

    about: About
    results: Sequence[Mapping[str, Any]]
    settlement: Settlement | None = None


async def read_register(store: Store, lesson: str, size: int | None = None) -> Register:
    """The register of a lesson from the first `size` entries of the ledger, or from all."""
    register = Register()
    after = -1
    while True:
        entries = await store.entries(after, _PAGE, lesson)
        for entry in entries:
            if size is None or entry.index < size:
                register.take(entry.type, entry.at_ms, entry.data)
        if len(entries) < _PAGE or (size is not None and entries[-1].index >= size):
            return register
        after = entries[-1].index


def course_of(lesson: Lesson) -> str:
    """What a lesson's seconds are added up under: its course, or where it has none its title."""
    return lesson.course or lesson.title


class Attendance:
    """`live` gives an open room's register and its time, or None. Owns the settling task."""

    def __init__(
        self, store: Store, clock: Clock, live: Live = lambda lesson: None, settle_after_s: float = 120.0
    ):
        self._store = store
        self._book = store.attendance
        self._clock = clock
        self._live = live
        self._settle_after_ms = int(settle_after_s * 1000)
        self._settling = asyncio.Lock()
        self._reckoning = asyncio.Lock()
        self._lately: tuple[str, float, Standing] | None = None
        self._looked: int | None = None  # entries of the ledger in which checks judged late were looked for
        self._task: asyncio.Task[None] | None = None
        self.settled_total = 0
        self.failed_total = 0

    def start(self) -> None:
        """Begin to settle what has ended."""
        self._task = asyncio.create_task(self._run(), name="attendance settling")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def numbers(self) -> dict[str, float]:
        """For /metrics."""
        return {"settled_total": self.settled_total, "failed_total": self.failed_total}

    # How things stand

    async def standing(self, lesson: Lesson, after: str = "", limit: int | None = None) -> Standing:
        """Settled if it is, else reckoned up to this moment or to the end; at most `limit` people that
        come behind `after`."""
        settlement = await self._settlement(lesson)
        if settlement is not None:
            rows = await self._book.rows(lesson.id, after, limit)
            results = await in_slices(json.loads(row.result) for row in rows)
            return Standing(About.from_json(json.loads(settlement.about)), results, settlement)
        async with self._reckoning:
            standing = await self._reckoned(lesson)
        some = (result for result in standing.results if result["person"] > after)
        return replace(standing, results=list(islice(some, limit)))

    async def standing_of(self, lesson: Lesson, person: str) -> Standing:
        """One learner's. Raises PeerError `unknown_person` (404) for somebody who never came."""
        settlement = await self._settlement(lesson)
        if settlement is not None:
            row = await self._book.row(lesson.id, person)
            if row is None:
                raise _unknown_person()
            about = About.from_json(json.loads(settlement.about))
            return Standing(about, [json.loads(row.result)], settlement)
        register, now_ms = await self._register(lesson)
        if person not in register.learners:
            raise _unknown_person()
        others = (await self._elsewhere(lesson, [person])).get(person, ())
        adjusted_s = (await self._book.adjusted(lesson.id)).get(person, 0)
        frame = register.frame(now_ms)
        found = attendance.record(register, frame, person, lesson.id, others, adjusted_s)
        return Standing(About.of(register, frame), [found.as_json()])

    async def _reckoned(self, lesson: Lesson) -> Standing:
        loop = asyncio.get_running_loop()
        if self._lately is not None:
            whose, at_s, standing = self._lately
            if whose == lesson.id and loop.time() - at_s < _LATELY_S:
                return standing
        register, now_ms = await self._register(lesson)
        results = await in_slices(r.as_json() for r in await self._records(lesson, register, now_ms))
        standing = Standing(About.of(register, register.frame(now_ms)), results)
        self._lately = (lesson.id, loop.time(), standing)
        return standing

    async def _settlement(self, lesson: Lesson) -> Settlement | None:
        found = await self._book.settlements(lesson.id)
        return found[-1] if found else None

    async def _register(self, lesson: Lesson) -> tuple[Register, int]:
        live = self._live(lesson.id)
        return live or (await read_register(self._store, lesson.id), self._clock.wall_ms())

    # Settling

    async def settle(self, lesson: Lesson, reason: str) -> Settlement:
        """A new revision, if there is anything new; the newest one is returned."""
        async with self._settling:
            before = await self._settlement(lesson)
            size, _ = await self._store.head()
            register = await read_register(self._store, lesson.id, size)
            now_ms = self._clock.wall_ms()
            records = await self._records(lesson, register, now_ms)
            revision = before.revision + 1 if before else 1
            salt = secrets.token_bytes(SALT_BYTES)
            rows = await in_slices(_row(lesson, revision, record, salt) for record in records)
            digest = attendance.digest(row.result for row in rows)
            if before is not None and before.result_sha256 == digest:
                return before
            about = canonical_json(About.of(register, register.frame(now_ms)).as_json())
            credited_s = sum(row.credited_s for row in rows)
            root = tree_root(bytes.fromhex(row.leaf) for row in rows).hex()
            settlement = Settlement(
                lesson.id, revision, now_ms, size, digest, len(rows), credited_s, reason, about, root,
                salt.hex(),
            )  # fmt: skip
            await self._store.append([_fact(settlement)])
            await self._book.save(settlement, rows)
        self.settled_total += 1
        _log.info(Event.HOURS_SETTLED, lesson=lesson.id, revision=revision, people=len(rows))
        return settlement

    async def reckoned_from(self, lesson: Lesson, size: int, now_ms: int) -> list[Record]:
        """Everybody's hours at a moment, from the ledger's first `size` entries; nothing is settled."""
        register = await read_register(self._store, lesson.id, size)
        return await self._records(lesson, register, now_ms)

    async def revise(self, lesson: Lesson, reason: str) -> None:
        """What a settled lesson was reckoned from has changed."""
        if await self._settlement(lesson) is not None:
            await self.settle(lesson, reason)

    async def settle_due(self) -> None:
        """Settle what ended long enough ago, and look again at what shares people and days with it."""
        for lesson in await self._book.unsettled(self._clock.wall_ms() - self._settle_after_ms):
            await self.settle(lesson, "ended")
            people = [row.person for row in await self._book.rows(lesson.id)]
            for name in sorted({row.lesson for row in await self._near(lesson, people)}):
                other = await self._store.lessons.one(name)
                if other is not None:
                    await self.revise(other, f"shares people with {lesson.id}")

    async def revise_judged(self) -> None:
        """Settled lessons in which a check was judged since: a person has looked at a photo."""
        size, _ = await self._store.head()
        start = await self._book.settled_size() if self._looked is None else self._looked
        for lesson in await self._book.judged_late(start, size):
            await self.revise(lesson, "a check was judged")
        self._looked = size

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(min(_LOOK_EVERY_S, max(1.0, self._settle_after_ms / 1000)))
            try:
                await self.settle_due()
                await self.revise_judged()
            except StoreError:
                self.failed_total += 1
                _log.exception(Event.HOURS_FAILED)

    async def _records(self, lesson: Lesson, register: Register, now_ms: int) -> list[Record]:
        others = await self._elsewhere(lesson, register.learners)
        adjusted = await self._book.adjusted(lesson.id)
        return await in_slices(attendance.records(register, now_ms, lesson.id, others, adjusted))

    async def _near(self, lesson: Lesson, people: Iterable[str]) -> list[Attended]:
        """What these people attended on the days of the lesson, and the days before and after."""
        started_ms = lesson.started_at_ms or lesson.created_at_ms
        ended_ms = lesson.ended_at_ms or self._clock.wall_ms()
        since_ms = day_start_ms(china_day(started_ms) - 1)
        return await self._book.elsewhere(lesson.id, people, since_ms, ended_ms + DAY_MS)

    async def _elsewhere(self, lesson: Lesson, people: Iterable[str]) -> dict[str, list[Other]]:
        """What they earned in other settled lessons nearby: at any instant at most one activity earns."""
        others: dict[str, list[Other]] = {}
        for row in await self._near(lesson, people):
            result = json.loads(row.result)
            others.setdefault(row.person, []).extend(
                Other(row.lesson, Kind.LIVE, start, end, result["first_online_ms"])
                for start, end in result["earned"]
            )
        return others


async def in_slices(work: Iterable[T]) -> list[T]:
    """All of it, in slices of the loop's time."""
    loop = asyncio.get_running_loop()
    found, began_s = [], loop.time()
    for item in work:
        found.append(item)
        if loop.time() - began_s > _SLICE_S:
            await asyncio.sleep(0)
            began_s = loop.time()
    return found


def _fact(settlement: Settlement) -> Fact:
    """What the ledger says of a settlement."""
    data: dict[str, JSON] = {
        "revision": settlement.revision,
        "ledger_size": settlement.ledger_size,
        "result_sha256": settlement.result_sha256,
        "people_root": settlement.people_root,
        "people": settlement.people,
        "credited_s": settlement.credited_s,
        "reason": settlement.reason,
    }
    return Fact("attendance_settled", settlement.lesson, settlement.at_ms, data)


def _row(lesson: Lesson, revision: int, record: Record, salt: bytes) -> Attended:
    """What is adjusted falls to the day the lesson began, so that days add up to the whole."""
    started_ms = lesson.started_at_ms or lesson.created_at_ms
    days = {day_number(day): seconds for day, seconds in record.hours.days.items()}
    changed_s = record.credited_s - record.hours.credited_s
    if changed_s:
        first = china_day(started_ms)
        days[first] = days.get(first, 0) + changed_s
    text, facts = record.text, canonical_json(facts_json(record.facts))
    leaf = share_leaf(facts, record.person, text, salt_of(salt, record.person))
    return Attended(
        lesson.id, record.person, revision, course_of(lesson), started_ms, record.session_ms // 1000,
        record.credited_s, text, days, canonical_json(others_json(record.facts.other)), leaf.hex(),
    )  # fmt: skip


def _unknown_person() -> PeerError:
    return PeerError("unknown_person", "there is no such learner in the lesson", status=404)

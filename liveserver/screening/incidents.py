"""Incidents: told, kept, erased after their date.

`record` never waits: people are told at once, the picture and the row are written behind it by one task,
which goes on trying while the database is away. Equal findings that follow each other are one incident with
a count.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from liveserver import shapes
from liveserver.clock import Clock
from liveserver.core.errors import PeerError
from liveserver.core.ledger import JSON, Fact, commitment
from liveserver.core.messages import Json
from liveserver.core.screening import Action, Kind
from liveserver.log import Event, get_logger
from liveserver.patience import until_stored
from liveserver.screening.evidence import Evidence
from liveserver.store import Case, Incident, Store
from liveserver.store.incidents import ERASED_AT_ONCE, Wanted

FOLD_MS = 10_000
WAITING_MAX = 1_000
"""Incidents not yet written; more are lost, and said to be."""
_FOLDED_MAX = 4_096
_GATHER_S = 1.0  # findings of one incident are counted together for so long
_SETTLE_S = 5.0
_LIST_S = 2.0
_SWEEP_S, _REST_S = 60.0, 3_600.0  # between sweeps while there is much to erase, and otherwise
_log = get_logger()


Listener = Callable[[str, Json, int], None]
"""Told of each incident that is new or has changed: its lesson, the `incident` message without its type, and
how many of the lesson's wait for a decision."""


@dataclass(slots=True)
class _Growth:
    """What came to an incident since it was last written."""

    more: int = 0
    score_ppm: int = 0
    until_ms: int = 0


class Incidents:
    """Owned by the main loop. `kept_ms`: how long words and pictures are kept."""

    def __init__(self, store: Store, evidence: Evidence, clock: Clock, kept_ms: int):
        self._store = store
        self._kept = store.incidents
        self.evidence = evidence
        self._clock = clock
        self._kept_ms = kept_ms
        self._listeners: list[Listener] = []
        self._queue: asyncio.Queue[tuple[Incident, bytes] | str | Fact] = asyncio.Queue(WAITING_MAX)
        self._unsaved: dict[str, asyncio.Event] = {}
        self._recent: dict[tuple[str, ...], tuple[str, int]] = {}  # what is the same → id, when last seen
        self._growing: dict[str, _Growth] = {}
        self._waiting: dict[str, int] = {}  # by lesson; of open rooms
        self._tasks: list[asyncio.Task[None]] = []
        self.recorded = 0
        self.lost = 0

    def listen(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def start(self) -> None:
        self._tasks = [
            asyncio.create_task(self._write(), name="incidents"),
            asyncio.create_task(self._sweep(), name="incidents sweep"),
        ]

    async def stop(self) -> None:
        """Write what waits, if the store takes it in time."""
        for incident in list(self._growing):
            self._queue_growth(incident)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SETTLE_S):
                await self._queue.join()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- what is found ---

    def record(self, incident: Incident, jpeg: bytes = b"") -> str:
        """Put an incident on record and tell people; the id under which it is. Never waits."""
        same = (incident.lesson, incident.kind, incident.category, incident.action, incident.track,
                incident.person, incident.text)  # fmt: skip
        known, seen_ms = self._recent.pop(same, ("", 0))
        # A chat line that waits or was warned of is decided by itself; the room folds those (core.chat).
        may_fold = not incident.line or incident.action == Action.LOG
        if known and may_fold and incident.at_ms - seen_ms <= FOLD_MS:
            self._recent[same] = known, incident.at_ms
            self.grow(known, 1, incident.score_ppm, incident.at_ms)
            return known
        self._recent[same] = incident.id, incident.at_ms
        if len(self._recent) > _FOLDED_MAX:
            del self._recent[next(iter(self._recent))]
        self.recorded += 1
        try:
            self._queue.put_nowait((incident, jpeg))
            self._unsaved[incident.id] = asyncio.Event()
        except asyncio.QueueFull:
            self.lost += 1
            _log.error(Event.INCIDENTS_LOST, lesson=incident.lesson, incident=incident.id)
        self._waiting[incident.lesson] = self._waiting.get(incident.lesson, 0) + 1
        told = replace(incident, evidence="kept" if jpeg else "")
        self._tell(incident.lesson, shapes.incident_message(Case(told)))
        return incident.id

    def grow(self, incident: str, more: int, score_ppm: int, until_ms: int) -> None:
        """It was seen `more` times again, up to `until_ms`. Never waits."""
        growth = self._growing.get(incident)
        if growth is None:
            growth = self._growing[incident] = _Growth()
            asyncio.get_running_loop().call_later(_GATHER_S, self._queue_growth, incident)
        growth.more += more
        growth.score_ppm = max(growth.score_ppm, score_ppm)
        growth.until_ms = max(growth.until_ms, until_ms)

    def saw_again(self, incident: str, lesson: str, from_ms: int, to_ms: int) -> None:
        """Time in which nobody looked is over: its length, and a fact that names its beginning and end."""
        self.grow(incident, 0, 0, to_ms)
        data: dict[str, JSON] = {"incident": incident, "from_ms": from_ms, "to_ms": to_ms}
        try:
            self._queue.put_nowait(Fact("unmoderated", lesson, to_ms, data))
        except asyncio.QueueFull:
            self.lost += 1
            _log.error(Event.INCIDENTS_LOST, lesson=lesson, incident=incident)

    async def open(self, lesson: str, limit: int) -> list[Json]:
        """The lesson's room opens: its newest incidents as messages, the oldest first."""
        cases, _ = await self._kept.cases(Wanted(lesson=lesson), None, limit)
        self._waiting[lesson] = await self._kept.waiting(lesson)
        return [shapes.incident_message(case) for case in reversed(cases)]

    def close(self, lesson: str) -> None:
        self._waiting.pop(lesson, None)

    def waiting(self, lesson: str) -> int:
        """How many of an open lesson's incidents wait for a decision."""
        return self._waiting.get(lesson, 0)

    # --- what is on record ---

    async def case(self, incident: str) -> Case:
        """One incident. Raises PeerError `not_found` (404)."""
        await self._settled(incident)
        found = await self._kept.case(incident)
        if found is None:
            raise PeerError("not_found", "there is no such incident", status=404)
        return found

    async def cases(self, wanted: Wanted, after: str | None, limit: int) -> tuple[list[Case], str | None]:
        """A page, newest first, with what people were told of before it was asked for."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LIST_S):
                for saved in list(self._unsaved.values()):
                    await saved.wait()
        return await self._kept.cases(wanted, after, limit)

    async def changed(self, incident: str) -> Case:
        """A person has decided on it, or objected: it is told again."""
        case = await self.case(incident)
        lesson = case.incident.lesson
        if lesson in self._waiting:
            self._waiting[lesson] = await self._kept.waiting(lesson)
        self._tell(lesson, shapes.incident_message(case))
        return case

    # --- inside ---

    def _tell(self, lesson: str, message: Json) -> None:
        for listener in self._listeners:
            listener(lesson, message, self._waiting.get(lesson, 0))

    async def _settled(self, incident: str) -> None:
        """Wait for an incident that is being written. Raises PeerError `not_available` (503)."""
        saved = self._unsaved.get(incident)
        if saved is not None:
            try:
                await asyncio.wait_for(saved.wait(), _SETTLE_S)
            except TimeoutError:
                detail = "this incident is not on record yet"
                raise PeerError("not_available", detail, status=503, retry_after_s=5) from None

    def _queue_growth(self, incident: str) -> None:
        if incident in self._growing and not self._queue.full():
            self._queue.put_nowait(incident)

    async def _write(self) -> None:
        while True:
            item = await self._queue.get()
            try:
                if isinstance(item, str):
                    await self._save_growth(item)
                elif isinstance(item, Fact):
                    await until_stored(partial(self._store.append, [item]), _log)
                else:
                    await self._save(*item)
            except Exception:  # the record's boundary: one incident that cannot be written must not stop it
                self.lost += 1
                _log.exception(Event.INCIDENTS_LOST)
            finally:
                self._queue.task_done()

    async def _save(self, incident: Incident, jpeg: bytes) -> None:
        try:
            evidence = "kept" if jpeg and await self._keep_picture(incident, jpeg) else ""
            row = replace(incident, evidence=evidence)
            await until_stored(partial(self._add_once, row), _log)
        finally:
            self._unsaved.pop(incident.id, asyncio.Event()).set()

    async def _add_once(self, incident: Incident) -> None:
        """Added unless it is there: a commit may be done whose answer was lost."""
        if await self._kept.case(incident.id) is None:
            await self._kept.add(incident, _fact(incident))

    async def _keep_picture(self, incident: Incident, jpeg: bytes) -> bool:
        try:
            return await asyncio.to_thread(self.evidence.put, incident.lesson, incident.id, jpeg)
        except OSError:  # a full disk loses the picture, not the incident
            _log.exception(Event.EVIDENCE_FAILED, incident=incident.id)
            return False

    async def _save_growth(self, incident: str) -> None:
        growth = self._growing.pop(incident, None)
        if growth is None:
            return
        write = partial(self._kept.grow, incident, growth.more, growth.score_ppm, growth.until_ms)
        await until_stored(write, _log)
        case = await self._kept.case(incident)
        if case is not None:
            self._tell(case.incident.lesson, shapes.incident_message(case))

    async def _sweep(self) -> None:
        while True:
            erased = ERASED_AT_ONCE
            try:
                erased = await self.erase_old()
            except Exception:  # the next minute tries again
                _log.exception(Event.STORE_FAILED)
            await asyncio.sleep(_SWEEP_S if erased == ERASED_AT_ONCE else _REST_S)

    async def erase_old(self) -> int:
        """Forget words and pictures whose date has come, at most 200 incidents; how many."""
        now_ms = self._clock.wall_ms()
        old = await self._kept.with_words(now_ms - self._kept_ms)
        if not old:
            return 0
        await asyncio.to_thread(self._drop_pictures, old)
        data: dict[str, JSON] = {"incidents": [found.id for found in old], "kept_ms": self._kept_ms}
        await self._kept.erase(old, Fact("incidents_erased", None, now_ms, data))
        _log.info(Event.INCIDENTS_ERASED, incidents=len(old), more=len(old) == ERASED_AT_ONCE)
        return len(old)

    def _drop_pictures(self, incidents: Sequence[Incident]) -> None:
        for found in incidents:
            if found.evidence:
                self.evidence.drop(found.lesson, found.id)

    def numbers(self) -> dict[str, float]:
        """For /metrics."""
        return {
            "recorded_total": float(self.recorded),
            "lost_total": float(self.lost),
            "unwritten": float(self._queue.qsize()),
        }


def _fact(incident: Incident) -> Fact:
    """Its receipt for the ledger. Of words only a commitment: short ones are guessed from a plain hash."""
    receipt: dict[str, JSON] = dict(incident.receipt)
    if incident.kind == Kind.CHAT:
        del receipt["content_sha256"]
    if incident.text:
        receipt["commitment"] = commitment(incident.salt, incident.text)
    data: dict[str, JSON] = {
        "id": incident.id,
        "kind": incident.kind,
        "done": incident.action,
        "person": incident.person,
        "line": incident.line,
        "receipt": receipt,
    }
    return Fact("incident", incident.lesson, incident.at_ms, data)

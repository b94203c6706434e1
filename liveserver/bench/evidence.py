"""What an evidence bundle costs this machine: `liveserver bench evidence --viewers N`. CPU time throughout.

The lesson of `bench_hours`, settled into a store on disk; its bundle made, and checked by the checker that
lies in it, with nothing but the standard library.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

from liveserver.bench.hours import lesson_facts
from liveserver.clock import Clock
from liveserver.core.bundle.check import check, check_ledger
from liveserver.hours.attendance import Attendance
from liveserver.ledger.bundles import Bundles
from liveserver.ledger.notary import Notary
from liveserver.ledger.signing import load_signer
from liveserver.store import Lesson, open_store

_START = 1_772_413_200_000  # 2026-03-02 09:00:00 in China
_FACTS_AT_ONCE = 1000
_LESSON_MS = 45 * 60_000
_HEAD_EVERY_S = 3600.0


def measure(viewers: int, tell: Callable[[str], None]) -> dict[str, Any]:
    """Seconds of CPU, and entries a second."""
    tell(f"a lesson of {viewers} learners")
    return asyncio.run(_measure(viewers, tell))


async def _nothing(key: str) -> AsyncGenerator[bytes, None]:
    """There are no recordings."""
    if key == "":
        yield b""


async def _measure(viewers: int, tell: Callable[[str], None]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="bench-evidence-") as name:
        folder = Path(name)
        store, clock = await open_store(f"sqlite:///{folder / 'live.db'}"), Clock()
        try:
            lesson = Lesson("lesson", "Lathes", "Li", "ended", _START, _START, _START + _LESSON_MS)
            await store.lessons.create(lesson)
            facts = lesson_facts(viewers)
            for start in range(0, len(facts), _FACTS_AT_ONCE):
                await store.append(facts[start : start + _FACTS_AT_ONCE])
            attendance = Attendance(store, clock)
            await attendance.settle(lesson, "ended")
            notary = Notary(store, clock, await load_signer(folder / "keys", store, 0), _HEAD_EVERY_S)
            bundles = Bundles(store, attendance, notary, clock, folder, _nothing)
            tell("the bundle is made")
            began = time.process_time()
            made = await bundles.make(lesson.id, None, "bench")
            done = time.process_time()
            tell("and checked")
            with made.file as file:
                report = check(file)
                checked_s = time.process_time() - done
                check_ledger(file)
                ledger_s = time.process_time() - done - checked_s
            if not report.fits:
                raise RuntimeError(f"the bundle does not fit: {report.misfit}")
            return {
                "bench": "evidence",
                "viewers": viewers,
                "entries": report.entries,
                "bundle_bytes": made.size,
                "made_s": round(done - began, 2),
                "checked_s": round(checked_s, 2),
                "ledger_s": round(ledger_s, 2),
                "ledger_entries_per_s": round(report.entries / ledger_s),
            }
        finally:
            await store.close()

"""Stored objects are read again, some each day, so that what is damaged is known before somebody asks for it.

Reading is done by a process of its own (`recorder.reverify`).
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from liveserver.clock import Clock
from liveserver.core.ledger import Fact
from liveserver.core.retention import DAY_MS, VERIFY_PERIOD_DAYS, verify_today
from liveserver.log import Event, get_logger
from liveserver.store import Store, StoredObject, StoreError
from recorder import options
from recorder.s3 import S3Settings

ROUND_S = 3_600.0
ROUND_MAX = 200  # objects of one round: the rest comes with the next
LATER_S = 60.0  # after a round that failed
_FIRST_S = 300.0  # after the start, when lessons come back
_INTACT = ("intact", "unreadable")
_log = get_logger()


class Rereading:
    """`folder` holds objects/; `bucket` is None where they stay there."""

    def __init__(self, store: Store, clock: Clock, folder: Path, bucket: S3Settings | None):
        self._store = store
        self._clock = clock
        self._folder = folder
        self._bucket = bucket
        self._task: asyncio.Task[None] | None = None
        self._damaged = 0

    def start(self) -> None:
        """Begin to read objects again, in rounds."""
        self._task = asyncio.create_task(self._rounds(), name="rereading")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def numbers(self) -> Mapping[str, float]:
        """For /metrics."""
        return {"damaged_objects_total": float(self._damaged)}

    async def _rounds(self) -> None:
        await asyncio.sleep(_FIRST_S)
        while True:
            pause_s = ROUND_S
            try:
                await self.read_again()
            except (StoreError, OSError, ValueError) as error:
                _log.error(Event.OBJECTS_READ_FAILED, error=str(error)[:200])
                pause_s = LATER_S
            await asyncio.sleep(pause_s)

    async def read_again(self) -> int:
        """One round: read what is due today, note and tell what was found; how many were read."""
        now_ms = self._clock.wall_ms()
        totals = await self._store.kept.totals(
            recent_since_ms=now_ms,
            unread_since_ms=now_ms - VERIFY_PERIOD_DAYS * DAY_MS,
            read_since_ms=now_ms - DAY_MS,
        )
        count = min(verify_today(totals.objects, totals.read_lately, totals.unread), ROUND_MAX)
        wanted = await self._store.kept.least_read(count) if count else []
        if not wanted:
            return 0
        verdicts = await self._read(wanted)
        facts: list[Fact] = []
        by_verdict: dict[str, int] = {}
        for one in wanted:
            answer = verdicts.get(one.key, {"verdict": "unreadable", "detail": "no answer"})
            verdict = answer["verdict"]
            by_verdict[verdict] = by_verdict.get(verdict, 0) + 1
            if verdict == "unreadable":
                continue  # an outage is no reading: it is asked for again
            await self._store.kept.note_read(one.key, now_ms, verdict)
            if verdict not in _INTACT:
                self._damaged += 1
                _log.error(Event.OBJECT_DAMAGED, recording=one.recording, object=one.key, verdict=verdict)
                data = {"recording": one.recording, "object": one.key, "sha256": one.sha256,
                        "verdict": verdict, "detail": answer["detail"],
                        "fragments": answer.get("fragments", [])}  # fmt: skip
                facts.append(Fact("object_damaged", one.key.partition("/")[0], now_ms, data))
        facts.append(Fact("objects_read", None, now_ms, {"count": len(wanted), "verdicts": by_verdict}))
        await self._store.append(facts)
        _log.info(Event.OBJECTS_READ, count=len(wanted), **by_verdict)
        return len(wanted)

    async def _read(self, wanted: Sequence[StoredObject]) -> dict[str, dict[str, Any]]:
        """Ask `recorder.reverify`; its answers by key. Raises OSError, ValueError."""
        command = [sys.executable, "-m", "recorder.reverify", "--data", str(self._folder)]
        process = await asyncio.create_subprocess_exec(
            *command,
            *options.arguments(self._bucket),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, **options.environment(self._bucket)},
        )
        try:
            lines = "".join(json.dumps(asdict(one)) + "\n" for one in wanted)
            output, _ = await process.communicate(lines.encode())
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        answers = [json.loads(line) for line in output.splitlines()]
        return {answer["key"]: answer for answer in answers}

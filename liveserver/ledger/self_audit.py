"""The server audits itself: the ledger against its witness, recordings against their hashes, on a schedule.

The check reads everything, so a process of its own does it (`liveserver.ledger.check`), at low priority. What
it found is a fact, so the report is as hard to change as the rest; what does not fit is an alarm until an
audit finds nothing.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from liveserver.clock import Clock
from liveserver.core.ledger import JSON, Fact
from liveserver.log import Event, get_logger
from liveserver.store import Store, StoreError

FACT = "self_audit"
FINDINGS_TOLD = 20
_FIRST_S = 600.0  # after the start: lessons come back first
_LATER_S = 300.0  # after one that could not be made
_COMMAND = ("nice", "-n", "10", sys.executable, "-m", "liveserver.ledger.check")
_log = get_logger()

Storage = Callable[[], Awaitable[Mapping[str, Any]]]


class SelfAudit:
    """`storage` says how many recordings are damaged or were not read for too long. On the main loop."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        storage: Storage,
        every_s: float,
        environment: Mapping[str, str],
        first_s: float = _FIRST_S,
    ):
        self._store = store
        self._clock = clock
        self._storage = storage
        self._every_s = every_s
        self._environment = environment
        self._first_s = min(first_s, every_s)
        self._task: asyncio.Task[None] | None = None
        self._findings = 0
        self._failed = 0
        self._made_at_ms = 0

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="self-audit")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def numbers(self) -> Mapping[str, float]:
        """For /metrics."""
        return {
            "findings": float(self._findings),
            "failed_total": float(self._failed),
            "last_at_seconds": self._made_at_ms / 1000,
        }

    async def audit(self) -> Mapping[str, JSON]:
        """Make one now. Raises StoreError, OSError, ValueError when it cannot be made."""
        checked, storage = await self._check(), await self._storage()
        damaged, overdue = int(storage["damaged_objects"]), int(storage["overdue_readings"])
        findings = checked["findings"]
        report: dict[str, JSON] = {
            "ok": bool(checked["ok"]) and not damaged,
            "size": checked["size"],
            "root": checked["root"],
            "log": checked["log"],
            "heads": checked["heads"],
            "witness": checked["witness"],
            "findings": [_told(finding) for finding in findings[:FINDINGS_TOLD]],
            "findings_total": len(findings),
            "weaknesses": checked["weaknesses"],
            "objects": int(storage["objects"]),
            "damaged_objects": damaged,
            "overdue_readings": overdue,
        }
        now_ms = self._clock.wall_ms()
        await self._store.append([Fact(FACT, None, now_ms, report)])
        self._findings, self._made_at_ms = len(findings) + damaged, now_ms
        if report["ok"]:
            _log.info(Event.AUDIT_MADE, entries=checked["size"], witness=checked["witness"])
        else:
            first = findings[0] if findings else {"problem": "object_damaged", "index": None}
            _log.error(
                Event.AUDIT_FOUND, findings=self._findings, problem=first["problem"], index=first["index"]
            )
        return report

    async def _run(self) -> None:
        pause_s = self._first_s
        while True:
            await asyncio.sleep(pause_s)
            try:
                await self.audit()
                pause_s = self._every_s
            except (StoreError, OSError, ValueError, KeyError) as error:
                self._failed += 1
                _log.error(Event.AUDIT_FAILED, error=str(error)[:200])
                pause_s = min(_LATER_S, self._every_s)

    async def _check(self) -> dict[str, Any]:
        process = await asyncio.create_subprocess_exec(
            *_COMMAND,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, **self._environment},
        )
        try:
            output, said = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            why = said.decode(errors="replace")[-200:]
            raise OSError(f"the check ended with {process.returncode}: {why}")
        report: dict[str, Any] = json.loads(output)
        return report


def _told(finding: Mapping[str, Any]) -> dict[str, JSON]:
    """A finding without its detail, which may be long; a fraction never is in one."""
    return {name: finding[name] for name in ("problem", "index", "count")}

"""A process that has read its program and waits for a line to begin: nine tenths of a start are done."""

from __future__ import annotations

import asyncio
import contextlib
from asyncio.subprocess import Process
from collections.abc import Awaitable, Callable

from liveserver.log import Event, get_logger

AFTER_S = 10.0  # when one has just started the machine has better to do
AGAIN_S = 60.0  # after one that could not be had, or ended by itself
_log = get_logger()


class Spare:
    """At most one. `launch` starts a process whose standard input is a pipe; `name` is for the log."""

    def __init__(
        self,
        name: str,
        launch: Callable[[], Awaitable[Process]],
        after_s: float = AFTER_S,
        again_s: float = AGAIN_S,
    ):
        self._name = name
        self._launch = launch
        self._after_s = after_s
        self._again_s = again_s
        self._process: Process | None = None
        self._preparing: asyncio.Task[None] | None = None

    def prepare(self) -> None:
        """Have one after a while, and another when it ends before it is taken."""
        self._preparing = asyncio.create_task(self._prepare(), name=f"spare {self._name}")

    async def take(self) -> Process | None:
        """Have it begin; None where there is none, or it is gone."""
        await self._let_be()
        process, self._process = self._process, None
        if process is None or process.returncode is not None or process.stdin is None:
            return None
        try:
            process.stdin.write(b"\n")
            await process.stdin.drain()
            process.stdin.close()
        except OSError:  # it died this moment
            await _end(process)
            return None
        return process

    async def stop(self) -> None:
        await self._let_be()
        if self._process is not None:
            await _end(self._process)

    async def _prepare(self) -> None:
        await asyncio.sleep(self._after_s)
        child = f"spare {self._name}"
        while True:
            try:
                self._process = await self._launch()
            except OSError as error:
                _log.error(Event.PROCESS_ENDED, child=child, reason=str(error))
            else:
                code = await self._process.wait()
                _log.error(Event.PROCESS_ENDED, child=child, pid=self._process.pid, code=code)
            await asyncio.sleep(self._again_s)

    async def _let_be(self) -> None:
        if self._preparing is not None:
            self._preparing.cancel()
            await asyncio.gather(self._preparing, return_exceptions=True)


async def _end(process: Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.wait()

"""One process of a server that is kept running: started again when it ends, killed when it is stopped.

It dies with this one (PR_SET_PDEATHSIG), however that ends. One that is stopped (SIGSTOP) is killed, so that
it never wakes beside the one that took its place.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
import time
from asyncio.subprocess import Process
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from liveserver.log import Event, get_logger
from liveserver.spare import AFTER_S, Spare
from liveserver.start import ExplainedError, StartError

READY_S = 60.0  # a slow disk and a migration
BACKOFF_FIRST_S = 0.1
BACKOFF_LAST_S = 5.0
STEADY_S = 30.0  # a child that ran so long starts over with the first backoff
FROZEN_S = 2.0  # stopped for so long it is replaced; with the start of another that is within 6 s (REL-R6)
_LOOK_S = 0.5
_LINE_BYTES = 65_536

_PR_SET_PDEATHSIG = 1
_prctl = ctypes.CDLL(None).prctl
_log = get_logger()


class Child:
    """One process that is kept running.

    `reports`: it prints one line when it is ready. `explains`: when it cannot start it has said why itself.
    `final`: the exit codes by which it says that it is done. `spare`: the command of one that waits for a
    line to begin, where another start has to be short.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Callable[[], Mapping[str, str]],
        *,
        stop_s: float,
        reports: bool = True,
        explains: bool = False,
        final: frozenset[int] = frozenset(),
        spare: Sequence[str] = (),
        spare_after_s: float = AFTER_S,
    ):
        self.name = name
        self.restarts = 0
        self.line = b""
        self._command = command
        self._environment = environment
        self._stop_s = stop_s
        self._reports = reports
        self._explains = explains
        self._final = final
        self._spare = Spare(name, lambda: self._launch(spare), spare_after_s) if spare else None
        self._process: Process | None = None
        self._drained: asyncio.Task[None] | None = None
        self._kept: asyncio.Task[None] | None = None
        self._watched: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    async def start(self) -> bytes:
        """Start it and keep it running; returns its first line. Raises `StartError` if there is none."""
        await self._spawn()
        self._kept = asyncio.create_task(self._keep(), name=f"keeping {self.name}")
        self._watched = asyncio.create_task(self._watch(), name=f"watching {self.name}")
        return self.line

    async def let_go(self) -> None:
        """Do not start it again."""
        for task in (self._kept, self._watched):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        if self._spare is not None:
            await self._spare.stop()

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL after `stop_s`."""
        await self.let_go()
        await self._end()

    async def _launch(self, command: Sequence[str], stdin: int = asyncio.subprocess.PIPE) -> Process:
        parent = os.getpid()
        process = await asyncio.create_subprocess_exec(
            *command,
            env=dict(self._environment()),
            stdin=stdin,
            stdout=asyncio.subprocess.PIPE if self._reports else sys.stderr,
            limit=_LINE_BYTES,
            preexec_fn=lambda: _tie_to(parent),
            process_group=0,  # Ctrl-C is the supervisor's: it stops the node first, then the recorder
        )
        return process

    async def _spawn(self) -> None:
        process = await self._spare.take() if self._spare is not None else None
        if process is None:
            process = await self._launch(self._command, asyncio.subprocess.DEVNULL)
        self._process = process
        _log.info(Event.PROCESS_STARTED, child=self.name, pid=process.pid)
        await self._until_ready(process)
        if self._spare is not None:
            self._spare.prepare()

    async def _until_ready(self, process: Process) -> None:
        if process.stdout is None:
            return
        try:
            async with asyncio.timeout(READY_S):
                self.line = await process.stdout.readline()
        except TimeoutError:
            await self._end()
            raise StartError(f"the {self.name} was not ready within {READY_S:.0f} s") from None
        if not self.line:
            code = await process.wait()
            why = f"the {self.name} did not start (exit code {code})"
            raise ExplainedError(why) if self._explains and code == 1 else StartError(why)
        self._drained = asyncio.create_task(_drain(process.stdout), name=f"output of {self.name}")

    async def _keep(self) -> None:
        """Start it again whenever it ends, at first at once, then ever slower."""
        backoff_s = BACKOFF_FIRST_S
        while True:
            assert self._process is not None
            since = time.monotonic()
            code = await self._process.wait()
            if code in self._final:
                return
            _log.error(Event.PROCESS_ENDED, child=self.name, pid=self._process.pid, code=code)
            if time.monotonic() - since > STEADY_S:
                backoff_s = BACKOFF_FIRST_S
            while True:
                await asyncio.sleep(backoff_s)
                backoff_s = min(backoff_s * 2, BACKOFF_LAST_S)
                self.restarts += 1
                _log.warning(Event.PROCESS_RESTARTING, child=self.name, restarts=self.restarts)
                try:
                    await self._spawn()
                except (StartError, OSError) as error:
                    _log.error(Event.PROCESS_ENDED, child=self.name, reason=str(error))
                    continue
                break

    async def _watch(self) -> None:
        """Kill it when it is stopped: that cannot be waited for, and `_keep` starts another."""
        since_s: float | None = None
        while True:
            await asyncio.sleep(_LOOK_S)
            process = self._process
            if process is None or process.returncode is not None or not _is_stopped(process.pid):
                since_s = None
                continue
            since_s = since_s or time.monotonic()
            if time.monotonic() - since_s >= FROZEN_S - _LOOK_S:
                _log.error(Event.PROCESS_FROZEN, child=self.name, pid=process.pid)
                process.kill()
                since_s = None

    async def _end(self) -> None:
        process = self._process
        if process is None:
            return
        if process.returncode is None:
            process.terminate()
            try:
                async with asyncio.timeout(self._stop_s):
                    await process.wait()
            except TimeoutError:
                _log.error(Event.PROCESS_KILLED, child=self.name, pid=process.pid)
                process.kill()
                await process.wait()
        if self._drained is not None:
            await self._drained


def _tie_to(parent: int) -> None:
    """In the child before exec: die with the parent; leave Ctrl-C, which the terminal sends to all, to it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before we asked
        os._exit(1)


def _is_stopped(pid: int) -> bool:
    """Whether a process is stopped by a signal (proc(5): state T; a debugger that holds it shows t)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state == "T"


async def _drain(output: asyncio.StreamReader) -> None:
    """A child says one line; what else it may print must not fill the pipe."""
    while await output.read(_LINE_BYTES):
        pass

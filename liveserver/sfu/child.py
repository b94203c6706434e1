"""The node's end of a confined child process: started, written to, read, started again when it fails.

Nothing here waits: what is sent goes into a queue, whose bound is the owner's business. What the child sends
is untrusted; what does not add up ends it (`liveserver.confined.framing`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from liveserver.clock import Clock
from liveserver.confined.environment import bare_environment
from liveserver.confined.framing import WireError
from liveserver.log import Event, get_logger

STEADY_NS = 60_000_000_000  # having run so long, its next failure counts as the first
_READ_BYTES = 65_536
_SECOND_NS = 1_000_000_000
_HUNG_UP = "its end of the socket is closed"
_CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
_log = get_logger()

M = TypeVar("M")
M_contra = TypeVar("M_contra", contravariant=True)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a child may do. `pauses_s`: before each further start, then it is given up, unless `for_ever`
    repeats the last. `bytes_per_s` and `parts_per_s` are what it may send."""

    pauses_s: Sequence[float]
    bytes_per_s: int
    parts_per_s: int
    for_ever: bool = False


class Owner(Protocol[M_contra]):
    """Whose child it is. Called on the main loop; must not block."""

    def begun(self) -> None:
        """A process is about to be started: what was known of the one before is void."""

    def heard(self, message: M_contra) -> None:
        """It said something. Raises `WireError` when that is out of turn: it is ended then."""

    def interrupted(self, why: str) -> None:
        """The process has ended by itself or was ended; another may follow."""

    def failed(self) -> None:
        """It failed too often: no other follows."""


class Child(Generic[M]):
    """One process at a time; `run` is its life. `restarts` counts the starts after the first.

    `decoding` makes what turns the bytes of one process into messages, `parts` counts what is in a message.
    """

    def __init__(
        self,
        command: Sequence[str],
        owner: Owner[M],
        clock: Clock,
        bounds: Bounds,
        decoding: Callable[[], Callable[[bytes], Sequence[M]]],
        *,
        parts: Callable[[M], int] = lambda _: 1,
        trouble: Event,
    ):
        self.restarts = 0
        self.exit_code: int | None = None  # of the process before, negative: the signal that ended it
        self.is_ended = False  # and whether its owner ended it, or what it sent did
        self.pid: int | None = None
        self.queued_bytes = 0
        self.started_ns = clock.monotonic_ns()
        self._command = command
        self._owner = owner
        self._clock = clock
        self._bounds = bounds
        self._decoding = decoding
        self._parts = parts
        self._trouble = trouble
        self._process: asyncio.subprocess.Process | None = None
        self._link: socket.socket | None = None
        self._closing = asyncio.Event()
        self._forget()

    def _forget(self) -> None:
        self._why = ""
        self.is_ended = self._is_settled = False
        self._decode = self._decoding()
        self._queue: deque[bytes] = deque()
        self.queued_bytes = 0
        self.started_ns = self._clock.monotonic_ns()
        self._second_ns = self._second_bytes = self._second_parts = 0

    @property
    def is_running(self) -> bool:
        """Whether there is a process that is not being ended."""
        return self._process is not None and not self._why

    async def run(self) -> None:
        """Until `close`, or until the process failed too often."""
        for pause_s in self._pauses():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), pause_s)
            if self._closing.is_set():
                return
            await self._run_once()
            if self._closing.is_set():
                return
            self._owner.interrupted(self._why)
        self._owner.failed()

    def settle(self) -> None:
        """It has shown that it can work: when it ends, that counts as its first failure."""
        self._is_settled = True

    def vitals(self) -> tuple[str, float]:
        """The state of its process (proc(5): R, S, D, T …) and the CPU seconds that it has used."""
        try:
            fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return "X", 0.0
        return fields[0], (int(fields[11]) + int(fields[12])) / _CLOCK_TICKS

    def close(self) -> None:
        """End it at once; `run` returns soon."""
        self._closing.set()
        self.end("closed")

    def end(self, why: str) -> None:
        """Kill the process; another may follow. Once: what is killed need not be killed again."""
        if self.is_running:
            self.is_ended = True
            self._kill(why)

    def _kill(self, why: str) -> None:
        if self.is_running and self._process is not None:
            self._why = why
            # Not `kill()`: Popen's would reap a process that is dead already, and its exit code were lost.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)

    def send(self, message: bytes) -> None:
        """Queue what a process that runs is to be told."""
        if not self._queue and self._link is not None:
            asyncio.get_running_loop().add_writer(self._link.fileno(), self._writable)
        self._queue.append(message)
        self.queued_bytes += len(message)
        self._writable()

    def _pauses(self) -> Iterator[float]:
        """How long to wait before each start."""
        failures, pauses_s = 0, self._bounds.pauses_s
        while failures < len(pauses_s) or self._bounds.for_ever:
            yield pauses_s[min(failures, len(pauses_s) - 1)]
            lasted_ns = self._clock.monotonic_ns() - self.started_ns
            failures = 1 if self._is_settled or lasted_ns > STEADY_NS else failures + 1
            self.restarts += failures < len(pauses_s) or self._bounds.for_ever

    async def _run_once(self) -> None:
        self._forget()
        self._owner.begun()
        ours, theirs = socket.socketpair()
        with ours:
            ours.setblocking(False)
            with theirs:
                try:
                    process = await asyncio.create_subprocess_exec(
                        *self._command,
                        stdin=theirs.fileno(),
                        stdout=asyncio.subprocess.DEVNULL,
                        stderr=asyncio.subprocess.DEVNULL,
                        env=bare_environment(),
                    )
                except OSError as error:
                    self._why = error.strerror or "it cannot be started"
                    return
            self._process, self.pid, self._link = process, process.pid, ours
            loop = asyncio.get_running_loop()
            loop.add_reader(ours.fileno(), self._readable)
            try:
                if self._closing.is_set():
                    self.end("closed")
                self.exit_code = code = await process.wait()
                self._why = f"{self._why}, exit code {code}" if self._why else f"exit code {code}"
            finally:
                if process.returncode is None:
                    process.kill()
                loop.remove_reader(ours.fileno())
                loop.remove_writer(ours.fileno())
                self._process = self._link = self.pid = None

    def _writable(self) -> None:
        link = self._link
        if link is None:
            return
        try:
            while self._queue:
                sent = link.send(self._queue[0])
                self.queued_bytes -= sent
                if sent == len(self._queue[0]):
                    self._queue.popleft()
                else:
                    self._queue[0] = self._queue[0][sent:]
        except BlockingIOError:
            return
        except OSError:
            self._kill(_HUNG_UP)
        asyncio.get_running_loop().remove_writer(link.fileno())

    def _readable(self) -> None:
        link = self._link
        if link is None:
            return
        try:
            data = link.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(link.fileno())
            self._kill(_HUNG_UP)
            return
        try:
            messages = self._decode(data)
            self._account(len(data), sum(map(self._parts, messages)))
            for message in messages:
                if not self._closing.is_set() and self.is_running:
                    self._owner.heard(message)
            return
        except WireError as error:
            why = f"it sends what it should not: {error}"
        except Exception:  # the boundary of a process: what it sent must not reach beyond what it serves
            _log.exception(self._trouble, pid=self.pid)
            why = "what it sent could not be used"
        asyncio.get_running_loop().remove_reader(link.fileno())
        self.end(why)

    def _account(self, size: int, parts: int) -> None:
        """Raises `WireError` when it sends more than its work needs."""
        now_ns = self._clock.monotonic_ns()
        if now_ns - self._second_ns >= _SECOND_NS:
            self._second_ns, self._second_bytes, self._second_parts = now_ns, 0, 0
        self._second_bytes += size
        self._second_parts += parts
        if self._second_bytes > self._bounds.bytes_per_s or self._second_parts > self._bounds.parts_per_s:
            raise WireError("too much")

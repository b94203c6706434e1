"""The node's end of a transcode process: started, fed, watched, started again when it fails.

Nothing here waits: frames go into a bounded queue, and a process that does not follow loses frames up to the
next keyframe. What the process sends is untrusted; what does not add up ends it (`transcode/wire.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from typing import Protocol

from liveserver.clock import Clock
from liveserver.log import Event, get_logger
from liveserver.transcode.wire import (
    Decoder,
    Forget,
    Frame,
    Lost,
    Picture,
    Ready,
    ToNode,
    ToProcess,
    WantKeyframe,
    WireError,
    encode,
)

QUEUE_BYTES = 2_000_000  # encoded frames waiting for the process: some seconds of a class
READY_NS = 15_000_000_000  # a busy machine starts a Python process within seconds
SILENCE_NS = 5_000_000_000  # fed for so long without an answer, it hangs
STEADY_NS = 60_000_000_000  # having run so long, its next failure counts as the first
BACKOFF_S = (0.0, 0.5, 1.0, 2.0, 5.0)  # before each further start; then it is given up
# What the process may send: more than camera and screen need at the greatest bit rate there is to configure.
MAX_BYTES_PER_S = 8_000_000
MAX_PARTS_PER_S = 10_000  # messages and packets
_READ_BYTES = 65_536
_SECOND_NS = 1_000_000_000
_log = get_logger()
# Nothing of the node's environment, where secrets may be, but what finds Python and its libraries.
_ENVIRONMENT = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "LANG", "LC_ALL")


class Listener(Protocol):
    """Who owns a transcoder. Called on the main loop; must not block."""

    def ready(self) -> None:
        """A process runs and has seen nothing yet."""

    def produced(self, picture: Picture) -> None: ...

    def lost(self, track: str) -> None:
        """The process waits for a keyframe of the source."""

    def interrupted(self, why: str) -> None:
        """The process has ended by itself or was ended; another may follow."""

    def failed(self) -> None:
        """It failed too often: no other follows."""


class Transcoder:
    """One process at a time; `run` is its life. `restarts` counts the starts after the first."""

    def __init__(self, command: Sequence[str], listener: Listener, clock: Clock):
        self.counters: Counter[str] = Counter()
        self.restarts = 0
        self.pid: int | None = None
        self._command = command
        self._listener = listener
        self._clock = clock
        self._process: asyncio.subprocess.Process | None = None
        self._link: socket.socket | None = None
        self._why = ""
        self._closing = asyncio.Event()
        self._forget_process()

    def _forget_process(self) -> None:
        self.is_ready = False
        self._decoder = Decoder()
        self._queue: deque[bytes] = deque()
        self._queued_bytes = 0
        self._skipping: set[str] = set()  # tracks that wait for their next keyframe
        self._unanswered: dict[str, int] = {}  # track → when it was fed first since its last picture
        self._started_ns = self._clock.monotonic_ns()
        self._second_ns = self._second_bytes = self._second_parts = 0

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
            self._listener.interrupted(self._why)
        self._listener.failed()

    def _pauses(self) -> Iterator[float]:
        """How long to wait before each start."""
        failures = 0
        while failures < len(BACKOFF_S):
            yield BACKOFF_S[failures]
            lasted_ns = self._clock.monotonic_ns() - self._started_ns
            failures = 1 if lasted_ns > STEADY_NS else failures + 1
            self.restarts += failures < len(BACKOFF_S)

    async def _run_once(self) -> None:
        self._forget_process()
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
                        env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
                    )
                except OSError as error:
                    self._why = error.strerror or "it cannot be started"
                    return
            self._why = ""
            self._process, self.pid, self._link = process, process.pid, ours
            loop = asyncio.get_running_loop()
            loop.add_reader(ours.fileno(), self._readable)
            try:
                if self._closing.is_set():
                    self._end("closed")
                code = await process.wait()
                self._why = f"{self._why}, exit code {code}" if self._why else f"exit code {code}"
            finally:
                if process.returncode is None:
                    process.kill()
                loop.remove_reader(ours.fileno())
                loop.remove_writer(ours.fileno())
                self._process = self._link = self.pid = None
                self.is_ready = False

    def close(self) -> None:
        """End it at once; `run` returns soon."""
        self._closing.set()
        self._end("closed")

    def feed(self, frame: Frame) -> bool:
        """Queue one frame. False: there is no process, or it cannot follow (up to the next keyframe)."""
        if not self.is_ready:
            return False
        message = encode(frame)
        is_full = self._queued_bytes + len(message) > QUEUE_BYTES
        if is_full or (frame.track in self._skipping and not frame.keyframe):
            self._skipping.add(frame.track)
            self.counters["dropped"] += 1
            return False
        self._skipping.discard(frame.track)
        self.counters["fed"] += 1
        self._unanswered.setdefault(frame.track, self._clock.monotonic_ns())
        self._send(message)
        return True

    def want_keyframe(self, track: str) -> None:
        self._tell(WantKeyframe(track))

    def forget(self, track: str) -> None:
        self._unanswered.pop(track, None)
        self._tell(Forget(track))

    def watch(self, now_ns: int) -> None:
        """Several times a second: end a process that hangs."""
        if self._process is None:
            return
        if not self.is_ready:
            if now_ns - self._started_ns > READY_NS:
                self._end("it did not become ready")
        elif any(now_ns - fed_ns > SILENCE_NS for fed_ns in self._unanswered.values()):
            self._end("it is fed and sends nothing")

    def _tell(self, message: ToProcess) -> None:
        if self.is_ready and self._queued_bytes < QUEUE_BYTES:
            self._send(encode(message))

    def _end(self, why: str) -> None:
        self.is_ready = False
        if self._process is not None and not self._why:  # once: what is killed need not be killed again
            self._why = why
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    # --- the socket ---

    def _send(self, message: bytes) -> None:
        if not self._queue and self._link is not None:
            asyncio.get_running_loop().add_writer(self._link.fileno(), self._writable)
        self._queue.append(message)
        self._queued_bytes += len(message)
        self._writable()

    def _writable(self) -> None:
        link = self._link
        if link is None:
            return
        try:
            while self._queue:
                sent = link.send(self._queue[0])
                self._queued_bytes -= sent
                if sent == len(self._queue[0]):
                    self._queue.popleft()
                else:
                    self._queue[0] = self._queue[0][sent:]
        except BlockingIOError:
            return
        except OSError:
            self._end("its end of the socket is closed")
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
            self._end("its end of the socket is closed")
            return
        try:
            messages = self._decoder.feed(data)
            parts = sum(len(m.payloads) if isinstance(m, Picture) else 1 for m in messages)
            self._account(len(data), parts)
            for message in messages:
                self._heard(message)
        except WireError as error:
            asyncio.get_running_loop().remove_reader(link.fileno())
            self._end(f"it sends what it should not: {error}")
        except Exception:  # the boundary of a process: what it sent must not reach beyond its lesson
            _log.exception(Event.TRANSCODE_FAILED, pid=self.pid)
            asyncio.get_running_loop().remove_reader(link.fileno())
            self._end("what it sent could not be used")

    def _account(self, size: int, parts: int) -> None:
        """Raises `WireError` when it sends more than any picture needs."""
        now_ns = self._clock.monotonic_ns()
        if now_ns - self._second_ns >= _SECOND_NS:
            self._second_ns, self._second_bytes, self._second_parts = now_ns, 0, 0
        self._second_bytes += size
        self._second_parts += parts
        if self._second_bytes > MAX_BYTES_PER_S or self._second_parts > MAX_PARTS_PER_S:
            raise WireError("too much")

    def _heard(self, message: ToNode | ToProcess) -> None:
        if self._closing.is_set() or self._why:
            return
        if isinstance(message, Ready) and not self.is_ready:
            self.is_ready = True
            self._listener.ready()
        elif isinstance(message, Picture) and self.is_ready:
            self._unanswered.pop(message.track, None)
            self.counters["pictures"] += 1
            self._listener.produced(message)
        elif isinstance(message, Lost) and self.is_ready:
            self.counters["lost"] += 1
            self._unanswered.pop(message.track, None)
            self._skipping.add(message.track)
            self._listener.lost(message.track)
        else:
            raise WireError(f"{type(message).__name__} out of turn")


def transcode_command(max_bitrate_bps: int) -> list[str]:
    """How the process is started."""
    return [sys.executable, "-m", "liveserver.transcode", str(max_bitrate_bps)]

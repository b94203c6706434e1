"""The bus over several nodes: what is said here is heard here at once, elsewhere over every line there is.

A line is a way to the other nodes (Redis, or the database they share). Each carries everything, so the nodes
hear each other while any one of them works. Once a second a line is sent a beat; when that comes back, what
others said before it has come too, and `heard_ns` moves on.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import threading
import time
from asyncio import AbstractEventLoop
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any, Protocol

import uvloop

from liveserver.bus.envelope import Doorkeeper, Envelope, EnvelopeError, seal, unseal
from liveserver.bus.memory import MemoryBus

OUTGOING = 1024
"""Messages that may wait for a line; the newest matter most, so the oldest go."""
_BEAT = "bus.beat"
_BEAT_S = 1.0
_SILENCE_S = 3.0  # without a beat of ours coming back a line is lost
_BACKOFF_FIRST_S, _BACKOFF_MOST_S = 0.1, 2.0


class LineError(Exception):
    """The line is broken, or could not be opened."""


class Wire(Protocol):
    """An open line. Both raise LineError."""

    async def send(self, text: str) -> None: ...

    async def receive(self) -> str: ...


class Line(Protocol):
    """A way to the other nodes. `max_bytes`: of one message."""

    @property
    def name(self) -> str: ...

    @property
    def max_bytes(self) -> int: ...

    def open(self) -> AbstractAsyncContextManager[Wire]: ...


class _Lane:
    """One line as the bus sees it. Everything but `heard_ns` belongs to the bus's own loop."""

    def __init__(self, line: Line):
        self.line = line
        self.outgoing: deque[str] = deque()
        self.more = asyncio.Event()
        self.heard_ns = 0
        self.sent_ns: deque[tuple[int, int]] = deque(maxlen=16)  # beats under way: number, when

    def put(self, text: str) -> bool:
        """Whether nothing had to give way."""
        has_room = len(self.outgoing) < OUTGOING
        if not has_room:
            self.outgoing.popleft()
        self.outgoing.append(text)
        self.more.set()
        return has_room


class SharedBus:
    """Fits `bus.Bus`. Topics in `shared` reach the other nodes, all others stay here.

    `key` signs; `tell(event, line, reason)` hears of lines that come and go, from the bus's thread.
    """

    def __init__(
        self,
        lines: Sequence[Line],
        key: bytes,
        shared: frozenset[str],
        tell: Callable[[str, str, str], None] = lambda event, line, reason: None,
    ):
        self.node = secrets.token_hex(6)
        self.counters: Counter[str] = Counter()
        self._local = MemoryBus()
        self._key = key
        self._shared = shared
        self._tell = tell
        self._lanes = [_Lane(line) for line in lines]
        self._door = Doorkeeper()
        self._seq = 0
        self._seq_lock = threading.Lock()
        self._loop = uvloop.new_event_loop()
        self._closing = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="bus", daemon=True)
        self._thread.start()

    # --- from any thread ---

    def publish(self, topic: str, message: Mapping[str, Any]) -> None:
        self._local.publish(topic, message)
        if topic in self._shared:
            text = self._seal(topic, message)
            with suppress(RuntimeError):  # closed
                self._loop.call_soon_threadsafe(self._put, text)

    def subscribe(
        self, topic: str, callback: Callable[[dict[str, Any]], None], loop: AbstractEventLoop
    ) -> Callable[[], None]:
        return self._local.subscribe(topic, callback, loop)

    def healthy(self) -> bool:
        heard_s = (time.monotonic_ns() - self.heard_ns()) / 1e9
        return self._local.healthy() and heard_s < _SILENCE_S

    def heard_ns(self) -> int:
        return max(lane.heard_ns for lane in self._lanes)

    def numbers(self) -> dict[str, float]:
        """For /metrics."""
        now_ns = time.monotonic_ns()
        up = sum(now_ns - lane.heard_ns < _SILENCE_S * 1e9 for lane in self._lanes)
        counted = {f"{name}_total": float(count) for name, count in self.counters.items()}
        return {"lines": float(len(self._lanes)), "lines_up": float(up), **counted}

    def close(self) -> None:
        self._local.close()
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join(timeout=5)

    # --- on the bus's loop ---

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._main())

    async def _main(self) -> None:
        keeping = [asyncio.create_task(self._keep(lane), name=lane.line.name) for lane in self._lanes]
        await self._closing.wait()
        for task in keeping:
            task.cancel()
        await asyncio.gather(*keeping, return_exceptions=True)

    async def _keep(self, lane: _Lane) -> None:
        """Open the line again whenever it breaks, ever slower, but never slower than every 2 s."""
        backoff_s = _BACKOFF_FIRST_S
        while True:
            reason = "closed"
            try:
                async with lane.line.open() as wire:
                    self._tell("connected", lane.line.name, "")
                    backoff_s = _BACKOFF_FIRST_S
                    await self._use(lane, wire)
            except (LineError, TimeoutError) as error:
                reason = str(error) or "no answer"
            except Exception as error:  # a line's library has surprises; whatever it was, the line is lost
                reason = f"{type(error).__name__}: {error}"
            self._tell("lost", lane.line.name, reason)
            await asyncio.sleep(backoff_s * random.uniform(0.5, 1.0))  # noqa: S311 - spread, not secret
            backoff_s = min(2 * backoff_s, _BACKOFF_MOST_S)

    async def _use(self, lane: _Lane, wire: Wire) -> None:
        """Until one of the three fails."""
        parts = (self._send(lane, wire), self._receive(lane, wire), self._beat(lane))
        tasks = [asyncio.ensure_future(part) for part in parts]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _send(self, lane: _Lane, wire: Wire) -> None:
        while True:
            lane.more.clear()
            while lane.outgoing:
                async with asyncio.timeout(_SILENCE_S):
                    await wire.send(lane.outgoing[0])
                lane.outgoing.popleft()
            await lane.more.wait()

    async def _receive(self, lane: _Lane, wire: Wire) -> None:
        while True:
            text = await wire.receive()
            try:
                self._hear(lane, unseal(text, self._key))
            except EnvelopeError as error:
                self.counters[str(error)] += 1

    async def _beat(self, lane: _Lane) -> None:
        """Say something once a second, and miss it when it does not come back."""
        began_ns = time.monotonic_ns()
        while True:
            number = self._next()
            lane.sent_ns.append((number, time.monotonic_ns()))
            beat = Envelope(self.node, number, time.time_ns() // 1_000_000, _BEAT, {})
            lane.put(seal(beat, self._key))
            await asyncio.sleep(_BEAT_S)
            if time.monotonic_ns() - max(began_ns, lane.heard_ns) > _SILENCE_S * 1e9:
                raise LineError("what is said does not come back")

    def _hear(self, lane: _Lane, envelope: Envelope) -> None:
        if envelope.node == self.node:
            if envelope.topic == _BEAT:
                sent_ns = next((at for number, at in lane.sent_ns if number == envelope.seq), 0)
                lane.heard_ns = max(lane.heard_ns, sent_ns)
            return
        self._door.admit(envelope, time.time_ns() // 1_000_000)
        if envelope.topic in self._shared:
            self._local.publish(envelope.topic, envelope.message)

    def _put(self, text: str) -> None:
        size = len(text.encode())
        for lane in self._lanes:
            if size > lane.line.max_bytes:
                self.counters["large"] += 1
            elif not lane.put(text):
                self.counters["dropped"] += 1

    def _seal(self, topic: str, message: Mapping[str, Any]) -> str:
        envelope = Envelope(self.node, self._next(), time.time_ns() // 1_000_000, topic, message)
        return seal(envelope, self._key)

    def _next(self) -> int:
        with self._seq_lock:
            self._seq += 1
            return self._seq

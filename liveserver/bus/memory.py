"""The bus inside one process: threads and event loops of one node."""

from __future__ import annotations

import json
import time
from asyncio import AbstractEventLoop
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from threading import Lock
from typing import Any

BACKLOG = 1024
"""Messages a subscriber may be behind: seconds of a busy node. The newest matter most, so the oldest go."""


class _Subscription:
    """One subscriber: its backlog, emptied on its own loop."""

    def __init__(self, callback: Callable[[dict[str, Any]], None], loop: AbstractEventLoop):
        self._callback = callback
        self._loop = loop
        self._waiting: deque[str] = deque()
        self._lock = Lock()
        self._scheduled = False
        self._stopped = False
        self.dropped = 0

    def deliver(self, text: str) -> bool:
        """Queue a message from any thread; False if the loop is closed and nobody will ever read it."""
        with self._lock:
            if self._stopped:
                return False
            if len(self._waiting) >= BACKLOG:
                self._waiting.popleft()
                self.dropped += 1
            self._waiting.append(text)
            if self._scheduled:
                return True
            # One wake-up whatever the backlog, so a blocked loop's own queue stays bounded too.
            try:
                self._loop.call_soon_threadsafe(self._drain)
            except RuntimeError:
                self._stopped = True
                return False
            self._scheduled = True
            return True

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
            self._waiting.clear()

    def _drain(self) -> None:
        """On the loop: what waits now; what is published meanwhile gets a wake-up of its own."""
        with self._lock:
            self._scheduled = False
            texts = list(self._waiting)
            self._waiting.clear()
        for text in texts:
            if self._stopped:
                return
            try:
                self._callback(json.loads(text))
            except Exception as error:
                # One message's failure is reported as the loop reports all of them; the next still arrives.
                self._loop.call_exception_handler({"message": "bus subscriber failed", "exception": error})


class MemoryBus:
    """Topics and their subscribers; every method may be called from any thread.

    Messages travel as JSON text, as they will between processes: nothing is shared by accident.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._topics: dict[str, list[_Subscription]] = {}
        self._closed = False
        self._closed_ns: int | None = None
        self._dropped_before = 0

    def publish(self, topic: str, message: Mapping[str, Any]) -> None:
        text = json.dumps(dict(message), ensure_ascii=False, allow_nan=False)
        with self._lock:
            subscriptions = tuple(self._topics.get(topic, ()))
        for subscription in subscriptions:
            if not subscription.deliver(text):
                self._remove(topic, subscription)

    def subscribe(
        self, topic: str, callback: Callable[[dict[str, Any]], None], loop: AbstractEventLoop
    ) -> Callable[[], None]:
        subscription = _Subscription(callback, loop)
        with self._lock:
            if self._closed:
                raise RuntimeError("the bus is closed")
            self._topics.setdefault(topic, []).append(subscription)
        return partial(self._remove, topic, subscription)

    def healthy(self) -> bool:
        return not self._closed

    def heard_ns(self) -> int:
        return time.monotonic_ns() if self._closed_ns is None else self._closed_ns

    @property
    def dropped(self) -> int:
        """Messages lost to subscribers that did not keep up, since the start."""
        with self._lock:
            return self._dropped_before + sum(s.dropped for row in self._topics.values() for s in row)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._closed_ns = self._closed_ns or time.monotonic_ns()
            everyone = [(topic, s) for topic, row in self._topics.items() for s in row]
        for topic, subscription in everyone:
            self._remove(topic, subscription)

    def _remove(self, topic: str, subscription: _Subscription) -> None:
        subscription.stop()
        with self._lock:
            row = self._topics.get(topic, [])
            if subscription in row:
                row.remove(subscription)
                self._dropped_before += subscription.dropped
                if not row:
                    del self._topics[topic]

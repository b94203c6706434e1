"""Messages between the parts of a node, and later between nodes, off the media path.

Nothing that must last travels here alone: a cut has its kill file, a fact its ledger entry. The bus only
makes others look sooner.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from liveserver.bus.memory import MemoryBus
from liveserver.bus.postgresql import PostgresqlLine
from liveserver.bus.redis import RedisLine
from liveserver.bus.shared import Line, SharedBus

Message = Mapping[str, Any]
Callback = Callable[[dict[str, Any]], None]


class Bus(Protocol):
    """What every bus does, in one process or over many."""

    def publish(self, topic: str, message: Message) -> None:
        """Hand a JSON object to every subscriber of `topic`; from any thread, never blocks.

        Raises TypeError or ValueError if `message` is not JSON: that is the caller's own mistake.
        """

    def subscribe(self, topic: str, callback: Callback, loop: AbstractEventLoop) -> Callable[[], None]:
        """Call `callback` on `loop` with each message of `topic`, in order; returns how to stop that.

        From any thread. Each subscriber gets an object of its own. One that does not keep up loses the
        oldest messages first.
        """

    def healthy(self) -> bool:
        """Whether what is published now reaches the subscribers."""

    def heard_ns(self) -> int:
        """CLOCK_MONOTONIC ns up to which everybody's messages are known to have come here.

        In one process that is now. From any thread.
        """

    def close(self) -> None:
        """Deliver nothing more. May be called twice."""


__all__ = ["Bus", "Callback", "Line", "MemoryBus", "Message", "PostgresqlLine", "RedisLine", "SharedBus"]

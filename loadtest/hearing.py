"""When something that is said to many reached each of them, by the kernel's clock.

A generator that is busy reading would look like a slow server; the kernel's note at arrival (SO_TIMESTAMPNS)
does not. Both ends have to be on one machine for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import Callable, Sequence
from typing import Any

ARRIVE_S = 15.0
_SO_TIMESTAMPNS = 35  # <asm-generic/socket.h>, which the socket module does not name
_STAMP = struct.calcsize("=qq")
_CONTROL = socket.CMSG_SPACE(_STAMP)

Report = dict[str, Any]


def stamp_arrivals(ours: socket.socket) -> None:
    """From now on `received` knows when the kernel had it."""
    ours.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)


def received(ours: socket.socket, size: int) -> tuple[bytes, int]:
    """What has come, and when: nanoseconds of CLOCK_REALTIME; now, where the kernel does not say. OSError."""
    data, control, _, _ = ours.recvmsg(size, _CONTROL)
    for level, kind, stamp in control:
        if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS and len(stamp) >= _STAMP:
            seconds, nanoseconds = struct.unpack_from("=qq", stamp)
            return data, int(seconds * 1_000_000_000 + nanoseconds)
    return data, time.time_ns()


class Hearing:
    """One text at a time, said to many."""

    def __init__(self) -> None:
        self._marker: bytes | None = None
        self._awaited = 0
        self._arrived_ns: list[int] = []
        self._all_there = asyncio.Event()

    def told(self, payload: bytes, at_ns: int) -> bool:
        """Somebody got `payload`; whether it is what is waited for."""
        if self._marker is None or self._marker not in payload:
            return False
        self._arrived_ns.append(at_ns)
        if len(self._arrived_ns) >= self._awaited:
            self._all_there.set()
        return True

    async def hear(self, marker: bytes, by: int, cause: Callable[[], Any]) -> Report:
        """How many of `by` are told a text with `marker` in it after `cause`, and how long after."""
        self._arrived_ns.clear()
        self._all_there.clear()
        self._marker, self._awaited = marker, by
        began_ns = time.time_ns()
        done = cause()
        if asyncio.iscoroutine(done):
            await done
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._all_there.wait(), ARRIVE_S)
        self._marker = None
        return {"told": len(self._arrived_ns)} | quantiles([at - began_ns for at in self._arrived_ns])


def quantiles(values_ns: Sequence[int]) -> Report:
    """First, p50, p99 and the longest, in milliseconds; nothing of nothing."""
    if not values_ns:
        return {}
    ordered = sorted(values_ns)
    found = {"p50_ms": 0.5, "p99_ms": 0.99}
    report: Report = {
        name: round(ordered[max(0, -int(-len(ordered) * share // 1) - 1)] / 1e6, 1)
        for name, share in found.items()
    }
    return {"first_ms": round(ordered[0] / 1e6, 1)} | report | {"max_ms": round(ordered[-1] / 1e6, 1)}

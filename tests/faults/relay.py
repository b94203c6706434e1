"""A bad network between a client and the server: a UDP relay that is told how bad, as a process of its own.

    python -m tests.faults.relay HOST SERVER_PORT SEED     out: {"port": …}, then a line for each line in

Lines in: {"up": {…}, "down": {…}} sets the conditions of a direction (`Shape`; what is left out is perfect),
{"rebind": true} sends on from other ports, as a client does that changes its network, {"counts": true} asks.
A client's source address gets a port of its own towards the server. Bounded: 64 clients, 4,096 datagrams
under way in each direction.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Address = tuple[str, int]
MAX_CLIENTS = 64
MAX_UNDER_WAY = 4096


@dataclass(frozen=True, slots=True)
class Shape:
    """The conditions of one direction; probabilities 0 to 1, times in milliseconds.

    `burst` is the mean length in packets of the losses of a Gilbert-Elliott channel whose bad state loses
    everything; 0 loses each packet by itself. `reorder` is the share of packets that come `reorder_ms` late.
    """

    loss: float = 0
    burst: float = 0
    delay_ms: float = 0
    jitter_ms: float = 0
    reorder: float = 0
    reorder_ms: float = 40
    duplicate: float = 0
    rate_bps: float = 0
    queue_ms: float = 200
    dark: bool = False


@dataclass(slots=True)
class Direction:
    """A channel's state: what it carries and how that fares."""

    random: random.Random
    shape: Shape = Shape()
    counts: Counter[str] = field(default_factory=Counter)
    _bad: bool = False
    _under_way: int = 0
    _free_at_s: float = 0
    _last_at_s: float = 0

    def take(self, data: bytes, deliver: Callable[[bytes], None]) -> None:
        """One datagram: deliver it at its time, or twice, or never."""
        self.counts["in"] += 1
        if self._lost():
            self.counts["lost"] += 1
            return
        self._later(data, deliver)
        if self.random.random() < self.shape.duplicate:
            self.counts["duplicated"] += 1
            self._later(data, deliver)

    def _lost(self) -> bool:
        shape = self.shape
        if shape.dark or self._under_way >= MAX_UNDER_WAY:
            return True
        if not shape.burst:
            return self.random.random() < shape.loss
        # Gilbert-Elliott: leave the bad state with 1/burst, enter it so that `loss` of all packets meet it.
        leave = 1 / shape.burst
        enter = leave * shape.loss / (1 - shape.loss)
        self._bad = self.random.random() >= leave if self._bad else self.random.random() < enter
        return self._bad

    def _later(self, data: bytes, deliver: Callable[[bytes], None]) -> None:
        shape, loop = self.shape, asyncio.get_running_loop()
        now_s = loop.time()
        at_s = now_s + (shape.delay_ms + self.random.uniform(-shape.jitter_ms, shape.jitter_ms)) / 1000
        if shape.rate_bps:
            self._free_at_s = max(self._free_at_s, now_s) + len(data) * 8 / shape.rate_bps
            if self._free_at_s - now_s > shape.queue_ms / 1000:
                self.counts["overflowed"] += 1
                self._free_at_s -= len(data) * 8 / shape.rate_bps
                return
            at_s += self._free_at_s - now_s
        # Jitter alone stretches and squeezes; only what is named overtakes (RFC 5481 5.1).
        at_s = self._last_at_s = max(at_s, self._last_at_s)
        if self.random.random() < shape.reorder:
            self.counts["reordered"] += 1
            at_s += shape.reorder_ms / 1000
        if at_s <= now_s:
            self._deliver(data, deliver)
            return
        self._under_way += 1
        loop.call_at(at_s, self._arrive, data, deliver)

    def _arrive(self, data: bytes, deliver: Callable[[bytes], None]) -> None:
        self._under_way -= 1
        self._deliver(data, deliver)

    def _deliver(self, data: bytes, deliver: Callable[[bytes], None]) -> None:
        self.counts["out"] += 1
        deliver(data)


class _Leg(asyncio.DatagramProtocol):
    def __init__(self, heard: Callable[[bytes, Address], None]):
        self._heard = heard

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._heard(data, addr[:2])

    def error_received(self, exc: Exception) -> None:
        """A port that is closed for now: the datagram is lost, as on any network."""


class Relay:
    """One port for clients, one towards the server for each of them."""

    def __init__(self, host: str, server: Address, seed: int):
        self._host, self._server = host, server
        self._legs: dict[Address, asyncio.DatagramTransport] = {}
        self._opening: set[Address] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.up, self.down = (Direction(random.Random(seed + n)) for n in range(2))

    async def open(self) -> int:
        loop = asyncio.get_running_loop()
        self._front, _ = await loop.create_datagram_endpoint(
            lambda: _Leg(self._from_client), local_addr=(self._host, 0)
        )
        return self._front.get_extra_info("sockname")[1]

    async def rebind(self) -> None:
        """Every client comes from another port from now on."""
        for client, old in list(self._legs.items()):
            await self._open_leg(client)
            old.close()

    def _from_client(self, data: bytes, client: Address) -> None:
        if client not in self._legs:
            if client not in self._opening and len(self._legs) + len(self._opening) < MAX_CLIENTS:
                self._opening.add(client)
                task = asyncio.create_task(self._first(client, data))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            return
        self.up.take(data, lambda d: self._legs[client].sendto(d, self._server))

    async def _first(self, client: Address, data: bytes) -> None:
        await self._open_leg(client)
        self._opening.discard(client)
        self._from_client(data, client)

    async def _open_leg(self, client: Address) -> None:
        def back(data: bytes, _: Address) -> None:
            self.down.take(data, lambda d: self._front.sendto(d, client))

        loop = asyncio.get_running_loop()
        leg, _ = await loop.create_datagram_endpoint(lambda: _Leg(back), local_addr=(self._host, 0))
        self._legs[client] = leg

    async def obey(self, order: dict[str, Any]) -> dict[str, Any]:
        for name in ("up", "down"):
            if name in order:
                getattr(self, name).shape = Shape(**order[name])
        if order.get("rebind"):
            await self.rebind()
        return {"up": dict(self.up.counts), "down": dict(self.down.counts)}


async def main() -> None:
    host, port, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    relay = Relay(host, (host, port), seed)
    print(json.dumps({"port": await relay.open()}), flush=True)
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        print(json.dumps(await relay.obey(json.loads(line))), flush=True)


if __name__ == "__main__":
    asyncio.run(main())

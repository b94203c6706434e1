"""Access that is taken back at once: kept in the store, known in memory, told to the other nodes.

Memory comes first, so that nothing waits for the disk; who asked is answered once it is kept. A node that did
not hear of one reads it from the store a little later. What is open already ends: those who hold connections
are told (`listen`) and look for themselves whose tokens are void.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import asdict
from enum import StrEnum
from typing import Any

from liveserver.bus import Bus
from liveserver.clock import Clock
from liveserver.core.ledger import JSON, Fact
from liveserver.core.revocation import MOST, Of, Revocation, Revoked
from liveserver.log import Event, get_logger
from liveserver.store import Store, StoreError

TOPIC = "access.revoked"
LOOK_S = 5.0
"""How often the store is read for what the bus did not bring."""
LATE_MS = 120_000
"""How far back it is read each time: the clocks of nodes differ, and a commit may take a while."""
_FORGET_ROUNDS = 720  # once an hour
_log = get_logger()


class Why(StrEnum):
    """What took the access back; in the ledger."""

    SIGNED_OUT = "signed_out"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - a word
    ACCOUNT_CLOSED = "account_closed"
    ROLE_CHANGED = "role_changed"
    COPIED = "copied"
    LEFT_CLASS = "left_class"
    BACK_IN_CLASS = "back_in_class"
    """Not taken back, but given again."""
    ERASED = "erased"
    BY_ADMINISTRATOR = "by_administrator"


class Revocations:
    """The one that changes `revoked`. Owned by the main loop.

    `longest_ms`: no token lives longer. `shared`: there are other nodes.
    """

    def __init__(
        self,
        revoked: Revoked,
        store: Store,
        bus: Bus,
        clock: Clock,
        longest_ms: int,
        *,
        shared: bool = False,
    ):
        self.revoked = revoked
        self._store = store
        self._bus = bus
        self._clock = clock
        self._longest_ms = longest_ms
        self._shared = shared
        self._listeners: list[Callable[[], None]] = []
        self._unsubscribe: Callable[[], None] = lambda: None
        self._looking: asyncio.Task[None] | None = None
        self._telling = False

    async def start(self) -> None:
        """Know what was known before, hear the other nodes."""
        loop = asyncio.get_running_loop()
        self._unsubscribe = self._bus.subscribe(TOPIC, self._heard, loop)
        await self._read(self._clock.wall_ms() - self._longest_ms)
        self._looking = asyncio.create_task(self._look(), name="revocations")

    async def stop(self) -> None:
        self._unsubscribe()
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    def listen(self, tell: Callable[[], None]) -> None:
        """Call `tell` when tokens have become void that were good before; once for many."""
        self._listeners.append(tell)

    def numbers(self) -> dict[str, float]:
        """For /metrics."""
        return {"known": float(len(self.revoked))}

    async def person(
        self, person: str, why: Why, by: str, *, spared: str = "", training_class: str = "", role: str = ""
    ) -> None:
        """Everything somebody was issued so far: but for one stay, or for the lessons of one class, or for
        one role."""
        until_s = self.revoked.until(person, self._clock.wall_s())
        await self._take(self._made(Of.PERSON, person, training_class, role, until_s, spared), why, by)

    async def readmit(self, person: str, training_class: str, role: str, by: str) -> None:
        """Somebody is back in a class: what he was issued for its lessons in that role is good again."""
        for of in ("", role):
            if self.revoked.shuts_out(person, training_class, of):
                await self._take(self._made(Of.PERSON, person, training_class, of), Why.BACK_IN_CLASS, by)

    async def stay(self, stay: str, person: str, why: Why) -> None:
        """Everything that one signing in brought."""
        await self._take(self._made(Of.STAY, stay), why, person)

    async def token(self, token_id: str, by: str) -> None:
        """One token."""
        await self._take(self._made(Of.TOKEN, token_id), Why.BY_ADMINISTRATOR, by)

    def _made(
        self, of: Of, key: str, training_class: str = "", role: str = "", until_s: int = 0, spared: str = ""
    ) -> Revocation:
        """One from now on."""
        now_ms = self._clock.wall_ms()
        one = Revocation(of, key, training_class, until_s, spared, now_ms, now_ms + self._longest_ms, role)
        return self.revoked.after(one)

    async def _take(self, one: Revocation, why: Why, by: str) -> None:
        self._adopt(one)
        self._bus.publish(TOPIC, asdict(one))
        told = {"class": one.training_class, "role": one.role}
        data: dict[str, JSON] = {"of": one.of, "id": one.key, "why": why, "by": by}
        data |= {name: value for name, value in told.items() if value}
        await self._store.revocations.save(one, Fact("access_revoked", None, self._clock.wall_ms(), data))

    def _adopt(self, one: Revocation) -> None:
        if self.revoked.add(one) and not self._telling:
            self._telling = True
            asyncio.get_running_loop().call_soon(self._tell)

    def _tell(self) -> None:
        self._telling = False
        for tell in self._listeners:
            tell()

    def _heard(self, message: Mapping[str, Any]) -> None:
        self._adopt(Revocation(**{**message, "of": Of(message["of"])}))

    async def _read(self, since_ms: int) -> None:
        for one in reversed(await self._store.revocations.since(since_ms, MOST + 1)):
            self._adopt(one)

    async def _look(self) -> None:
        """Every few seconds with other nodes, and once an hour clean up."""
        rounds = 0
        while True:
            await asyncio.sleep(LOOK_S)
            rounds += 1
            if rounds % _FORGET_ROUNDS == 0:
                self.revoked.forget(self._clock.wall_ms())
            if not self._shared:
                continue
            try:
                await self._read(self._clock.wall_ms() - LATE_MS)
            except StoreError:
                _log.warning(Event.STORE_FAILED, part="revocations")

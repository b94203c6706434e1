"""Signs the ledger's heads in time, hands them to the witnesses, and gives receipts.

A head is signed `every_s` after entries came, and at the end. It is in the database before a witness is
shown it, so a crash in between shows it later. Each witness has a task of its own: one that is away keeps
no other waiting, and is shown the newest head when it is back, with all that came since the last it saw.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from liveserver.clock import Clock
from liveserver.core.heads import Head, Receipt
from liveserver.core.ledger import Entry, Fact
from liveserver.ledger.signing import LogSigner
from liveserver.ledger.witness import Watch, Witness
from liveserver.log import Event, get_logger
from liveserver.store import Store, StoreError

_LATER_S = 5.0  # after a head that could not be kept
_LAST_S = 3.0  # what a stop gives the witnesses to see the last head
_log = get_logger()


class Notary:
    """`signer` is None where the log's key is not in the data folder: then heads stay unsigned, and an alarm
    says so. Owned by the main loop."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        signer: LogSigner | None,
        every_s: float,
        witnesses: Sequence[Witness] = (),
    ):
        self._store = store
        self._clock = clock
        self._signer = signer
        self._every_s = every_s
        self.watches = [Watch(witness, store, clock) for witness in witnesses]
        self._tasks: list[asyncio.Task[None]] = []
        self._signed: Head | None = None
        self._failing = False
        self._weaknesses: list[str] = []

    async def start(self) -> None:
        """Raises StoreError."""
        self._signed = await self._store.heads.latest()
        self._weaknesses = await self._store.weaknesses()
        for weakness in self._weaknesses:
            _log.warning(Event.LEDGER_UNGUARDED, why=weakness)
        if self._signer is None:
            _log.error(Event.LEDGER_KEY_MISSING)
        self._tasks = [asyncio.create_task(self._run(), name="notary")]
        self._tasks += [
            asyncio.create_task(watch.run(), name=f"witness-{watch.name}") for watch in self.watches
        ]

    async def stop(self) -> None:
        """Sign what came since the last head, and let the witnesses see it if they are quick."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.seal()
        try:
            async with asyncio.timeout(_LAST_S):
                await asyncio.gather(*(watch.show() for watch in self.watches), return_exceptions=True)
        except TimeoutError:
            pass  # shown after the next start
        for watch in self.watches:
            await watch.close()

    @property
    def signer(self) -> LogSigner | None:
        """Who signs; None while the log's key is not here."""
        return self._signer

    def receipt(self, fact: Fact, entry: Entry | None = None) -> Receipt | None:
        """The promise that `fact` is kept; None while the log's key is not here."""
        return self._signer.receipt(fact, self._clock.wall_ms(), entry) if self._signer else None

    def numbers(self) -> Mapping[str, float]:
        """For /metrics."""
        size, signed = self._store.size, self._signed
        known: dict[str, float] = {
            "entries": float(size),
            "unsigned_entries": float(size - (signed.size if signed else 0)),
            "weaknesses": float(len(self._weaknesses)),
            "key_missing": float(self._signer is None),
            "alarms": float((self._signer is None) + self._failing + sum(w.alarm for w in self.watches)),
        }
        for watch in self.watches:
            known |= {f"{watch.name}_{name}": value for name, value in watch.numbers().items()}
        return known

    async def seal(self) -> Head | None:
        """Sign a head now, if entries came since the last one."""
        signer = self._signer
        if signer is None:
            return None
        now_ms = self._clock.wall_ms()
        try:
            made = await self._store.heads.sign(
                lambda last, size, root: signer.head(last, size, root, now_ms)
            )
        except StoreError:
            if not self._failing:
                _log.exception(Event.LEDGER_HEAD_FAILED)
            self._failing = True
            return None
        self._failing = False
        if made is not None:
            self._signed = made
            for watch in self.watches:
                watch.offer()
        return made

    async def _run(self) -> None:
        while True:
            await self.seal()
            await asyncio.sleep(min(_LATER_S, self._every_s) if self._failing else self._every_s)

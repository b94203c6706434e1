"""Witnesses outside: who cannot be made to forget what the ledger was (REL-G41).

A witness is shown each head with all that grew since the last one it saw. What it answers is kept beside the
heads. A witness that remembers another ledger is the alarm this is all for: somebody has rewritten the log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Protocol

from liveserver.clock import Clock
from liveserver.core.heads import Head
from liveserver.log import Event, get_logger
from liveserver.store import Store, StoreError

BEHIND_MS = 60_000
"""A head that a witness has not seen for so long is an alarm."""

_RETRY_S = (1.0, 2.0, 5.0, 10.0, 20.0)
_log = get_logger()


class WitnessAwayError(OSError):
    """The witness does not answer, or not in a way that says anything; `code` says why."""

    def __init__(self, code: str):
        super().__init__(f"the witness is away: {code}")
        self.code = code


class WitnessRefusesError(Exception):
    """The witness remembers another ledger than this one; the message says where they part."""


class Witness(Protocol):
    """Somebody who remembers. `name`: lower-case letters and underscores; it is in metrics and rows."""

    name: str

    @property
    def weakness(self) -> str:
        """Why what it remembers could be taken from it; empty if it could not, or is not known yet."""
        ...

    async def see(self, head: Head, seen: int, store: Store) -> Mapping[str, Any]:
        """Show it `head`; `seen` is the size of the head it saw last, 0 for none. What it answers.

        Raises WitnessAwayError, WitnessRefusesError, StoreError.
        """
        ...

    async def close(self) -> None: ...


class Watch:
    """One witness and how far it is. `run` is its task."""

    def __init__(self, witness: Witness, store: Store, clock: Clock):
        self._witness = witness
        self._store = store
        self._clock = clock
        self._offered = asyncio.Event()
        self._offered.set()  # what an earlier process left to be shown
        self._seen = 0
        self._waiting_since_ms: int | None = None
        self._reason = ""
        self._told_weakness = False
        self.refused = ""

    @property
    def name(self) -> str:
        return self._witness.name

    @property
    def public(self) -> bytes | None:
        """The key that the witness signs its answers with; None for one that only keeps."""
        found: bytes | None = getattr(self._witness, "public", None)
        return found

    @property
    def behind_ms(self) -> int:
        """For how long the oldest head it has not seen has been waiting."""
        since = self._waiting_since_ms
        return 0 if since is None else max(0, self._clock.wall_ms() - since)

    @property
    def alarm(self) -> bool:
        return bool(self.refused or self._witness.weakness) or self.behind_ms > BEHIND_MS

    def state(self) -> dict[str, Any]:
        """For the report."""
        return {
            "witness": self.name,
            "size": self._seen,
            "behind_s": round(self.behind_ms / 1000, 3),
            "refused": self.refused,
            "reason": self._reason,
            "weakness": self._witness.weakness,
            "alarm": self.alarm,
        }

    def numbers(self) -> Mapping[str, float]:
        return {
            "size": float(self._seen),
            "behind_s": self.behind_ms / 1000,
            "refused": float(bool(self.refused)),
        }

    def offer(self) -> None:
        """There is a new head."""
        self._offered.set()

    async def close(self) -> None:
        await self._witness.close()

    async def run(self) -> None:
        """Show it head after head, the newest each time."""
        attempt = 0
        while True:
            await self._offered.wait()
            self._offered.clear()
            if await self.show():
                attempt = 0
                continue
            self._offered.set()
            await asyncio.sleep(_RETRY_S[min(attempt, len(_RETRY_S) - 1)])
            attempt += 1

    async def show(self) -> bool:
        """Show it the newest head, if it has not seen that; False if it has to be tried again."""
        try:
            return await self._show()
        except WitnessRefusesError as error:
            if not self.refused:
                _log.error(Event.WITNESS_REFUSES, witness=self.name, reason=str(error))
            self.refused = str(error)
        except (WitnessAwayError, StoreError) as error:
            reason = str(error)
            if reason != self._reason:
                _log.warning(Event.WITNESS_AWAY, witness=self.name, reason=reason)
            self._reason = reason
        return False

    async def _show(self) -> bool:
        heads = self._store.heads
        known = await heads.witnessed(self.name)
        self._seen = known[0] if known else 0
        waiting = await heads.since(self._seen, 1)
        if not waiting:
            self._waiting_since_ms = None
            return True
        self._waiting_since_ms = waiting[0].at_ms
        head = await heads.latest()
        assert head is not None, "one is waiting"
        answer = await self._witness.see(head, self._seen, self._store)
        await heads.note_witnessed(self.name, head.size, self._clock.wall_ms(), answer)
        self._seen, self._waiting_since_ms, self.refused = head.size, None, ""
        weakness = self._witness.weakness
        if weakness and not self._told_weakness:
            self._told_weakness = True
            _log.warning(Event.WITNESS_WEAK, witness=self.name, why=weakness)
        if self._reason:
            _log.info(Event.WITNESS_BACK, witness=self.name, size=head.size)
        self._reason = ""
        return True

"""What of one person is his and not the record's, erased for ever (PIPL 47): names, numbers, words, photos.

Attendance, hours, checks and the ledger stay, under an id that leads to nobody.
"""

from __future__ import annotations

from typing import Protocol

from liveserver.clock import Clock
from liveserver.people.phones import Phones
from liveserver.revocations import Revocations, Why
from liveserver.store import Store


class Sealed(Protocol):
    """What is kept under the person's own keys; its keys go with it. Whether there was anything."""

    async def erase(self, person: str, by: str) -> bool: ...


class Photos(Protocol):
    async def erase_person(self, person: str, by: str) -> object: ...


class Erasure:
    """Owned by the main loop."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        revocations: Revocations,
        phones: Phones,
        numbers: Sealed | None,
        photos: Photos | None,
    ):
        self._store = store
        self._revocations = revocations
        self._phones = phones
        self._clock = clock
        self._numbers = numbers
        self._photos = photos

    async def erase(self, person: str, reason: str, by: str) -> None:
        """Raises PeerError as `store.erasing`. Asked again, it goes on where it ended."""
        await self._store.erasing.person(person, by, reason, self._clock.wall_ms())
        await self._revocations.person(person, Why.ERASED, by)
        await self._phones.erase(person)
        if self._numbers is not None:
            await self._numbers.erase(person, by)
        if self._photos is not None:
            await self._photos.erase_person(person, by)

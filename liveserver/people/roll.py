"""Who belongs to a class right now, for the doors of its lessons: read once for all who come together.

A class is read again at once when this node changed it, or another one that says so over the bus; after
`FRESH_S` whatever the bus lost. While the database is away the last reading counts.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from liveserver.bus import Bus
from liveserver.clock import Clock
from liveserver.core.people import Assigned, Enrolled
from liveserver.store import Store, StoreError

TOPIC = "people.roll"
FRESH_S = 5
_MOST = 1_000  # classes that are remembered

_Read = tuple[int, frozenset[str], frozenset[str]]


class Roll:
    """Owned by the main loop."""

    def __init__(self, store: Store, clock: Clock, bus: Bus):
        self._people = store.people
        self._bus = bus
        self._clock = clock
        self._read: OrderedDict[str, _Read] = OrderedDict()
        self._turn = asyncio.Lock()
        self._readings = 0  # that began
        self._last: tuple[int, str, _Read | None] = (0, "", None)  # the last one, changed since or not
        self._reading = ""  # the class that is read right now, as long as nothing was heard of it

    def listen(self) -> Callable[[], None]:
        """Hear of what other nodes change from now on; returns how to stop that."""
        return self._bus.subscribe(TOPIC, self._heard, asyncio.get_running_loop())

    def changed(self, training_class: str) -> None:
        """It was, here: everybody reads it again."""
        self._forget(training_class)
        self._bus.publish(TOPIC, {"class": training_class})

    async def learns(self, training_class: str, person: str) -> bool:
        """Whether somebody is enrolled."""
        return person in (await self._of(training_class))[1]

    async def teaches(self, training_class: str, person: str) -> bool:
        """Whether somebody is assigned."""
        return person in (await self._of(training_class))[2]

    def _heard(self, message: Mapping[str, Any]) -> None:
        self._forget(str(message.get("class")))

    def _forget(self, training_class: str) -> None:
        self._read.pop(training_class, None)
        if training_class == self._reading:
            self._reading = ""

    async def _of(self, training_class: str) -> _Read:
        found = self._fresh(training_class)
        if found is not None:
            return found
        readings = self._readings
        async with self._turn:
            found = self._fresh(training_class) or self._since(training_class, readings)
            return found if found is not None else await self._load(training_class)

    def _since(self, training_class: str, readings: int) -> _Read | None:
        """A reading that began since then: all who wait share it, however often the class changes."""
        number, key, found = self._last
        return found if number > readings and key == training_class else None

    def _fresh(self, training_class: str) -> _Read | None:
        found = self._read.get(training_class)
        now_ns = self._clock.monotonic_ns()
        return found if found is not None and now_ns - found[0] < FRESH_S * 1_000_000_000 else None

    async def _load(self, training_class: str) -> _Read:
        self._readings += 1
        began_ns, self._reading = self._clock.monotonic_ns(), training_class
        try:
            learners = await self._people.roster.people(training_class, Enrolled.ENROLLED)
            teachers = await self._people.teachers.people(training_class, Assigned.ASSIGNED)
        except StoreError:
            if training_class not in self._read:
                raise
            return self._read[training_class]
        found = (began_ns, learners, teachers)
        self._last = (self._readings, training_class, found)
        if self._reading != training_class:
            return found  # from before it was changed, perhaps
        self._read[training_class] = found
        self._read.move_to_end(training_class)
        while len(self._read) > _MOST:
            self._read.popitem(last=False)
        return found

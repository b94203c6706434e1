"""Everything of people and classes, put together."""

from __future__ import annotations

from liveserver.bus import Bus
from liveserver.clock import Clock
from liveserver.people.classes import Classes
from liveserver.people.erasure import Erasure, Photos
from liveserver.people.lessons import ClassLessons
from liveserver.people.members import ClassMembers
from liveserver.people.phones import Phones
from liveserver.people.registry import Registry
from liveserver.people.roll import Roll
from liveserver.people.roster_import import Numbers, RosterImport
from liveserver.revocations import Revocations
from liveserver.store import Store


class People:
    """Owned by the main loop."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        bus: Bus,
        revocations: Revocations,
        phones: Phones,
        numbers: Numbers | None = None,
        photos: Photos | None = None,
    ):
        self.roll = roll = Roll(store, clock, bus)
        self.registry = Registry(store, clock, phones)
        self.classes = Classes(store, clock, self.registry)
        self.members = ClassMembers(store, clock, self.classes, roll, revocations, phones)
        self.roster_import = RosterImport(store, clock, self.classes, self.members, phones, numbers)
        self.erasure = Erasure(store, clock, revocations, phones, numbers, photos)
        self.lessons = ClassLessons(store, clock, self.classes, self.members, roll)

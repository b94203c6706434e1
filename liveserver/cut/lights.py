"""Which rooms may be seen: the flags' words of cuts and leases, and which lesson has which row of them.

A room is lit for as long as its lease stands and dark for what the book says is cut. The lease runs from the
last moment at which a cut made elsewhere would have reached this node.
"""

from __future__ import annotations

import threading

from liveserver.bus import Bus
from liveserver.clock import Clock
from liveserver.cut.book import Book
from liveserver.cut.kills import dark_kinds
from liveserver.log import Event, get_logger
from liveserver.rtp.flags import Flags

LEASE_TOPIC = "node.lease"
_log = get_logger()


class Lights:
    """Owns the flags' dark, lease and epoch words. From any thread, but for `renew`."""

    def __init__(self, flags: Flags, book: Book, bus: Bus, clock: Clock, lease_ns: int):
        self.is_lit = True
        """Whether the lease stands; written by the guard's thread alone."""
        self._flags = flags
        self._book = book
        self._bus = bus
        self._clock = clock
        self._lease_ns = lease_ns
        # Held from reading the book to writing the word: whoever writes last has read what stands last.
        self._lock = threading.Lock()
        self._rows: dict[str, int | None] = {}  # of each known lesson; None: its room is not open

    def know(self, lesson: str) -> None:
        """A lesson exists: cuts for it are accepted from now on."""
        with self._lock:
            self._rows.setdefault(lesson, None)

    def knows(self, lesson: str) -> bool:
        with self._lock:
            return lesson in self._rows

    def row(self, lesson: str) -> int | None:
        """The lesson's row in the flags; None: nobody here has it open."""
        with self._lock:
            return self._rows.get(lesson)

    def open(self, lesson: str, row: int) -> None:
        """The lesson's media uses that row; an active cut darkens it before anything is sent."""
        with self._lock:
            self._rows[lesson] = row
            self._darken(lesson)
            self._renew(row)

    def close(self, lesson: str) -> None:
        """The lesson's row is free again."""
        with self._lock:
            self._rows[lesson] = None

    def darken(self, lesson: str, also: int = 0) -> None:
        """What stands by the book, and the kinds `also`."""
        with self._lock:
            self._darken(lesson, also)

    def renew(self) -> None:
        """The guard's thread lives: every lease runs on from when the others could last be heard."""
        heard_ns = self._bus.heard_ns()
        with self._lock:
            for row in self._rows.values():
                if row is not None:
                    self._renew(row)
        is_lit = self._clock.monotonic_ns() < heard_ns + self._lease_ns
        if is_lit != self.is_lit:
            self.is_lit = is_lit
            _log.warning(Event.GUARD_LEASE_BACK if is_lit else Event.GUARD_LEASE_LOST)
            self._bus.publish(LEASE_TOPIC, {"lit": is_lit})

    def _darken(self, lesson: str, also: int = 0) -> None:
        row = self._rows.get(lesson)
        if row is not None:
            self._flags.darken(row, dark_kinds(self._book.kill(lesson)) | also)

    def _renew(self, row: int) -> None:
        self._flags.renew(row, self._bus.heard_ns() + self._lease_ns)

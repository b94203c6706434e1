"""The kill switch itself: what a cut and a restore do, in which order, and what follows those of other nodes.

A cut is written in this order: the flags the fan-out reads before each send, the kill file (fsynced), the
main loop, the other nodes. Nothing here waits for the main loop, the database or Redis.

What is done to a lesson is an *act* (`kills.Act`). The main loop is told each of them on ACT_TOPIC and puts
it into the ledger; until it says so (`recorded`), the act stays in the kill file. That a cut's flags stand it
is told on DARK_TOPIC before, while the disk is still busy with it.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from liveserver.bus import Bus
from liveserver.clock import Clock
from liveserver.core.errors import PeerError
from liveserver.core.events.cut import MAX_REASON_CHARACTERS, Asked, Cut, Level
from liveserver.core.kill import Kill, cut_to_json
from liveserver.core.measured import Measured
from liveserver.cut.book import Book
from liveserver.cut.kills import (
    DARK_KINDS,
    Act,
    asked_act,
    cut_act,
    dark_kinds,
    measured_act,
    restore_act,
)
from liveserver.cut.lights import Lights
from liveserver.cut.neighbours import Neighbours
from liveserver.cut.stopwatch import Stopwatch, Stopwatches
from liveserver.log import Event, get_logger
from liveserver.rtp.flags import Flags

ACT_TOPIC = "lesson.act"
DARK_TOPIC = "lesson.dark"
RESTORED, WAITING = "restored", "waiting_for_second"
_log = get_logger()


class Switch:
    """Cuts and restores. `flags` it only reads. On the guard's loop.

    `two_persons`: every restore needs a second person, who has `within_ms` for it.
    """

    def __init__(
        self,
        node: str,
        book: Book,
        lights: Lights,
        flags: Flags,
        bus: Bus,
        clock: Clock,
        *,
        two_persons: bool,
        within_ms: int,
    ):
        self.watches = Stopwatches()
        """Of cuts under way; the main loop adds its part to them."""
        self._node = node
        self._book = book
        self._lights = lights
        self._flags = flags
        self._bus = bus
        self._clock = clock
        self._two_persons = two_persons
        self._within_ms = within_ms
        self._policies: dict[str, bool] = {}  # of lessons that have one of their own on restoring
        self._neighbours = Neighbours(bus, node, book.kills, self._adopt)

    def listen(self, loop: AbstractEventLoop) -> Callable[[], None]:
        """Hear of the cuts of other nodes from now on; returns how to stop that."""
        return self._neighbours.listen(loop)

    def beat(self) -> None:
        """Say to the others what is known here, and put down what the disk did not take; once in a while."""
        self._neighbours.beat()
        for lesson in self._book.unsaved():
            with suppress(OSError, ValueError):  # it was said when it came, and the lease must go on
                self._book.save(lesson)
                self._lights.darken(lesson)

    async def stop(self) -> None:
        """Times that are not known yet stay unknown."""
        await self.watches.stop()

    def two_persons(self, lesson: str, required: bool | None) -> None:
        """The lesson's policy on restoring; None: the server's. What stood when it was cut holds as well."""
        if required is None:
            self._policies.pop(lesson, None)
        else:
            self._policies[lesson] = required

    def recorded(self, lesson: str, act: str) -> None:
        """The ledger has that act."""
        # At worst it is told twice, under one id.
        self._book.note(self._book.record(lesson).without_act(act), durable=False)

    async def cut(
        self, lesson: str, level: Level, reason: str, person: str | None, by: str, began_ns: int | None = None
    ) -> dict[str, Any]:
        """As `guard.Guard.cut`."""
        began_ns = began_ns or self._clock.monotonic_ns()
        self._check(lesson, reason)
        if (level is Level.PERSON) != (person is not None):
            raise PeerError("bad_request", "person is given with level person, and only then")
        standing = self._book.kill(lesson).find(level, person)
        asked = Cut(level, reason, self._clock.wall_ms(), by, person=person)
        cut = standing or self._begin(lesson, asked)  # one transition, however often it is asked for
        flags_ns = self._clock.monotonic_ns()
        watch = self._watch(lesson, level, began_ns, flags_ns)
        watch.look()
        if standing is None:
            self._tell_dark(lesson, cut)
        try:
            self._save(lesson)
        finally:
            if standing is None:
                self._announce(lesson, cut_act(cut))
                self._time(lesson, cut, watch)
                self._neighbours.tell(self._book.kill(lesson))
        dark_us = watch.measured.dark_us if watch.look() else None
        dark_ms = round((flags_ns - began_ns) / 1e6 if dark_us is None else dark_us / 1000, 3)
        if standing is None:
            _log.info(Event.LESSON_CUT, lesson=lesson, level=level, epoch=cut.epoch, dark_ms=dark_ms)
        return cut_to_json(cut) | {"dark_ms": dark_ms}

    async def restore(self, lesson: str, reason: str, by: str) -> dict[str, Any]:
        """As `guard.Guard.restore`."""
        self._check(lesson, reason)
        now_ms = self._clock.wall_ms()
        kill = self._book.kill(lesson)
        needs_two = kill.needs_two or self._needs_two(lesson)
        if not kill.standing:
            raise PeerError("not_cut", "the lesson is not cut", status=409)
        first = kill.asked_at(now_ms)
        if needs_two and first is None:
            return self._ask(lesson, kill.with_asked(by, reason, now_ms, self._within_ms))
        if needs_two and first is not None and first.by == by:
            raise PeerError("second_person_needed", "another person has to restore as well", status=409)
        return self._lift(lesson, kill, reason, by, first if needs_two else None)

    def _begin(self, lesson: str, cut: Cut) -> Cut:
        """A new cut stands, and its flags."""
        record = self._book.record(lesson)
        kill = record.kill.with_cut(cut, self._node, needs_two=self._needs_two(lesson))
        made = kill.standing[kill.act_of(self._node)]
        self._book.stand(record.with_kill(kill).with_act(cut_act(made)))
        self._lights.darken(lesson)
        return made

    def _save(self, lesson: str) -> None:
        """PeerError internal (500) if the disk does not take it."""
        try:
            self._book.save(lesson)
        except OSError as error:
            _log.exception(Event.GUARD_FAILED, lesson=lesson)
            detail = "the lesson is cut, but that could not be saved: it would not outlast a restart"
            raise PeerError("internal", detail, status=500) from error

    def _ask(self, lesson: str, kill: Kill) -> dict[str, Any]:
        """The first of two persons has asked. On disk before it is said."""
        asked = kill.asked
        assert asked is not None
        act = asked_act(lesson, asked, self._node)
        self._book.write(self._book.record(lesson).with_kill(kill).with_act(act))
        self._announce(lesson, act)
        self._neighbours.tell(kill)
        return {"state": WAITING, **act.data}

    def _lift(self, lesson: str, kill: Kill, reason: str, by: str, first: Asked | None) -> dict[str, Any]:
        """Nothing is cut any more."""
        levels = [cut.level for cut in kill.standing.values()]
        kill = kill.lifted(self._node)
        restored: dict[str, Any] = {"reason": reason, "by": by, "at_ms": self._clock.wall_ms(),
                                    "epoch": kill.epoch}  # fmt: skip
        if first is not None:
            restored["first_by"] = first.by
        act = restore_act(kill, self._node, restored, levels)
        # The file first: light again only once a restart would also leave it light.
        self._book.write(self._book.record(lesson).with_kill(kill).with_act(act))
        self._lights.darken(lesson)
        self._announce(lesson, act)
        self._neighbours.tell(kill)
        _log.info(Event.LESSON_RESTORED, lesson=lesson, epoch=kill.epoch)
        return {"state": RESTORED, **restored}

    def _adopt(self, theirs: Kill) -> None:
        """Another node knows something of a lesson."""
        lesson = theirs.lesson
        before = self._book.record(lesson)
        after = before.with_kill(before.kill.merged(theirs))
        if after.kill == before.kill:
            return
        added = [cut for act, cut in after.kill.standing.items() if act not in before.kill.standing]
        self._lights.know(lesson)
        if added:
            self._book.stand(after)
            self._lights.darken(lesson, also=dark_kinds(before.kill))
        flags_ns = self._clock.monotonic_ns()
        try:
            self._book.write(after)
        except OSError:
            if not added:
                raise  # it stays dark, and is heard of again
            _log.exception(Event.GUARD_FAILED, lesson=lesson)
        else:
            self._lights.darken(lesson)
        self._follow(before.kill, after.kill)
        for cut in added:
            late_ns = max(0, self._clock.wall_ms() - cut.at_ms) * 1_000_000
            watch = self._watch(lesson, cut.level, flags_ns - late_ns, flags_ns)
            self._tell_dark(lesson, cut)
            self._time(lesson, cut, watch)

    def _follow(self, before: Kill, after: Kill) -> None:
        """The node that did it tells the ledger; here the main loop only carries it out."""
        lesson, is_lifted = after.lesson, before.standing.keys() - after.standing.keys()
        if is_lifted:
            restored = {"reason": "", "by": "", "at_ms": self._clock.wall_ms(), "epoch": after.epoch}
            self._announce(lesson, Act("restore", "", restored))
        for act, cut in after.standing.items():
            if is_lifted or act not in before.standing:  # after it, what still stands
                self._announce(lesson, Act("cut", "", cut_to_json(cut)))

    def _watch(self, lesson: str, level: Level, began_ns: int, flags_ns: int) -> Stopwatch:
        return Stopwatch(self._flags, self._lights.row(lesson), DARK_KINDS[level], began_ns, flags_ns)

    def _time(self, lesson: str, cut: Cut, watch: Stopwatch) -> None:
        """Keep the cut's times once they are all known, and tell those who moderate."""

        def done(measured: Measured) -> None:
            act = measured_act(cut, self._node, measured)
            self._book.note(
                self._book.record(lesson).with_act(act).with_measured(cut.id, measured), durable=True
            )
            self._announce(lesson, act)

        self.watches.start(cut.id, watch, done)

    def _check(self, lesson: str, reason: str) -> None:
        if not self._lights.knows(lesson):
            raise PeerError("unknown_lesson", "no such lesson", status=404)
        if not reason.strip() or len(reason) > MAX_REASON_CHARACTERS:
            raise PeerError("bad_request", f"reason has 1 to {MAX_REASON_CHARACTERS} characters")

    def _needs_two(self, lesson: str) -> bool:
        return self._policies.get(lesson, self._two_persons)

    def _tell_dark(self, lesson: str, cut: Cut) -> None:
        self._bus.publish(DARK_TOPIC, {"lesson": lesson, "cut": cut.id, "level": cut.level})

    def _announce(self, lesson: str, act: Act) -> None:
        self._bus.publish(ACT_TOPIC, {"lesson": lesson, **act.as_json()})

"""The cut lane: a thread with an event loop of its own that can darken a room whatever else hangs.

A cut is written in this order: the flags the fan-out reads before each send, the kill file (fsynced), the
main loop, the other nodes. Nothing here waits for the main loop, the database or Redis. The guard also renews
each room's lease, for as long as a cut made elsewhere would reach it; if it dies, or is cut off, rooms go
dark within the lease.

What it does to a lesson is an *act* (`kills.Act`). The main loop is told each of them on ACT_TOPIC and puts
it into the ledger; until it says so (`recorded`), the act stays in the kill file. That a cut's flags stand it
is told on DARK_TOPIC before, while the disk is still busy with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import uvloop

from liveserver.bus import Bus
from liveserver.clock import Clock
from liveserver.core.errors import PeerError
from liveserver.core.events.cut import Asked, Cut, Level
from liveserver.core.kill import Kill, cut_to_json
from liveserver.core.measured import Measured
from liveserver.cut.kills import (
    DARK_KINDS,
    Act,
    KillFiles,
    Record,
    asked_act,
    cut_act,
    dark_kinds,
    measured_act,
    restore_act,
)
from liveserver.cut.neighbours import Neighbours
from liveserver.cut.stopwatch import Stopwatch, Stopwatches
from liveserver.log import Event, get_logger
from liveserver.rtp.flags import Flags

ACT_TOPIC = "lesson.act"
DARK_TOPIC = "lesson.dark"
LEASE_TOPIC = "node.lease"
MAX_REASON_CHARACTERS = 500
_NICE = -10  # of the guard's thread alone
RESTORED, WAITING = "restored", "waiting_for_second"
_log = get_logger()

Serve = Callable[["Guard"], Coroutine[Any, Any, Callable[[], Coroutine[Any, Any, None]]]]


class Guard:
    """Owns the flags' dark, lease and epoch words and the kill files.

    `serve` starts the control port on the guard's loop and returns how to stop it; it is given by the
    composition root so that the port speaks the same HTTP as the public one. `two_persons`: every restore
    needs a second person, who has `within_ms` for it.
    """

    def __init__(
        self,
        flags: Flags,
        kills: KillFiles,
        bus: Bus,
        clock: Clock,
        lease_ns: int,
        serve: Serve,
        *,
        two_persons: bool = False,
        within_ms: int = 600_000,
    ):
        self.node = secrets.token_hex(6)
        self.is_lit = True
        """Whether its lease stands; written by the guard's thread alone."""
        self._flags = flags
        self._files = kills
        self._bus = bus
        self._clock = clock
        self._lease_ns = lease_ns
        self._serve = serve
        self._two_persons = two_persons
        self._within_ms = within_ms
        self._lock = threading.Lock()  # guards the three maps below; held for microseconds
        self._records = kills.load()
        self._slots: dict[str, int | None] = {}
        self._policies: dict[str, bool] = {}
        self._neighbours = Neighbours(bus, self.node, self._kills, self._adopt)
        # The guard's loop only:
        self._unsaved: set[str] = set()  # lessons whose record is not on disk
        self._watches = Stopwatches()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, name="guard", daemon=True)
        self._ready = threading.Event()
        self._failure: BaseException | None = None

    # --- life ---

    def start(self) -> None:
        """Start the thread; returns when the control port listens. Raises what its start raised."""
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """End the thread: every room goes dark within the lease."""
        if self.alive and self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(timeout=5)

    @property
    def alive(self) -> bool:
        """Whether the thread runs, which is what keeps rooms lit."""
        return self._thread.is_alive()

    # --- from any thread ---

    def know(self, lesson: str) -> None:
        """A lesson exists: cuts for it are accepted from now on."""
        with self._lock:
            self._slots.setdefault(lesson, None)

    def knows(self, lesson: str) -> bool:
        with self._lock:
            return lesson in self._slots

    def open(self, lesson: str, room: int) -> None:
        """The lesson's media uses row `room`; an active cut darkens it before anything is sent."""
        with self._lock:
            self._slots[lesson] = room
            self._darken(lesson)
            self._renew(room)

    def close(self, lesson: str) -> None:
        """The lesson's row is free again."""
        with self._lock:
            self._slots[lesson] = None

    def two_persons(self, lesson: str, required: bool | None) -> None:
        """The lesson's policy on restoring; None: the server's. What stood when it was cut holds as well."""
        with self._lock:
            if required is None:
                self._policies.pop(lesson, None)
            else:
                self._policies[lesson] = required

    def kill_of(self, lesson: str) -> Kill:
        """The lesson's active cuts."""
        with self._lock:
            return self._record(lesson).kill

    def measured(self, lesson: str, cut: str) -> Measured | None:
        """How long a cut that stands took, once that is known."""
        with self._lock:
            return self._record(lesson).measured.get(cut)

    def asked(self, lesson: str) -> Asked | None:
        """Who has asked to restore and waits for a second person."""
        return self.kill_of(lesson).asked_at(self._clock.wall_ms())

    def unrecorded(self) -> list[tuple[str, Act]]:
        """What the ledger has not yet, by lesson, in order."""
        with self._lock:
            return [(lesson, act) for lesson, record in self._records.items() for act in record.acts]

    def recorded(self, lesson: str, act: str) -> None:
        """The ledger has that act."""
        self._soon(self._forget, lesson, act)

    def told(self, cut: str, at_ns: int) -> None:
        """The main loop has carried out that cut (`stopwatch.Stopwatch.told`)."""
        self._soon(self._watches.told, cut, at_ns)

    def drained(self, cut: str, at_ns: int | None) -> None:
        """The main loop has looked at the TCP queues (`stopwatch.Stopwatch.drained`)."""
        self._soon(self._watches.drained, cut, at_ns)

    async def call(self, coroutine: Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any]:
        """Run `cut` or `restore` from another loop."""
        assert self._loop is not None
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, self._loop))

    # --- on the guard's loop ---

    async def cut(
        self, lesson: str, level: Level, reason: str, person: str | None, by: str, began_ns: int | None = None
    ) -> dict[str, Any]:
        """Cut now. Raises PeerError unknown_lesson (404) or bad_request.

        `began_ns`: when the request began to be read. Returns the cut and `dark_ms`: from then until nothing
        more left, or, where that is not known yet, until the flags stood.
        """
        began_ns = began_ns or self._clock.monotonic_ns()
        self._check(lesson, reason)
        if (level is Level.PERSON) != (person is not None):
            raise PeerError("bad_request", "person is given with level person, and only then")
        with self._lock:
            standing = self._record(lesson).kill.find(level, person)
            asked = Cut(level, reason, self._clock.wall_ms(), by, person=person)
            cut = standing or self._begin(lesson, asked)  # one transition, however often it is asked for
            room = self._slots.get(lesson)
        flags_ns = self._clock.monotonic_ns()
        watch = Stopwatch(self._flags, room, DARK_KINDS[level], began_ns, flags_ns)
        watch.look()
        if standing is None:
            self._bus.publish(DARK_TOPIC, {"lesson": lesson, "cut": cut.id, "level": level})
        try:
            self._save(lesson)
        finally:
            if standing is None:
                self._announce(lesson, cut_act(cut))
                self._time(lesson, cut, watch)
                self._neighbours.tell(self._record(lesson).kill)
        dark_us = watch.measured.dark_us if watch.look() else None
        dark_ms = round((flags_ns - began_ns) / 1e6 if dark_us is None else dark_us / 1000, 3)
        if standing is None:
            _log.info(Event.LESSON_CUT, lesson=lesson, level=level, epoch=cut.epoch, dark_ms=dark_ms)
        return cut_to_json(cut) | {"dark_ms": dark_ms}

    async def restore(self, lesson: str, reason: str, by: str) -> dict[str, Any]:
        """Lift every cut, or be the first of two persons who do.

        Raises PeerError unknown_lesson (404), not_cut, second_person_needed (409).
        """
        self._check(lesson, reason)
        now_ms = self._clock.wall_ms()
        with self._lock:
            kill = self._record(lesson).kill
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
        """A new cut stands; the lock is held."""
        record = self._record(lesson)
        kill = record.kill.with_cut(cut, self.node, needs_two=self._needs_two(lesson))
        made = kill.standing[kill.act_of(self.node)]
        self._records[lesson] = record.with_kill(kill).with_act(cut_act(made))
        self._darken(lesson)
        self._unsaved.add(lesson)
        return made

    def _ask(self, lesson: str, kill: Kill) -> dict[str, Any]:
        """The first of two persons has asked. On disk before it is said."""
        asked = kill.asked
        assert asked is not None
        act = asked_act(lesson, asked, self.node)
        self._write(lesson, self._record(lesson).with_kill(kill).with_act(act))
        self._announce(lesson, act)
        self._neighbours.tell(kill)
        return {"state": WAITING, **act.data}

    def _lift(self, lesson: str, kill: Kill, reason: str, by: str, first: Asked | None) -> dict[str, Any]:
        """Nothing is cut any more."""
        levels = [cut.level for cut in kill.standing.values()]
        kill = kill.lifted(self.node)
        restored: dict[str, Any] = {"reason": reason, "by": by, "at_ms": self._clock.wall_ms(),
                                    "epoch": kill.epoch}  # fmt: skip
        if first is not None:
            restored["first_by"] = first.by
        act = restore_act(kill, self.node, restored, levels)
        # The file first: light again only once a restart would also leave it light.
        self._write(lesson, self._record(lesson).with_kill(kill).with_act(act))
        with self._lock:
            self._darken(lesson)
        self._announce(lesson, act)
        self._neighbours.tell(kill)
        _log.info(Event.LESSON_RESTORED, lesson=lesson, epoch=kill.epoch)
        return {"state": RESTORED, **restored}

    def _adopt(self, theirs: Kill) -> None:
        """Another node knows something of a lesson."""
        lesson = theirs.lesson
        with self._lock:
            before = self._record(lesson)
            kill = before.kill.merged(theirs)
            if kill == before.kill:
                return
            added = [cut for act, cut in kill.standing.items() if act not in before.kill.standing]
            self._slots.setdefault(lesson, None)
            if added:
                self._records[lesson] = before.with_kill(kill)
                self._darken(lesson, dark_kinds(before.kill))
            room = self._slots[lesson]
        flags_ns = self._clock.monotonic_ns()
        self._write(lesson, before.with_kill(kill))
        with self._lock:
            self._darken(lesson)
        # The node that did it tells the ledger; here the main loop only follows.
        if before.kill.standing.keys() - kill.standing.keys():
            restored = {"reason": "", "by": "", "at_ms": self._clock.wall_ms()}
            self._announce(lesson, Act("restore", "", {**restored, "epoch": kill.epoch}))
            changed = list(kill.standing.values())
        else:
            changed = added
        for cut in changed:
            self._announce(lesson, Act("cut", "", cut_to_json(cut)))
        for cut in added:
            late_ns = max(0, self._clock.wall_ms() - cut.at_ms) * 1_000_000
            watch = Stopwatch(self._flags, room, DARK_KINDS[cut.level], flags_ns - late_ns, flags_ns)
            self._bus.publish(DARK_TOPIC, {"lesson": lesson, "cut": cut.id, "level": cut.level})
            self._time(lesson, cut, watch)

    def _time(self, lesson: str, cut: Cut, watch: Stopwatch) -> None:
        """Keep the cut's times once they are all known, and tell those who moderate."""

        def done(measured: Measured) -> None:
            act = measured_act(cut, self.node, measured)
            with self._lock:
                record = self._record(lesson).with_act(act).with_measured(cut.id, measured)
                self._records[lesson] = record
            self._write_behind(record, durable=True)
            self._announce(lesson, act)

        self._watches.start(cut.id, watch, done)

    def _forget(self, lesson: str, act: str) -> None:
        with self._lock:
            record = self._records[lesson] = self._record(lesson).without_act(act)
        self._write_behind(record, durable=False)  # at worst the ledger is told twice, under one id

    def _write_behind(self, record: Record, *, durable: bool) -> None:
        """As far as the disk allows: nobody waits for it."""
        try:
            self._files.write(record, durable=durable)
        except OSError:
            _log.exception(Event.GUARD_FAILED, lesson=record.kill.lesson)

    def _write(self, lesson: str, record: Record) -> None:
        """On disk, then in memory. Raises OSError."""
        self._files.write(record)
        self._unsaved.discard(lesson)
        with self._lock:
            self._records[lesson] = record

    def _save(self, lesson: str) -> None:
        """Write the kill file if it is behind; PeerError internal (500) if that fails."""
        if lesson not in self._unsaved:
            return
        try:
            self._files.write(self._record(lesson))
        except OSError as error:
            _log.exception(Event.GUARD_FAILED, lesson=lesson)
            detail = "the lesson is cut, but that could not be saved: it would not outlast a restart"
            raise PeerError("internal", detail, status=500) from error
        self._unsaved.discard(lesson)

    def _check(self, lesson: str, reason: str) -> None:
        if not self.knows(lesson):
            raise PeerError("unknown_lesson", "no such lesson", status=404)
        if not reason.strip() or len(reason) > MAX_REASON_CHARACTERS:
            raise PeerError("bad_request", f"reason has 1 to {MAX_REASON_CHARACTERS} characters")

    def _record(self, lesson: str) -> Record:
        return self._records.get(lesson) or Record(Kill(lesson))

    def _kills(self) -> dict[str, Kill]:
        with self._lock:
            return {lesson: record.kill for lesson, record in self._records.items()}

    def _needs_two(self, lesson: str) -> bool:
        return self._policies.get(lesson, self._two_persons)

    def _darken(self, lesson: str, also: int = 0) -> None:
        """What stands, and `also`; the lock is held."""
        room = self._slots.get(lesson)
        if room is not None:
            self._flags.darken(room, dark_kinds(self._record(lesson).kill) | also)

    def _renew(self, room: int) -> None:
        self._flags.renew(room, self._bus.heard_ns() + self._lease_ns)

    def _announce(self, lesson: str, act: Act) -> None:
        self._bus.publish(ACT_TOPIC, {"lesson": lesson, **act.as_json()})

    def _soon(self, do: Callable[..., None], *arguments: Any) -> None:
        """On the guard's loop, if it still runs."""
        if self._loop is not None and not self._loop.is_closed():
            with contextlib.suppress(RuntimeError):  # it may close this very moment
                self._loop.call_soon_threadsafe(do, *arguments)

    def _run(self) -> None:
        with contextlib.suppress(OSError):  # only the privileged may; it helps on a starved machine
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._main())

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        try:
            stop_serving = await self._serve(self)
        except Exception as error:  # whatever it was is the starter's, who waits for it
            self._failure = error
            self._ready.set()
            return
        stop_listening = self._neighbours.listen(self._loop)
        renewing = asyncio.create_task(self._renew_leases(), name="lease")
        self._ready.set()
        await self._stop.wait()
        renewing.cancel()
        stop_listening()
        await self._watches.stop()
        await stop_serving()

    async def _renew_leases(self) -> None:
        """Five times per lease: it ends so long after anybody could last be heard."""
        while True:
            heard_ns = self._bus.heard_ns()
            with self._lock:
                for room in self._slots.values():
                    if room is not None:
                        self._renew(room)
            is_lit = self._clock.monotonic_ns() < heard_ns + self._lease_ns
            if is_lit != self.is_lit:
                self.is_lit = is_lit
                _log.warning(Event.GUARD_LEASE_BACK if is_lit else Event.GUARD_LEASE_LOST)
                self._bus.publish(LEASE_TOPIC, {"lit": is_lit})
            self._neighbours.beat()
            await asyncio.sleep(self._lease_ns / 5e9)

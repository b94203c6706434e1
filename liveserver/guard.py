"""The cut lane: a thread with an event loop of its own that can darken a room whatever else hangs.

A cut is written in this order: the flags the fan-out reads before each send, the kill file (fsynced),
the bus, which wakes the main loop. Nothing here waits for the main loop, the database or Redis. The
guard also renews each room's lease; if it dies, or its bus is unhealthy, rooms go dark within the lease.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import uvloop

from liveserver.bus import Bus
from liveserver.clock import Clock
from liveserver.core.errors import PeerError
from liveserver.core.events import Cut, Level
from liveserver.kills import Kill, KillFiles, cut_from_json, cut_to_json
from liveserver.log import Event, get_logger
from liveserver.rtp.flags import Flags

CUT_TOPIC = "lesson.cut"
RESTORE_TOPIC = "lesson.restored"
MAX_REASON_CHARACTERS = 500
_log = get_logger()

Serve = Callable[["Guard"], Coroutine[Any, Any, Callable[[], Coroutine[Any, Any, None]]]]


class Guard:
    """Owns the flags' dark, lease and epoch words and the kill files.

    `serve` starts the control port on the guard's loop and returns how to stop it; it is given by the
    composition root so that the port speaks the same HTTP as the public one.
    """

    def __init__(self, flags: Flags, kills: KillFiles, bus: Bus, clock: Clock, lease_ns: int, serve: Serve):
        self._flags = flags
        self._files = kills
        self._bus = bus
        self._clock = clock
        self._lease_ns = lease_ns
        self._serve = serve
        self._node = secrets.token_hex(8)
        self._lock = threading.Lock()  # guards the two maps below; held for microseconds
        self._kills = kills.load()
        self._slots: dict[str, int | None] = {}
        self._unsaved: set[str] = set()  # lessons whose last cut is not on disk; the guard's loop only
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, name="guard", daemon=True)
        self._ready = threading.Event()
        self._failure: BaseException | None = None

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

    def know(self, lesson: str) -> None:
        """A lesson exists: cuts for it are accepted from now on. From any thread."""
        with self._lock:
            self._slots.setdefault(lesson, None)

    def open(self, lesson: str, room: int) -> None:
        """The lesson's media uses row `room`; an active cut darkens it before anything is sent."""
        with self._lock:
            self._slots[lesson] = room
            self._flags.darken(room, self._kill(lesson).dark)
            self._renew(room)

    def close(self, lesson: str) -> None:
        """The lesson's row is free again."""
        with self._lock:
            self._slots[lesson] = None

    def kill_of(self, lesson: str) -> Kill:
        """The lesson's active cuts. From any thread."""
        with self._lock:
            return self._kill(lesson)

    async def cut(
        self, lesson: str, level: Level, reason: str, person: str | None, by: str
    ) -> dict[str, Any]:
        """Cut now. On the guard's loop. Raises PeerError unknown_lesson (404) or bad_request.

        Returns level, reason, at_ms, epoch and `dark_ms`: from the call to the flags being written.
        """
        began_ns = self._clock.monotonic_ns()
        self._check(lesson, reason)
        if (level is Level.PERSON) != (person is not None):
            raise PeerError("bad_request", "person is given with level person, and only then")
        cut = Cut(level, reason, self._clock.wall_ms(), by, person=person)
        with self._lock:
            standing = self._kill(lesson).find(level, person)
            kill = self._kill(lesson) if standing else self._kill(lesson).with_cut(cut)
            self._kills[lesson] = kill
            self._darken(lesson, kill)
        dark_ms = (self._clock.monotonic_ns() - began_ns) / 1e6
        cut = kill.find(level, person) or cut
        answer = cut_to_json(cut) | {"dark_ms": round(dark_ms, 3)}
        # Cut already: one transition, however often it is asked for.
        if standing is None:
            self._unsaved.add(lesson)
        try:
            self._save(kill)
        finally:
            if standing is None:
                self._announce(CUT_TOPIC, lesson, cut_to_json(cut))
        if standing is None:
            _log.info(
                Event.LESSON_CUT, lesson=lesson, level=level, epoch=cut.epoch, dark_ms=answer["dark_ms"]
            )
        return answer

    async def restore(self, lesson: str, reason: str, by: str) -> dict[str, Any]:
        """Lift every cut. On the guard's loop. Raises PeerError unknown_lesson (404), not_cut (409)."""
        self._check(lesson, reason)
        with self._lock:
            kill = self._kill(lesson)
        if not kill.cuts and not kill.removed:
            raise PeerError("not_cut", "the lesson is not cut", status=409)
        kill = kill.lifted()
        # The file first: light again only once a restart would also leave it light.
        self._files.write(kill)
        with self._lock:
            self._kills[lesson] = kill
            self._darken(lesson, kill)
        restored = {"reason": reason, "at_ms": self._clock.wall_ms(), "by": by, "epoch": kill.epoch}
        self._announce(RESTORE_TOPIC, lesson, restored)
        _log.info(Event.LESSON_RESTORED, lesson=lesson, epoch=kill.epoch)
        return restored

    async def call(self, coroutine: Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any]:
        """Run one of the two above from another loop."""
        assert self._loop is not None
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, self._loop))

    def _save(self, kill: Kill) -> None:
        """Write the kill file if its last cut is not on disk yet; PeerError internal (500) if that fails."""
        if kill.lesson not in self._unsaved:
            return
        try:
            self._files.write(kill)
        except OSError as error:
            _log.exception(Event.GUARD_FAILED, lesson=kill.lesson)
            detail = "the lesson is cut, but that could not be saved: it would not outlast a restart"
            raise PeerError("internal", detail, status=500) from error
        self._unsaved.discard(kill.lesson)

    def _check(self, lesson: str, reason: str) -> None:
        with self._lock:
            is_known = lesson in self._slots
        if not is_known:
            raise PeerError("unknown_lesson", "no such lesson", status=404)
        if not reason.strip() or len(reason) > MAX_REASON_CHARACTERS:
            raise PeerError("bad_request", f"reason has 1 to {MAX_REASON_CHARACTERS} characters")

    def _kill(self, lesson: str) -> Kill:
        return self._kills.get(lesson) or Kill(lesson)

    def _darken(self, lesson: str, kill: Kill) -> None:
        room = self._slots.get(lesson)
        if room is not None:
            self._flags.darken(room, kill.dark)

    def _renew(self, room: int) -> None:
        self._flags.renew(room, self._clock.monotonic_ns() + self._lease_ns)

    def _announce(self, topic: str, lesson: str, data: dict[str, Any]) -> None:
        self._bus.publish(topic, {"node": self._node, "lesson": lesson} | data)

    def _heard(self, message: dict[str, Any]) -> None:
        """Another node's guard cut a lesson."""
        if message.get("node") == self._node:
            return
        lesson, cut = str(message["lesson"]), cut_from_json(message)
        with self._lock:
            kill = self._kills[lesson] = self._kill(lesson).with_cut(cut)
            self._darken(lesson, kill)
        self._files.write(kill)

    def _run(self) -> None:
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
        unsubscribe = self._bus.subscribe(CUT_TOPIC, self._heard, self._loop)
        renewing = asyncio.create_task(self._renew_leases(), name="lease")
        self._ready.set()
        await self._stop.wait()
        renewing.cancel()
        unsubscribe()
        await stop_serving()

    async def _renew_leases(self) -> None:
        """Five times per lease, as long as the bus would bring us a cut."""
        while True:
            if self._bus.healthy():
                with self._lock:
                    for room in self._slots.values():
                        if room is not None:
                            self._renew(room)
            await asyncio.sleep(self._lease_ns / 5e9)

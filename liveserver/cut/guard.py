"""The cut lane: a thread with an event loop of its own that can darken a room whatever else hangs.

What a cut does, and in which order, is `switch`; what of it is kept, `book`; the flags' words, `lights`. The
guard turns them on its loop and waits there for neither the main loop nor the database nor Redis. It also
renews each room's lease, for as long as a cut made elsewhere would reach it; if it dies, or is cut off, rooms
go dark within the lease.
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
from liveserver.core.events.cut import Asked, Level
from liveserver.core.kill import Kill
from liveserver.core.measured import Measured
from liveserver.cut.book import Book
from liveserver.cut.kills import Act, KillFiles
from liveserver.cut.lights import Lights
from liveserver.cut.switch import Switch
from liveserver.log import Event, get_logger
from liveserver.rtp.flags import Flags

_NICE = -10  # of the guard's thread alone
_log = get_logger()

Serve = Callable[["Guard"], Coroutine[Any, Any, Callable[[], Coroutine[Any, Any, None]]]]


class Guard:
    """Owns the thread and its loop; what the other threads know of the kill switch.

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
        self._clock = clock
        self._lease_ns = lease_ns
        self._serve = serve
        self._book = Book(kills)
        self._lights = Lights(flags, self._book, bus, clock, lease_ns)
        self._switch = Switch(
            self.node, self._book, self._lights, flags, bus, clock,
            two_persons=two_persons, within_ms=within_ms,
        )  # fmt: skip
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

    @property
    def is_lit(self) -> bool:
        """Whether its lease stands."""
        return self._lights.is_lit

    def know(self, lesson: str) -> None:
        """A lesson exists: cuts for it are accepted from now on."""
        self._lights.know(lesson)

    def knows(self, lesson: str) -> bool:
        return self._lights.knows(lesson)

    def open(self, lesson: str, room: int) -> None:
        """The lesson's media uses row `room`; an active cut darkens it before anything is sent."""
        self._lights.open(lesson, room)

    def close(self, lesson: str) -> None:
        """The lesson's row is free again."""
        self._lights.close(lesson)

    def two_persons(self, lesson: str, required: bool | None) -> None:
        """The lesson's policy on restoring; None: the server's. What stood when it was cut holds as well."""
        self._soon(self._switch.two_persons, lesson, required)

    def kill_of(self, lesson: str) -> Kill:
        """The lesson's active cuts."""
        return self._book.kill(lesson)

    def measured(self, lesson: str, cut: str) -> Measured | None:
        """How long a cut that stands took, once that is known."""
        return self._book.measured(lesson, cut)

    def asked(self, lesson: str) -> Asked | None:
        """Who has asked to restore and waits for a second person."""
        return self.kill_of(lesson).asked_at(self._clock.wall_ms())

    def unrecorded(self) -> list[tuple[str, Act]]:
        """What the ledger has not yet, by lesson, in order."""
        return self._book.unrecorded()

    def recorded(self, lesson: str, act: str) -> None:
        """The ledger has that act."""
        self._soon(self._switch.recorded, lesson, act)

    def told(self, cut: str, at_ns: int) -> None:
        """The main loop has carried out that cut (`stopwatch.Stopwatch.told`)."""
        self._soon(self._switch.watches.told, cut, at_ns)

    def drained(self, cut: str, at_ns: int | None) -> None:
        """The main loop has looked at the TCP queues (`stopwatch.Stopwatch.drained`)."""
        self._soon(self._switch.watches.drained, cut, at_ns)

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
        return await self._switch.cut(lesson, level, reason, person, by, began_ns)

    async def restore(self, lesson: str, reason: str, by: str) -> dict[str, Any]:
        """Lift every cut, or be the first of two persons who do.

        Raises PeerError unknown_lesson (404), not_cut, second_person_needed (409).
        """
        return await self._switch.restore(lesson, reason, by)

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
        stop_listening = self._switch.listen(self._loop)
        renewing = asyncio.create_task(self._renew_leases(), name="lease")
        self._ready.set()
        await self._stop.wait()
        renewing.cancel()
        stop_listening()
        await self._switch.stop()
        await stop_serving()

    async def _renew_leases(self) -> None:
        """Five times per lease: it ends so long after anybody could last be heard."""
        while True:
            self._lights.renew()
            try:
                self._switch.beat()
            except Exception:  # what cannot be said to the others, or be put down, must darken nobody
                _log.exception(Event.GUARD_FAILED)
            await asyncio.sleep(self._lease_ns / 5e9)

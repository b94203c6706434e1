"""What the guard did, on its way into rooms and ledger: told by the guard, and again until it is recorded."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

from liveserver.bus import Bus
from liveserver.clock import Clock
from liveserver.core import events, messages
from liveserver.core.errors import PeerError
from liveserver.core.events.cut import Asked, CutMade, CutMeasured, Level, RestoreAsked, Restored
from liveserver.core.kill import cut_from_json, node_of
from liveserver.core.measured import Measured
from liveserver.core.permissions import Permission
from liveserver.cut.guard import Guard
from liveserver.cut.kills import Act
from liveserver.cut.lights import LEASE_TOPIC
from liveserver.cut.switch import ACT_TOPIC, DARK_TOPIC
from liveserver.log import Event, get_logger
from liveserver.rooms.room import Room
from liveserver.sfu.forwarder import Forwarder
from liveserver.store import StoreError

_RESET_NS = 100_000_000  # after a cut of the whole lesson
_DRAIN_NS = 8_000_000_000
_LOOK_S = 0.005
_ASKED = ("by", "reason", "at_ms", "expires_at_ms", "epoch")
_log = get_logger()


class Acts:
    """`rooms` are those that are open, `open_room` opens one. On the main loop."""

    def __init__(
        self,
        guard: Guard,
        forwarder: Forwarder,
        clock: Clock,
        rooms: Mapping[str, Room],
        open_room: Callable[[str], Awaitable[Room]],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ):
        self._guard = guard
        self._forwarder = forwarder
        self._clock = clock
        self._rooms = rooms
        self._open_room = open_room
        self._spawn = spawn
        self._taken: set[str] = set()  # acts that their rooms know of, or soon will
        self._waiting: dict[str, deque[Act]] = {}  # for a room that is not open yet

    def listen(self, bus: Bus, loop: asyncio.AbstractEventLoop) -> list[Callable[[], None]]:
        """Hear the guard from now on; how to stop that."""
        heard = {ACT_TOPIC: self._act, DARK_TOPIC: self._dark, LEASE_TOPIC: self._lease}
        return [bus.subscribe(topic, act, loop) for topic, act in heard.items()]

    def catch_up(self) -> None:
        """Take what the ledger has not yet, because the database was away, or the power. Now and then."""
        unrecorded = self._guard.unrecorded()
        self._taken &= {act.id for _, act in unrecorded}
        for lesson, act in unrecorded:
            self._take(lesson, act)

    def _act(self, message: dict[str, Any]) -> None:
        self._take(str(message["lesson"]), Act.from_json(message))

    def _take(self, lesson: str, act: Act) -> None:
        """Let the room know of it, once at a time however often it is told, and in order."""
        if act.id in self._taken:
            return
        if act.id:
            self._taken.add(act.id)
        waiting = self._waiting.get(lesson)
        if waiting is not None:
            waiting.append(act)
            return
        self._waiting[lesson] = deque([act])
        self._spawn(self._deliver(lesson))

    async def _deliver(self, lesson: str) -> None:
        """Whatever waits for a room goes there once that is open."""
        try:
            room = await self._open_room(lesson)
            for act in self._waiting[lesson]:
                room.post(self._event(lesson, act))
        except (PeerError, StoreError) as error:
            _log.warning(Event.STORE_FAILED, lesson=lesson, reason=str(error))
            self._taken -= {act.id for act in self._waiting[lesson]}  # `catch_up` tries again
        finally:
            del self._waiting[lesson]

    def _event(self, lesson: str, act: Act) -> events.Event:
        data = act.data
        if act.kind == "restore_asked":
            return RestoreAsked(Asked(**{name: data[name] for name in _ASKED}), act.id)
        if act.kind == "restore":
            return Restored(
                reason=data["reason"],
                by=data["by"],
                at_ms=data["at_ms"],
                epoch=data["epoch"],
                lifted=tuple(data.get("lifted", ())),
                first_by=data.get("first_by"),
                act=act.id,
            )
        cut = cut_from_json(data)
        if act.kind == "cut_measured":
            return CutMeasured(cut, str(data["node"]), Measured.from_json(data), act.id)
        stands = cut.id in self._guard.kill_of(lesson).standing
        # Told again after a restart, it is still the act of the node as it was then.
        return CutMade(cut, act.id, node_of(cut.id), stands)

    def _dark(self, message: dict[str, Any]) -> None:
        self._spawn(self._drain(str(message["lesson"]), str(message["cut"]), str(message["level"])))

    async def _drain(self, lesson: str, cut: str, level: str) -> None:
        """Look until nothing lies in the kernel's queue of any TCP viewer any more, and tell the guard.

        Who is sent away anyway need not read what the kernel still holds: such connections are reset.
        """
        room, tcp = self._rooms.get(lesson), self._forwarder.tcp
        streams = room.stage.streams if room is not None else []
        if tcp is None or not streams:
            self._guard.drained(cut, 0)
            return
        began_ns = self._clock.monotonic_ns()
        while unsent := [stream for stream in streams if tcp.unsent(stream)]:
            passed_ns = self._clock.monotonic_ns() - began_ns
            if level == Level.LESSON and passed_ns > _RESET_NS:
                for stream in unsent:
                    tcp.reset(stream)
            elif passed_ns > _DRAIN_NS:
                self._guard.drained(cut, None)
                return
            await asyncio.sleep(_LOOK_S)
        now_ns = self._clock.monotonic_ns()
        self._guard.drained(cut, max(tcp.last_sent_ns(stream, now_ns) for stream in streams))

    def _lease(self, message: dict[str, Any]) -> None:
        """The node was cut off from the others, or is back: then pictures start from the cache."""
        is_lit = message["lit"] is True
        notice = messages.notice_message("node_back" if is_lit else "node_cut_off")
        for room in self._rooms.values():
            room.voice.tell(room.state.who_may(Permission.SEE_LESSON), notice)
            if is_lit:
                room.stage.refresh(self._clock.monotonic_ns())

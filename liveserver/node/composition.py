"""A node: one process with the media, its signalling, the guard and the HTTP ports.

The composition root: every part is built here, handed what it needs, started in order and stopped in the
reverse order. The supervisor starts it; when ready it prints one JSON line with its ports on standard output.
"""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import uvloop

from liveserver.checks.questions import Questions
from liveserver.clock import Clock
from liveserver.config import Config, load
from liveserver.config.checks import ConfigError
from liveserver.cut.drills import Drills
from liveserver.cut.guard import Guard
from liveserver.garbage import Garbage
from liveserver.hours.sheet_people import SheetPeople
from liveserver.http.context import Edge, Services
from liveserver.http.listen import tls_context
from liveserver.ledger.inspections import Inspections
from liveserver.log import Event, get_logger, set_up
from liveserver.metrics import Metrics
from liveserver.node import media, parts
from liveserver.people.people import People
from liveserver.rooms.rooms import Rooms
from liveserver.rooms.surroundings import MediaPlane, Surroundings
from liveserver.rtp.flags import Flags
from liveserver.screening.inventory import Inventory
from liveserver.screening.moderation import Moderation
from liveserver.screening.wall import Wall
from liveserver.start import Ready, StartError
from liveserver.store import StoreError, open_store
from liveserver.tokens import Tokens
from liveserver.turn import Turn

_SWITCH_S = 0.001  # as long as the guard's thread waits for the main loop's to let it in, instead of 5 ms
_log = get_logger()


def main() -> int:
    """Be a node, configured by the environment: 0 after SIGTERM, 1 without a start."""
    try:
        config = load(env=os.environ)
        set_up(config.log_level, "node")
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # a socket per learner; often 1,024 at first
        sys.setswitchinterval(_SWITCH_S)
        uvloop.run(run(config, _print))
    except (ConfigError, StartError) as error:
        print(f"liveserver: {error}", file=sys.stderr)  # noqa: T201 - for the operator, before logs matter
        return 1
    return 0


def _print(ready: Ready) -> None:
    sys.stdout.write(ready.line() + "\n")
    sys.stdout.flush()


async def run(config: Config, tell: Callable[[Ready], None]) -> None:
    """Serve until SIGTERM, then stop within `config.drain`. Raises `StartError`."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stopping.set)
    try:
        async with asyncio.timeout(None) as deadline, node(config) as ready:
            tell(ready)
            _log.info(Event.NODE_READY, http_port=ready.http_port, rtc_port=ready.rtc_port)
            await stopping.wait()
            _log.info(Event.NODE_STOPPING)
            deadline.reschedule(loop.time() + config.drain.s)
    except TimeoutError:
        _log.warning(Event.NODE_STOPPED, drained=False)
    else:
        _log.info(Event.NODE_STOPPED, drained=True)


@asynccontextmanager
async def node(config: Config) -> AsyncIterator[Ready]:
    """A node as long as the context lasts."""
    async with AsyncExitStack() as stack:
        try:
            ready = await _compose(config, stack)
        except (StoreError, ValueError, OSError) as error:
            raise StartError(_sentence(error)) from error
        yield ready


async def _compose(config: Config, stack: AsyncExitStack) -> Ready:
    """Build and start every part; `stack` stops them, the last started first."""
    tls_context(config.http)  # a missing certificate is said before anything starts
    clock, metrics = Clock(), Metrics()
    tokens, turn = Tokens.load_or_create(config.key_file), Turn.of(config.rtc)
    bus = parts.bus_of(config, tokens, metrics, stack)
    store = await open_store(config.store, clock.wall_ms, config.journal_file, config.ledger.journal.bytes)
    stack.push_async_callback(store.close)
    empty = await store.ledger_size() == 0
    notary = await parts.notary_of(config, store, clock, metrics, stack)

    flags = Flags(max(config.rooms.max_lessons, 1))
    control = parts.ControlPort(Edge(config, tokens, metrics, clock))
    guard = await parts.guard_of(config, flags, bus, clock, control, stack)
    metrics.watch("guard", lambda: {"lit": float(guard.is_lit)})

    recordings = await parts.recordings_of(config, store, clock, metrics, stack)
    keeper = parts.keeper_of(config, store, recordings, clock, metrics, stack)
    forwarder = media.forwarder_of(config, flags, clock, metrics, stack)
    transcodes = media.transcodes_of(config, forwarder, clock, metrics, stack)
    screening, rules = await parts.screening_of(config, store, guard, clock, metrics, stack)
    watcher = media.Watcher(screening)
    screens = media.screens_of(config, forwarder, watcher, clock, rules.lexicons, metrics, stack)
    challenges = await parts.challenges_of(config, store, clock, stack)
    signing = await parts.signing_in(config, store, bus, clock, tokens, metrics, stack)
    people = People(
        store, clock, bus, signing.revocations, signing.phones, signing.identities, challenges.photos
    )
    stack.callback(people.roll.listen())
    around = Surroundings(
        store, clock, guard, recordings, screening, challenges.photos, notary.receipt,
        max(1, int(config.hours.tell_every.s)), config.sessions.same_person,
    )  # fmt: skip
    plane = MediaPlane(forwarder, transcodes, screens, media.tier_of(config, flags, clock, metrics, stack))
    rooms = Rooms(
        around, plane, bus, config.rooms,
        challenges=challenges, admission=people.lessons, revocations=signing.revocations,
    )  # fmt: skip
    await rooms.start()
    stack.push_async_callback(rooms.stop)
    metrics.watch("rooms", rooms.numbers)
    hours, bundles = parts.hours_of(
        config, store, rooms, notary, keeper, SheetPeople(store, signing.identities), clock, metrics, stack
    )
    wall = watcher.wall = Wall(rooms.lessons.on_wall, clock)
    wall.start()
    stack.push_async_callback(wall.stop)
    metrics.watch("wall", wall.numbers)
    screening.tell(wall.saw)

    async def checks() -> Mapping[str, bool]:
        return {
            "store": await _answers(store.ledger_size()),
            "bus": bus.healthy(),
            "guard": await _guard_answers(guard),
        }

    moderation = Moderation(store, rooms.moderating, screening.incidents, rules.lexicons, clock)
    services = Services(
        config, tokens, metrics, clock, rooms, store, wall, moderation, rules,
        Inventory(media.models_folder(config)), Drills(store, clock), Questions(store, clock, screening),
        control.listener.url, checks, turn, hours, keeper, notary, people, signing,
        bundles, Inspections(store, clock),
    )  # fmt: skip
    public = await parts.public_of(services, stack)
    garbage = Garbage(lambda: not rooms.numbers()["viewers"])
    garbage.start()
    stack.push_async_callback(garbage.stop)
    return Ready(
        public.port,
        control.listener.port,
        forwarder.front.port,
        config.http.base_url or public.url,
        control.listener.url,
        empty,
    )


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename:
        return f"cannot use {error.filename}: {(error.strerror or str(error)).lower()}"
    return str(error)


async def _guard_answers(guard: Guard) -> bool:
    """Whether the guard's loop turns; /readyz bounds the wait."""

    async def nothing() -> dict[str, Any]:
        return {}

    return await guard.call(nothing()) == {}


async def _answers(question: Coroutine[Any, Any, object]) -> bool:
    try:
        await question
    except StoreError:
        return False
    return True

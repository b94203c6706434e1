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
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import uvloop

from liveserver.addresses import own_addresses
from liveserver.bucket import bucket_of
from liveserver.bus import Bus, Line, MemoryBus, PostgresqlLine, RedisLine, SharedBus
from liveserver.checks.challenges import Challenges
from liveserver.checks.photos import Photos
from liveserver.checks.questions import Questions
from liveserver.clock import Clock
from liveserver.config import Config, load, to_env
from liveserver.config.checks import ConfigError
from liveserver.config.sections import RetentionConfig
from liveserver.core.challenge_rules import CheckPolicy
from liveserver.core.chat import SCREENING
from liveserver.core.events import Level
from liveserver.core.retention import Programme, Retention
from liveserver.core.screening import Finding, Policy, Sight
from liveserver.cut import neighbours
from liveserver.cut.drills import Drills
from liveserver.cut.guard import Guard
from liveserver.cut.kills import KillFiles
from liveserver.garbage import Garbage
from liveserver.hls.packager import Packager
from liveserver.hls.tier import Tier
from liveserver.hours import Hours
from liveserver.hours.attendance import Attendance
from liveserver.hours.sheet_people import SheetPeople
from liveserver.http.app import public_app
from liveserver.http.context import Edge, Services
from liveserver.http.control import control_app
from liveserver.http.listen import Listener, listen, tls_context
from liveserver.keeper import Keeper
from liveserver.keys import load_or_create
from liveserver.ledger.bundles import Bundles, opener
from liveserver.ledger.inspections import Inspections
from liveserver.ledger.notary import Notary
from liveserver.ledger.self_audit import SelfAudit
from liveserver.ledger.signing import load_signer
from liveserver.ledger.witnesses import witnesses_of
from liveserver.log import Event, get_logger, set_up
from liveserver.log_in import LogIn, log_in
from liveserver.log_in.passwords import Passwords
from liveserver.metrics import Metrics
from liveserver.people.people import People
from liveserver.recording import Recordings
from liveserver.rooms.rooms import Rooms
from liveserver.rtp.flags import Flags
from liveserver.screening import Screening
from liveserver.screening.evidence import Evidence
from liveserver.screening.incidents import Incidents
from liveserver.screening.inventory import Inventory
from liveserver.screening.lexicons import Lexicons
from liveserver.screening.moderation import Moderation
from liveserver.screening.policies import Policies
from liveserver.screening.rules import Rules
from liveserver.screening.wall import Wall
from liveserver.sfu.forwarder import Forwarder
from liveserver.sfu.front import Front
from liveserver.sfu.screener import screen_command
from liveserver.sfu.screens import Screens
from liveserver.sfu.transcode import Transcodes
from liveserver.start import Ready, StartError
from liveserver.store import Store, StoreError, open_store
from liveserver.tokens import Tokens
from liveserver.turn import Turn
from liveserver.vault import Vault
from models.chat.screen import ChatScreen
from models.errors import ModelError
from recorder.client import RecorderClient

_SWITCH_S = 0.001  # as long as the guard's thread waits for the main loop's to let it in, instead of 5 ms
_log = get_logger()


def main() -> int:
    """`python -m liveserver.node`, configured by the environment: 0 after SIGTERM, 1 without a start."""
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
    bus = _bus(config, tokens, metrics, stack)
    store = await open_store(config.store, clock.wall_ms, config.journal_file, config.ledger.journal.bytes)
    stack.push_async_callback(store.close)
    empty = await store.ledger_size() == 0
    notary = await _notary(config, store, clock, metrics, stack)

    flags = Flags(max(config.rooms.max_lessons, 1))
    control = _ControlPort(Edge(config, tokens, metrics, clock))
    guard = await _guard(config, flags, bus, clock, control, stack)
    metrics.watch("guard", lambda: {"lit": float(guard.is_lit)})

    recordings = await _recordings(config, store, clock, metrics, stack)
    keeper = _keeper(config, store, recordings, clock, metrics, stack)
    front = _bind_front(config, flags, clock)
    forwarder = Forwarder(front, flags, clock, config.rtc.advertise or own_addresses(config.rtc.host))
    if config.rtc.tcp:
        _listen_tcp(forwarder, config)
    forwarder.start()
    stack.push_async_callback(forwarder.stop)
    transcodes = _transcodes(config, forwarder, clock)
    stack.push_async_callback(transcodes.stop)
    metrics.watch("transcode", transcodes.numbers)
    screening, rules = await _screening(config, store, guard, clock, metrics, stack)
    watcher = _Watcher(screening)
    screens = _screens(config, forwarder, watcher, clock, rules.lexicons, metrics, stack)
    challenges = await _challenges(config, store, clock, stack)
    signing = await _log_in(config, store, clock, tokens, metrics, stack)
    people = People(store, clock, signing.identities, challenges.photos)
    rooms = Rooms(
        store,
        bus,
        guard,
        forwarder,
        recordings,
        clock,
        transcodes=transcodes,
        screens=screens,
        challenges=challenges,
        screening=screening,
        admission=people.lessons,
        tier=_tier(config, flags, clock, metrics, stack),
        max_lessons=config.rooms.max_lessons,
        max_viewers=config.rooms.max_viewers,
        max_webrtc=config.rooms.max_webrtc,
        max_joining=config.rooms.max_joining,
        tell_every_s=max(1, int(config.hours.tell_every.s)),
        same_person=config.sessions.same_person,
        receipt=notary.receipt,
    )
    await rooms.start()
    stack.push_async_callback(rooms.stop)
    metrics.watch("rooms", rooms.numbers)
    hours, bundles = _hours(
        config, store, rooms, notary, keeper, SheetPeople(store, signing.identities), clock, metrics, stack
    )
    wall = watcher.wall = Wall(rooms.on_wall, clock)
    wall.start()
    stack.push_async_callback(wall.stop)
    metrics.watch("wall", wall.numbers)
    screening.tell(wall.saw)
    _watch_media(metrics, front, forwarder)

    async def checks() -> Mapping[str, bool]:
        return {
            "store": await _answers(store.ledger_size()),
            "bus": bus.healthy(),
            "guard": await _guard_answers(guard),
        }

    moderation = Moderation(store, rooms, screening.incidents, rules.lexicons, clock)
    services = Services(
        config, tokens, metrics, clock, rooms, store, wall, moderation, rules,
        Inventory(_models_folder(config)), Drills(store, clock), Questions(store, clock, screening),
        control.listener.url, checks, turn, hours, keeper, notary, people, signing,
        bundles, Inspections(store, clock),
    )  # fmt: skip
    http = config.http
    public = await listen(public_app(services), http.host, http.port, http, metrics)
    stack.push_async_callback(public.close)
    garbage = Garbage(lambda: not rooms.numbers()["viewers"])
    garbage.start()
    stack.push_async_callback(garbage.stop)
    return Ready(
        public.port,
        control.listener.port,
        front.port,
        http.base_url or public.url,
        control.listener.url,
        empty,
    )


async def _log_in(
    config: Config, store: Store, clock: Clock, tokens: Tokens, metrics: Metrics, stack: AsyncExitStack
) -> LogIn:
    passwords = Passwords()
    stack.push_async_callback(asyncio.to_thread, passwords.close)
    made = log_in(config, store, clock, tokens, passwords, metrics)
    await made.start()
    stack.push_async_callback(made.close)
    return made


def _hours(
    config: Config,
    store: Store,
    rooms: Rooms,
    notary: Notary,
    keeper: Keeper,
    people: SheetPeople,
    clock: Clock,
    metrics: Metrics,
    stack: AsyncExitStack,
) -> tuple[Hours, Bundles]:
    """Attendance of what goes on in the rooms, settled after each lesson; and what proves it."""
    attendance = Attendance(store, clock, rooms.register, config.hours.settle_after.s)
    attendance.start()
    stack.push_async_callback(attendance.stop)
    metrics.watch("hours", attendance.numbers)
    objects = opener(config.objects_dir, keeper)
    return Hours(store, attendance, clock, people, rooms), Bundles(
        store, attendance, notary, clock, config.bundles_dir, objects
    )


async def _notary(
    config: Config, store: Store, clock: Clock, metrics: Metrics, stack: AsyncExitStack
) -> Notary:
    """Who signs the ledger and shows it to the witnesses."""
    signer = await load_signer(config.keys_dir, store, clock.wall_ms())
    notary = Notary(store, clock, signer, config.ledger.head_every.s, witnesses_of(config, clock))
    await notary.start()
    stack.push_async_callback(notary.stop)
    metrics.watch("ledger", notary.numbers)
    metrics.watch("journal", store.journal_numbers)
    return notary


def _bus(config: Config, tokens: Tokens, metrics: Metrics, stack: AsyncExitStack) -> Bus:
    """In this process, or over Redis and the shared database to the other nodes."""
    if not config.bus.url:
        alone = MemoryBus()
        stack.callback(alone.close)
        return alone
    key = tokens.derive("bus")
    channel = f"liveserver_{tokens.derive('bus channel').hex()[:16]}"
    lines: list[Line] = [RedisLine(config.bus.url, channel)]
    if urlsplit(config.store).scheme == "postgresql":
        lines.append(PostgresqlLine(config.store, channel))

    def tell(event: str, line: str, reason: str) -> None:
        if event == "connected":
            _log.info(Event.BUS_CONNECTED, line=line)
        else:
            _log.warning(Event.BUS_LOST, line=line, reason=reason)

    bus = SharedBus(lines, key, frozenset(neighbours.TOPICS), tell)
    metrics.watch("bus", bus.numbers)
    stack.push_async_callback(asyncio.to_thread, bus.close)
    return bus


async def _guard(
    config: Config, flags: Flags, bus: Bus, clock: Clock, control: _ControlPort, stack: AsyncExitStack
) -> Guard:
    guard = Guard(
        flags,
        KillFiles(config.kills_dir),
        bus,
        clock,
        config.control.lease.ns,
        control.serve,
        two_persons=config.control.two_person_restore,
        within_ms=config.control.restore_within.ms,
    )
    await asyncio.to_thread(guard.start)
    stack.push_async_callback(asyncio.to_thread, guard.stop)
    return guard


class _ControlPort:
    """The guard's HTTP port; the guard starts it on its own loop."""

    def __init__(self, edge: Edge):
        self._edge = edge
        self.listener: Listener

    async def serve(self, guard: Guard) -> Callable[[], Coroutine[Any, Any, None]]:
        config = self._edge.config
        app = control_app(self._edge, guard)
        self.listener = await listen(
            app, config.control_host, config.control.port, config.http, self._edge.metrics
        )
        return self.listener.close


async def _recordings(
    config: Config, store: Store, clock: Clock, metrics: Metrics, stack: AsyncExitStack
) -> Recordings:
    """Recordings over the recorder's socket, or none where it is switched off."""
    client = None
    if config.recorder.enabled:
        client = RecorderClient(
            config.recorder_socket,
            lambda event: recordings.heard(event),  # noqa: PLW0108 - made after the client
            queue_bytes=config.recorder.buffer.bytes,
        )
        stack.push_async_callback(client.close)
        metrics.watch("recorder", lambda: _recorder_numbers(client))
    recordings = Recordings(client, store, clock, _retention(config.retention))
    if client is not None:
        await client.start()
    recordings.start()
    stack.push_async_callback(recordings.stop)
    return recordings


def _keeper(
    config: Config,
    store: Store,
    recordings: Recordings,
    clock: Clock,
    metrics: Metrics,
    stack: AsyncExitStack,
) -> Keeper:
    """Who keeps recordings and reads them again, and the audit of that and of the ledger."""
    bucket = bucket_of(config.objects)
    keeper = Keeper(store, recordings, clock, config.recorder_dir, bucket, _retention(config.retention))
    if config.retention.verify:
        keeper.start()
        stack.push_async_callback(keeper.stop)
    metrics.watch("archive", keeper.numbers)
    audit = SelfAudit(store, clock, keeper.storage, config.ledger.audit_every.s, to_env(config))
    audit.start()
    stack.push_async_callback(audit.stop)
    metrics.watch("audit", audit.numbers)
    return keeper


def _watch_media(metrics: Metrics, front: Front, forwarder: Forwarder) -> None:
    metrics.watch("front", lambda: _totals(front.counters))
    metrics.watch("fanout", lambda: _totals(_fields(forwarder.fanout.stats)))


class _Watcher:
    """What screen processes saw, to those it concerns. `wall` is made after the rooms."""

    def __init__(self, screening: Screening):
        self.wall: Wall
        self._screening = screening

    def looked(
        self, lesson: str, track: str, at_ms: int, scores: Mapping[str, float], thumbnail: bytes
    ) -> None:
        self.wall.looked(lesson, track, at_ms, scores, thumbnail)

    def found(self, lesson: str, finding: Finding) -> None:
        self._screening.found(lesson, finding)

    def sight(self, lesson: str, sight: Sight, why: str) -> None:
        self._screening.sight(lesson, sight)

    def policy(self, lesson: str) -> Policy:
        return self._screening.policy(lesson)


def _transcodes(config: Config, forwarder: Forwarder, clock: Clock) -> Transcodes:
    return Transcodes(
        forwarder.fanout,
        forwarder.pacer,
        clock,
        maximum=config.transcode.max_lessons,
        max_bitrate_bps=config.transcode.max_kbps * 1000,
        linger_ns=config.transcode.linger.ns,
    )


def _tier(config: Config, flags: Flags, clock: Clock, metrics: Metrics, stack: AsyncExitStack) -> Tier | None:
    """The wide tier, or nothing where it is switched off."""
    if not config.hls.enabled:
        return None
    packager = Packager(clock)
    tier = Tier(packager, flags, clock, config.hls.linger.ns)
    tier.start()
    stack.push_async_callback(tier.stop)
    metrics.watch("hls", packager.numbers)
    return tier


def _models_folder(config: Config) -> Path | None:
    """The operator's own models."""
    return Path(config.screening.models).absolute() if config.screening.models else None


def _screens(
    config: Config,
    forwarder: Forwarder,
    watcher: _Watcher,
    clock: Clock,
    lexicons: Lexicons,
    metrics: Metrics,
    stack: AsyncExitStack,
) -> Screens | None:
    """What looks at pictures, or nothing where that is switched off."""
    if not config.screening.enabled:
        _log.warning(Event.SCREENING_LACKS, model="pictures", error="switched off")
        return None
    screens = Screens(
        forwarder.fanout,
        forwarder.pacer,
        clock,
        forwarder.schedule,
        watcher,
        watcher.policy,
        command=screen_command(config.screening.width, _models_folder(config)),
        workers=config.screening.workers,
    )
    stack.push_async_callback(screens.stop)
    metrics.watch("screens", screens.numbers)
    before = lexicons.changed

    def changed() -> None:
        before()
        for name, rows in lexicons.searched():
            screens.use_list(name, rows.encode())

    lexicons.changed = changed
    changed()
    return screens


async def _challenges(config: Config, store: Store, clock: Clock, stack: AsyncExitStack) -> Challenges:
    chosen = config.challenges
    policy = CheckPolicy(chosen.kind, chosen.slot.ms, chosen.answer.ms)
    vault = Vault(store, clock, load_or_create(config.photos_key_file), "photos")
    photos = Photos(store, clock, vault, config.photos_dir, chosen.photos_kept.ms)
    photos.start()
    stack.push_async_callback(photos.stop)
    challenges = Challenges(store, clock, load_or_create(config.checks_key_file), policy, photos)
    await challenges.start()
    return challenges


async def _screening(
    config: Config, store: Store, guard: Guard, clock: Clock, metrics: Metrics, stack: AsyncExitStack
) -> tuple[Screening, Rules]:
    """What decides on findings; without the chat's list it says so and the policies decide."""
    policies = Policies(store, clock, config.screening.policy)
    await policies.start()
    evidence = Evidence(config.evidence_dir, load_or_create(config.evidence_key_file))
    incidents = Incidents(store, evidence, clock, config.screening.evidence_kept.ms)
    incidents.start()
    stack.push_async_callback(incidents.stop)
    metrics.watch("incidents", incidents.numbers)
    chat = None
    try:
        chat = await asyncio.to_thread(ChatScreen.load)
    except ModelError as error:
        _log.error(Event.SCREENING_LACKS, model="chat", error=str(error))

    async def cut(lesson: str, level: Level, reason: str) -> object:
        return await guard.call(guard.cut(lesson, level, reason, None, SCREENING))

    # A policy can ask for a second person; that it does not says nothing against the server's own rule.
    policies.listener = lambda lesson, policy: guard.two_persons(lesson, policy.two_person_restore or None)
    lexicons = Lexicons(store, clock, chat)
    screening = Screening(policies, incidents, cut, clock, chat, lexicons.excused)
    lexicons.changed = screening.forget_names
    await lexicons.start()
    stack.push_async_callback(screening.stop)
    metrics.watch("screening", screening.numbers)
    return screening, Rules(store, policies, lexicons)


def _retention(config: RetentionConfig) -> Retention:
    chosen = {Programme.PRESET_2023: config.preset_2023, Programme.SUBSIDISED: config.subsidised}
    return Retention(
        config.months,
        config.preset_2023_months,
        config.subsidised_months,
        frozenset(programme for programme, is_on in chosen.items() if is_on),
    )


def _bind_front(config: Config, flags: Flags, clock: Clock) -> Front:
    try:
        return Front.bind(config.rtc.host, config.rtc.port, flags, clock.monotonic_ns)
    except OSError as error:
        where = f"{config.rtc.host}:{config.rtc.port}"
        raise StartError(f"cannot listen on UDP {where}: {(error.strerror or str(error)).lower()}") from error


def _listen_tcp(forwarder: Forwarder, config: Config) -> None:
    """On the number of the media port, unless that is to be a page's or the guard's: then on any other."""
    taken = {config.http.port, config.control.port}
    port = forwarder.front.port if forwarder.front.port not in taken else 0
    try:
        forwarder.listen_tcp(config.rtc.host, port)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise StartError(f"cannot listen for media on TCP {config.rtc.host}: {reason}") from error


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


def _fields(stats: object) -> dict[str, float]:
    return {name: getattr(stats, name) for name in ("sent", "dropped", "held", "refused")}


def _totals(counters: Mapping[str, float]) -> dict[str, float]:
    return {f"{name}_total": float(value) for name, value in counters.items()}


def _recorder_numbers(client: RecorderClient) -> dict[str, float]:
    return {"connected": float(client.connected), "dropped_frames_total": float(client.dropped_frames)}


if __name__ == "__main__":
    sys.exit(main())

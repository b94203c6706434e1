"""A node's parts but for its media: each made of the configuration, watched, stopped with the node."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import urlsplit

from liveserver import revocations
from liveserver.bucket import bucket_of
from liveserver.bus import Bus, Line, MemoryBus, PostgresqlLine, RedisLine, SharedBus
from liveserver.checks.challenges import Challenges
from liveserver.checks.photos import Photos
from liveserver.clock import Clock
from liveserver.config import Config, to_env
from liveserver.config.sections import RetentionConfig
from liveserver.core.chat import SCREENING
from liveserver.core.check_plan import CheckPolicy
from liveserver.core.events.cut import Level
from liveserver.core.retention import Programme, Retention
from liveserver.cut import neighbours
from liveserver.cut.guard import Guard
from liveserver.cut.kills import KillFiles
from liveserver.hours import Hours
from liveserver.hours.attendance import Attendance
from liveserver.hours.sheet_people import SheetPeople
from liveserver.http.app import public_app
from liveserver.http.context import Edge, Services
from liveserver.http.control import control_app
from liveserver.http.door import Door
from liveserver.http.listen import Listener, listen
from liveserver.http.refusals import REFUSALS
from liveserver.keeper import Keeper
from liveserver.keys import load_or_create
from liveserver.ledger.bundles import Bundles, opener
from liveserver.ledger.notary import Notary
from liveserver.ledger.self_audit import SelfAudit
from liveserver.ledger.signing import load_signer
from liveserver.ledger.witnesses import witnesses_of
from liveserver.log import Event, get_logger
from liveserver.log_in import LogIn, log_in
from liveserver.log_in.passwords import Passwords
from liveserver.metrics import Metrics
from liveserver.people import roll
from liveserver.recording import Recordings
from liveserver.rereading import Rereading
from liveserver.revocations import Revocations
from liveserver.rooms.rooms import Rooms
from liveserver.rtp.flags import Flags
from liveserver.screening import Screening
from liveserver.screening.evidence import Evidence
from liveserver.screening.incidents import Incidents
from liveserver.screening.lexicons import Lexicons
from liveserver.screening.policies import Policies
from liveserver.screening.rules import Rules
from liveserver.store import Store
from liveserver.tokens import Tokens
from liveserver.vault import Vault
from models.chat.screen import ChatScreen
from models.errors import ModelError
from recorder.client import RecorderClient

_log = get_logger()


async def signing_in(
    config: Config,
    store: Store,
    bus: Bus,
    clock: Clock,
    tokens: Tokens,
    metrics: Metrics,
    stack: AsyncExitStack,
) -> LogIn:
    taken_back = Revocations(
        tokens.revoked, store, bus, clock, config.longest_token_ms, shared=bool(config.bus.url)
    )
    await taken_back.start()
    stack.push_async_callback(taken_back.stop)
    metrics.watch("revocations", taken_back.numbers)
    passwords = Passwords()
    stack.push_async_callback(asyncio.to_thread, passwords.close)
    made = log_in(config, store, clock, tokens, taken_back, passwords, metrics)
    await made.start()
    stack.push_async_callback(made.close)
    return made


def hours_of(
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
    return Hours(store, attendance, clock, people, rooms.checking), Bundles(
        store, attendance, notary, clock, config.bundles_dir, objects
    )


async def notary_of(
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


def bus_of(config: Config, tokens: Tokens, metrics: Metrics, stack: AsyncExitStack) -> Bus:
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

    bus = SharedBus(lines, key, frozenset((*neighbours.TOPICS, revocations.TOPIC, roll.TOPIC)), tell)
    metrics.watch("bus", bus.numbers)
    stack.push_async_callback(asyncio.to_thread, bus.close)
    return bus


class ControlPort:
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


async def public_of(services: Services, stack: AsyncExitStack) -> Listener:
    """The public port, and the door for edges where one is configured."""
    config = services.config
    app = public_app(services)
    public = await listen(app, config.http.host, config.http.port, config.http, services.metrics)
    stack.push_async_callback(public.close)
    if config.door.port:
        door = Door(services, app[REFUSALS])
        await door.listen(config.door)
        stack.push_async_callback(door.close)
    return public


async def guard_of(
    config: Config, flags: Flags, bus: Bus, clock: Clock, control: ControlPort, stack: AsyncExitStack
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


async def recordings_of(
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


def keeper_of(
    config: Config,
    store: Store,
    recordings: Recordings,
    clock: Clock,
    metrics: Metrics,
    stack: AsyncExitStack,
) -> Keeper:
    """Who keeps recordings; they are read again, and that and the ledger are audited."""
    bucket = bucket_of(config.objects)
    keeper = Keeper(store, recordings, clock, config.recorder_dir, bucket, _retention(config.retention))
    rereading = Rereading(store, clock, config.recorder_dir, bucket)
    if config.retention.verify:
        rereading.start()
        stack.push_async_callback(rereading.stop)
    metrics.watch("archive", lambda: {**keeper.numbers(), **rereading.numbers()})
    audit = SelfAudit(store, clock, keeper.storage, config.ledger.audit_every.s, to_env(config))
    audit.start()
    stack.push_async_callback(audit.stop)
    metrics.watch("audit", audit.numbers)
    return keeper


async def challenges_of(config: Config, store: Store, clock: Clock, stack: AsyncExitStack) -> Challenges:
    chosen = config.challenges
    policy = CheckPolicy(chosen.kind, chosen.slot.ms, chosen.answer.ms)
    vault = Vault(store, clock, load_or_create(config.photos_key_file), "photos")
    photos = Photos(store, clock, vault, config.photos_dir, chosen.photos_kept.ms)
    photos.start()
    stack.push_async_callback(photos.stop)
    challenges = Challenges(store, clock, load_or_create(config.checks_key_file), policy, photos)
    await challenges.start()
    return challenges


async def screening_of(
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
    lexicons.changed = screening.texts.forget_names
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


def _recorder_numbers(client: RecorderClient) -> dict[str, float]:
    return {"connected": float(client.connected), "dropped_frames_total": float(client.dropped_frames)}

"""A node's media parts: the port, what makes other codecs and LL-HLS of it, what looks at pictures."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

from liveserver.addresses import own_addresses
from liveserver.clock import Clock
from liveserver.config import Config
from liveserver.core.screening import Finding, Policy, Sight
from liveserver.hls.packager import Packager
from liveserver.hls.tier import Tier
from liveserver.log import Event, get_logger
from liveserver.metrics import Metrics
from liveserver.rtp.flags import Flags
from liveserver.screening import Screening
from liveserver.screening.lexicons import Lexicons
from liveserver.screening.wall import Wall
from liveserver.sfu.forwarder import Forwarder
from liveserver.sfu.front import Front
from liveserver.sfu.screener import screen_command
from liveserver.sfu.screens import Screens
from liveserver.sfu.transcodes import Transcodes
from liveserver.start import StartError

_log = get_logger()


class Watcher:
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


def forwarder_of(
    config: Config, flags: Flags, clock: Clock, metrics: Metrics, stack: AsyncExitStack
) -> Forwarder:
    """The media port, listening."""
    front = _bind_front(config, flags, clock)
    forwarder = Forwarder(front, flags, clock, config.rtc.advertise or own_addresses(config.rtc.host))
    if config.rtc.tcp:
        _listen_tcp(forwarder, config)
    forwarder.start()
    stack.push_async_callback(forwarder.stop)
    metrics.watch("front", lambda: _totals(front.counters))
    metrics.watch("fanout", lambda: _totals(_fields(forwarder.fanout.stats)))
    return forwarder


def transcodes_of(
    config: Config, forwarder: Forwarder, clock: Clock, metrics: Metrics, stack: AsyncExitStack
) -> Transcodes:
    transcodes = Transcodes(
        forwarder.fanout,
        forwarder.pacer,
        clock,
        maximum=config.transcode.max_lessons,
        max_bitrate_bps=config.transcode.max_kbps * 1000,
        linger_ns=config.transcode.linger.ns,
    )
    stack.push_async_callback(transcodes.stop)
    metrics.watch("transcode", transcodes.numbers)
    return transcodes


def tier_of(
    config: Config, flags: Flags, clock: Clock, metrics: Metrics, stack: AsyncExitStack
) -> Tier | None:
    """The wide tier, or nothing where it is switched off."""
    if not config.hls.enabled:
        return None
    packager = Packager(clock)
    tier = Tier(packager, flags, clock, config.hls.linger.ns)
    tier.start()
    stack.push_async_callback(tier.stop)
    metrics.watch("hls", packager.numbers)
    return tier


def models_folder(config: Config) -> Path | None:
    """The operator's own models."""
    return Path(config.screening.models).absolute() if config.screening.models else None


def screens_of(
    config: Config,
    forwarder: Forwarder,
    watcher: Watcher,
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
        command=screen_command(config.screening.width, models_folder(config)),
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


def _fields(stats: object) -> dict[str, float]:
    return {name: getattr(stats, name) for name in ("sent", "dropped", "held", "refused")}


def _totals(counters: Mapping[str, float]) -> dict[str, float]:
    return {f"{name}_total": float(value) for name, value in counters.items()}

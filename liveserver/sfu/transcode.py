"""A lesson's pictures in the codec that some viewers lack: a second source of the same track.

A *lane* is one track on its way through the lesson's process: a tap on the publisher's uplink, and an
uplink of our own that carries what comes back, with its own numbers and SSRC, on the source's clock. Viewers
hang on it as on any other: fan-out, cache, replay, RTX and the guard's flags are the same. The process starts
with the first lane and ends with the last.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping, Sequence

from liveserver.clock import Clock
from liveserver.log import Event, get_logger
from liveserver.rtp import header
from liveserver.rtp.depacketize import Frame
from liveserver.rtp.fanout import Fanout
from liveserver.rtp.packetize import CODECS
from liveserver.rtp.rtcp import SenderReport
from liveserver.sfu.pacer import Pacer
from liveserver.sfu.source_clock import PublisherClock, ntp_from_ns
from liveserver.sfu.tap import FrameTap
from liveserver.sfu.transcoder import Transcoder, transcode_command
from liveserver.sfu.uplink import Uplink
from liveserver.transcode import wire

LINGER_NS = 5_000_000_000  # a reload of the page must not start the process anew
_TICK_S = 0.1
_PAYLOAD_TYPE = 96  # the fan-out writes each viewer's own
_log = get_logger()


class Lane:
    """One track in another codec. `source` is the publisher's uplink, `uplink` what viewers are attached to.

    Fits `sfu.tap.FrameSink`.
    """

    def __init__(
        self, source: Uplink, codec: str, fanout: Fanout, pacer: Pacer, feed: Callable[[wire.Frame], bool]
    ):
        self.source = source
        self.uplink = Uplink(fanout, source.room, source.track, source.mid, codec, PublisherClock())
        self.watched_ns = 0
        self._pacer = pacer
        self._feed = feed
        self._tap: FrameTap | None = None
        self._fed_source: int | None = None  # SSRC of the newest frame fed
        self._made_source: int | None = None  # SSRC of the source of what the uplink carries
        self._sequence = 0

    def open(self) -> None:
        """A process has come that knows nothing: give it what is needed to go on from the last keyframe."""
        self.shut()
        self._tap = FrameTap(self.source.track, self.source.codec, self.source.clock_rate, self)
        for packet, arrival_ns in self.source.cache.group():
            self._tap.push(packet, arrival_ns)
        self.source.taps.append(self._tap)

    def shut(self) -> None:
        """No more frames: the process is gone."""
        if self._tap is not None and self._tap in self.source.taps:
            self.source.taps.remove(self._tap)
        self._tap = None

    def close(self) -> None:
        self.shut()
        self.uplink.close()

    def frame(self, track: str, codec: str, clock_rate: int, frame: Frame, source: int) -> None:
        self._fed_source = source
        self._feed(wire.Frame(track, codec, frame.keyframe, source, frame.timestamp, frame.data))

    def report(self, track: str, ntp: int, rtp_timestamp: int) -> None:
        """The source's clock is read when it is needed."""

    def produced(self, picture: wire.Picture, now_ns: int, wall_ns: int) -> None:
        """Number the packets of a picture and send them on."""
        if picture.source != self._fed_source:
            return  # made of what the publisher sent before it began anew
        uplink = self.uplink
        if uplink.ssrc is None or picture.source != self._made_source:
            self._made_source = picture.source
            uplink.adopt(secrets.randbits(31) | 1)
        assert uplink.ssrc is not None
        self.keep_time(now_ns, wall_ns)
        last = len(picture.payloads) - 1
        for index, payload in enumerate(picture.payloads):
            self._sequence = (self._sequence + 1) & 0xFFFF
            data = header.build(
                payload_type=_PAYLOAD_TYPE,
                sequence=self._sequence,
                timestamp=picture.timestamp,
                ssrc=uplink.ssrc,
                payload=payload,
                marker=index == last,
            )
            uplink.receive(header.parse(data), now_ns, wall_ns)
        uplink.flush(now_ns)
        self._pacer.run()  # somebody who catches up may wait for this frame

    def keep_time(self, now_ns: int, wall_ns: int) -> None:
        """The timestamps are the source's: so is what they mean, or picture and sound would part."""
        timestamp = self.source.clock.timestamp_at(wall_ns)
        if timestamp is not None and self.uplink.ssrc is not None:
            report = SenderReport(self.uplink.ssrc, ntp_from_ns(wall_ns), timestamp, 0, 0, ())
            self.uplink.reported(report, now_ns, wall_ns)


class Transcode:
    """One lesson's. Costs nothing until `instead` is asked for the first time. Fits `transcoder.Listener`.

    `on_change` is called when who is shown what has to be decided anew, `on_notice(code)` when those who
    watch should be told that the picture is interrupted (`transcode_lost`) or there again (`transcode_back`).
    """

    def __init__(self, owner: Transcodes, lesson: str):
        self.on_change: Callable[[], None] = lambda: None
        self.on_notice: Callable[[str], None] = lambda code: None
        self.lanes: list[Lane] = []
        self._owner = owner
        self._clock = owner.clock
        self._transcoder: Transcoder | None = None
        self._has_failed = False
        self._is_interrupted = False
        self._is_refused = False  # the node has as many as it may
        self._orphaned_ns: int | None = None  # since when there is no publisher
        self._log = get_logger(lesson=lesson)

    def instead(self, source: Uplink, codecs: Container[str]) -> Uplink | None:
        """What to attach a viewer to who has `codecs` and not that of `source`; None: there is nothing."""
        codec = next((name for name in CODECS if name in codecs and name != source.codec), None)
        if codec is None or source.track not in wire.TRACKS or self._has_failed or not self._owner.maximum:
            return None
        lane = next((found for found in self.lanes if found.source is source), None)
        if lane is not None:
            return lane.uplink
        if self._transcoder is None and not self._start():
            return None
        assert self._transcoder is not None
        for former in [found for found in self.lanes if found.source.track == source.track]:
            self._drop(former)
        lane = Lane(source, codec, self._owner.fanout, self._owner.pacer, self._transcoder.feed)
        lane.watched_ns = self._clock.monotonic_ns()
        self.lanes.append(lane)
        self._orphaned_ns = None
        if self._transcoder.is_ready:
            lane.open()
        return lane.uplink

    def makes(self, uplink: Uplink | None) -> bool:
        """Whether `uplink` is one of those that carry what the process made."""
        return any(lane.uplink is uplink for lane in self.lanes)

    def forget(self, sources: Iterable[Uplink]) -> None:
        """These uplinks of a publisher are closing."""
        gone = list(sources)
        for lane in [lane for lane in self.lanes if lane.source in gone]:
            self._drop(lane)
            self._orphaned_ns = self._clock.monotonic_ns()

    def renew(self) -> None:
        """Another publisher has come: what could not be transcoded before is tried again."""
        self._has_failed = False

    def close(self) -> None:
        """The lesson has left this node."""
        for lane in list(self.lanes):
            self._drop(lane)
        self._stop("closed")
        self._owner.withdraw(self)

    def tick(self, now_ns: int) -> None:
        """Ten times a second."""
        transcoder = self._transcoder
        if transcoder is None:
            return
        transcoder.watch(now_ns)
        wall_ns = self._clock.wall_ms() * 1_000_000
        for lane in list(self.lanes):
            lane.keep_time(now_ns, wall_ns)
            if lane.uplink.keyframe_due(now_ns):
                transcoder.want_keyframe(lane.source.track)
            if lane.uplink.downlinks:
                lane.watched_ns = now_ns
            elif now_ns - lane.watched_ns > self._owner.linger_ns:
                self._drop(lane)
        # A publisher has time to come back; lanes that nobody watched have lingered already.
        has_time = self._orphaned_ns is not None and now_ns - self._orphaned_ns <= self._owner.linger_ns
        if not self.lanes and not has_time:
            self._stop("unwatched")

    # --- what the process says ---

    def ready(self) -> None:
        for lane in self.lanes:
            lane.open()

    def produced(self, picture: wire.Picture) -> None:
        lane = next((lane for lane in self.lanes if lane.source.track == picture.track), None)
        if lane is None:
            return
        lane.produced(picture, self._clock.monotonic_ns(), self._clock.wall_ms() * 1_000_000)
        if self._is_interrupted:
            self._is_interrupted = False
            self.on_notice("transcode_back")

    def lost(self, track: str) -> None:
        for lane in self.lanes:
            if lane.source.track == track:
                lane.source.want_keyframe()

    def interrupted(self, why: str) -> None:
        for lane in self.lanes:
            lane.shut()
        self._owner.counters["restarts"] += 1
        self._log.warning(Event.TRANSCODE_RESTARTING, why=why)
        if not self._is_interrupted:
            self._is_interrupted = True
            self.on_notice("transcode_lost")

    def failed(self) -> None:
        self._has_failed = True
        self._owner.counters["failed"] += 1
        self._log.error(Event.TRANSCODE_FAILED)
        for lane in list(self.lanes):
            self._drop(lane)
        self._stop("failed")
        self.on_change()

    # --- inside ---

    def _start(self) -> bool:
        transcoder = self._owner.begin(self)
        if transcoder is None:
            if not self._is_refused:
                self._is_refused = True
                self._owner.counters["refused"] += 1
                self._log.warning(Event.TRANSCODE_REFUSED, running=self._owner.running)
            return False
        self._is_refused = False
        self._transcoder = transcoder
        self._log.info(Event.TRANSCODE_STARTED, running=self._owner.running)
        return True

    def _stop(self, why: str) -> None:
        transcoder, self._transcoder = self._transcoder, None
        if transcoder is None:
            return
        self._orphaned_ns = None
        self._is_interrupted = False
        transcoder.close()
        self._log.info(Event.TRANSCODE_STOPPED, why=why, restarts=transcoder.restarts, **transcoder.counters)
        self._owner.end(self)

    def _drop(self, lane: Lane) -> None:
        self.lanes.remove(lane)
        if self._transcoder is not None:
            self._transcoder.forget(lane.source.track)
        lane.close()

    def describe(self) -> Mapping[str, object]:
        """For /debug/rooms."""
        transcoder = self._transcoder
        return {
            "pid": transcoder.pid if transcoder else None,
            "ready": transcoder.is_ready if transcoder else False,
            "refused": self._is_refused,
            "failed": self._has_failed,
            "restarts": transcoder.restarts if transcoder else 0,
            "frames": dict(transcoder.counters) if transcoder else {},
            "tracks": [
                {
                    "track": lane.source.track,
                    "from": lane.source.codec,
                    "to": lane.uplink.codec,
                    "packets": lane.uplink.packets_received,
                    "octets": lane.uplink.octets_received,
                    "viewers": len(lane.uplink.downlinks),
                }
                for lane in self.lanes
            ],
        }


class Transcodes:
    """The node's: who may have a process, and the beat of those that run. `maximum` 0: nobody."""

    def __init__(
        self,
        fanout: Fanout,
        pacer: Pacer,
        clock: Clock,
        *,
        maximum: int = 2,
        max_bitrate_bps: int = 2_500_000,
        linger_ns: int = LINGER_NS,
        command: Sequence[str] = (),
    ):
        self.fanout = fanout
        self.pacer = pacer
        self.clock = clock
        self.linger_ns = linger_ns
        self.counters: Counter[str] = Counter()
        self.maximum = maximum
        self._command = command or transcode_command(max_bitrate_bps)
        self._running: dict[Transcode, Transcoder] = {}
        self._waiting: dict[Transcode, None] = {}  # in the order they came
        self._tasks: set[asyncio.Task[None]] = set()
        self._beat: asyncio.Task[None] | None = None

    def of(self, lesson: str) -> Transcode:
        return Transcode(self, lesson)

    @property
    def running(self) -> int:
        return len(self._running)

    def begin(self, transcode: Transcode) -> Transcoder | None:
        """A process for this lesson, or None when the node has as many as it may."""
        if len(self._running) >= self.maximum:
            self._waiting[transcode] = None
            return None
        self.withdraw(transcode)
        self.counters["started"] += 1
        transcoder = Transcoder(self._command, transcode, self.clock)
        self._running[transcode] = transcoder
        self._keep(asyncio.create_task(transcoder.run(), name="transcode"))
        if self._beat is None:
            self._beat = asyncio.create_task(self._tick(), name="transcodes tick")
        return transcoder

    def end(self, transcode: Transcode) -> None:
        """Its process is ending: those who wait may have its place."""
        if self._running.pop(transcode, None) is None:
            return
        for other in list(self._waiting):
            if len(self._running) >= self.maximum:
                break
            self.withdraw(other)
            other.on_change()  # it may be that nobody there needs one any more

    def withdraw(self, transcode: Transcode) -> None:
        """It waits no longer."""
        self._waiting.pop(transcode, None)

    async def stop(self) -> None:
        """End every process; when this returns none is left."""
        self.maximum = 0
        self._waiting.clear()
        for transcode in list(self._running):
            transcode.close()
        if self._beat is not None:
            self._beat.cancel()
            await asyncio.gather(self._beat, return_exceptions=True)
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def numbers(self) -> dict[str, float]:
        """For /metrics."""
        names = ("started", "restarts", "failed", "refused")
        return {f"{name}_total": float(self.counters[name]) for name in names} | {
            "running": float(len(self._running)),
            "waiting": float(len(self._waiting)),
            "viewers": float(sum(len(lane.uplink.downlinks) for t in self._running for lane in t.lanes)),
        }

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tick(self) -> None:
        while self._running:
            await asyncio.sleep(_TICK_S)
            now_ns = self.clock.monotonic_ns()
            for transcode in list(self._running):
                try:
                    transcode.tick(now_ns)
                except Exception:  # one lesson's failure must not stop the others' beat
                    _log.exception(Event.TRANSCODE_FAILED)
                    transcode.close()
        self._beat = None

"""A lesson's pictures in the codec that some viewers lack: a second source of the same track.

Each track takes a lane (`sfu.transcode_lane`). Viewers hang on its uplink as on any other: fan-out, cache,
replay, RTX and the guard's flags are the same. The process starts with the first lane and ends with the last.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from typing import TYPE_CHECKING

from liveserver.log import Event, get_logger
from liveserver.rtp.packetize import CODECS
from liveserver.sfu.transcode_lane import Lane
from liveserver.sfu.transcoder import Transcoder
from liveserver.sfu.uplink import Uplink
from liveserver.transcode import wire

if TYPE_CHECKING:
    from liveserver.sfu.transcodes import Transcodes


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

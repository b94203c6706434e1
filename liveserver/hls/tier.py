"""The wide tier of a node: lessons packaged while somebody asks for them.

A `Broadcast` is one lesson: it taps what the lesson's viewers are shown (so a screened lesson gives released
frames alone, and a VP8 lesson what the transcode makes of it), feeds the packager, and keeps what comes back
on its shelf. Packaging begins with the first request and ends a while after the last one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from liveserver.clock import Clock
from liveserver.core.errors import PeerError
from liveserver.hls.packager import Packager
from liveserver.hls.playlist import Streams
from liveserver.hls.shelf import Rendition, Shelf
from liveserver.log import Event, get_logger
from liveserver.packaging.wire import Frame, Init, Part, Report
from liveserver.rtp import depacketize
from liveserver.rtp.flags import ALL, AUDIO, VIDEO, Flags
from liveserver.sfu.stage import Stage
from liveserver.sfu.tap import FrameTap
from liveserver.sfu.uplink import Uplink

OVER_NS = 60_000_000_000  # so long the end of a lesson can still be played
_TICK_S = 0.1
_log = get_logger()


class _Follower:
    """One track on its way to the packager. Fits `sfu.tap.FrameSink` and `sfu.uplink.Subscriber`.

    It counts among the track's viewers, so that what is made for viewers alone is made for it.
    """

    def __init__(self, source: Uplink, kind: str, broadcast: Broadcast):
        self.source = source
        self._kind = kind
        self._broadcast = broadcast
        self._tap = FrameTap(source.track, source.codec, source.clock_rate, self)
        source.downlinks.add(self)
        source.taps.append(self._tap)
        if source.is_video:
            for packet, arrival_ns in source.cache.group():
                self._tap.push(packet, arrival_ns)

    def frame(self, track: str, codec: str, clock_rate: int, frame: depacketize.Frame, source: int) -> None:
        self._broadcast.frame(self._kind, codec, frame, source)

    def report(self, track: str, ntp: int, rtp_timestamp: int) -> None:
        self._broadcast.report(self._kind, ntp, rtp_timestamp)

    def begin(self, now_ns: int) -> None:
        """Nothing is sent to it: it has a tap."""

    def source_restarted(self) -> None:
        """Its tap sees that by itself."""

    def detach(self) -> None:
        self.source.downlinks.discard(self)
        if self._tap in self.source.taps:
            self.source.taps.remove(self._tap)


class Broadcast:
    """One lesson's. Fits `packager.Listener` and `sfu.stage.Wide`."""

    def __init__(
        self,
        lesson: str,
        stage: Stage,
        packager: Packager,
        flags: Flags,
        clock: Clock,
        is_over: Callable[[], bool],
    ):
        self.shelf = Shelf(clock.wall_s())
        self.asked_ns = clock.monotonic_ns()
        self.over_ns: int | None = None
        self._lesson = lesson
        self._stage = stage
        self._packager = packager
        self._flags = flags
        self._clock = clock
        self._is_over = is_over
        self._withheld: set[str] = set()  # tracks of which something was not fed
        self._to_wall_ms = clock.wall_ms() - clock.monotonic_ns() // 1_000_000
        self._dark, self._epoch = self._flags_dark(), flags.epoch(stage.room)
        self._shown: tuple[Uplink | None, Uplink | None] = (None, None)
        self._followers: dict[str, _Follower] = {}
        self._lane: int | None = packager.open(self)
        stage.widen(self)
        _log.info(Event.HLS_STARTED, lesson=lesson)

    # --- what is shown (`sfu.stage.Wide`) ---

    def show(self, audio: Uplink | None, video: Uplink | None) -> None:
        """These are what viewers get from now on."""
        self._shown = (audio, video)
        for kind, uplink in (("audio", audio), ("video", video)):
            follower = self._followers.get(kind)
            if follower is not None and (uplink is not follower.source or not self._packager.is_ready):
                follower.detach()
                del self._followers[kind]
                follower = None
            if follower is None and uplink is not None and self._lane is not None and self._packager.is_ready:
                self._followers[kind] = _Follower(uplink, kind, self)

    def frame(self, kind: str, codec: str, frame: depacketize.Frame, source: int) -> None:
        """A frame of a track; nothing that may not be shown is packaged."""
        now_ns = self._clock.monotonic_ns()
        allowed = self._flags.allows(self._stage.room, VIDEO if kind == "video" else AUDIO, now_ns)
        if self._lane is None or not allowed or codec not in ("opus", "h264"):
            self._withheld.add(kind)
            return
        lost = frame.lost_before > 0 or kind in self._withheld
        self._withheld.discard(kind)
        arrival_ms = frame.arrival_ns // 1_000_000 + self._to_wall_ms
        self._packager.feed(
            Frame(
                self._lane, kind, codec, frame.keyframe, lost, source, frame.timestamp, arrival_ms, frame.data
            )
        )

    def report(self, kind: str, ntp: int, rtp_timestamp: int) -> None:
        if self._lane is not None:
            self._packager.report(Report(self._lane, kind, ntp, rtp_timestamp))

    # --- what the packager says (`packager.Listener`) ---

    def begun(self) -> None:
        self._withheld.clear()
        self.show(*self._shown)

    def interrupted(self) -> None:
        self.shelf.interrupt()
        self.show(*self._shown)

    def init(self, init: Init) -> None:
        self.shelf.add_init(init)
        self.lost()  # the sooner the next keyframe comes, the sooner there is a whole segment to begin with

    def part(self, part: Part) -> None:
        if not self._is_dark(AUDIO):
            self.shelf.add(part)

    def lost(self) -> None:
        video = self._followers.get("video")
        if video is not None:
            video.source.want_keyframe()

    # --- life ---

    def tick(self, now_ns: int) -> None:
        """Ten times a second: whoever waits is told of a cut."""
        if self._is_over():
            self.finish(now_ns)
        self._look()

    def _look(self) -> None:
        """See what the guard did."""
        dark, epoch = self._flags_dark(), self._flags.epoch(self._stage.room)
        if dark & ~self._dark or epoch > self._epoch + 1:  # two steps: a cut that is lifted again already
            self._begin_anew()
        elif dark != self._dark:
            self.lost()
        self._dark, self._epoch = dark, epoch

    def _begin_anew(self) -> None:
        """What was packaged is gone, the last picture too: nothing of it may stand for what comes later."""
        self.shelf.cut_off()
        if self._lane is not None:
            self._packager.close(self._lane)
            self._lane = self._packager.open(self)
            self._withheld.update(self._followers)

    def finish(self, now_ns: int) -> None:
        """The lesson is over: what there is can be played to its end."""
        if self.over_ns is None:
            self.over_ns = now_ns
            self._leave()
            self.shelf.finish()

    def close(self) -> None:
        """Nobody asks any more, or the lesson has left this node."""
        self._leave()
        self.shelf.finish()
        _log.info(Event.HLS_STOPPED, lesson=self._lesson)

    def _leave(self) -> None:
        self._stage.widen(None)
        for follower in self._followers.values():
            follower.detach()
        self._followers.clear()
        if self._lane is not None:
            self._packager.close(self._lane)
            self._lane = None

    def check(self, rendition: Rendition | None) -> None:
        """PeerError `lesson_cut` (410) while a cut holds back what is asked for.

        Whoever passes meets nothing from before a cut, not even in the tick after it was lifted.
        """
        self._look()
        kinds = {Rendition.VIDEO: VIDEO, Rendition.AUDIO: AUDIO, None: AUDIO}[rendition]
        if self._is_dark(kinds):
            raise PeerError("lesson_cut", "this is not shown", status=410)

    @property
    def streams(self) -> Streams:
        """What the multivariant playlist says: a picture only while none is held back."""
        found = self.shelf.streams()
        return replace(found, width=0) if self._is_dark(VIDEO) else found

    def _is_dark(self, kind: int) -> bool:
        return bool(self._flags_dark() & kind)

    def _flags_dark(self) -> int:
        """What the guard holds back now: what is cut, and everything once its lease is over."""
        room = self._stage.room
        if not self._flags.is_leased(room, self._clock.monotonic_ns()):
            return ALL
        return self._flags.dark(room)


class Tier:
    """All lessons of the node; `linger_ns`: how long one is packaged that nobody asks for."""

    def __init__(self, packager: Packager, flags: Flags, clock: Clock, linger_ns: int):
        self._packager = packager
        self._linger_ns = linger_ns
        self._flags = flags
        self._clock = clock
        self._broadcasts: dict[str, Broadcast] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """The process stands ready for the first lesson that is asked for."""
        self._packager.start()
        self._task = asyncio.create_task(self._run(), name="hls")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for lesson in list(self._broadcasts):
            self.close(lesson)
        await self._packager.stop()

    def wanted(self, lesson: str, stage: Stage, is_over: Callable[[], bool]) -> Broadcast:
        """The lesson's broadcast, begun if nobody asked before."""
        broadcast = self._broadcasts.get(lesson)
        if broadcast is None:
            broadcast = Broadcast(lesson, stage, self._packager, self._flags, self._clock, is_over)
            self._broadcasts[lesson] = broadcast
        broadcast.asked_ns = self._clock.monotonic_ns()
        return broadcast

    def running(self, lesson: str) -> Broadcast | None:
        return self._broadcasts.get(lesson)

    def finish(self, lesson: str) -> None:
        """The lesson is over."""
        broadcast = self._broadcasts.get(lesson)
        if broadcast is not None:
            broadcast.finish(self._clock.monotonic_ns())

    def close(self, lesson: str) -> None:
        """The lesson has left this node."""
        broadcast = self._broadcasts.pop(lesson, None)
        if broadcast is not None:
            broadcast.close()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            now_ns = self._clock.monotonic_ns()
            self._packager.watch(now_ns)
            for lesson, broadcast in list(self._broadcasts.items()):
                broadcast.tick(now_ns)
                over_ns = broadcast.over_ns
                idle = now_ns - broadcast.asked_ns > self._linger_ns and over_ns is None
                if idle or (over_ns is not None and now_ns - over_ns > OVER_NS):
                    self.close(lesson)

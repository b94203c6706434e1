"""One lesson's media on this node: who publishes, who watches, and what each viewer is shown."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Protocol

from liveserver.rtp.fanout import STREAM
from liveserver.rtp.flags import ALL, VIDEO, Flags
from liveserver.sfu.publisher import Publisher
from liveserver.sfu.screen import Screen
from liveserver.sfu.tap import FrameSink, FrameTap, patient
from liveserver.sfu.transcode import Transcode
from liveserver.sfu.uplink import Uplink
from liveserver.sfu.viewer import Viewer


class Wide(Protocol):
    """Who carries what viewers see on to others, by other means. Must not block."""

    def show(self, audio: Uplink | None, video: Uplink | None) -> None: ...


class Stage:
    """`room` is the lesson's row in the flags. Owned by the lesson's room; used on the main loop only.

    `transcode` serves viewers who lack the publisher's codec; without one they are told that they do.
    `screen` looks at the pictures, and where the policy says so viewers get them only once they have passed.
    """

    def __init__(
        self, room: int, flags: Flags, transcode: Transcode | None = None, screen: Screen | None = None
    ):
        self.room = room
        self.cname = f"lesson-{room}"  # one clock for all its tracks (RFC 3550 6.5.1)
        self.publisher: Publisher | None = None
        self.viewers: set[Viewer] = set()
        self.screen_is_shared = False
        self._flags = flags
        self._sink: FrameSink | None = None
        self._taps: list[FrameTap] = []
        self._is_paused = self._is_slate = False
        self._transcode = transcode
        if transcode is not None:
            transcode.on_change = self.show_all
            transcode.on_notice = self._notice
        self._wide: Wide | None = None
        self._screen = screen
        if screen is not None:
            screen.on_change = self.show_all
            screen.on_hold = self._hold_back

    def publish(self, publisher: Publisher) -> None:
        """The given peer is the instructor's from now on; an earlier one is closed as replaced."""
        previous, self.publisher = self.publisher, publisher
        self._tap()
        self._screen_publisher(publisher)
        if previous is not None:
            previous.close("replaced")
        if self._transcode is not None:
            self._transcode.renew()
        self.show_all()

    def unpublish(self, publisher: Publisher) -> None:
        """The peer's connection ended."""
        shown = [self._shown(uplink) for uplink in publisher.uplinks]
        if self._transcode is not None:
            self._transcode.forget([*publisher.uplinks, *shown])
        if self._screen is not None:
            self._screen.unpublish(publisher.uplinks)
        if self.publisher is publisher:
            self._untap()
            self.publisher = None
            self._show_wide()

    def add(self, viewer: Viewer) -> None:
        self.viewers.add(viewer)
        self._flags.watched(self.room, len(self.viewers))
        self._show(viewer)

    def remove(self, viewer: Viewer) -> None:
        self.viewers.discard(viewer)
        self._flags.watched(self.room, len(self.viewers))

    @property
    def streams(self) -> Sequence[int]:
        """The TCP connections of those who watch over one."""
        places = [viewer.endpoint.selected for viewer in self.viewers]
        return [place[1] for place in places if place is not None and place[0] == STREAM]

    @property
    def sources(self) -> Sequence[Uplink]:
        """Every track that viewers are shown."""
        ours = self.publisher.uplinks if self.publisher is not None else []
        if self._screen is not None and self._screen.delayed:
            ours = self._screen.delayed
        return ours + ([lane.uplink for lane in self._transcode.lanes] if self._transcode is not None else [])

    def share_screen(self, is_shared: bool) -> None:
        """Whether viewers with one video get the screen instead of the camera."""
        if is_shared != self.screen_is_shared:
            self.screen_is_shared = is_shared
            self.show_all()

    def hold(self, is_held: bool, now_ns: int) -> None:
        """The lesson's own pause: nothing is forwarded, everybody stays connected."""
        self._is_paused = is_held
        self._set_hold()
        if not is_held:
            self._begin_anew(now_ns)

    def refresh(self, now_ns: int) -> None:
        """A cut was lifted: every viewer starts from the cache."""
        if self._screen is not None:
            self._screen.lifted()
        self._begin_anew(now_ns)

    def record(self, sink: FrameSink | None) -> None:
        """Send the encoded frames of this and later publishers to `sink`; None stops it."""
        self._untap()
        self._sink = sink
        self._tap()

    def widen(self, wide: Wide | None) -> None:
        """Show `wide` from now on what viewers with H.264 are shown; None ends that."""
        self._wide = wide
        self._show_wide()

    def close(self, reason: str) -> None:
        """End every connection of the lesson."""
        self.record(None)
        if self.publisher is not None:
            self.publisher.close(reason)
        for viewer in list(self.viewers):
            viewer.close(reason)
        if self._transcode is not None:
            self._transcode.close()
        if self._screen is not None:
            self._screen.close()

    def show_all(self) -> None:
        for viewer in list(self.viewers):
            self._show(viewer)
        self._show_wide()

    def _show_wide(self) -> None:
        if self._wide is None:
            return
        audio = video = None
        if self.publisher is not None:
            sound, videos = self.publisher.uplink("audio"), self._videos(self.publisher)
            audio = self._shown(sound) if sound else None
            video = self._shown(videos[0]) if videos else None
        if video is not None and video.codec != "h264":
            video = self._instead(video, ("h264",))
        self._wide.show(audio, video)

    def _show(self, viewer: Viewer) -> None:
        if not viewer.is_connected:
            return
        if self.publisher is None:
            viewer.show(None, [], self._instead)
            return
        audio = self.publisher.uplink("audio")
        videos = [self._shown(uplink) for uplink in self._videos(self.publisher)]
        viewer.show(self._shown(audio) if audio else None, videos, self._instead)

    def _shown(self, uplink: Uplink) -> Uplink:
        """What viewers get for a track of the publisher."""
        return self._screen.instead(uplink) if self._screen is not None else uplink

    def _instead(self, uplink: Uplink, codecs: Container[str]) -> Uplink | None:
        return self._transcode.instead(uplink, codecs) if self._transcode is not None else None

    def _notice(self, code: str) -> None:
        """Tell those who watch what the transcode makes."""
        assert self._transcode is not None
        for viewer in list(self.viewers):
            if any(self._transcode.makes(downlink.source) for downlink in viewer.videos):
                viewer.notice(code)

    def _screen_publisher(self, publisher: Publisher) -> None:
        """Its tracks are looked at from now on; what was made of other tracks for viewers is over."""
        if self._screen is not None:
            if self._transcode is not None:
                self._transcode.forget(self._screen.delayed)
            self._screen.publish(publisher.uplinks)

    def _hold_back(self, is_held: bool, now_ns: int) -> None:
        """Nobody looks, and the policy lets nothing pass that was not looked at."""
        self._is_slate = is_held
        self._set_hold()
        if not is_held:
            self._begin_anew(now_ns)

    def _set_hold(self) -> None:
        self._flags.hold(self.room, ALL if self._is_paused else VIDEO if self._is_slate else 0)

    def _begin_anew(self, now_ns: int) -> None:
        """What was held back may flow again."""
        for viewer in self.viewers:
            viewer.refresh(now_ns)

    def _videos(self, publisher: Publisher) -> list[Uplink]:
        """The tracks by rank: the screen while it is shared, else the camera, then the other."""
        camera, screen = publisher.uplink("camera"), publisher.uplink("screen")
        if self.screen_is_shared and screen is not None:
            return [screen] + ([camera] if camera else [])
        return [camera] if camera else []

    def _tap(self) -> None:
        if self._sink is None or self.publisher is None:
            return
        for uplink in self.publisher.uplinks:
            tap = FrameTap(uplink.track, uplink.codec, uplink.clock_rate, self._sink, patient)
            for packet, arrival_ns in uplink.cache.group():
                tap.push(packet, arrival_ns)  # what came before the tap, from the last keyframe on
            uplink.taps.append(tap)
            self._taps.append(tap)

    def _untap(self) -> None:
        for tap in self._taps:
            tap.flush()
        if self.publisher is not None:
            for uplink in self.publisher.uplinks:
                uplink.taps[:] = [tap for tap in uplink.taps if tap not in self._taps]
        self._taps.clear()

    def describe(self) -> Mapping[str, object]:
        """For /debug/rooms."""
        return {
            "room": self.room,
            "publisher": self.publisher.describe() if self.publisher else None,
            "viewers": len(self.viewers),
            "transcode": self._transcode.describe() if self._transcode else None,
            "screen": self._screen.describe() if self._screen else None,
            "sample": [viewer.describe() for viewer in list(self.viewers)[:20]],
        }

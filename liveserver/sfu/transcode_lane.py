"""A track on its way through the lesson's transcode process, and what comes back.

It is a tap on the publisher's uplink, and an uplink of our own that carries what the process made, with its
own numbers and SSRC, on the source's clock.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

from liveserver.rtp import header
from liveserver.rtp.depacketize import Frame
from liveserver.rtp.fanout import Fanout
from liveserver.rtp.rtcp import SenderReport
from liveserver.sfu.pacer import Pacer
from liveserver.sfu.source_clock import PublisherClock, ntp_from_ns
from liveserver.sfu.tap import FrameTap
from liveserver.sfu.uplink import Uplink
from liveserver.transcode import wire

_PAYLOAD_TYPE = 96  # the fan-out writes each viewer's own


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
        """It is over: those who hang on it have to look for another."""
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

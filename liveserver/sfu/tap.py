"""A tap: the encoded frames of a track, for whoever records or screens it. Bounded by its sink."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

from liveserver.rtp.depacketize import RECORD_WAIT_NS, RECORD_WAITING, Depacketizer, Frame
from liveserver.rtp.header import Packet


class FrameSink(Protocol):
    """Takes frames without blocking; drops and counts by itself when it cannot follow.

    `source` is the publisher's SSRC: when it changes, timestamps start anew.
    """

    def frame(self, track: str, codec: str, clock_rate: int, frame: Frame, source: int) -> None: ...

    def report(self, track: str, ntp: int, rtp_timestamp: int) -> None: ...


# For a recording every frame counts and none is urgent.
patient = partial(Depacketizer, wait_ns=RECORD_WAIT_NS, waiting=RECORD_WAITING)


class FrameTap:
    """Turns one track's packets into frames. Fits `uplink.Tap`. `depacketizer` makes one for a codec."""

    def __init__(
        self,
        track: str,
        codec: str,
        clock_rate: int,
        sink: FrameSink,
        depacketizer: Callable[[str], Depacketizer] = Depacketizer,
    ):
        self._track = track
        self._codec = codec
        self._clock_rate = clock_rate
        self._sink = sink
        self._ssrc: int | None = None
        self._make = depacketizer
        self._depacketizer = depacketizer(codec)

    def push(self, packet: Packet, arrival_ns: int) -> None:
        if packet.ssrc != self._ssrc:
            # A new SSRC numbers its packets anew (RFC 3550 8).
            self.flush()
            self._ssrc = packet.ssrc
            self._depacketizer = self._make(self._codec)
        for frame in self._depacketizer.push(packet, arrival_ns):
            self._sink.frame(self._track, self._codec, self._clock_rate, frame, self._ssrc or 0)

    def report(self, ntp: int, rtp_timestamp: int) -> None:
        self._sink.report(self._track, ntp, rtp_timestamp)

    def flush(self) -> None:
        """Hand over what still waits for missing packets: no more will come."""
        for frame in self._depacketizer.flush():
            self._sink.frame(self._track, self._codec, self._clock_rate, frame, self._ssrc or 0)

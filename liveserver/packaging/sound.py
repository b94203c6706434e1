"""A lane's sound: Opus in, AAC frames out, without a hole (`recorder.audio`).

AAC-LC, 48 kHz, stereo, made once for all: what every phone with HLS plays. Opus in MP4 is refused by iPhones
before iOS 17 and by the WebViews of older Androids, and two sorts of sound would double every cache.

A publisher who says nothing gives silence, so the sound is the clock of the whole lane: parts have their
length from it, whatever the picture does.
"""

from __future__ import annotations

from collections import deque

from recorder import fmp4
from recorder.audio import FRAME, RATE, AudioTranscoder
from recorder.timeline import Run

LATE = RATE // 4  # samples: what has not come a quarter of a second after its time is silence


class Sound:
    """AAC frames that are in no part yet; the first of them begins at sample `start`."""

    def __init__(self) -> None:
        self.start = 0
        self._transcoder = AudioTranscoder()
        self._frames: deque[bytes] = deque()
        self._is_primed = False
        self._run: Run | None = None

    @property
    def ready(self) -> int:
        """How many frames there are."""
        return len(self._frames)

    def behind(self, now: int) -> int:
        """Samples from the end of what is placed to `now`."""
        return now - self._transcoder.written

    def push(self, packet: bytes, run: Run, ticks: int, position: int) -> None:
        """Place a packet; what is not Opus, or lies before the beginning, is left out."""
        if run is not self._run:
            if self._run is not None:
                self._transcoder.source_changed()
            self._run = run
        if position < 0:
            return
        try:
            self._keep(self._transcoder.push(packet, ticks, position)[0])
        except ValueError:
            return

    def fill(self, now: int) -> None:
        """Silence where nothing came in time; `now` in samples."""
        missing = self.behind(now) - LATE
        if missing >= FRAME:
            self._keep(self._transcoder.silence(missing))

    def take(self, count: int) -> list[fmp4.Sample]:
        """The next `count` frames."""
        self.start += count * FRAME
        return [fmp4.Sample(self._frames.popleft(), FRAME, True) for _ in range(count)]

    def _keep(self, packets: list[bytes]) -> None:
        if packets and not self._is_primed:
            # The encoder's first packet is before the beginning (`recorder.audio`).
            packets, self._is_primed = packets[1:], True
        self._frames.extend(packets)

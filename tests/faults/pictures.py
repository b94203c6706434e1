"""What a person in front of a page sees and hears while the network is bad, in the browser's own numbers."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from tests.drivers.chromium import ChromiumTab
from tests.drivers.tab import STAGE

_WATCH = """(selector) => {
  const video = document.querySelector(selector);
  const seen = { last: performance.now(), gap: 0, shown: 0, on: true };
  window.seen = seen;
  const note = () => {
    const now = performance.now();
    seen.gap = Math.max(seen.gap, now - seen.last);
    seen.last = now;
    seen.shown += 1;
    if (seen.on) video.requestVideoFrameCallback(note);
  };
  video.requestVideoFrameCallback(note);
}"""
_LOOK = """() => {
  window.seen.on = false;
  return { gap: Math.max(window.seen.gap, performance.now() - window.seen.last), shown: window.seen.shown };
}"""
_SUMMED = (
    "framesDecoded", "totalFreezesDuration", "packetsLost", "packetsReceived",
    "pliCount", "retransmittedPacketsReceived", "jitterBufferDelay", "jitterBufferEmittedCount",
    "concealedSamples", "totalSamplesReceived",
)  # fmt: skip


BUSY_GAP_S = 0.2  # longer between two pictures of a good network: the machine is too busy to say anything


@dataclass(frozen=True, slots=True)
class Seen:
    """One page's pictures and sound over `seconds`."""

    seconds: float
    frames: int
    shown: int
    longest_gap_s: float
    freezes_s: float
    delay_ms: float
    concealed: float  # share of the samples that were made up
    packets: int
    packets_lost: int  # before repair
    repaired: int
    keyframe_requests: int
    sound_packets: int
    sound_lost: int  # after repair: what came again is not counted

    @property
    def smooth(self) -> bool:
        """Whether a page on a good network was served by this machine as it is by any."""
        return self.longest_gap_s < BUSY_GAP_S and not self.freezes_s

    def line(self, name: str) -> str:
        return (
            f"{name}: {self.frames} frames ({self.shown} shown) in {self.seconds:.1f} s, longest gap "
            f"{self.longest_gap_s:.2f} s, frozen {self.freezes_s:.2f} s, buffer {self.delay_ms:.0f} ms, "
            f"concealed {self.concealed:.2%}, lost {self.packets_lost}, repaired {self.repaired}, "
            f"PLI {self.keyframe_requests}, sound lost {self.sound_lost} of {self.sound_packets}"
        )


class Sight:
    """A measurement of one page: made, then `look`ed at once."""

    def __init__(self, tab: ChromiumTab):
        self._tab = tab
        tab.evaluate(_WATCH, STAGE)
        self._before = self._numbers()
        self._began_s = time.monotonic()

    def look(self) -> Seen:
        gone = self._tab.evaluate(_LOOK)
        seconds = time.monotonic() - self._began_s
        now = self._numbers()
        video, audio = (
            {key: now[kind][key] - self._before[kind][key] for key in _SUMMED} for kind in ("video", "audio")
        )
        return Seen(
            seconds,
            int(video["framesDecoded"]),
            gone["shown"],
            gone["gap"] / 1000,
            video["totalFreezesDuration"],
            1000 * video["jitterBufferDelay"] / max(1, video["jitterBufferEmittedCount"]),
            audio["concealedSamples"] / max(1, audio["totalSamplesReceived"]),
            int(video["packetsReceived"]),
            int(video["packetsLost"]),
            int(video["retransmittedPacketsReceived"]),
            int(video["pliCount"]),
            int(audio["packetsReceived"]),
            int(audio["packetsLost"]),
        )

    def _numbers(self) -> dict[str, dict[str, Any]]:
        entries = self._tab.evaluate("() => watch.stats('inbound-rtp')")
        return {
            kind: {key: sum(e.get(key, 0) for e in entries if e["kind"] == kind) for key in _SUMMED}
            for kind in ("video", "audio")
        }

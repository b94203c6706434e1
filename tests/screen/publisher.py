"""Publishes a lesson in which something forbidden is shown now and then, until SIGTERM.

    python -m tests.screen.publisher WHIP_URL TOKEN [--codec h264|vp8] [--size 640x360] [--show-ms 600]

As loadtest.publisher, and besides: SIGUSR1 shows the forbidden patch for so long, and prints "shown" with the
time of its first picture and "hidden" with that of the first one without it.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import threading
import time

import av

from loadtest import publisher
from loadtest.publisher import PictureTrack, Publisher, say
from tests.screen import magenta


class Showing:
    """Whether the patch is in the picture now."""

    def __init__(self, show_ms: int, patch: tuple[float, float, float, float]):
        self._show_ms, self._patch = show_ms, patch
        self._asked = threading.Event()
        self._until_s: float | None = None
        self._count = 0

    def ask(self) -> None:
        """From the next picture on."""
        self._asked.set()

    def paint(self, picture: av.VideoFrame) -> None:
        now_s = time.monotonic()
        if self._asked.is_set() and self._until_s is None:
            self._asked.clear()
            self._until_s = now_s + self._show_ms / 1000
            self._count += 1
            say("shown", count=self._count, at_ms=time.time_ns() // 1_000_000)
        if self._until_s is not None and now_s >= self._until_s:
            self._until_s = None
            say("hidden", count=self._count, at_ms=time.time_ns() // 1_000_000)
        if self._until_s is not None:
            magenta.paint(picture, *self._patch)


def patched_track(showing: Showing) -> type[PictureTrack]:
    class PatchedTrack(PictureTrack):
        def _encode(self, pts: int) -> list[av.Packet[av.VideoStream]]:
            picture = self._picture.draw(time.time_ns() // 1_000_000, pts)
            showing.paint(picture)
            return self._encoder.encode(picture)

    return PatchedTrack


async def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.screen.publisher", description=__doc__.partition("\n")[0])
    parser.add_argument("url", metavar="WHIP_URL")
    parser.add_argument("token", metavar="TOKEN")
    parser.add_argument("--codec", choices=["h264", "vp8"], default="h264")
    parser.add_argument("--size", default="640x360")
    parser.add_argument("--fps", type=int, default=25)
    parser.add_argument("--show-ms", type=int, default=600)
    parser.add_argument("--patch", type=float, nargs=4, default=(0.5, 0.5, 1.0, 1.0))
    options = parser.parse_args()
    width, _, height = options.size.partition("x")
    showing = Showing(options.show_ms, tuple(options.patch))
    publisher.PictureTrack = patched_track(showing)
    made = Publisher(
        options.url,
        options.token,
        codec=options.codec,
        size=(int(width), int(height)),
        fps=options.fps,
        bitrate_bps=1_000_000,
        progress=True,
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, made.stop.set)
    loop.add_signal_handler(signal.SIGUSR1, showing.ask)
    return await made.run()


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main()))

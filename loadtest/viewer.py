"""Watches a lesson by WHEP and counts what arrives.

    python -m loadtest.viewer WHEP_URL TOKEN [--seconds 10] [--codec h264|vp8]

Prints one JSON line at the end: frames and size of the picture, audio frames and their loudness, the age of
the time code in the picture (loadtest/pattern.py) where there is one, and the control messages that came.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import math
import statistics
import time
from array import array
from dataclasses import dataclass, field

import aiohttp
import av
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCRtpReceiver
from aiortc.mediastreams import MediaStreamError

from loadtest.pattern import age_ms, read_stamp
from loadtest.signalling import Signalling


@dataclass(slots=True)
class Seen:
    """What one viewer has received so far."""

    frames: int = 0
    size: tuple[int, int] | None = None
    audio_frames: int = 0
    loudest: float = 0.0  # root mean square of the loudest 20 ms, 0..1
    first_frame_s: float | None = None  # after the offer was sent
    ages_ms: list[int] = field(default_factory=list)

    def summary(self) -> dict[str, object]:
        ages = sorted(self.ages_ms)
        return {
            "frames": self.frames,
            "size": self.size,
            "audio_frames": self.audio_frames,
            "loudest": round(self.loudest, 4),
            "first_frame_s": self.first_frame_s,
            "age_ms": {"median": statistics.median(ages), "worst": ages[-1]} if ages else None,
        }


class Viewer:
    """One WHEP session with the `control` channel; `async with` it, then look at `seen`.

    `codec` is the one it offers for the picture, "h264" or "vp8"; None offers both.
    """

    def __init__(self, url: str, token: str, codec: str | None = None):
        self._codec = codec
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._http = aiohttp.ClientSession()
        self.session = Signalling(self._http, url, token, self._connection)
        self.seen = Seen()
        self._readers: list[asyncio.Task[None]] = []
        self._started_s = 0.0
        self._progress = asyncio.Condition()
        self._connection.on("track", self._track)

    async def __aenter__(self) -> Viewer:
        self._connection.addTransceiver("audio", direction="recvonly")
        video = self._connection.addTransceiver("video", direction="recvonly")
        if self._codec is not None:
            wanted = ({"h264": "video/H264", "vp8": "video/VP8"}[self._codec], "video/rtx")
            codecs = RTCRtpReceiver.getCapabilities("video").codecs
            video.setCodecPreferences([codec for codec in codecs if codec.mimeType in wanted])
        self._started_s = time.monotonic()
        try:
            await self.session.connect()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.session.close()
        for reader in self._readers:
            reader.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)
        await self._http.close()

    async def frames(self, more: int, timeout_s: float = 10) -> None:
        """Wait for `more` pictures from now on; TimeoutError says how many came."""
        target = self.seen.frames + more
        try:
            async with asyncio.timeout(timeout_s), self._progress:
                await self._progress.wait_for(lambda: self.seen.frames >= target)
        except TimeoutError:
            missing = target - self.seen.frames
            raise TimeoutError(f"{missing} of {more} pictures did not come in {timeout_s} s") from None

    def _track(self, track: MediaStreamTrack) -> None:
        self._readers.append(asyncio.ensure_future(self._read(track)))

    async def _read(self, track: MediaStreamTrack) -> None:
        with contextlib.suppress(MediaStreamError):  # the track has ended
            while True:
                frame = await track.recv()
                if isinstance(frame, av.VideoFrame):
                    self._see(frame)
                elif isinstance(frame, av.AudioFrame):
                    self._hear(frame)
                async with self._progress:
                    self._progress.notify_all()

    def _see(self, frame: av.VideoFrame) -> None:
        seen = self.seen
        seen.frames += 1
        seen.size = (frame.width, frame.height)
        if seen.first_frame_s is None:
            seen.first_frame_s = round(time.monotonic() - self._started_s, 3)
        plane = frame.planes[0]
        stamp = read_stamp(memoryview(plane), frame.width, frame.height, plane.line_size)
        if stamp is not None and len(seen.ages_ms) < 10_000:
            seen.ages_ms.append(age_ms(stamp, time.time_ns() // 1_000_000))

    def _hear(self, frame: av.AudioFrame) -> None:
        self.seen.audio_frames += 1
        samples = array("h", bytes(frame.planes[0]))
        if samples:
            loudness = math.sqrt(sum(s * s for s in samples[::7]) / len(samples[::7])) / 32768
            self.seen.loudest = max(self.seen.loudest, loudness)


async def main() -> int:
    parser = argparse.ArgumentParser(prog="loadtest.viewer", description=__doc__.partition("\n")[0])
    parser.add_argument("url", metavar="WHEP_URL")
    parser.add_argument("token", metavar="TOKEN")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--codec", choices=["h264", "vp8"], help="offer this one alone for the picture")
    options = parser.parse_args()
    async with Viewer(options.url, options.token, options.codec) as viewer:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(viewer.session.gone.wait(), options.seconds)
        types = [message.get("type") for message in viewer.session.messages]
        print(json.dumps({**viewer.seen.summary(), "control": types, "farewell": viewer.session.farewell}))
    return 0 if viewer.seen.frames else 1


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main()))

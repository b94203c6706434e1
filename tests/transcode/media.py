"""Real encoded pictures for the transcode, and back from its payloads to what a decoder takes."""

from __future__ import annotations

from collections.abc import Sequence

import av

from liveserver.rtp import header
from liveserver.rtp.depacketize import Depacketizer
from liveserver.transcode.wire import Frame, Picture
from loadtest.pattern import Picture as Pattern
from loadtest.pattern import read_stamp, video_encoder

STEP = 3600  # 25 pictures a second
SOURCE = 0xBEEF


class Camera:
    """Frames of a publisher; each picture carries its number as time code."""

    def __init__(self, codec: str, width: int = 320, height: int = 240, *, start: int = 2**32 - 5 * STEP):
        self.codec = codec
        self.number = 0
        self._pattern = Pattern(width, height)
        self._encoder = video_encoder(codec, width, height, 25, 500_000)
        self._start = start  # the timestamp wraps early on

    def take(self, count: int, track: str = "camera", source: int = SOURCE) -> list[Frame]:
        frames = []
        for _ in range(count):
            image = self._pattern.draw(self.number, self.number * STEP)
            (packet,) = self._encoder.encode(image)
            timestamp = (self._start + self.number * STEP) & 0xFFFFFFFF
            frames.append(Frame(track, self.codec, packet.is_keyframe, source, timestamp, bytes(packet)))
            self.number += 1
        return frames


def numbers(pictures: Sequence[Picture], codec: str) -> list[int | None]:
    """The time code of each picture, decoded from its payloads as a viewer would."""
    decoder, depacketizer = av.CodecContext.create(codec, "r"), Depacketizer(codec)
    found, sequence = [], 0
    for picture in pictures:
        for index, payload in enumerate(picture.payloads):
            data = header.build(
                payload_type=96,
                sequence=sequence & 0xFFFF,
                timestamp=picture.timestamp,
                ssrc=1,
                payload=payload,
                marker=index == len(picture.payloads) - 1,
            )
            sequence += 1
            for frame in depacketizer.push(header.parse(data), 0):
                assert frame.keyframe == picture.keyframe
                for image in decoder.decode(av.Packet(frame.data)):
                    plane = image.planes[0]
                    code = read_stamp(memoryview(plane), image.width, image.height, plane.line_size)
                    found.append(code)
    return found

"""One track's decoder and encoder (PyAV), made for no delay and little CPU.

Times are RTP ticks of 90 kHz, taken over from the source, so that sound and picture stay together. One
thread each: a picture that waits for other threads would be late, and the process must not start any.
"""

from __future__ import annotations

import math
import secrets
from collections import deque
from fractions import Fraction

import av
from av.video.frame import PictureType

from liveserver.confined.decoding import TIME_BASE, TickLine, video_decoder
from liveserver.rtp.packetize import CODECS, h264_payloads, vp8_payloads
from liveserver.transcode.wire import Frame, Picture

KEYFRAME_TICKS = 180_000  # 2 s
KEYFRAME_MIN_TICKS = 45_000  # a request sooner than 0.5 s after a keyframe is not heeded
MAX_MACROBLOCKS = 3600  # 1280 x 720, level 3.1 (H.264 table A-1), which viewers are answered with
MIN_GAP_TICKS = 2_700  # at most 33 pictures a second: a camera's 30 pass, of 60 every other one
MIN_BITRATE_BPS = 150_000
_RATE_TICKS = 270_000  # the source's bit rate is measured over 3 s
_RATE_STEP = 1.25  # the encoder begins anew, at a keyframe, once its rate is off by this factor
_RATE_DECAY = 0.8  # a picture that stands still for a moment does not cost the next movement its bits
_FIRST_BITS_PER_PIXEL = 2.0  # a second, until the source has been measured: 460 kbit/s at 640 x 360
_USUAL_FPS = 25  # what the bit rate is spread over; another frame rate takes a little more or less
_OTHER = {"h264": "vp8", "vp8": "h264"}


class Undecodable(Exception):  # noqa: N818 - what the source sent, not our fault
    """The frame, and what builds on it, cannot be shown."""


class SourceRate:
    """Bits a second of the frames of the last 3 s of the source's own time."""

    def __init__(self) -> None:
        self._frames: deque[tuple[int, int]] = deque()
        self._bits = 0

    def add(self, ticks: int, size_bytes: int) -> None:
        self._frames.append((ticks, size_bytes * 8))
        self._bits += size_bytes * 8
        while self._frames[0][0] < ticks - _RATE_TICKS:
            self._bits -= self._frames.popleft()[1]

    @property
    def bps(self) -> int | None:
        """None before a second is known: a keyframe alone says nothing."""
        if not self._frames:
            return None
        span = self._frames[-1][0] - self._frames[0][0]
        return self._bits * 90_000 // span if span >= 90_000 else None


def fitted(width: int, height: int) -> tuple[int, int]:
    """The size to encode: the source's up to 720p, else scaled down in proportion; both sides even."""
    width, height = max(16, width & ~1), max(16, height & ~1)
    if _macroblocks(width, height) <= MAX_MACROBLOCKS:
        return width, height
    scale = math.sqrt(MAX_MACROBLOCKS * 256 / (width * height))
    if scale < 1:
        size = max(16, round(width * scale) & ~1), max(16, round(height * scale) & ~1)
        if _macroblocks(*size) <= MAX_MACROBLOCKS:
            return size
    scale = math.sqrt(MAX_MACROBLOCKS / _macroblocks(width, height))
    return max(16, int(width * scale) & ~15), max(16, int(height * scale) & ~15)


def _macroblocks(width: int, height: int) -> int:
    return -(-width // 16) * -(-height // 16)


class Video:
    """Frames of one track in, pictures in the other codec out. `max_bitrate_bps` caps what is sent."""

    def __init__(self, track: str, max_bitrate_bps: int):
        self._track = track
        self._max_bitrate_bps = max_bitrate_bps
        self._picture_id = secrets.randbits(15)
        self._key_wanted = False
        self._begin("", 0)

    def _begin(self, codec: str, source: int) -> None:
        self._codec, self._source = codec, source
        self._decoder: av.VideoCodecContext | None = None
        self._encoder: av.VideoCodecContext | None = None
        self._rate = SourceRate()
        self._target_bps = 0
        self._line = TickLine()
        self._encoded = self._keyed = -(1 << 62)  # extended timestamps of the last picture and keyframe

    def want_keyframe(self) -> None:
        """Make the next picture a keyframe; one that has just left will do, or the asker asks again."""
        self._key_wanted = self._encoded - self._keyed >= KEYFRAME_MIN_TICKS

    def push(self, frame: Frame, *, is_behind: bool) -> list[Picture]:
        """Decode a frame and encode what comes of it, unless others wait behind it already.

        Raises `Undecodable`; the frames up to the next keyframe are dropped then.
        """
        if (frame.codec, frame.source) != (self._codec, self._source):
            self._begin(frame.codec, frame.source)
        ticks = self._line.extended(frame.timestamp)
        self._rate.add(ticks, len(frame.data))
        if self._decoder is None:
            if not frame.keyframe:
                return []
            self._decoder = video_decoder(frame.codec)
        packet = av.Packet(frame.data)
        packet.pts, packet.time_base = ticks, TIME_BASE
        try:
            images = self._decoder.decode(packet)
        except (av.FFmpegError, MemoryError) as error:
            self._decoder = None
            raise Undecodable(str(error)) from error
        return [] if is_behind else [picture for image in images for picture in self._encode(image)]

    def _encode(self, image: av.VideoFrame) -> list[Picture]:
        ticks = image.pts
        if ticks is None or ticks - self._encoded < MIN_GAP_TICKS:
            return []
        is_key = self._key_wanted or ticks - self._keyed >= KEYFRAME_TICKS
        size = fitted(image.width, image.height)
        encoder = self._encoder
        if encoder is None or (encoder.width, encoder.height) != size or (is_key and self._is_off(size)):
            encoder = self._encoder = _encoder(_OTHER[self._codec], *size, self._target(size))
            is_key = True
        picture = image.reformat(*size, format="yuv420p", threads=1)
        picture.pts, picture.time_base = ticks, TIME_BASE
        picture.pict_type = PictureType.I if is_key else PictureType.NONE
        self._encoded = ticks
        if is_key:
            self._keyed, self._key_wanted = ticks, False
        return [self._packed(packet) for packet in encoder.encode(picture)]

    def _packed(self, packet: av.Packet[av.VideoStream]) -> Picture:
        data = bytes(packet)
        if self._codec == "vp8":
            payloads = h264_payloads(data)
        else:
            self._picture_id = (self._picture_id + 1) & 0x7FFF
            payloads = vp8_payloads(data, self._picture_id)
        timestamp = int(packet.pts or 0) & 0xFFFFFFFF
        return Picture(self._track, packet.is_keyframe, self._source, timestamp, tuple(payloads))

    def _is_off(self, size: tuple[int, int]) -> bool:
        assert self._encoder is not None
        wanted, has = self._target(size), self._encoder.bit_rate or 1
        return not 1 / _RATE_STEP < wanted / has < _RATE_STEP

    def _target(self, size: tuple[int, int]) -> int:
        """About the source's bit rate; it falls slowly."""
        measured = self._rate.bps
        if measured is None:
            measured = round(size[0] * size[1] * _FIRST_BITS_PER_PIXEL)
        wanted = max(measured, round(self._target_bps * _RATE_DECAY))
        self._target_bps = min(self._max_bitrate_bps, max(MIN_BITRATE_BPS, wanted))
        return self._target_bps


def _encoder(codec: str, width: int, height: int, bitrate_bps: int) -> av.VideoCodecContext:
    """libx264 (constrained baseline, 42e01f) or libvpx; keyframes where the caller says and nowhere else."""
    encoder = av.CodecContext.create({"h264": "libx264", "vp8": "libvpx"}[codec], "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base, encoder.framerate = TIME_BASE, Fraction(_USUAL_FPS)
    encoder.bit_rate, encoder.thread_count, encoder.gop_size = bitrate_bps, 1, 100_000
    budget = {"maxrate": str(bitrate_bps), "bufsize": str(bitrate_bps // 2)}
    if codec == "h264":
        encoder.options = budget | {
            "preset": "superfast",
            "tune": "zerolatency",
            "profile": "baseline",
            "level": "3.1",
            "sc_threshold": "0",
            "forced-idr": "1",
        }
    else:
        encoder.options = budget | {
            "deadline": "realtime",
            "cpu-used": "8",
            "lag-in-frames": "0",
            "auto-alt-ref": "0",
            "static-thresh": "100",
            "qmax": "56",
        }
    return encoder


def warm_up() -> None:
    """Load all that encoding and decoding will ever load: later the process may not open files."""
    image = av.VideoFrame(64, 48, "yuv420p")
    for codec in CODECS:
        encoder = _encoder(codec, 32, 32, MIN_BITRATE_BPS)
        picture = image.reformat(32, 32, format="yuv420p", threads=1)
        picture.pts, picture.time_base, picture.pict_type = 0, TIME_BASE, PictureType.I
        decoder = video_decoder(codec)
        for packet in encoder.encode(picture):
            decoder.decode(packet)
        try:
            decoder.decode(av.Packet(b"\xff" * 8))
        except av.FFmpegError:
            continue

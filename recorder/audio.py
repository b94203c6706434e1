"""Opus packets to AAC-LC, 48 kHz, stereo, on a timeline that has no holes.

The audio track is one unbroken count of samples from the recording's start: silence stands where there is
none, so its length is true and no player loses lips and voice. How a packet gets to its place:

- packets that count on are simply appended;
- a hole in the RTP timestamps is filled with exactly its length of silence;
- a small difference to the wall clock (two quartzes) is worked off by one sample more or less per packet,
  20 us in 20 ms, which nobody hears; from `STEP_SAMPLES` on it is stepped.

**Priming.** FFmpeg's AAC encoder gives one packet (1,024 samples) of delay: packet i decodes to samples
[(i-1) x 1024, i x 1024). The sealed file's edit list skips the first 1,024 (`PRIMING`). An encoder that is
begun anew after a crash, with `packets` packets on disk, therefore goes on at sample `packets` x 1024, and
one packet of 21 ms is all that is not exact.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import av

RATE = 48_000
FRAME = 1024  # samples in an AAC packet
PRIMING = 1024  # samples the decoder gives before the first one
BITRATE_BPS = 96_000
STEP_SAMPLES = RATE * 60 // 1000  # 60 ms: still in sync (the goal is 80 ms)
SLEW_SAMPLES = RATE * 4 // 1000  # do not chase less than 4 ms
HOLE_SAMPLES = RATE * 25 // 10_000  # 2.5 ms, the shortest Opus frame
_BYTES = 4  # of a float sample
_SILENCE_BLOCK = 48_000  # samples of silence handed over at once


class AudioTranscoder:
    """One audio track's decoder and encoder. Owned by one thread.

    `written` is the number of 48 kHz samples placed so far, `packets` the number of AAC packets given out.
    Where a reel ends (`end_at`) the samples beyond are kept for the next one's transcoder (`go_on`): sound is
    cut between two samples, not between two packets. AAC smears what begins or ends suddenly, so each encoder
    gets sound from beyond its side of the cut too, which no player plays.
    """

    def __init__(self, packets: int = 0) -> None:
        self.written = packets * FRAME
        self.packets = packets
        self._decoder = _decoder()
        self._encoder = _encoder()
        self._expected: int | None = None  # ticks at which the next packet counts on
        self._end: int | None = None
        self._is_led_in = False  # the encoder's first packet is before the track's beginning
        self._beyond: list[av.AudioFrame] = []
        self._recent: deque[av.AudioFrame] = deque()  # the last two packets' samples, and a few more

    def end_at(self, sample: int | None) -> list[bytes]:
        """Nothing from `sample` on is placed here; None: all is, and what was kept back comes out."""
        self._end = sample
        kept, self._beyond = self._beyond, []
        return [packet for frame in kept for packet in self._encode(frame)]

    def go_on(self) -> tuple[AudioTranscoder, list[bytes]]:
        """A transcoder that begins at sample 0 with what came beyond the end, and its first AAC packets."""
        following = AudioTranscoder()
        following._decoder, following._expected = self._decoder, self._expected
        if self._recent:
            # Its first packet is left out: the second takes that one's place as the priming of the track.
            following._encode(_last(self._recent, FRAME))
            following.written, following.packets, following._is_led_in = 0, 0, True
        return following, [packet for frame in self._beyond for packet in following._encode(frame)]

    def source_changed(self) -> None:
        """A new run of timestamps: its first packet is placed by the wall clock alone."""
        self._expected = None
        self._decoder = _decoder()

    def push(self, packet: bytes, ticks: int, position: int) -> tuple[list[bytes], int]:
        """Place one Opus packet.

        `ticks` is its unwrapped RTP timestamp at 48 kHz, `position` the sample at which the wall clock wants
        it. Returns finished AAC packets, and how many samples of silence had to be put before it (negative:
        so many of its samples came too late and were left out). Raises ValueError when it is not Opus.
        """
        frames = self._decode(packet)
        counts_on = self._expected is not None and abs(ticks - self._expected) < HOLE_SAMPLES
        error_samples = position - self.written
        out: list[bytes] = []
        shift = 0
        if (not counts_on and error_samples > HOLE_SAMPLES) or error_samples > STEP_SAMPLES:
            shift = error_samples
            out += self.silence(shift)
        elif error_samples < -STEP_SAMPLES:
            shift = error_samples
        samples = 0
        drop = -shift if shift < 0 else 0
        slew = (
            0
            if shift
            else (1 if error_samples > SLEW_SAMPLES else -1 if error_samples < -SLEW_SAMPLES else 0)
        )
        for frame in frames:
            samples += frame.samples
            if drop >= frame.samples:
                drop -= frame.samples
                continue
            out += self._encode(_cut(frame, drop, slew) if drop or slew else frame)
            drop = slew = 0
        self._expected = ticks + samples
        return out, shift

    def silence(self, samples: int) -> list[bytes]:
        """Append silence."""
        out: list[bytes] = []
        while samples > 0:
            block = min(samples, _SILENCE_BLOCK)
            out += self._encode(_frame(block, (b"", b"")))
            samples -= block
        return out

    def finish(self) -> list[bytes]:
        """The encoder's last packets; nothing can be pushed after."""
        out: list[av.Packet[Any]] = []
        if self._end is not None and self._recent:  # it goes on elsewhere: the encoder sees no end of it
            out += self._encoder.encode(_mirrored(_last(self._recent, 2 * FRAME)))
        out += self._encoder.encode(None)
        out = out[: max(0, -(-self.written // FRAME) + 1 - self.packets)]
        self.packets += len(out)
        return [bytes(packet) for packet in out]

    def _decode(self, packet: bytes) -> list[av.AudioFrame]:
        if not packet:  # to FFmpeg the end of the stream
            raise ValueError("not an Opus packet: empty")
        try:
            frames = self._decoder.decode(av.Packet(packet))
        except (av.FFmpegError, ValueError) as error:
            raise ValueError(f"not an Opus packet: {error}") from None
        if any(f.sample_rate != RATE or f.format.name != "fltp" or len(f.planes) != 2 for f in frames):
            raise ValueError("not 48 kHz stereo")
        return frames

    def _encode(self, frame: av.AudioFrame) -> list[bytes]:
        if self._end is not None and self.written + frame.samples > self._end:
            room = max(0, self._end - self.written)
            self._beyond.append(_cut(frame, room, 0))
            if not room:
                return []
            frame = _first(frame, room)
        frame.pts = None
        try:
            out = [bytes(packet) for packet in self._encoder.encode(frame)]
        except av.FFmpegError:
            # A hostile packet decodes to infinities, which the encoder refuses; begin anew where it stood.
            self._encoder = _encoder()
            self.written = self.packets * FRAME
            return []
        self.written += frame.samples
        self._remember(frame)
        if self._is_led_in and out:
            self._is_led_in = False
            del out[0]
        self.packets += len(out)
        return out

    def _remember(self, frame: av.AudioFrame) -> None:
        recent = self._recent
        recent.append(frame)
        while sum(f.samples for f in recent) - recent[0].samples >= 2 * FRAME:
            recent.popleft()


def silent_packet() -> bytes:
    """An AAC packet of silence, to be repeated where stored packets are missing."""
    return AudioTranscoder().silence(8 * FRAME)[-1]


def _decoder() -> av.AudioCodecContext:
    """FFmpeg's own Opus decoder: float planes, what the encoder wants, and half of libopus's cost."""
    context = av.CodecContext.create("opus", "r")
    assert isinstance(context, av.AudioCodecContext)
    context.sample_rate = RATE
    context.layout = "stereo"
    context.thread_count = 1
    return context


def _encoder() -> av.AudioCodecContext:
    """`fast` halves the encoder's cost (0.7 % of a core) against the two-loop search at this bit rate."""
    context = av.CodecContext.create("aac", "w")
    assert isinstance(context, av.AudioCodecContext)
    context.sample_rate = RATE
    context.layout = "stereo"
    context.format = "fltp"
    context.bit_rate = BITRATE_BPS
    context.time_base = Fraction(1, RATE)
    context.options = {"aac_coder": "fast"}
    return context


def _frame(samples: int, planes: tuple[bytes, bytes]) -> av.AudioFrame:
    """A stereo frame; planes shorter than it are filled up with silence."""
    frame = av.AudioFrame(format="fltp", layout="stereo", samples=samples)
    frame.sample_rate = RATE
    frame.time_base = Fraction(1, RATE)
    for plane, data in zip(frame.planes, planes, strict=True):
        plane.update(data.ljust(plane.buffer_size, b"\0"))
    return frame


def _last(frames: Iterable[av.AudioFrame], samples: int) -> av.AudioFrame:
    """The last `samples` of them, silence before where there are fewer."""
    planes = [b"".join(bytes(f.planes[n])[: f.samples * _BYTES] for f in frames) for n in range(2)]
    left, right = (data[-samples * _BYTES :].rjust(samples * _BYTES, b"\0") for data in planes)
    return _frame(samples, (left, right))


def _mirrored(frame: av.AudioFrame) -> av.AudioFrame:
    """What could come after it: the same backwards, turned about its last sample, so that nothing jumps."""
    planes = []
    for plane in frame.planes:
        values = array("f", bytes(plane)[: frame.samples * _BYTES])
        planes.append(array("f", (2 * values[-1] - value for value in reversed(values))).tobytes())
    return _frame(frame.samples, (planes[0], planes[1]))


def _first(frame: av.AudioFrame, samples: int) -> av.AudioFrame:
    """Its first `samples`."""
    left, right = (bytes(plane)[: samples * _BYTES] for plane in frame.planes)
    return _frame(samples, (left, right))


def _cut(frame: av.AudioFrame, drop: int, slew: int) -> av.AudioFrame:
    """Without its first `drop` samples, then one sample longer (`slew` 1) or shorter (-1)."""
    left, right = (bytes(plane)[drop * _BYTES : frame.samples * _BYTES] for plane in frame.planes)
    samples = frame.samples - drop
    if slew > 0:
        left, right = left + left[-_BYTES:], right + right[-_BYTES:]
    elif slew < 0 and samples > 1:
        left, right = left[:-_BYTES], right[:-_BYTES]
    return _frame(len(left) // _BYTES, (left, right))

"""One chapter of a sealed file to the format profile, in a process of its own: `python -m recorder.render`.

Reads a JSON object from standard input (`Job`), writes for each version one plain MP4 that starts fast:
H.264 at a constant 25 pictures a second and a constant bit rate, and the recording's AAC packets as they are.
Prints JSON lines: `progress`, then a `file` for each version with its hash and its fragments. Runs at the
lowest priority. The same job gives the same bytes: one thread per encoder, no clock, no names in the file.

Exit 0: done, 3: the source cannot be read.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import av
from av.video.frame import PictureType

from recorder import boxes, fmp4, h264, mp4
from recorder.audio import BITRATE_BPS, FRAME, RATE, silent_packet
from recorder.compose import FPS, FRAME_MS, Composer, Source, jpeg
from recorder.sandbox import confine

NICE = 19
FRAGMENT_FRAMES = 2 * FPS
UNREADABLE = 3
PROGRESS_MS = 2_000  # of media between two lines
_AUDIO_PACKETS = 94  # 2 s
_COPY_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Target:
    """One version: its picture in pixels, its video bit rate, and where it goes."""

    version: str
    width: int
    height: int
    bitrate_bps: int
    path: str


@dataclass(frozen=True, slots=True)
class Job:
    """`tracks` are the names of the source's video tracks in their order; times from the source's start.

    `parent` is who waits for the answer: once it is gone nobody does, and another may write the same files.
    """

    source: str
    tracks: tuple[str, ...]
    from_ms: int
    to_ms: int
    created_ms: int
    targets: tuple[Target, ...]
    parent: int
    thumbnail: str | None = None

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def of(cls, text: str) -> Job:
        fields = json.loads(text)
        targets = tuple(Target(**target) for target in fields.pop("targets"))
        return cls(**{**fields, "tracks": tuple(fields["tracks"])}, targets=targets)


@dataclass(frozen=True, slots=True)
class _Stored:
    """Where a fragment waits in the file of media that are not laid out yet."""

    offset: int
    track: str
    start_ms: int
    duration_ms: int


class _Movie:
    """One version under way: fragments gather in `<path>.media`, then the MP4 is laid out."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._waiting_path = Path(target.path + ".media")
        self._waiting = self._waiting_path.open("w+b")
        self._chunks: dict[str, list[mp4.Chunk]] = {"video": [], "audio": []}
        self._encoder = _encoder(target)
        self._composer = Composer(target.width, target.height)
        self._samples: list[fmp4.Sample] = []
        self._config: h264.VideoConfig | None = None
        self._frames = 0

    def picture(self, screen: av.VideoFrame | None, camera: av.VideoFrame | None) -> av.VideoFrame:
        """Add the next picture, 40 ms after the last; the composed canvas."""
        canvas = self._composer.draw(screen, camera)
        canvas.pts, canvas.time_base = self._frames, Fraction(1, FPS)
        key = self._frames % FRAGMENT_FRAMES == 0
        canvas.pict_type = PictureType.I if key else PictureType.NONE
        self._frames += 1
        for packet in self._encoder.encode(canvas):
            self._take(bytes(packet), bool(packet.is_keyframe))
        return canvas

    def finish(self, audio: list[bytes], skip: int, length: int, created_ms: int) -> dict[str, Any]:
        """Lay the file out; its line. `skip` and `length` are in samples at 48 kHz."""
        for packet in self._encoder.encode(None):
            self._take(bytes(packet), bool(packet.is_keyframe))
        self._store()
        for at in range(0, len(audio), _AUDIO_PACKETS):
            group = [fmp4.Sample(packet, FRAME, True) for packet in audio[at : at + _AUDIO_PACKETS]]
            self._append("audio", at * FRAME, RATE, group)
        config = self._config
        assert config is not None
        target = self.target
        entry = boxes.avc_entry(b"avc1", target.width, target.height, config.avcc())
        video = mp4.MovieTrack("video", True, FPS * 1000, [entry], self._chunks["video"])
        video.width, video.height = target.width, target.height
        sound = mp4.MovieTrack(
            "audio",
            False,
            RATE,
            [boxes.aac_entry(BITRATE_BPS)],
            self._chunks["audio"],
            skip_ticks=skip,
            length_ticks=length,
        )
        return self._lay_out([video, sound], created_ms)

    def _take(self, data: bytes, key: bool) -> None:
        if key:
            self._store()
        nals = h264.split(data)
        sets = [[n for n in nals if n[0] & 0x1F == kind] for kind in (h264.SPS, h264.PPS)]
        if sets[0]:
            self._config = h264.video_config(tuple(sets[0]), tuple(sets[1]))
        kept = [n for n in nals if n[0] & 0x1F not in (h264.SPS, h264.PPS, h264.AUD)]
        sample = b"".join(len(nal).to_bytes(4, "big") + nal for nal in kept)
        self._samples.append(fmp4.Sample(sample, 1000, key))

    def _store(self) -> None:
        done = sum(len(chunk.index.sizes) for chunk in self._chunks["video"])
        if self._samples:
            self._append("video", done * 1000, FPS * 1000, self._samples)
            self._samples = []

    def _append(self, track: str, start: int, timescale: int, samples: list[fmp4.Sample]) -> None:
        media = b"".join(sample.data for sample in samples)
        index = fmp4.Index(
            start,
            tuple(s.duration for s in samples),
            tuple(len(s.data) for s in samples),
            tuple(s.sync for s in samples),
        )
        length_ms = round(sum(index.durations) * 1000 / timescale)
        stored = _Stored(self._waiting.tell(), track, start * 1000 // timescale, length_ms)
        self._waiting.write(media)
        self._chunks[track].append(mp4.Chunk(index, 1, len(media), start / timescale, stored))

    def _lay_out(self, tracks: list[mp4.MovieTrack], created_ms: int) -> dict[str, Any]:
        layout = mp4.lay_out(tracks, created_ms)
        digest = hashlib.sha256(layout.head)
        fragments = []
        with self._waiting as source, Path(self.target.path).open("wb", buffering=_COPY_BYTES) as file:
            file.write(layout.head)
            for _, chunk, offset in layout.placed:
                stored = chunk.key
                assert isinstance(stored, _Stored)
                source.seek(stored.offset)
                media = source.read(chunk.size)
                digest.update(media)
                file.write(media)
                fragment = hashlib.sha256(media).hexdigest()
                place = [stored.track, stored.start_ms, stored.duration_ms]
                fragments.append([offset, chunk.size, fragment, *place])
            file.flush()
            os.fsync(file.fileno())
        self._waiting_path.unlink()
        return {
            "version": self.target.version,
            "sha256": digest.hexdigest(),
            "size": layout.size,
            "head_size": len(layout.head),
            "head_sha256": hashlib.sha256(layout.head).hexdigest(),
            "duration_ms": layout.duration_ms,
            "fragments": fragments,
        }


def _encoder(target: Target) -> av.VideoCodecContext:
    """Constant bit rate with filler: REQ-P2 states a least rate, and slides alone would fall far below it."""
    context = av.CodecContext.create("libx264", "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height, context.pix_fmt = target.width, target.height, "yuv420p"
    context.time_base, context.framerate = Fraction(1, FPS), Fraction(FPS)
    context.sample_aspect_ratio = Fraction(1, 1)
    context.bit_rate = target.bitrate_bps
    context.thread_count = 1
    context.options = {
        "preset": "veryfast",
        "profile": "high",
        "bf": "0",  # decode order is display order everywhere in this recorder
        "g": str(FRAGMENT_FRAMES),
        "sc_threshold": "0",
        "rc-lookahead": "0",
        "forced-idr": "1",
        "nal-hrd": "cbr",
        "maxrate": str(target.bitrate_bps),
        "bufsize": str(target.bitrate_bps),
    }
    return context


def sound(path: Path, from_sample: int, to_sample: int) -> tuple[list[bytes], int]:
    """AAC packets that cover the span, and how many samples of their output come before it.

    One packet more goes ahead, because AAC overlaps; silence stands where the source has nothing.
    """
    first = (from_sample // FRAME - 1) * FRAME  # packets lie on whole frames, the priming one at -1024
    count = -(-(to_sample - first) // FRAME)
    packets = [silent_packet()] * count
    for pts, data in _aac(path, first):
        slot = round((pts - first) / FRAME)
        if slot >= count:
            break
        if slot >= 0:
            packets[slot] = data
    return packets, from_sample - first


def _aac(path: Path, first: int) -> Iterator[tuple[int, bytes]]:
    with av.open(str(path), format="mp4") as container:
        if not container.streams.audio:
            return
        stream = container.streams.audio[0]
        if first > 0:
            container.seek(max(0, first - 4 * FRAME), stream=stream)
        for packet in container.demux(stream):
            if packet.pts is not None:
                yield packet.pts, bytes(packet)


def render(job: Job, tell: Any) -> None:
    """Do the job. Raises av.FFmpegError, OSError when the source cannot be read."""
    source = Path(job.source)
    sources = {name: Source(source, number, job.from_ms) for number, name in enumerate(job.tracks)}
    movies = [_Movie(target) for target in job.targets]
    count = max(1, round((job.to_ms - job.from_ms) / FRAME_MS))
    middle = min(count // 2, 5 * FPS)
    for number in range(count):
        at_ms = job.from_ms + number * FRAME_MS
        shown = {name: track.at(at_ms) for name, track in sources.items()}
        canvas = None
        for movie in movies:
            canvas = movie.picture(shown.get("screen"), shown.get("camera"))
        if number == middle and job.thumbnail is not None and canvas is not None:
            _write(Path(job.thumbnail), jpeg(canvas, 320, 180))
        if (number + 1) * FRAME_MS % PROGRESS_MS == 0:
            tell(type="progress", ms=(number + 1) * FRAME_MS)
    for track in sources.values():
        track.close()
    from_sample = job.from_ms * RATE // 1000
    length = count * FRAME_MS * RATE // 1000
    packets, skip = sound(source, from_sample, from_sample + length)
    for movie in movies:
        tell(type="file", **movie.finish(packets, skip, length, job.created_ms))


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _tell(**line: Any) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def main(source: BinaryIO) -> int:
    """Entry point; returns the exit code."""
    confine(nice=NICE)
    try:
        job = Job.of(source.read().decode())
        if os.getppid() != job.parent:
            return UNREADABLE
        render(job, _tell)
    except (av.FFmpegError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return UNREADABLE
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.stdin.buffer))

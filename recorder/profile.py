"""Does a file fit the format that course videos must have (REQ-P1 to P10)? Clause by clause, for any file.

Only what the file really holds counts: rates are bytes over time, the picture rate is every picture's own
time. Two clauses do not decide: P6 is worded as advice, and P9 asks of AAC what AAC does not have (48 kHz
stereo AAC-LC ends at 576 kbit/s; 1.4 Mbit/s is the rate of uncompressed sound), so it is waived with that
reason. `Report.fits(strict=True)` counts both.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av

ARCHIVE_BPS = 4_000_000
WEB_BPS = 1_000_000
LEAST_HEIGHT = 720
SHAPES = {"16:9": Fraction(16, 9), "4:3": Fraction(4, 3)}
SHAPE_TOLERANCE = 0.01
RATES = {"25": Fraction(25), "29.97": Fraction(30_000, 1001)}
LARGEST_BYTES = 1_000_000_000  # 1 GB, the smaller of the two meanings
SHORTEST_S, LONGEST_S = 5 * 60, 15 * 60
AUDIO_RATE = 48_000
AUDIO_BPS = 1_400_000
WAIVED_P9 = "AAC-LC at 48 kHz stereo ends at 576 kbit/s; 1.4 Mbit/s is the rate of uncompressed sound"


@dataclass(frozen=True, slots=True)
class Clause:
    """`waived` says why a clause that is not met does not decide; empty when it does."""

    clause: str
    requires: str
    found: str
    fits: bool
    waived: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What was found in `file`."""

    file: str
    clauses: tuple[Clause, ...]

    def fits(self, *, strict: bool = False) -> bool:
        """Whether nothing that decides is missed."""
        return all(c.fits or (c.waived and not strict) for c in self.clauses)

    def as_dict(self, *, strict: bool = False) -> dict[str, Any]:
        """For JSON."""
        clauses = [asdict(clause) for clause in self.clauses]
        return {"file": self.file, "fits": self.fits(strict=strict), "clauses": clauses}


@dataclass(slots=True)
class _Track:
    """What the packets of one stream add up to; times in seconds."""

    codec: str = ""
    size: int = 0
    times: list[Fraction] = field(default_factory=list)
    tick: Fraction = Fraction(1, 1000)
    end: Fraction = Fraction(0)

    @property
    def seconds(self) -> float:
        return float(self.end - min(self.times)) if self.times else 0.0

    @property
    def bps(self) -> float:
        return self.size * 8 / self.seconds if self.seconds > 0 else 0.0


@dataclass(slots=True)
class _Found:
    """What is in the file; all empty when it is no media."""

    container: str = "no media that can be read"
    is_mp4: bool = False
    video: _Track = field(default_factory=_Track)
    audio: _Track = field(default_factory=_Track)
    width: int = 0
    height: int = 0
    shape: Fraction = Fraction(0)
    profile: str = ""
    rate: int = 0
    channels: int = 0
    seconds: float = 0.0


def examine(path: Path) -> Report:
    """Look into a file. Raises OSError when it cannot be opened."""
    size = path.stat().st_size
    with path.open("rb"):
        pass
    found = _Found()
    try:
        with av.open(str(path)) as container:
            _read(container, found)
    except (av.FFmpegError, ValueError):
        found.is_mp4 = False
    return Report(str(path), tuple(_judge(found, size)))


def _read(container: av.container.InputContainer, found: _Found) -> None:
    brand = container.metadata.get("major_brand", "").strip()
    found.is_mp4 = "mp4" in container.format.name.split(",") and brand != "qt"
    found.container = "MP4" if found.is_mp4 else container.format.name
    tracks: dict[int, _Track] = {}
    for stream in [*container.streams.video[:1], *container.streams.audio[:1]]:
        track = found.video if stream.type == "video" else found.audio
        track.codec = stream.codec_context.codec.canonical_name
        track.tick = stream.time_base or track.tick
        tracks[stream.index] = track
    if container.streams.video:
        picture = container.streams.video[0]
        found.width, found.height = picture.width, picture.height
        aspect = picture.sample_aspect_ratio or Fraction(1)
        if found.width and found.height:
            found.shape = Fraction(found.width, found.height) * (aspect or 1)
    if container.streams.audio:
        sound = container.streams.audio[0]
        found.profile = sound.codec_context.profile or ""
        found.rate, found.channels = sound.codec_context.sample_rate, sound.codec_context.channels
    for packet in container.demux():
        entry = tracks.get(packet.stream.index)
        if entry is None or packet.pts is None:
            continue
        entry.size += packet.size
        at = packet.pts * entry.tick
        entry.times.append(at)
        entry.end = max(entry.end, at + (packet.duration or 0) * entry.tick)
    found.seconds = max(found.video.seconds, found.audio.seconds)


def _judge(found: _Found, size: int) -> Iterator[Clause]:
    video, audio = found.video, found.audio
    codec = {"h264": "H.264"}.get(video.codec, video.codec) or "no picture"
    fits = found.is_mp4 and video.codec == "h264"
    yield Clause("REQ-P1", "H.264 in MP4", f"{codec} in {found.container}", fits)
    kinds = [name for name, least in (("archive", ARCHIVE_BPS), ("web", WEB_BPS)) if video.bps >= least]
    told = f"{video.bps / 1e6:.2f} Mbit/s" + (f" ({', '.join(kinds)})" if kinds else "")
    yield Clause("REQ-P2", "archive >= 4 Mbit/s, web >= 1 Mbit/s", told, bool(kinds))
    yield _picture(found)
    yield _rate(video)
    told = f"{size / 1e6:.1f} MB"
    yield Clause("REQ-P5", "at most 1 GB", told, 0 < size <= LARGEST_BYTES)
    minutes, seconds = divmod(round(found.seconds), 60)
    fits = SHORTEST_S <= round(found.seconds) <= LONGEST_S
    advice = "" if fits else "the clause is advice (best 5 to 15 minutes)"
    yield Clause("REQ-P6", "best 5 to 15 minutes", f"{minutes} min {seconds:02} s", fits, advice)
    told = f"{audio.codec.upper()} {found.profile}".strip() or "no sound"
    yield Clause("REQ-P7", "AAC", told, audio.codec == "aac")
    yield Clause("REQ-P8", "48 kHz", f"{found.rate / 1000:g} kHz", found.rate == AUDIO_RATE)
    fits = audio.bps >= AUDIO_BPS
    waived = WAIVED_P9 if not fits and audio.codec == "aac" else ""
    yield Clause("REQ-P9", "sound >= 1.4 Mbit/s", f"{audio.bps / 1000:.0f} kbit/s", fits, waived)
    yield Clause("REQ-P10", "stereo", f"{found.channels} channel(s)", found.channels == 2)


def _picture(found: _Found) -> Clause:
    names = [n for n, shape in SHAPES.items() if abs(float(found.shape / shape) - 1) <= SHAPE_TOLERANCE]
    told = f"{found.width}x{found.height}" + (f", {names[0]}" if names else f", {float(found.shape):.2f}:1")
    fits = bool(names) and found.height >= LEAST_HEIGHT
    return Clause("REQ-P3", "landscape 16:9 or 4:3, >= 720p", told, fits)


def _rate(video: _Track) -> Clause:
    requires = "25 or 29.97 pictures/s, constant"
    times = sorted(video.times)
    if len(times) < 2:
        return Clause("REQ-P4", requires, f"{len(times)} picture(s)", False)
    for name, rate in RATES.items():
        # A constant rate is exact but for the rounding of its times to ticks.
        if all(abs(at - times[0] - n / rate) <= video.tick for n, at in enumerate(times)):
            return Clause("REQ-P4", requires, f"{name} pictures/s, constant", True)
    gaps = [float(after - before) for before, after in pairwise(times)]
    mean, longest = (times[-1] - times[0]) / (len(times) - 1), max(gaps)
    kind = "constant" if longest - min(gaps) <= 2 * float(video.tick) else "variable"
    told = f"{float(1 / mean) if mean else 0:.2f} pictures/s, {kind}, longest {longest * 1000:.0f} ms"
    return Clause("REQ-P4", requires, told, False)

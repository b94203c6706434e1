"""The two video codecs as the spool keeps them: H.264 in fragmented MP4, VP8 in Matroska."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from recorder import boxes, fmp4, matroska
from recorder.feed import Codec
from recorder.h264 import H264Error, VideoConfig, access_unit, video_config
from recorder.spool import RecordingSpool

VIDEO_TIMESCALE = 90_000


@dataclass(frozen=True, slots=True)
class Picture:
    """One frame as it will be stored. A sync picture carries the `config` it needs."""

    data: bytes
    sync: bool
    config: VideoConfig | None


@dataclass(frozen=True, slots=True)
class Timed:
    """A picture with its place: `start` from the origin and `duration`, in 1/90000 s."""

    picture: Picture
    start: int
    duration: int


class VideoFormat(Protocol):
    """How frames of one codec become durable fragments."""

    def parse(self, data: bytes) -> Picture | None:
        """Look into a frame; None when it holds no picture. Raises ValueError when it is not the codec's."""

    def store(
        self, spool: RecordingSpool, track: str, config: VideoConfig, pictures: list[Timed], through: int
    ) -> None:
        """Write one fragment. Raises OSError."""


def fragment_fields(track: str, codec: Codec, start: int, end: int, timescale: int) -> dict[str, Any]:
    """What every fragment's line says of its place."""
    return {
        "track": track,
        "codec": codec.value,
        "start": start,
        "end": end,
        "start_ms": round(start * 1000 / timescale),
        "duration_ms": round((end - start) * 1000 / timescale),
    }


class H264Format:
    """avc3 in fragmented MP4: parameter sets stay in the samples, so a change needs no new file."""

    def __init__(self, kind: str = "fragment", name: str = "{track}.h264.mp4") -> None:
        self._kind = kind
        self._name = name
        self._sps: tuple[bytes, ...] = ()
        self._pps: tuple[bytes, ...] = ()

    def parse(self, data: bytes) -> Picture | None:
        try:
            unit = access_unit(data)
            self._sps = unit.sps or self._sps
            self._pps = unit.pps or self._pps
            if not unit.picture:
                return None
            if not unit.idr:
                return Picture(unit.sample(), False, None)
            # A keyframe that relies on earlier parameter sets gets them: each fragment stands by itself.
            missing = (() if unit.sps else self._sps) + (() if unit.pps else self._pps)
            return Picture(unit.sample(missing), True, video_config(self._sps, self._pps))
        except H264Error as error:
            raise ValueError(str(error)) from None

    def store(
        self, spool: RecordingSpool, track: str, config: VideoConfig, pictures: list[Timed], through: int
    ) -> None:
        file = self._name.format(track=track)
        number = _config_number(spool, file, Codec.H264, config)
        header = boxes.TrackHeader(1, track, True, VIDEO_TIMESCALE, 0, 0, config.width, config.height)
        entry = boxes.avc_entry(b"avc3", config.width, config.height, config.avcc())
        spool.begin_file(file, fmp4.init_segment(header, spool.contents.opened["started_at_ms"], entry))
        samples = [fmp4.Sample(t.picture.data, t.duration, t.picture.sync) for t in pictures]
        start, end = pictures[0].start, pictures[-1].start + pictures[-1].duration
        sequence = 1 + sum(1 for fragment in spool.contents.fragments if fragment.file == file)
        head, media = fmp4.fragment(sequence, 1, start, samples)
        spool.append(
            file,
            head,
            media,
            config=number,
            samples=len(samples),
            independent=samples[0].sync,
            through=through,
            **fragment_fields(track, Codec.H264, start, end, VIDEO_TIMESCALE),
        )


class Vp8Format:
    """Matroska clusters."""

    def parse(self, data: bytes) -> Picture | None:
        size = matroska.vp8_size(data)
        config = VideoConfig((), (), *size) if size else None
        return Picture(data, size is not None, config)

    def store(
        self, spool: RecordingSpool, track: str, config: VideoConfig, pictures: list[Timed], through: int
    ) -> None:
        file = f"{track}.vp8.mkv"
        number = _config_number(spool, file, Codec.VP8, config)
        spool.begin_file(file, matroska.head(config.width, config.height))
        start, end = pictures[0].start, pictures[-1].start + pictures[-1].duration
        first_ms = start // 90
        blocks = [
            matroska.Block(
                t.picture.data,
                min(t.start // 90, first_ms + matroska.CLUSTER_SPAN_MS),
                t.picture.sync,
            )
            for t in pictures
        ]
        spool.append(
            file,
            b"",
            matroska.cluster(blocks),
            config=number,
            samples=len(blocks),
            independent=blocks[0].keyframe,
            through=through,
            **fragment_fields(track, Codec.VP8, start, end, VIDEO_TIMESCALE),
        )


def _config_number(spool: RecordingSpool, file: str, codec: Codec, config: VideoConfig) -> int:
    """The number of a configuration within its file; a new one is noted first."""
    avcc = config.avcc().hex() if codec is Codec.H264 else ""
    known = spool.contents.configs.get(file, [])
    for line in known:
        if (line["avcc"], line["width"], line["height"]) == (avcc, config.width, config.height):
            return int(line["config"])
    number = len(known) + 1
    spool.note(
        "config",
        file=file,
        config=number,
        codec=codec.value,
        width=config.width,
        height=config.height,
        avcc=avcc,
    )
    return number

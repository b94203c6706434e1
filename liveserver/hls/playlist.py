"""Playlists as text (RFC 8216bis: draft-pantos-hls-rfc8216bis). Pure: what there is goes in, lines come out.

A media playlist lists whole segments, for the newest ones also their parts, and hints at the part that comes
next. A delta playlist leaves out what a client has had (`EXT-X-SKIP`), with nothing else changed.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

TARGET_S = 4
PART_TARGET_S = 0.32
PART_HOLD_BACK_S = 1.0  # at least three parts (4.4.3.8)
SKIP_UNTIL_S = 24  # at least six target durations
PARTS_FOR_S = 3 * TARGET_S  # older segments are listed without their parts (6.2.2)
ADVANCE_PARTS = math.ceil(3 / PART_TARGET_S)  # how far ahead of the newest a part may be asked for (6.2.5.2)
_VERSION = 9
_ROUNDING_S = 0.001  # what is added up of binary fractions may be short of the boundary


@dataclass(frozen=True, slots=True)
class Part:
    """`duration_s` at most `PART_TARGET_S`."""

    duration_s: float
    independent: bool


@dataclass(frozen=True, slots=True)
class Segment:
    """`sequence` is its media sequence number, `init` the number of its init segment; `wall_ms` since 1970.

    `is_whole`: no part will be added to it.
    """

    sequence: int
    init: int
    wall_ms: int
    discontinuity: bool
    parts: tuple[Part, ...]
    is_whole: bool

    @property
    def duration_s(self) -> float:
        return sum(part.duration_s for part in self.parts)


@dataclass(frozen=True, slots=True)
class Window:
    """What a media playlist lists. `discontinuities`: how many came before its first segment.

    `base` is put before each file's name, `query` behind it. `is_over`: nothing will be added.
    """

    segments: Sequence[Segment]
    discontinuities: int
    base: str
    query: str
    is_over: bool = False


@dataclass(frozen=True, slots=True)
class Streams:
    """What the multivariant playlist says of a lesson; `width` 0: there is no picture."""

    codec: str
    width: int
    height: int
    video_bps: int
    audio_bps: int


def multivariant(streams: Streams, query: str) -> str:
    """The renditions there are: picture and sound, and sound alone."""
    lines = ["#EXTM3U", f"#EXT-X-VERSION:{_VERSION}", "#EXT-X-INDEPENDENT-SEGMENTS"]
    if streams.width:
        lines += [
            f"#EXT-X-STREAM-INF:BANDWIDTH={streams.video_bps},"
            f'CODECS="{streams.codec},mp4a.40.2",RESOLUTION={streams.width}x{streams.height}',
            f"video.m3u8{query}",
        ]
    lines += [
        f'#EXT-X-STREAM-INF:BANDWIDTH={streams.audio_bps},CODECS="mp4a.40.2"',
        f"audio.m3u8{query}",
    ]
    return "\n".join(lines) + "\n"


def media(window: Window, *, skip: bool = False) -> str:
    """The whole playlist, or with `skip` a delta where there is enough to leave out."""
    segments = window.segments
    skipped = _skippable(segments) if skip and not window.is_over else 0
    lines = [
        "#EXTM3U",
        f"#EXT-X-VERSION:{_VERSION}",
        f"#EXT-X-TARGETDURATION:{TARGET_S}",
        f"#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL={SKIP_UNTIL_S:.1f},"
        f"PART-HOLD-BACK={PART_HOLD_BACK_S:.3f}",
        f"#EXT-X-PART-INF:PART-TARGET={PART_TARGET_S:.5f}",
        f"#EXT-X-MEDIA-SEQUENCE:{segments[0].sequence if segments else 0}",
        f"#EXT-X-DISCONTINUITY-SEQUENCE:{window.discontinuities}",
        "#EXT-X-INDEPENDENT-SEGMENTS",
    ]
    if skipped:
        lines.append(f"#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}")
    init = segments[skipped - 1].init if skipped else None
    behind_s = sum(segment.duration_s for segment in segments[skipped:])
    for index, segment in enumerate(segments[skipped:], skipped):
        if segment.discontinuity and index:
            lines.append("#EXT-X-DISCONTINUITY")
        if segment.init != init:
            init = segment.init
            lines.append(f'#EXT-X-MAP:URI="{_uri(window, f"init{init}.mp4")}"')
        lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{_date(segment.wall_ms)}")
        behind_s -= segment.duration_s
        if behind_s < PARTS_FOR_S and not window.is_over:
            lines += _parts(window, segment)
        if segment.is_whole:
            lines += [f"#EXTINF:{segment.duration_s:.5f},", _uri(window, f"{segment.sequence}.m4s")]
    if window.is_over:
        lines.append("#EXT-X-ENDLIST")
    elif segments:
        newest = segments[-1]
        following = (newest.sequence + 1, 0) if newest.is_whole else (newest.sequence, len(newest.parts))
        name = "{}.{}.m4s".format(*following)
        lines.append(f'#EXT-X-PRELOAD-HINT:TYPE=PART,URI="{_uri(window, name)}"')
    return "\n".join(lines) + "\n"


def with_token(token: str) -> str:
    """The query that carries a token into every address."""
    return f"?token={quote(token, safe='')}" if token else ""


def _skippable(segments: Sequence[Segment]) -> int:
    """How many segments lie wholly before the skip boundary, counted from the end of the last one."""
    behind_s = sum(segment.duration_s for segment in segments)
    count = 0
    for segment in segments:
        behind_s -= segment.duration_s
        if behind_s <= SKIP_UNTIL_S + _ROUNDING_S:
            break
        count += 1
    return count


def _parts(window: Window, segment: Segment) -> list[str]:
    return [
        f"#EXT-X-PART:DURATION={part.duration_s:.5f},"
        f'URI="{_uri(window, f"{segment.sequence}.{index}.m4s")}"'
        + (",INDEPENDENT=YES" if part.independent else "")
        for index, part in enumerate(segment.parts)
    ]


def _uri(window: Window, name: str) -> str:
    return f"{window.base}{name}{window.query}"


def _date(ms: int) -> str:
    moment = datetime.datetime.fromtimestamp(ms / 1000, datetime.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

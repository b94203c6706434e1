"""As much of an LL-HLS media playlist as a player's requests hang on (draft-pantos-hls-rfc8216bis). Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

_URI = re.compile(r'URI="([^"]+)"')
_DURATION = re.compile(r"DURATION=([0-9.]+)")


@dataclass(frozen=True, slots=True)
class Media:
    """`parts`: addresses in their order. `next`: what `_HLS_msn` and `_HLS_part` name next.

    `edge_s`: when the newest part ends, seconds since 1970; 0 when the playlist does not say.
    """

    parts: tuple[str, ...]
    init: str
    next: tuple[int, int]
    edge_s: float
    over: bool


def variant(text: str) -> str:
    """The address of the first rendition in a multivariant playlist. ValueError."""
    lines = text.splitlines()
    for line, following in pairwise(lines):
        if line.startswith("#EXT-X-STREAM-INF") and not following.startswith("#"):
            return following
    raise ValueError("no rendition")


def media(text: str) -> Media:
    """What a media playlist says. ValueError for what is none."""
    if not text.startswith("#EXTM3U"):
        raise ValueError("no playlist")
    parts: list[str] = []
    sequence, in_segment, edge_s, init, over = 0, 0, 0.0, "", False
    for line in text.splitlines():
        if line.startswith("#EXT-X-MEDIA-SEQUENCE:"):
            sequence = int(line.partition(":")[2])
        elif line.startswith("#EXT-X-SKIP:"):
            sequence += int(line.partition("=")[2].partition(",")[0])
        elif line.startswith("#EXT-X-PROGRAM-DATE-TIME:"):
            edge_s = datetime.fromisoformat(line.partition(":")[2].replace("Z", "+00:00")).timestamp()
        elif line.startswith("#EXT-X-MAP:"):
            init = _found(_URI, line)
        elif line.startswith("#EXT-X-PART:"):
            parts.append(_found(_URI, line))
            in_segment += 1
            edge_s += float(_found(_DURATION, line))
        elif line.startswith("#EXT-X-ENDLIST"):
            over = True
        elif line and not line.startswith("#"):
            sequence, in_segment = sequence + 1, 0
    return Media(tuple(parts), init, (sequence, in_segment), edge_s, over)


def _found(pattern: re.Pattern[str], line: str) -> str:
    found = pattern.search(line)
    if found is None:
        raise ValueError(f"{line[:40]} lacks something")
    return found[1]

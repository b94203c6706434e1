"""An independent reading of LL-HLS playlists: what RFC 8216bis lets a program check, checked.

Nothing here comes from the server: tags are parsed from the text, and what they say is held against the rules
(section numbers of draft-pantos-hls-rfc8216bis) and against the bytes that are served. `Watch` follows one
media playlist over time and holds each version against those before it.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

_ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"]*"|[^,"]+)(?:,|$)')
_ONCE = ("EXT-X-TARGETDURATION", "EXT-X-SERVER-CONTROL", "EXT-X-PART-INF", "EXT-X-MEDIA-SEQUENCE",
         "EXT-X-DISCONTINUITY-SEQUENCE", "EXT-X-VERSION", "EXT-X-ENDLIST", "EXT-X-SKIP")  # fmt: skip
_KNOWN = {*_ONCE, "EXTM3U", "EXT-X-INDEPENDENT-SEGMENTS", "EXT-X-MAP", "EXT-X-PROGRAM-DATE-TIME",
          "EXT-X-PART", "EXTINF", "EXT-X-DISCONTINUITY", "EXT-X-PRELOAD-HINT"}  # fmt: skip
_SLACK_S = 0.001


@dataclass
class Part:
    uri: str
    duration_s: float
    independent: bool


@dataclass
class Segment:
    sequence: int
    discontinuity: int
    init: str | None
    parts: list[Part] = field(default_factory=list)
    uri: str | None = None
    duration_s: float | None = None
    wall_s: float | None = None


@dataclass
class Playlist:
    tags: list[tuple[str, str]]
    version: int
    target_s: int
    control: Mapping[str, str]
    part_target_s: float
    first: int
    skipped: int
    segments: list[Segment]
    hint: str | None
    ended: bool

    @property
    def newest(self) -> tuple[int, int]:
        """Media sequence number and number of parts of the newest segment."""
        last = self.segments[-1]
        return last.sequence, len(last.parts)

    @property
    def duration_s(self) -> float:
        return sum(length(segment) for segment in self.segments)


def length(segment: Segment) -> float:
    return segment.duration_s if segment.duration_s is not None else sum(p.duration_s for p in segment.parts)


def attributes(value: str) -> dict[str, str]:
    """4.2: a list of names and values; each name once."""
    found, at = {}, 0
    while at < len(value):
        match = _ATTRIBUTE.match(value, at)
        assert match, f"not an attribute list: {value!r}"
        assert match[1] not in found, f"{match[1]} twice in {value!r}"
        found[match[1]] = match[2]
        at = match.end()
    return found


def quoted(value: str) -> str:
    assert value[0] == value[-1] == '"', f"not a quoted string: {value}"
    return value[1:-1]


def parse(text: str) -> Playlist:
    """A media playlist that keeps every rule that one version of it can break."""
    assert not text.startswith("\ufeff"), "4.1: no byte order mark"
    lines = [line for line in text.split("\n") if line]
    assert lines[0] == "#EXTM3U", "4.4.1.1: the first line"
    tags = []
    for line in lines:
        if line.startswith("#EXT"):
            name, _, value = line[1:].partition(":")
            assert name in _KNOWN, f"unknown tag {name}"
            tags.append((name, value))
        else:
            assert not line.startswith("#") and line == line.strip(), f"neither tag nor URI: {line!r}"
            tags.append(("URI", line))
    for name in _ONCE:
        assert sum(tag == name for tag, _ in tags) <= 1, f"{name} more than once"
    one = dict(tags)
    assert "EXT-X-TARGETDURATION" in one, "4.4.3.1: required"
    assert "EXT-X-INDEPENDENT-SEGMENTS" in one
    control, inf = attributes(one["EXT-X-SERVER-CONTROL"]), attributes(one["EXT-X-PART-INF"])
    version, target_s = int(one["EXT-X-VERSION"]), int(one["EXT-X-TARGETDURATION"])
    part_target_s = float(inf["PART-TARGET"])
    _check_control(control, target_s, part_target_s)
    first, skipped = int(one.get("EXT-X-MEDIA-SEQUENCE", "0")), 0
    if "EXT-X-SKIP" in one:
        skipped = int(attributes(one["EXT-X-SKIP"])["SKIPPED-SEGMENTS"])
        assert version >= 9, "4.4.5.2: a delta playlist has version 9 or more"
        assert skipped > 0
    if "EXT-X-MAP" in one:
        assert version >= 6, "8: EXT-X-MAP in a playlist of media"
    begun = [n for n, (name, _) in enumerate(tags) if name in ("EXTINF", "EXT-X-PART", "EXT-X-DISCONTINUITY")]
    if begun:
        for name in ("EXT-X-MEDIA-SEQUENCE", "EXT-X-DISCONTINUITY-SEQUENCE"):
            places = [n for n, (tag, _) in enumerate(tags) if tag == name]
            assert all(place < begun[0] for place in places), f"{name} comes before the first segment"
    segments, hint, ended = _segments(
        tags, first + skipped, int(one.get("EXT-X-DISCONTINUITY-SEQUENCE", "0"))
    )
    found = Playlist(tags, version, target_s, control, part_target_s, first, skipped, segments, hint, ended)
    _check_lengths(found)
    return found


def _check_control(control: Mapping[str, str], target_s: int, part_target_s: float) -> None:
    assert control["CAN-BLOCK-RELOAD"] == "YES"
    hold_back_s = float(control["PART-HOLD-BACK"])
    assert hold_back_s >= 2 * part_target_s, "4.4.3.8: at least twice the part target"
    assert hold_back_s >= 3 * part_target_s - _SLACK_S, "4.4.3.8: should be at least three times"
    assert float(control["CAN-SKIP-UNTIL"]) >= 6 * target_s, "4.4.3.8: at least six target durations"
    if "HOLD-BACK" in control:
        assert float(control["HOLD-BACK"]) >= 3 * target_s


def _segments(
    tags: list[tuple[str, str]], sequence: int, discontinuity: int
) -> tuple[list[Segment], str | None, bool]:
    segments: list[Segment] = []
    current: Segment | None = None
    init = hint = None
    ended = False
    for name, value in tags:
        if name in ("EXT-X-DISCONTINUITY", "EXT-X-MAP", "EXT-X-PROGRAM-DATE-TIME", "EXT-X-PART", "EXTINF"):
            assert hint is None, "nothing of the media comes behind the preload hint here"
        if name == "EXT-X-DISCONTINUITY":
            assert current is None, "between segments"
            discontinuity += 1
        elif name == "EXT-X-MAP":
            assert current is None, "between segments"
            init = quoted(attributes(value)["URI"])
        elif name in ("EXT-X-PART", "EXTINF", "EXT-X-PROGRAM-DATE-TIME"):
            current = current or Segment(sequence, discontinuity, init)
            if name == "EXT-X-PROGRAM-DATE-TIME":
                current.wall_s = datetime.datetime.fromisoformat(value).timestamp()
            elif name == "EXT-X-PART":
                found = attributes(value)
                part = Part(quoted(found["URI"]), float(found["DURATION"]), found.get("INDEPENDENT") == "YES")
                current.parts.append(part)
            else:
                current.duration_s = float(value.rstrip(",").split(",")[0])
        elif name == "URI":
            assert current is not None and current.duration_s is not None, "4.4.4.1: EXTINF for each segment"
            current.uri = value
            segments.append(current)
            current, sequence = None, sequence + 1
        elif name == "EXT-X-PRELOAD-HINT":
            found = attributes(value)
            assert found["TYPE"] == "PART"
            hint = quoted(found["URI"])
        elif name == "EXT-X-ENDLIST":
            ended = True
    if current is not None:
        assert current.parts, "a segment that has begun has a part"
        segments.append(current)
    return segments, hint, ended


def _check_lengths(found: Playlist) -> None:
    for index, segment in enumerate(found.segments):
        if segment.duration_s is not None:
            assert int(segment.duration_s + 0.5) <= found.target_s, (
                "4.4.3.1: EXTINF rounded is at most the target"
            )
        if segment.init is None:
            assert found.skipped, "4.4.4.5: fragmented MP4 needs EXT-X-MAP"
        for number, part in enumerate(segment.parts):
            assert part.duration_s <= found.part_target_s + 1e-9, "4.4.4.9: at most the part target"
            is_last = number == len(segment.parts) - 1
            if not is_last:
                assert part.duration_s >= 0.85 * found.part_target_s, (
                    "4.4.4.9: at least 85 % but for the last"
                )
        if segment.parts:
            assert segment.parts[0].independent, "EXT-X-INDEPENDENT-SEGMENTS: it begins with a keyframe"
            if segment.duration_s is not None:
                total = sum(part.duration_s for part in segment.parts)
                assert abs(total - segment.duration_s) < 0.01, "parts are all of their segment"
        if index and segment.wall_s is not None and found.segments[index - 1].wall_s is not None:
            before = found.segments[index - 1]
            if before.discontinuity == segment.discontinuity:
                apart = segment.wall_s - before.wall_s
                assert abs(apart - length(before)) < 0.05, "dates go on as the media does"
    behind_s = 0.0
    for segment in reversed(found.segments):
        if segment.parts:
            assert behind_s < 3 * found.target_s + length(segment), "6.2.2: old parts are listed no more"
        elif not found.ended:
            assert behind_s >= 3 * found.target_s - _SLACK_S, "6.2.2: the parts of the newest are listed"
        behind_s += length(segment)
    assert found.ended or found.hint, "a live playlist hints at the next part"


class Watch:
    """One media playlist over time. `fetch(address)` gives the bytes that are served there."""

    def __init__(self, address: str, fetch: Callable[[str], bytes]):
        self.address = address
        self.latest: Playlist | None = None
        self.parts: dict[str, bytes] = {}
        self.segments: dict[int, Segment] = {}
        self._fetch = fetch
        self._hints: list[tuple[str, tuple[int, int]]] = []

    def look(self, text: str) -> Playlist:
        """Another version of it, whole."""
        found, before = parse(text), self.latest
        if before is not None:
            assert found.target_s == before.target_s, "6.2.1: the target duration never changes"
            assert found.part_target_s == before.part_target_s
            assert found.version == before.version
            assert found.first >= before.first, "6.2.2: the media sequence number never falls"
            assert found.newest >= before.newest, "what was listed last is still there"
            if found.first > before.first:
                assert found.duration_s >= 3 * found.target_s, "6.2.2: three target durations stay"
        for segment in found.segments:
            known = self.segments.get(segment.sequence)
            if known is not None:
                assert known.discontinuity == segment.discontinuity, "4.4.3.3: counted on"
                assert known.init == segment.init
                assert known.wall_s == segment.wall_s
                if known.uri is not None:
                    assert (known.uri, known.duration_s) == (segment.uri, segment.duration_s), "6.2.1"
                for mine, other in zip(known.parts, segment.parts, strict=False):
                    assert mine == other, "a part that is listed never changes"
            if known is None or len(segment.parts) >= len(known.parts):
                self.segments[segment.sequence] = segment
        self.latest = found
        return found

    def check_delta(self, whole: str, delta: str) -> None:
        """6.2.5.1: a client that fills what was skipped has the whole one."""
        all_lines, changed = whole.split("\n"), delta.split("\n")
        skip = next(line for line in changed if line.startswith("#EXT-X-SKIP:"))
        count = int(attributes(skip.partition(":")[2])["SKIPPED-SEGMENTS"])
        head, tail = changed[: changed.index(skip)], changed[changed.index(skip) + 1 :]
        assert all_lines[: len(head)] == head
        assert all_lines[-len(tail) :] == tail
        left_out = all_lines[len(head) : len(all_lines) - len(tail)]
        assert sum(line.startswith("#EXTINF:") for line in left_out) == count, "as many as it says"
        boundary_s = float(parse(whole).control["CAN-SKIP-UNTIL"])
        rest_s = sum(length(segment) for segment in parse(delta).segments)
        assert rest_s >= boundary_s, "nothing younger than the boundary is left out"

    def check_media(self) -> None:
        """What the newest version lists can be had, and whole segments are their parts."""
        assert self.latest is not None
        for segment in self.latest.segments:
            pieces = []
            for part in segment.parts:
                data = self.parts.get(part.uri) or self._get(part.uri)
                self.parts[part.uri] = data
                assert data[4:8] == b"moof", "3.3: a part begins with a fragment"
                pieces.append(data)
            if segment.uri is not None and segment.parts:
                assert self._get(segment.uri) == b"".join(pieces), "a segment is its parts"
        inits = {segment.init for segment in self.latest.segments}
        for init in inits:
            assert init is not None
            assert self._get(init)[4:8] == b"ftyp"

    def _get(self, uri: str) -> bytes:
        address = urljoin(self.address, uri)
        assert urlsplit(address).netloc == urlsplit(self.address).netloc
        return self._fetch(address)


def parse_multivariant(text: str) -> list[tuple[dict[str, str], str]]:
    """4.4.6: (attributes, URI) of each variant stream."""
    lines = [line for line in text.split("\n") if line]
    assert lines[0] == "#EXTM3U"
    found = []
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if line.startswith("#EXT-X-STREAM-INF:"):
            assert following and not following.startswith("#"), "4.4.6.2: the URI is the next line"
            said = attributes(line.partition(":")[2])
            assert int(said["BANDWIDTH"]) > 0
            assert quoted(said["CODECS"])
            found.append((said, following))
        assert not line.startswith(("#EXTINF", "#EXT-X-PART", "#EXT-X-TARGETDURATION")), "no media tags"
    assert found
    return found

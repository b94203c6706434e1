"""The manifest: what was recorded, provable line by line.

`manifest.jsonl` is written while the lesson runs, one JSON object a line, each durable (fsync) before the
next, and is stored beside the sealed MP4. A verifier needs these two files and SHA-256, nothing else.

**Line.** Canonical JSON: keys sorted, no spaces, UTF-8 not escaped, only strings, integers, booleans, null,
lists and objects (no fractions, so there is one way to write each value). Every line has `n` (0, 1, 2, … its
number), `type`, and as its proof `chain`, 64 hex digits:

    chain(n) = SHA-256( chain(n-1) as 32 bytes || canonical JSON of the line without `chain` )
    chain(-1) = 32 zero bytes

A change, removal, insertion or swap of lines breaks the chain at that line. A last line without a newline is
a crash's and does not count.

**Types.** Times `…_ms` are milliseconds; `start_ms`, `from_ms`, `to_ms` count from `origin_ms`.

- `opened` `format` 3, `recording`, `lesson`, `title`, `started_at_ms`, `feed`, `retain_until_ms`; since
  format 3 also what joins the reels of a long recording (`recorder.reels`): `series`, the name of the first;
  `reel`, 1, 2, …; `begins_ms` and `begins_bytes`, what the reels before have; `through` by track, as below
- `origin` `origin_ms`: wall time of the first media, of a later reel where it begins; time 0 of the file
- `continues` `recording`, `line`, `from_chain`: a later reel goes on from that line of the one before, its
  `closed`, which has this chain value
- `config` `file`, `config` (1, 2, … within the file), `codec`, `width`, `height`, `avcc` (hex): a video's
  decoder configuration, before the first fragment that needs it
- `fragment` `track`, `codec`, `file`, `config`, `offset`, `head_size`, `media_size`, `media_sha256`,
  `head_sha256`, `start_ms`, `duration_ms`, `samples`, `independent`, `through`, `start`, `end`: durable
  media. `media_sha256` is over the frames' bytes as they lie one after the other, the same bytes that the
  sealed file holds in one piece. `head_sha256` is over the index in front of them (moof: times and sizes);
  `start` and `end` are in the track's ticks; `through` is the number of the feed's last frame in it
- `gap` `track`, `from_ms`, `to_ms`, `reason`: `lost` (packets missing, picture frozen up to the next
  keyframe), `feed_overflow`, `overload`, `undecodable`, `source_changed`, `recorder_restarted`,
  `no_keyframe`, `no_media` (nothing came), `disk`, `damaged` (a fragment no longer has its hash)
- `resumed` `feed`: a recorder went on with the recording after a crash
- `closed` `reason`: `ended`, `abandoned` when nobody came back for it, or `continued`: then `next` names the
  reel that goes on, and `duration_ms` is this one's length to the millisecond
- `derived` like `fragment`, and `from`: H.264 made of a VP8 track's file `from`
- `transcoded` `from`, `file`: the derived file that is in the sealed one; null when no picture could be had
- `original` `file`, `key`, `sha256`, `size`: the VP8 file, stored as it was recorded
- `sealed` `key`, `sha256`, `size`, `head_size`, `head_sha256` (what comes before the media; since format 2),
  `duration_ms`, `sealed_at_ms`, `placed`: the MP4. `placed` lists
  `[n, offset]`: the media bytes of line n (`fragment` or `derived`) lie at `offset` in the MP4. Where audio
  fragments are missing (`disk`, `damaged`), packets of silence stand in the file that no line names

After `sealed` the chain goes on with what is made of the sealed file later (format 2); the manifest is then
stored once more, whole, as `<recording>.versions.jsonl`, and begins with the bytes of the first.

- `chapters` `chapters`: a list of `[from_ms, to_ms, reason]`; `key`, `sha256`, `size` of the WebVTT file
- `thumbnail` `chapter` (from 1), `key`, `sha256`, `size`: a JPEG
- `version` `version`, `chapter`, `from_ms`, `to_ms`, `key`, `sha256`, `size`, `head_size`, `head_sha256`,
  `duration_ms`, `source`, `source_sha256`, `fragments`: one chapter's MP4 and what it was made of, re-encoded
  (`archive`, `web`) or with its media as recorded (`parts`). `fragments` lists `[offset, size, sha256, track,
  start_ms, duration_ms]`; those of `parts` have the hashes and times of their `fragment` lines
- `version_failed` `version`, `chapter`, `reason`: it could not be made, which does not touch the sealed file
- `captions` `program`, `cues`, `key`, `sha256`, `size`: a WebVTT file; `captions_failed` `program`, `reason`
- `versions_done`: nothing more will come

**To verify offline:** walk the chain; hash the MP4 and compare with `sealed.sha256`; for each `placed` pair
hash `media_size` bytes at `offset` and compare with that line's `media_sha256`: an altered fragment is named
by its line, with its track and time. The chain's last value goes into the ledger and from there to a witness.
A recording of several reels is whole when each `from_chain` is the chain value of the `closed` line before
it, which names it, and the last one's reason is not `continued`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

FORMAT = 3
CHAIN_START = bytes(32)


class ManifestError(Exception):
    """A line that does not continue the chain; `n` is its number."""

    def __init__(self, n: int, detail: str):
        super().__init__(f"line {n}: {detail}")
        self.n = n


def canonical(record: Mapping[str, Any]) -> bytes:
    """The one way to write a record."""
    return json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def link(previous: bytes, record: Mapping[str, Any]) -> tuple[bytes, bytes]:
    """The record's line (with newline) and its chain value. `record` has `n` and `type`, no `chain`."""
    chain = hashlib.sha256(previous + canonical(record)).digest()
    return canonical({**record, "chain": chain.hex()}) + b"\n", chain


def check(previous: bytes, n: int, line: bytes) -> tuple[dict[str, Any], bytes]:
    """The record of one line and its chain value. Raises ManifestError."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        raise ManifestError(n, "not JSON") from None
    if not isinstance(record, dict) or record.get("n") != n or not isinstance(record.get("type"), str):
        raise ManifestError(n, "not the record that belongs here")
    claimed = record.pop("chain", None)
    expected, chain = link(previous, record)
    if claimed != chain.hex() or expected != line + b"\n":
        raise ManifestError(n, "chain broken")
    return record, chain


def read(data: bytes) -> tuple[list[dict[str, Any]], bytes, int]:
    """The good part of a manifest: records, last chain value, and its length in bytes.

    Stops before the first line that is incomplete or does not continue the chain.
    """
    records: list[dict[str, Any]] = []
    chain, good = CHAIN_START, 0
    while (end := data.find(b"\n", good)) >= 0:
        try:
            record, chain = check(chain, len(records), data[good:end])
        except ManifestError:
            break
        records.append(record)
        good = end + 1
    return records, chain, good


def through(data: bytes, n: int) -> tuple[bytes, str]:
    """The manifest up to line `n`, whole, and that line's chain value (hex)."""
    lines = data.split(b"\n", n + 1)[: n + 1]
    return b"\n".join(lines) + b"\n", str(json.loads(lines[n])["chain"])


@dataclass(frozen=True, slots=True)
class Fragment:
    """A `fragment` or `derived` line."""

    n: int
    track: str
    codec: str
    file: str
    config: int
    offset: int
    head_size: int
    media_size: int
    media_sha256: str
    head_sha256: str
    start_ms: int
    duration_ms: int
    samples: int
    start: int
    end: int
    through: int
    origin: str | None  # the VP8 file a derived fragment was made of

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Fragment:
        names = [name for name in cls.__dataclass_fields__ if name != "origin"]
        return cls(**{name: record[name] for name in names}, origin=record.get("from"))


@dataclass(slots=True)
class Contents:
    """A manifest, folded: what the recording is at its last line."""

    opened: dict[str, Any] = field(default_factory=dict)
    feed: str = ""
    through: dict[str, int] = field(default_factory=dict)  # by track: the feed's last frame that is durable
    origin_ms: int | None = None
    configs: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # by file
    fragments: list[Fragment] = field(default_factory=list)
    derived: list[Fragment] = field(default_factory=list)
    transcoded: dict[str, str | None] = field(default_factory=dict)  # VP8 file to derived file
    originals: dict[str, dict[str, Any]] = field(default_factory=dict)  # by file
    gaps: list[dict[str, Any]] = field(default_factory=list)
    closed: str | None = None
    continues: dict[str, Any] | None = None
    next: str | None = None  # the reel that goes on
    length_ms: int | None = None  # of a reel that another goes on from
    sealed: dict[str, Any] | None = None
    chapters: dict[str, Any] | None = None
    thumbnails: set[int] = field(default_factory=set)
    versions: list[dict[str, Any]] = field(default_factory=list)  # `version` and `version_failed` lines
    captions: dict[str, Any] | None = None  # the `captions` or `captions_failed` line
    versions_done: bool = False

    @property
    def series(self) -> str:
        """The name of the recording's first reel, which is the feed's name for all of it."""
        return str(self.opened.get("series") or self.opened["recording"])

    @property
    def reel(self) -> int:
        """The reel's number, from 1."""
        return int(self.opened.get("reel", 1))

    def add(self, record: Mapping[str, Any]) -> None:
        """Take in the next record."""
        match record["type"]:
            case "opened":
                self.opened = dict(record)
                self.feed = record["feed"]
                self.through = dict(record.get("through", {}))
            case "continues":
                self.continues = dict(record)
            case "resumed":
                if record["feed"] != self.feed:
                    self.through.clear()  # another feed numbers its frames anew
                self.feed = record["feed"]
            case "origin":
                self.origin_ms = record["origin_ms"]
            case "config":
                self.configs.setdefault(record["file"], []).append(dict(record))
            case "fragment":
                self.fragments.append(Fragment.of(record))
                self.through[record["track"]] = record["through"]
            case "derived":
                self.derived.append(Fragment.of(record))
            case "transcoded":
                self.transcoded[record["from"]] = record["file"]
            case "original":
                self.originals[record["file"]] = dict(record)
            case "gap":
                self.gaps.append({key: record[key] for key in ("track", "from_ms", "to_ms", "reason")})
            case "closed":
                self.closed = record["reason"]
                self.next, self.length_ms = record.get("next"), record.get("duration_ms")
            case "sealed":
                self.sealed = dict(record)
            case "chapters":
                self.chapters = dict(record)
            case "thumbnail":
                self.thumbnails.add(record["chapter"])
            case "version" | "version_failed":
                self.versions.append(dict(record))
            case "captions" | "captions_failed":
                self.captions = dict(record)
            case "versions_done":
                self.versions_done = True

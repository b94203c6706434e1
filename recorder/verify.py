"""Is a file what its manifest says, and if not, which fragment differs? Offline: two files and SHA-256.

The chain is walked first; then the file is compared with what the manifest has of it (`recorder.compare`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any

from recorder import manifest
from recorder.compare import TRIED, Expected, Finding, Piece, compare, is_at
from recorder.manifest import Contents, ManifestError


class NotAManifestError(Exception):
    """The file given as manifest has no line of one."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`key` is the object the file was compared with; `chain` the last value of the manifest's chain.

    `reel` counts the files of a long recording from 1; `continues` is the one before this, `next` the one
    after it, "" where there is none.
    """

    intact: bool
    key: str
    fragments: int
    chain: str
    findings: tuple[Finding, ...]
    reel: int = 1
    continues: str = ""
    next: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        findings = []
        for found in self.findings:
            row: dict[str, Any] = {"kind": found.kind, "detail": found.detail}
            if found.fragment is not None:
                piece = found.fragment
                row |= {"line": piece.line, "track": piece.track}
                row |= {"start_ms": piece.start_ms, "duration_ms": piece.duration_ms}
            findings.append(row)
        return {
            "intact": self.intact,
            "object": self.key,
            "fragments": self.fragments,
            "chain": self.chain,
            "reel": self.reel,
            "continues": self.continues or None,
            "next": self.next or None,
            "findings": findings,
        }


def verify(path: Path, manifest_path: Path, chain: str = "", previous: Path | None = None) -> Verdict:
    """Compare a file with its manifest. `chain` is a value known from elsewhere (the ledger), hex; `previous`
    the manifest of the reel before.

    Raises OSError, NotAManifestError.
    """
    data, lines, last, good = _read(manifest_path)
    findings = list(_manifest_findings(data, lines, last, good))
    if chain and not _has_chain(data[:good], chain):
        findings.append(Finding("manifest", f"no line of the manifest has the chain value {chain}"))
    contents = manifest.Contents()
    for line in lines:
        contents.add(line)
    if previous is not None:
        findings += _join_findings(contents, previous)
    with path.open("rb") as file:
        expected = _choose(path, file, list(_objects(lines, contents)))
        if expected is None:
            findings.append(Finding("other", "the manifest names no file that this could be"))
            expected = Expected("", 0, "", 0, "", ())
        else:
            findings += compare(file, expected)
    before = "" if contents.continues is None else str(contents.continues["recording"])
    return Verdict(
        not findings,
        expected.key,
        len(expected.pieces),
        last.hex(),
        tuple(findings),
        contents.reel,
        before,
        contents.next or "",
    )


def _read(path: Path) -> tuple[bytes, list[dict[str, Any]], bytes, int]:
    data = path.read_bytes()
    lines, last, good = manifest.read(data)
    if not lines or lines[0]["type"] != "opened":
        raise NotAManifestError(f"{path.name} is not a recording's manifest")
    return data, lines, last, good


def _join_findings(contents: Contents, previous: Path) -> Iterator[Finding]:
    """Whether this reel goes on where the one of the manifest `previous` was closed."""
    data, lines, _, good = _read(previous)
    continues, name = contents.continues, contents.opened["recording"]
    if continues is None:
        yield Finding("manifest", f"{name} is a recording's first part: it goes on from no other")
        return
    number, before = continues["line"], lines[0]["recording"]
    if before != continues["recording"]:
        yield Finding("manifest", f"{name} goes on from {continues['recording']}, not from {before}")
    elif number >= len(lines):
        yield Finding("manifest", f"the manifest of {before} was altered, or ends, before line {number}")
    elif manifest.through(data[:good], number)[1] != continues["from_chain"]:
        yield Finding(
            "manifest", f"{name} does not go on from this manifest: line {number} has another chain"
        )
    elif lines[number].get("next") != name:
        yield Finding("manifest", f"line {number} of {before} does not say that {name} goes on from it")


def _manifest_findings(data: bytes, lines: list[dict[str, Any]], last: bytes, good: int) -> Iterator[Finding]:
    if good == len(data):
        return
    end = data.find(b"\n", good)
    if end < 0:
        if any(line["type"] == "sealed" for line in lines):
            yield Finding("manifest", "the manifest's last line is cut off")
        return  # a crash's, while the lesson ran
    try:
        manifest.check(last, len(lines), data[good:end])
    except ManifestError as error:
        yield Finding("manifest", f"the manifest was altered: {error}; what follows proves nothing")


def _has_chain(data: bytes, chain: str) -> bool:
    return f'"chain":"{chain.lower()}"'.encode() in data


def _objects(lines: list[dict[str, Any]], contents: Contents) -> Iterator[Expected]:
    """Everything whose bytes the manifest knows."""
    fragments = {f.n: f for f in (*contents.fragments, *contents.derived)}
    sealed = contents.sealed
    if sealed is not None:
        pieces = []
        for n, offset in sealed["placed"]:
            f = fragments[n]
            place = (f.track, f.start_ms, f.duration_ms)
            pieces.append(Piece(n, offset, f.media_size, f.media_sha256, *place))
        yield _expected(sealed, pieces)
    for line in lines:
        if line["type"] == "version":
            rows = line["fragments"]
            yield _expected(line, [Piece(line["n"], *row) for row in rows])
        elif line["type"] in ("chapters", "thumbnail"):
            yield _expected(line, [])
    by_file: dict[str, list[Piece]] = {}
    for f in fragments.values():
        place = (f.track, f.start_ms, f.duration_ms)
        if f.head_size:
            by_file.setdefault(f.file, []).append(Piece(f.n, f.offset, f.head_size, f.head_sha256, *place))
        media = Piece(f.n, f.offset + f.head_size, f.media_size, f.media_sha256, *place)
        by_file.setdefault(f.file, []).append(media)
    for file, found in by_file.items():
        original = contents.originals.get(file)
        if original is not None:
            yield _expected(original, found)
        else:
            end = max(piece.offset + piece.size for piece in found)
            yield Expected(file, end, "", 0, "", tuple(found))


def _expected(line: dict[str, Any], pieces: Iterable[Piece]) -> Expected:
    ordered = tuple(sorted(pieces, key=lambda piece: piece.offset))
    head_size, head = line.get("head_size", 0), line.get("head_sha256", "")
    return Expected(line["key"], line["size"], line["sha256"], head_size, head, ordered)


def _choose(path: Path, file: BufferedReader, objects: list[Expected]) -> Expected | None:
    """By name; else by what is in it."""
    for expected in objects:
        if expected.key.rpartition("/")[2] == path.name:
            return expected
    whole = hashlib.file_digest(file, "sha256").hexdigest()
    for expected in objects:
        if expected.sha256 == whole:
            return expected

    def alike(expected: Expected) -> int:
        pieces = expected.pieces
        some = [*pieces[:TRIED], *pieces[len(pieces) // 2 :][:TRIED]]
        return sum(is_at(file, piece.offset, piece.size, piece.sha256) for piece in some)

    best = max(objects, key=alike, default=None)
    if best is not None and alike(best):
        return best
    return next((e for e in objects if e.sha256 and path.suffix == Path(e.key).suffix), None)

"""A file compared with an object as its manifest has it: which fragments were altered, deleted, inserted.

The file's own hash decides. Only when it differs are fragments looked for, from the front, each at its place
shifted by what was found missing or added before it. So one change names one fragment; where several lie
close together, all that cannot be told apart are named.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader

LOOK_AHEAD = 256  # fragments that are tried for a place; a fragment is 2 s
TRIED = 8  # fragments near a place that are compared, to find out what a file or an insertion is


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes that the manifest names; `line` is its line's number, `offset` its place in the file."""

    line: int
    offset: int
    size: int
    sha256: str
    track: str
    start_ms: int
    duration_ms: int

    def __str__(self) -> str:
        span = f"{_clock(self.start_ms)} to {_clock(self.start_ms + self.duration_ms)}"
        return f"{self.track} {span} (line {self.line}, {self.size} bytes)"


@dataclass(frozen=True, slots=True)
class Expected:
    """An object as the manifest has it; `sha256` and `head_sha256` are empty where it names none."""

    key: str
    size: int
    sha256: str
    head_size: int
    head_sha256: str
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """`kind`: `altered`, `deleted`, `inserted`, `truncated`, `index`, `between`, `manifest`, `other`."""

    kind: str
    detail: str
    fragment: Piece | None = None


def compare(file: BufferedReader, expected: Expected) -> list[Finding]:
    """What differs; empty when the file is the object."""
    actual = file.seek(0, 2)
    file.seek(0)
    if expected.sha256 and hashlib.file_digest(file, "sha256").hexdigest() == expected.sha256:
        return []
    findings: list[Finding] = []
    if expected.head_sha256 and not is_at(file, 0, expected.head_size, expected.head_sha256):
        findings.append(Finding("index", "the index before the media (times, sizes, formats) was altered"))
    shift = _walk(file, expected, actual, findings)
    rest = actual - expected.size - shift
    if rest > 0 and not any(f.kind == "truncated" for f in findings):
        findings.append(Finding("inserted", f"{rest} bytes were added at the end"))
    if not findings and expected.sha256:
        detail = "every fragment is as recorded, but bytes that no fragment names were altered"
        findings.append(Finding("between", detail))
    return findings


def _walk(file: BufferedReader, expected: Expected, actual: int, findings: list[Finding]) -> int:
    """Compare fragment after fragment; by how much the last of them had moved."""
    pieces = expected.pieces
    shift = number = 0

    def here(piece: Piece, at: int) -> bool:
        return is_at(file, at, piece.size, piece.sha256)

    while number < len(pieces):
        piece = pieces[number]
        at = piece.offset + shift
        if here(piece, at):
            number += 1
            continue
        ahead = range(number + 1, min(len(pieces), number + LOOK_AHEAD))
        rest = actual - expected.size - shift
        inserted = next((d for d in _lengths(pieces, number, rest) if here(piece, at + d)), 0)
        stays = next((n for n in ahead if here(pieces[n], pieces[n].offset + shift)), None)
        follows = next((n for n in ahead if stays is None and here(pieces[n], at)), None)
        if stays is not None:
            findings += [Finding("altered", f"altered: {p}", p) for p in pieces[number:stays]]
            number = stays
        elif follows is not None:
            findings += [Finding("deleted", f"deleted: {p}", p) for p in pieces[number:follows]]
            shift -= pieces[follows].offset - piece.offset
            number = follows
        elif inserted:
            detail = f"{inserted} bytes were inserted before {piece}"
            findings.append(Finding("inserted", detail, piece))
            shift += inserted
        elif at + piece.size > actual:
            lost = len(pieces) - number
            detail = f"truncated: the file ends before {piece} does; {lost} fragment(s) are missing or cut"
            findings.append(Finding("truncated", detail, piece))
            return shift
        else:
            number, shift = _resized(file, pieces, number, shift, rest, findings)
    return shift


def _resized(
    file: BufferedReader,
    pieces: tuple[Piece, ...],
    number: int,
    shift: int,
    rest: int,
    findings: list[Finding],
) -> tuple[int, int]:
    """Fragments that became longer or shorter, up to the first that is found again; its number and shift."""
    end = number + 1
    for after in range(number + 1, min(len(pieces), number + LOOK_AHEAD) if rest else 0):
        if is_at(file, pieces[after].offset + shift + rest, pieces[after].size, pieces[after].sha256):
            end, shift = after, shift + rest
            break
    findings += [Finding("altered", f"altered: {p}", p) for p in pieces[number:end]]
    return end, shift


def _lengths(pieces: tuple[Piece, ...], number: int, rest: int) -> Iterator[int]:
    """How long something that was put in may be: as much as the file is too long, or a copied fragment."""
    if rest > 0:
        yield rest
        near = pieces[max(0, number - TRIED) : number + TRIED]
        yield from (piece.size for piece in near if piece.size < rest)


def is_at(file: BufferedReader, at: int, size: int, sha256: str) -> bool:
    """Whether the file has these bytes at that place."""
    if at < 0:
        return False
    file.seek(at)
    data = file.read(size)
    return len(data) == size and hashlib.sha256(data).hexdigest() == sha256


def _clock(ms: int) -> str:
    seconds, rest = divmod(ms, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{rest:03}"

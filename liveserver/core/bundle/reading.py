"""A bundle's members as a checker reads them: strictly, line by line, with words for what does not fit."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Any, BinaryIO

from liveserver.core.bundle import form
from liveserver.core.bundle.archive import MAX_MEMBERS, ArchiveError, Reader
from liveserver.core.errors import PeerError
from liveserver.core.ledger import canonical_json

sorted_json = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True
).encode


class Misfit(Exception):  # noqa: N818 - a finding, not a failure of the checker
    """The first thing that does not fit. `member`: of the bundle, "" for the file as a whole. `place`: the
    entry, line or field, "" for the whole member. `words`: what is wrong, for somebody who is no engineer."""

    def __init__(self, member: str, place: str, words: str):
        super().__init__(": ".join(part for part in (member, place, words) if part))
        self.member = member
        self.place = place
        self.words = words


class Bundle:
    """An open bundle: its archive has the one form, its manifest lists what is in it. Raises Misfit."""

    def __init__(self, file: BinaryIO):
        try:
            self._archive = Reader(file)
        except ArchiveError as error:
            raise Misfit("", f"byte {error.place}", error.words) from error
        self.manifest = self.object(form.MANIFEST)
        self.digest = sha256(b"".join(self._chunks(form.MANIFEST))).hexdigest()
        self.kind, self.lesson, self.person = self._subject()
        self._listed = self._members()

    def object(self, name: str) -> dict[str, Any]:
        """A member that is one JSON object."""
        try:
            data = self._archive.read(name, form.MEMBER_MAX)
        except ArchiveError as error:
            raise Misfit(name, "", error.words) from error
        return parsed(data[:-1] if data.endswith(b"\n") else data + b" ", name, "")

    def has(self, name: str) -> bool:
        return name in self._archive.members

    def raw_lines(self, name: str) -> Iterator[bytes]:
        """A member's lines without their line feeds. One that is too long, or not ended, is a misfit."""
        if not self.has(name):
            raise Misfit(name, "", "this part of the bundle is missing")
        rest, number = b"", 0
        for chunk in self._chunks(name):
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                number += 1
                yield line
            if len(rest) > form.LINE_MAX:
                raise Misfit(name, f"line {number + 1}", "the line is too long")
        if rest:
            raise Misfit(name, f"line {number + 1}", "the last line is not ended")

    def lines(self, name: str) -> Iterator[tuple[int, dict[str, Any]]]:
        """A member's lines, each a JSON object, with their numbers from 1."""
        for number, line in enumerate(self.raw_lines(name), start=1):
            yield number, parsed(line, name, f"line {number}")

    def sha256(self, name: str) -> str:
        digest = sha256()
        for chunk in self._chunks(name):
            digest.update(chunk)
        return digest.hexdigest()

    def altered(self) -> Iterator[Misfit]:
        """Members that are not what the manifest says, or not what their headers say."""
        for name, digest in self._listed.items():
            found = self.sha256(name)
            if found != digest:
                yield Misfit(
                    name, "", f"it is not what was sealed: its SHA-256 is {found} and should be {digest}"
                )
        for name in self._archive.members:
            if not self._archive.is_intact(name):
                yield Misfit(name, "", "it does not have the checksum in its header")

    def _chunks(self, name: str) -> Iterable[bytes]:
        try:
            yield from self._archive.chunks(name)
        except ArchiveError as error:
            raise Misfit(name, "", error.words) from error

    def _subject(self) -> tuple[form.Kind, str, str | None]:
        given = self.manifest
        if given.get("format") != form.FORMAT:
            raise Misfit(form.MANIFEST, "format", f"this checker knows the format {form.FORMAT} only")
        kind, lesson, person = given.get("kind"), given.get("lesson"), given.get("person")
        named = isinstance(person, str) if kind == form.Kind.PERSON else person is None
        if kind not in list(form.Kind) or not isinstance(lesson, str) or not named:
            raise Misfit(form.MANIFEST, "kind", "it does not say what the bundle is about")
        return form.Kind(kind), lesson, person

    def _members(self) -> dict[str, str]:
        """SHA-256 by name, as the manifest has them: exactly what is in the archive, in its order."""
        listed: dict[str, str] = {}
        rows = self.manifest.get("members")
        for row in rows if isinstance(rows, list) and len(rows) <= MAX_MEMBERS else ():
            if not isinstance(row, dict) or row.keys() != {"name", "sha256", "size"}:
                raise Misfit(form.MANIFEST, "members", "a line names no member")
            listed[str(row["name"])] = str(row["sha256"])
            found = self._archive.members.get(str(row["name"]))
            if found is not None and found.size != row["size"]:
                words = f"it has {found.size} bytes, the manifest says {row['size']}"
                raise Misfit(found.name, "", words)
        if [*listed, form.MANIFEST, form.SEAL] != list(self._archive.members):
            raise Misfit(form.MANIFEST, "members", "the bundle holds other parts than its manifest lists")
        return listed


def parsed(line: bytes, member: str, place: str) -> dict[str, Any]:
    """A JSON object in its canonical form. Raises Misfit."""
    try:
        value = json.loads(line)
        text = sorted_json(value)
        is_canonical = text.encode() == line or canonical_json(value).encode() == line
    except (ValueError, RecursionError, PeerError):
        raise Misfit(member, place, "it is no JSON text") from None
    if not isinstance(value, dict) or not is_canonical:
        raise Misfit(member, place, "it is not written in the one form it may have (RFC 8785)")
    return value


def field_of(found: Mapping[str, Any], expected: Mapping[str, Any]) -> str:
    """The first field in which two objects differ, "" for none."""
    return next((name for name in sorted({*found, *expected}) if found.get(name) != expected.get(name)), "")

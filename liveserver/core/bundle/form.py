"""What lies in a bundle, and how it is written (docs/EVIDENCE.md, format 1).

Every JSON text is canonical (RFC 8785) and ends with a line feed; `.jsonl` has one object a line. The
manifest names every member with its SHA-256, the seal signs the manifest with the ledger's key; both come
last, so a bundle is written from its beginning to its end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Any, BinaryIO

from liveserver.core.bundle.archive import Writer
from liveserver.core.heads import Head, Sealed
from liveserver.core.ledger import Entry, canonical_json

FORMAT = "liveserver/bundle/1"
README, LESSON, PEOPLE, HEAD = "README.txt", "lesson.json", "people.jsonl", "head.json"
ENTRIES, TREE, HOURS, CHAT = "entries.jsonl", "tree.jsonl", "hours.jsonl", "chat.jsonl"
INCIDENTS, RECORDINGS = "incidents.jsonl", "recordings.jsonl"
MANIFEST, SEAL = "manifest.json", "seal.json"

DATA = (LESSON, PEOPLE, HEAD, ENTRIES, TREE, HOURS, CHAT, INCIDENTS, RECORDINGS)
"""In every bundle, in this order, behind the verifier; then recordings' manifests, the manifest, the seal."""

MEMBER_MAX = 1 << 24
"""Bytes of a member that is read as a whole."""
LINE_MAX = 1 << 22
KEYS_MAX = 1000
"""Of the log, as many as its store gives."""
_RECORDING = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,90}")


class Kind(StrEnum):
    LESSON = "lesson"
    PERSON = "person"
    """One learner's part of a lesson, with nobody else's data."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a bundle is about. `person` only with Kind.PERSON."""

    kind: Kind
    lesson: str
    person: str | None = None


def manifest_of(recording: str) -> str:
    """The member with a recording's manifest. Raises ValueError for an id that is none."""
    if _RECORDING.fullmatch(recording) is None:
        raise ValueError("not a recording's id")
    return f"recordings/{recording}.jsonl"


def text_of(value: Mapping[str, Any]) -> bytes:
    """One JSON text, with its line feed."""
    return canonical_json(value).encode() + b"\n"


def entry_text(entry: Entry) -> bytes:
    """The bytes an entry's leaf is the hash of."""
    return canonical_json(
        {
            "index": entry.index,
            "type": entry.type,
            "lesson": entry.lesson,
            "at_ms": entry.at_ms,
            "recorded_at_ms": entry.recorded_at_ms,
            "data": entry.data,
        }
    ).encode()


class BundleWriter:
    """Members in their order, then `finish`."""

    def __init__(self, file: BinaryIO, subject: Subject):
        self._archive = Writer(file)
        self._subject = subject
        self._members: list[dict[str, Any]] = []
        self._hash = sha256()

    def begin(self, name: str) -> None:
        self._hash = sha256()
        self._archive.begin(name)

    def write(self, data: bytes) -> None:
        self._hash.update(data)
        self._archive.write(data)

    def end(self) -> None:
        member = self._archive.end()
        self._members.append({"name": member.name, "sha256": self._hash.hexdigest(), "size": member.size})

    def add(self, name: str, data: bytes) -> None:
        """A whole member."""
        self.begin(name)
        self.write(data)
        self.end()

    def finish(self, head: Head, seal: Callable[[str], Sealed]) -> str:
        """Manifest, seal and directory; the manifest's SHA-256, hex, which `seal` is given to sign."""
        about = {"kind": self._subject.kind, "lesson": self._subject.lesson, "person": self._subject.person}
        text = text_of(
            {"format": FORMAT, **about, "size": head.size, "root": head.root, "members": self._members}
        )
        digest = sha256(text).hexdigest()
        self.add(MANIFEST, text)
        self.add(SEAL, text_of(seal(digest).document()))
        self._archive.close()
        return digest

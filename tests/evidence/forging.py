"""Bundles as a forger makes them: a part changed, and everything after it made to fit as far as he can."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from typing import Any

from liveserver.core.bundle import form
from liveserver.core.bundle.archive import Reader
from liveserver.core.bundle.form import BundleWriter, Kind, Subject
from liveserver.core.heads import Head, Sealed
from liveserver.core.ledger import canonical_json

Seal = Callable[[str], Sealed]


def parts(data: bytes) -> dict[str, bytes]:
    reader = Reader(io.BytesIO(data))
    return {name: b"".join(reader.chunks(name)) for name in reader.members}


def made(members: Mapping[str, bytes], seal: Seal | None = None) -> bytes:
    """A bundle of these members. Without the log's key (`seal`) the old seal goes on it."""
    given = json.loads(members[form.MANIFEST])
    head = Head.read(json.loads(members[form.HEAD])["head"])
    file = io.BytesIO()
    writer = BundleWriter(file, Subject(Kind(given["kind"]), given["lesson"], given["person"]))
    for name, data in members.items():
        if name not in (form.MANIFEST, form.SEAL):
            writer.add(name, data)
    old = Sealed.read(json.loads(members[form.SEAL]))
    writer.finish(head, seal or (lambda digest: old))
    return file.getvalue()


def with_member(data: bytes, name: str, changed: bytes, seal: Seal | None = None) -> bytes:
    return made(parts(data) | {name: changed}, seal)


def with_line(
    data: bytes, name: str, number: int, change: Callable[[dict[str, Any]], None], seal: Seal | None = None
) -> bytes:
    """A line of a member, changed and written canonically."""
    lines = parts(data)[name].splitlines()
    line = json.loads(lines[number])
    change(line)
    lines[number] = canonical_json(line).encode()
    return with_member(data, name, b"".join(line + b"\n" for line in lines), seal)

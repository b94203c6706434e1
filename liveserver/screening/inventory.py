"""Which models are there: every card with the state of its weights, for administrators."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from liveserver.core.messages import Json
from models import cards
from models.card import Card
from models.errors import ModelError


class FileState(StrEnum):
    PRESENT = "present"
    """The card's own bytes, to the last one."""
    MISSING = "missing"
    DAMAGED = "damaged"
    """Other bytes than the card's: they are not loaded."""


class Inventory:
    """`folder`: the operator's own models, cards beside weights. Files are hashed once per change."""

    def __init__(self, folder: Path | None = None):
        self._places = [(cards.CARDS, cards.WEIGHTS)] + ([(folder, folder)] if folder is not None else [])
        self._known: dict[tuple[Path, str, int, int], FileState] = {}

    async def listed(self) -> list[Json]:
        """Each card and whether its weights are there, by name."""
        return await asyncio.to_thread(self._look)

    def _look(self) -> list[Json]:
        found = [
            _shown(card, self._state(weights / card.file, card.sha256))
            for place, weights in self._places
            for card in _cards(place)
        ]
        return sorted(found, key=lambda model: model["name"])

    def _state(self, path: Path, sha256: str) -> FileState:
        try:
            stat = path.stat()
        except OSError:
            return FileState.MISSING
        key = (path, sha256, stat.st_size, stat.st_mtime_ns)
        if key not in self._known:
            self._known = {known: state for known, state in self._known.items() if known[0] != path}
            self._known[key] = _checked(path, sha256)
        return self._known[key]


def _cards(place: Path) -> Sequence[Card]:
    """Those that can be read; a wrong one is said where models are loaded."""
    try:
        return list(cards.folder(place).values())
    except ModelError:
        return []


def _checked(path: Path, sha256: str) -> FileState:
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return FileState.MISSING
    return FileState.PRESENT if found == sha256 else FileState.DAMAGED


def _shown(card: Card, state: FileState) -> Json:
    return {
        "name": card.name,
        "kind": card.kind,
        "version": card.version,
        "file": card.file,
        "sha256": card.sha256,
        "size": card.size,
        "licence": card.licence,
        "author": card.author,
        "used_for": card.used_for,
        "limits": card.limits.strip(),
        "state": state,
    }

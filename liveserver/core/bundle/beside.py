"""What stands beside the ledger and is bound to it by a hash: words, receipts, recordings, the checks' seed.

Names and words can be erased by law while every proof still holds: the ledger has only commitments of them.
So a line of chat that is missing is no misfit, but one that is here must open its commitment.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from liveserver.core.bundle import form
from liveserver.core.bundle.reading import Bundle, Misfit, field_of, parsed, sorted_json
from liveserver.core.errors import PeerError
from liveserver.core.ledger import commitment

if TYPE_CHECKING:
    from liveserver.core.bundle.check import Report

_BAD = (KeyError, TypeError, ValueError, AttributeError, PeerError)
_SEALED = ("sha256", "size", "duration_ms")
_CREATED = ("title", "programmes", "preset", "planned_s", "course")


class Beside:
    """Feed it with every entry, then `finish`. Raises Misfit."""

    def __init__(self, bundle: Bundle, about: Mapping[str, Any], report: Report):
        self._bundle = bundle
        self._report = report
        self._about = about
        self._created: Mapping[str, Any] = {}
        self._seed_commitment: str | None = None
        self._chat: dict[str, Mapping[str, Any]] = {}
        self._incidents: dict[str, Mapping[str, Any]] = {}
        self._sealed: dict[str, Mapping[str, Any]] = {}
        self._objects: dict[str, str] = {}  # SHA-256 by key

    def take(self, entry: Mapping[str, Any]) -> None:
        kind, data, place = entry["type"], entry["data"], f"entry {entry['index']}"
        try:
            if kind == "create":
                self._created = data
            elif kind == "chat":
                self._chat[data["id"]] = data
            elif kind == "incident":
                self._incidents[data["id"]] = data
            elif kind in ("sealed", "failed"):
                self._sealed[data["recording"]] = data
            elif kind == "stored":
                self._objects |= {one["key"]: one["sha256"] for one in data["objects"]}
            elif kind == "checks_committed":
                self._seed_commitment = data["commitment"]
            elif kind == "checks_revealed":
                self._revealed(data["seed"], place)
        except _BAD as error:
            raise Misfit(form.ENTRIES, place, f"it is no {kind} as this format has it") from error

    def finish(self) -> None:
        self._lesson()
        lines = self._each(form.CHAT, self._line)
        self._each(form.INCIDENTS, self._incident)
        self._each(form.RECORDINGS, self._recording)
        people = sum(1 for _ in self._bundle.lines(form.PEOPLE))
        notes = self._report.notes
        if lines < len(self._chat):
            gone = len(self._chat) - lines
            notes.append(f"Lines of the chat that were erased: {gone}. The ledger has their commitments.")
        if people:
            notes.append(
                f"Names ({people}) stand beside the ledger, so that they can be erased: it proves ids."
            )

    def _lesson(self) -> None:
        lesson = self._about.get("lesson")
        if not isinstance(lesson, dict) or lesson.get("id") != self._bundle.lesson:
            raise Misfit(form.LESSON, "lesson.id", "it is another lesson than the manifest names")
        self._report.title = str(lesson.get("title"))
        for name in _CREATED:
            if name in self._created and lesson.get(name) != self._created[name]:
                words = f"{lesson.get(name)!r} is told, the ledger has {self._created[name]!r}"
                raise Misfit(form.LESSON, f"lesson.{name}", words)

    def _revealed(self, seed: str, place: str) -> None:
        if hashlib.sha256(bytes.fromhex(seed)).hexdigest() != self._seed_commitment:
            words = "the seed of the random checks is not the one that was committed to before the lesson"
            raise Misfit(form.ENTRIES, place, words)

    # --- words ---

    def _line(self, line: Mapping[str, Any], place: str) -> None:
        fact = self._chat.get(line["id"])
        if fact is None:
            raise Misfit(form.CHAT, place, "the ledger has no such line of the chat")
        if line["person"] != fact["person"]:
            raise Misfit(form.CHAT, f"{place}, person", "the ledger has another author of this line")
        self._opens(line, fact["commitment"], form.CHAT, place)

    def _incident(self, line: Mapping[str, Any], place: str) -> None:
        fact = self._incidents.get(line["id"])
        if fact is None:
            raise Misfit(form.INCIDENTS, place, "the ledger has no receipt of this finding of screening")
        if line["text"] is not None:
            self._opens(line, fact["receipt"]["commitment"], form.INCIDENTS, place)

    @staticmethod
    def _opens(line: Mapping[str, Any], expected: str, member: str, place: str) -> None:
        if commitment(bytes.fromhex(line["salt"]), line["text"]) != expected:
            words = "these are not the words that were said: they do not open what the ledger has of them"
            raise Misfit(member, f"{place}, text", words)

    # --- recordings ---

    def _recording(self, row: Mapping[str, Any], place: str) -> None:
        fact = self._sealed.get(row["id"])
        if fact is not None:
            differs = field_of({k: row[k] for k in _SEALED}, {k: fact[k] for k in _SEALED})
            if differs:
                words = f"{row[differs]} is told, the ledger has {fact[differs]} since it was sealed"
                raise Misfit(form.RECORDINGS, f"{place}, {differs}", words)
            if row["sha256"]:
                self._report.recordings.append((row["id"], row["sha256"]))
        if row["manifest"] is not None:
            self._manifest(row, fact)

    def _manifest(self, row: Mapping[str, Any], fact: Mapping[str, Any] | None) -> None:
        """Line by line: each is hashed with the one before it (recorder/manifest.py)."""
        name = form.manifest_of(row["id"])
        if row["manifest"] != name:
            raise Misfit(form.RECORDINGS, f"recording {row['id']}, manifest", "it is another part's name")
        chain, passed = bytes(32), set()
        for number, line in enumerate(self._bundle.raw_lines(name)):
            record = parsed(line, name, f"line {number}")
            claimed = record.pop("chain", None)
            chain = hashlib.sha256(chain + sorted_json(record).encode()).digest()
            if claimed != chain.hex() or record.get("n") != number:
                words = "the fragment's line was altered, or lines before it are missing or were put in"
                raise Misfit(name, f"line {number}", words)
            passed.add(claimed)
        if fact is not None and fact["chain"] and fact["chain"] not in passed:
            raise Misfit(name, "", "the ledger has another end of this chain of fragments")
        stored = self._objects.get(str(row["manifest_key"]))
        if stored is not None and stored != self._bundle.sha256(name):
            raise Misfit(name, "", "the ledger has another SHA-256 of it since it was stored")

    def _each(self, member: str, rule: Callable[[Mapping[str, Any], str], None]) -> int:
        """A rule over a member's lines; one that lacks something is a misfit. How many there were."""
        count = 0
        for count, row in self._bundle.lines(member):
            place = f"line {count}"
            try:
                rule(row, place)
            except _BAD as error:
                raise Misfit(member, place, "it is not as this format has it") from error
        return count

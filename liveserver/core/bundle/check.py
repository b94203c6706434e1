"""Does a bundle prove what it says? All is reckoned again from its bytes, with no network and no server.

The ledger's part comes first: each entry's hash, all of them with the hashes of what is not told up to the
root, the head's signature, the log's keys, witnesses' answers with proof that the ledger only grew. Then what
the entries mean: hours (`hours.py`), and what stands beside the ledger (`beside.py`). The first thing that
does not fit is named; only where no entry, line or field can be named, the part of the bundle is.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from liveserver.core import ed25519, heads
from liveserver.core.bundle import form
from liveserver.core.bundle.beside import Beside
from liveserver.core.bundle.cover import Root, Unit
from liveserver.core.bundle.hours import HoursCheck
from liveserver.core.bundle.outside import NOBODY, Kept, Outside, Stamped, Trusted, a_list, an_object
from liveserver.core.bundle.reading import Bundle, Misfit, parsed
from liveserver.core.heads import Head, HeadError, LogKey, Sealed, Verify
from liveserver.core.merkle import leaf_hash

_NODE, _WHOLE = rb'"hash":"([0-9a-f]{64})"', rb"(0|[1-9][0-9]{0,15})"
_TOLD = re.compile(rb"\{" + _NODE + rb',"index":' + _WHOLE + rb"\}")
_HIDDEN = re.compile(rb'\{"end":' + _WHOLE + b"," + _NODE + rb',"start":' + _WHOLE + rb"\}")
_ENTRY = frozenset({"index", "type", "lesson", "at_ms", "recorded_at_ms", "data"})


@dataclass(slots=True)
class Report:
    """What a bundle was found to be. `misfit` is None if everything fits."""

    misfit: Misfit | None = None
    kind: str = ""
    lesson: str = ""
    title: str = ""
    person: str | None = None
    log: str = ""
    head: Head | None = None
    entries: int = 0
    types: Counter[str] = field(default_factory=Counter)
    learners: int = 0
    provisional: bool = False
    witnesses: list[tuple[str, int, int]] = field(default_factory=list)
    """Name, size of the ledger it saw, and when by its own clock."""
    stamps: list[Stamped] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)
    recordings: list[tuple[str, str]] = field(default_factory=list)
    """Id and the SHA-256 of the video."""
    notes: list[str] = field(default_factory=list)
    """What a bundle alone cannot prove."""

    @property
    def fits(self) -> bool:
        return self.misfit is None


def check(
    file: BinaryIO, log: str | None = None, trusted: Trusted = NOBODY, verify: Verify = ed25519.verify
) -> Report:
    """Check a bundle. `log`: the log's id that is known from elsewhere; `trusted`: who is known outside, each
    of whom must have answered. Never raises for what is in the file."""
    report = Report()
    try:
        _Check(file, report, verify).run(log, trusted)
    except Misfit as misfit:
        report.misfit = misfit
    return report


def check_ledger(file: BinaryIO, verify: Verify = ed25519.verify) -> Report:
    """The ledger's part alone: every told entry at its place under the signed head. Not what entries mean."""
    report = Report()
    try:
        _Check(file, report, verify).ledger()
    except Misfit as misfit:
        report.misfit = misfit
    return report


class _Check:
    def __init__(self, file: BinaryIO, report: Report, verify: Verify):
        self._report = report
        self._verify = verify
        self._bundle = bundle = Bundle(file)
        report.kind, report.lesson, report.person = str(bundle.kind), bundle.lesson, bundle.person

    def run(self, log: str | None, trusted: Trusted) -> None:
        bundle = self._bundle
        altered = list(bundle.altered())
        about = bundle.object(form.LESSON)
        head, keys = self._head(log)
        self._seal(head, keys)
        hours = HoursCheck(bundle, about, self._report)
        beside = Beside(bundle, about, self._report)
        self._entries(head, (hours.take, beside.take))
        hours.finish()
        beside.finish()
        if altered:
            raise altered[0]
        given = bundle.object(form.HEAD)
        Outside(head, keys, a_list(given["keys"]), self._report, self._verify).check(given, trusted)

    def ledger(self) -> None:
        head, _ = self._head(None)
        self._entries(head, ())

    # --- signatures ---

    def _head(self, log: str | None) -> tuple[Head, dict[str, bytes]]:
        """The signed head, and the log's keys by their ids."""
        given, name = self._bundle.object(form.HEAD), form.HEAD
        try:
            head = Head.read(an_object(given.get("head")))
            shown = a_list(given.get("keys"))
            if len(shown) > form.KEYS_MAX:
                raise HeadError("keys: there are too many")
            keys = heads.follow(head.log, [LogKey.read(an_object(one)) for one in shown], self._verify)
            heads.check(head, keys, verify=self._verify)
        except HeadError as error:
            raise Misfit(name, "head", f"the ledger's head is not signed by its log ({error})") from error
        if log is not None and head.log != log:
            raise Misfit(name, "log", f"it is of the log {head.log}, not of the one that was expected")
        manifest = self._bundle.manifest
        if (head.size, head.root) != (manifest.get("size"), manifest.get("root")):
            raise Misfit(form.MANIFEST, "size", "the manifest names another head than the one that is signed")
        self._report.log, self._report.head = head.log, head
        return head, keys

    def _seal(self, head: Head, keys: Mapping[str, bytes]) -> None:
        try:
            seal = Sealed.read(self._bundle.object(form.SEAL))
            if (seal.size, seal.at_ms, seal.log) != (head.size, head.at_ms, head.log):
                raise HeadError("size: it is the seal of another head")
            if seal.manifest != self._bundle.digest:
                raise Misfit(form.MANIFEST, "", "it is not the manifest that was sealed")
            heads.check(seal, keys, head.log, self._verify)
        except HeadError as error:
            raise Misfit(form.SEAL, "", f"the bundle is not sealed by its log ({error})") from error

    # --- the ledger ---

    def _entries(self, head: Head, takers: Sequence[Callable[[Mapping[str, Any]], None]]) -> None:
        """Every told entry at its place under the head's root."""
        root, lines = Root(), self._bundle.raw_lines(form.ENTRIES)
        for number, row in enumerate(self._bundle.raw_lines(form.TREE), start=1):
            unit = unit_of(row, number)
            if unit.told:
                line = next(lines, None)
                if line is None:
                    raise Misfit(form.ENTRIES, f"entry {unit.start}", "it is missing")
                entry = self._entry(unit, line)
                for take in takers:
                    take(entry)
            if not root.add(unit):
                raise Misfit(form.TREE, f"line {number}", "the hash does not belong at this place")
        if next(lines, None) is not None:
            raise Misfit(form.ENTRIES, "", "there are more entries than the tree has places for")
        if root.size != head.size or root.hash().hex() != head.root:
            words = f"the hashes do not give the root that was signed over {head.size} entries"
            raise Misfit(form.TREE, "", words)

    def _entry(self, unit: Unit, line: bytes) -> dict[str, Any]:
        place = f"entry {unit.start}"
        if leaf_hash(line) != unit.hash:
            raise Misfit(form.ENTRIES, place, _why(unit, line))
        entry = parsed(line, form.ENTRIES, place)
        if entry.keys() != _ENTRY or entry["index"] != unit.start:
            raise Misfit(form.ENTRIES, place, "it is no entry, or stands at another entry's place")
        if entry["lesson"] != self._bundle.lesson:
            raise Misfit(form.ENTRIES, place, "it is of another lesson")
        self._report.entries += 1
        self._report.types[str(entry["type"])] += 1
        return entry


def _why(unit: Unit, line: bytes) -> str:
    """Words for an entry that does not have the hash the ledger has of it."""
    try:
        entry = parsed(line, form.ENTRIES, "")
    except Misfit as misfit:
        return f"it was altered: {misfit.words}"
    if entry.get("index") != unit.start:
        return f"it is missing, or another stands in its place ({entry.get('index')})"
    return f"it was altered: what is there ({entry.get('type')}) is not what the ledger has"


def unit_of(line: bytes, number: int) -> Unit:
    """`{"hash", "index"}` of a told entry, `{"end", "hash", "start"}` of what is not told: canonical."""
    told = _TOLD.fullmatch(line)
    if told is not None:
        index = int(told[2])
        return Unit(index, index + 1, bytes.fromhex(told[1].decode()), told=True)
    hidden = _HIDDEN.fullmatch(line)
    if hidden is None:
        raise Misfit(form.TREE, f"line {number}", "it is no place in the tree")
    return Unit(int(hidden[3]), int(hidden[1]), bytes.fromhex(hidden[2].decode()))

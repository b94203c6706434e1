"""The hours in a bundle, reckoned again: from the ledger's entries, or for one learner from his share.

A lesson's bundle has every entry, so the register of who was there is made anew and everybody's hours with
it; what comes out must be the result in the bundle, and all results together those whose hash the ledger has
had since the lesson was settled. One learner's bundle has his facts and result, which a path of hashes joins
to the root in the fact of the settlement.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from liveserver.core import attendance, merkle
from liveserver.core.bundle import form
from liveserver.core.bundle.reading import Bundle, Misfit, field_of, sorted_json
from liveserver.core.errors import PeerError
from liveserver.core.hours import credit
from liveserver.core.ledger import canonical_json
from liveserver.core.presets import Frozen
from liveserver.core.register import Register
from liveserver.core.share import facts_from, facts_json, others_from, share_leaf

if TYPE_CHECKING:
    from liveserver.core.bundle.check import Report

_BAD = (KeyError, TypeError, ValueError, AttributeError, PeerError)


class HoursCheck:
    """Feed it with every entry, then `finish`. Raises Misfit."""

    def __init__(self, bundle: Bundle, about: Mapping[str, Any], report: Report):
        self._bundle = bundle
        self._report = report
        settlement = about.get("settlement")
        self._settlement = settlement if isinstance(settlement, dict) else None
        self._as_of_ms = about.get("as_of_ms")
        self._register = Register()
        self._adjusted: Counter[str] = Counter()
        self._settled: Mapping[str, Any] | None = None
        self._policy: Mapping[str, Any] | None = None
        self._own_checks: list[tuple[Mapping[str, Any], int]] = []

    def take(self, entry: Mapping[str, Any]) -> None:
        kind, data, index = entry["type"], entry["data"], entry["index"]
        try:
            if kind == "attendance_settled" and self._is_the_settlement(data):
                self._settled = data
            if not self._counts(index):
                return
            if kind == "hours_policy":
                self._policy = data
            elif kind == "adjustment_decided" and data["state"] == "approved":
                self._adjusted[data["person"]] += data["delta_s"]
            elif kind == "challenge_resolved" and data["person"] == self._bundle.person:
                self._own_checks.append((data, index))
            if self._bundle.kind is form.Kind.LESSON:
                self._register.take(kind, entry["at_ms"], data)
        except _BAD as error:
            raise Misfit(form.ENTRIES, f"entry {index}", f"it is no {kind} as this format has it") from error

    def finish(self) -> None:
        if self._settlement is None:
            self._report.provisional = True
        elif self._settled is None:
            words = "the ledger's entries in this bundle have no such settlement"
            raise Misfit(form.LESSON, "settlement", words)
        if self._bundle.kind is form.Kind.PERSON:
            self._own()
        else:
            self._everybody()

    # --- a lesson ---

    def _everybody(self) -> None:
        if not isinstance(self._as_of_ms, int):
            raise Misfit(form.LESSON, "as_of_ms", "the moment the hours were reckoned at is missing")
        frame = self._register.frame(self._as_of_ms)
        expected = iter(sorted(self._register.learners))
        digest, leaves, credited_s = hashlib.sha256(), merkle.Frontier(), 0
        for number, row in self._bundle.lines(form.HOURS):
            person = str(row.get("person"))
            place = f"line {number}, learner {person}"
            if person != next(expected, None):
                words = "who came by the ledger and who is listed here are not the same"
                raise Misfit(form.HOURS, place, words)
            try:
                result, others = row["result"], others_from(row["others"])
                adjusted_s = self._adjusted[person]
                found = attendance.record(
                    self._register, frame, person, self._bundle.lesson, others, adjusted_s
                )
                text = sorted_json(found.as_json())  # as canonical_json, many times as fast
            except _BAD as error:
                raise Misfit(form.HOURS, place, "it is not as this format has it") from error
            if sorted_json(result) != text:
                _same(result, json.loads(text), place)
            digest.update(text.encode() + b"\n")
            credited_s += found.credited_s
            if self._settlement is not None:
                facts = sorted_json(facts_json(found.facts))
                leaves.append(share_leaf(facts, person, text, str(row.get("salt"))))
            self._report.learners += 1
        missing = next(expected, None)
        if missing is not None:
            raise Misfit(form.HOURS, f"learner {missing}", "he came by the ledger and is missing here")
        if self._settled is not None:
            told = {"result_sha256": digest.hexdigest(), "people_root": leaves.root().hex(),
                    "people": leaves.size, "credited_s": credited_s}  # fmt: skip
            self._same_as_settled(told)

    def _same_as_settled(self, told: Mapping[str, Any]) -> None:
        assert self._settled is not None
        for name, value in told.items():
            # Settlements from before there were shares have no root.
            if self._settled.get(name) != value and not (name == "people_root" and name not in self._settled):
                words = f"{name} is {value}; the ledger has {self._settled.get(name)} since it was settled"
                raise Misfit(form.HOURS, "", words)

    # --- one learner ---

    def _own(self) -> None:
        rows = list(self._bundle.lines(form.HOURS))
        if len(rows) != 1 or rows[0][1].get("person") != self._bundle.person:
            raise Misfit(form.HOURS, "", f"one line, of {self._bundle.person}, is expected")
        row, place = rows[0][1], f"learner {self._bundle.person}"
        try:
            facts, result = facts_from(row["facts"]), row["result"]
            text = canonical_json(result)
            reckoned = credit(facts)
            policy = None if self._policy is None else Frozen.from_json(self._policy)
        except _BAD as error:
            raise Misfit(form.HOURS, place, "it is not as this format has it") from error
        expected: dict[str, Any] = {
            "reckoned_ms": reckoned.credited_ms,
            "credited_s": max(0, reckoned.credited_s + int(result.get("adjusted_s", 0))),
            "earned": [list(span) for span in reckoned.earned],
            "status": list(reckoned.status),
            "void": [list(void) for void in reckoned.voids],
            "days": dict(reckoned.days),
        }
        _same({name: result.get(name) for name in expected}, json.loads(canonical_json(expected)), place)
        if policy is not None and (policy.policy, policy.planned_ms) != (facts.policy, facts.planned_ms):
            raise Misfit(form.HOURS, f"{place}, facts.policy", "it is not the policy frozen in the ledger")
        known = {(check.at_ms, str(check.result)) for check in facts.checks}
        for check, index in self._own_checks:
            moment = check["answered_at_ms"] if check["result"] == "passed" else check["issued_at_ms"]
            # Excused since, by a person whose fact is not the learner's to have.
            if not known & {(moment, check["result"]), (moment, "excused")}:
                raise Misfit(form.HOURS, f"{place}, facts.checks", f"the check of entry {index} is missing")
        self._report.learners = 1
        if self._settled is not None:
            self._joined(row, place, text)

    def _joined(self, row: Mapping[str, Any], place: str, result: str) -> None:
        """The share stands under the root that the ledger has."""
        assert self._settled is not None
        try:
            leaf = share_leaf(canonical_json(row["facts"]), str(row["person"]), result, str(row["salt"]))
            path = [bytes.fromhex(node) for node in row["path"]]
            root = bytes.fromhex(self._settled["people_root"])
            is_in = merkle.verify_inclusion(row["index"], self._settled["people"], leaf, path, root)
        except _BAD as error:
            raise Misfit(form.HOURS, place, "it is not as this format has it") from error
        if not is_in:
            words = "facts and result are not those that were settled in the ledger"
            raise Misfit(form.HOURS, place, words)

    def _is_the_settlement(self, data: Mapping[str, Any]) -> bool:
        return self._settlement is not None and data["revision"] == self._settlement.get("revision")

    def _counts(self, index: int) -> bool:
        """Whether the hours were reckoned from this entry."""
        return self._settlement is None or index < self._settlement.get("ledger_size", 0)


def _same(found: Mapping[str, Any], expected: Mapping[str, Any], place: str) -> None:
    name = field_of(found, expected)
    if name:
        words = f"{_short(found.get(name))} is told, from the facts it is {_short(expected.get(name))}"
        raise Misfit(form.HOURS, f"{place}, {name}", words)


def _short(value: object) -> str:
    text = canonical_json(value) if isinstance(value, (dict, list, str, int)) else str(value)
    return text if len(text) <= 80 else f"{text[:77]}…"

"""Which entries of a lesson one learner may be given whole: those that speak of him alone, or of nobody.

An entry's hash is over all of it, so an entry that names anybody else, a teacher too, is not told: a hash
stands in its place. What it means for his hours is in his share of the settlement (`core.share`). A type of
fact that is not in these tables is not told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from liveserver.core.ledger import Entry

Data = Mapping[str, Any]

_OF_NOBODY = frozenset(
    {
        "hours_policy", "checks_committed", "checks_revealed", "clock_step", "interrupted", "sources",
        "sealed", "failed", "stored", "attendance_settled", "unmoderated", "object_damaged",
    }
)  # fmt: skip


class Own:
    """Feed it with a lesson's entries in their order."""

    def __init__(self, person: str):
        self._person = person
        self._connections: set[str] = set()

    def tells(self, entry: Entry) -> bool:
        """Whether this entry may be told."""
        if entry.type in _OF_NOBODY:
            return True
        rule = _RULES.get(entry.type)
        return rule is not None and rule(self, entry.data)

    def _join(self, data: Data) -> bool:
        if data["person"] != self._person:
            return False
        self._connections.add(data["connection"])
        return True

    def _connection(self, data: Data) -> bool:
        return data["connection"] in self._connections and data.get("person", self._person) == self._person

    def _presence(self, data: Data) -> bool:
        """A second in which nobody else did anything; how many were there says nothing of anybody."""
        return bool(data["changes"]) and all(
            change.get("connection") in self._connections for change in data["changes"]
        )

    def _issued(self, data: Data) -> bool:
        return not data["by"] and all(person == self._person for person in data["checks"])

    def _person_alone(self, data: Data) -> bool:
        return data["person"] == self._person and not data.get("by")

    def _incident(self, data: Data) -> bool:
        return bool(data["person"] == self._person)


_RULES: Mapping[str, Callable[[Own, Data], bool]] = {
    "join": Own._join,
    "leave": Own._connection,
    "presence": Own._presence,
    "challenge_issued": Own._issued,
    "challenge_changed": Own._person_alone,
    "challenge_review": Own._person_alone,
    "challenge_resolved": Own._person_alone,
    "chat": Own._person_alone,
    "incident": Own._incident,
}

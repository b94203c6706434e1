"""The trail of administrators: who did what when, what was before and after, and what was refused (REL-E8).

An act has two entries around it: `act` before it is begun, so that nothing can be done that is not on record,
and `act_done` with its outcome. Between them lie the facts of the things themselves, which say before and
after; `acts_of` brings them together. A cut never waits for the database: its own facts are its record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from liveserver.core.ledger import JSON, Entry
from liveserver.core.permissions import STAFF, Permission, Role

ACT = "act"
DONE = "act_done"
REFUSED = "act_refused"
LOOK = "viewed"
_PICTURES = {"photo_seen": ("photo", "id"), "evidence_viewed": ("incident_picture", "incident")}
"""Facts that a picture leaves wherever it is shown: what it is, and the member with its id."""
LOOKS = (LOOK, "inspected", *_PICTURES)
"""Somebody of the staff looked at what is a person's own; an inspector's looks have a type of their own."""
CUTS = ("cut", "restore", "restore_asked")

_P = Permission
_NO_ACTS = frozenset(
    {_P.CUT, _P.RESTORE, _P.OWN_ACCOUNT, _P.OWN_PASSKEYS, _P.PUBLISH, _P.WATCH, _P.ATTEND, _P.APPEAL}
)
_READING = frozenset({"GET", "HEAD", "OPTIONS"})


def is_act(method: str, permission: Permission | None, role: Role) -> bool:
    """Whether this is an administrative act, as opposed to reading, media, or what concerns oneself."""
    return method not in _READING and permission is not None and permission not in _NO_ACTS and role in STAFF


@dataclass(frozen=True, slots=True)
class Change:
    """One fact that an act led to."""

    index: int
    type: str
    before: JSON
    after: JSON


@dataclass(frozen=True, slots=True)
class Act:
    """`outcome`: an HTTP status or a refusal's code; empty while it is under way, or if the node died."""

    index: int
    at_ms: int
    by: str
    role: str
    act: str
    on: Mapping[str, JSON]
    outcome: str
    changes: Sequence[Change] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True)
class Look:
    """`what`: the route's `view`. `lesson`: None where it was none's. `subject`: a person, class, recording
    or entry by its id, "" for a list. `role`: empty for a picture, whose fact does not say it."""

    index: int
    at_ms: int
    by: str
    role: str
    what: str
    lesson: str | None
    subject: str


def look_of(entry: Entry) -> Look:
    """One of `LOOKS`."""
    data = entry.data
    what, subject = _PICTURES.get(entry.type, (_text(data, "what"), "subject"))
    role = str(Role.INSPECTOR) if entry.type == "inspected" else _text(data, "role")
    return Look(entry.index, entry.at_ms, _text(data, "by"), role, what, entry.lesson, _text(data, subject))


class Refusals:
    """Refused attempts are recorded up to `A_MINUTE`, the others counted: who is refused must not be able to
    fill the ledger. Time is an argument, in ns."""

    A_MINUTE = 60

    def __init__(self) -> None:
        self._since_ns = 0
        self._count = 0

    def take(self, now_ns: int) -> int | None:
        """None if this one is too many; else how many were left out in the minute before."""
        if now_ns - self._since_ns > 60_000_000_000:
            left_out = max(0, self._count - self.A_MINUTE)
            self._since_ns, self._count = now_ns, 1
            return left_out
        self._count += 1
        return 0 if self._count <= self.A_MINUTE else None


def acts_of(began: Sequence[Entry], following: Mapping[int, Sequence[Entry]]) -> list[Act]:
    """Each of `began` with what became of it; `following` are the entries after one, by its index."""
    return [_act(entry, following.get(entry.index, ())) for entry in began]


def _act(entry: Entry, following: Sequence[Entry]) -> Act:
    data = entry.data
    if entry.type in CUTS:
        on: Mapping[str, JSON] = {"lesson": entry.lesson}
        change = (_change(entry, data),)
        return Act(entry.index, entry.at_ms, _text(data, "by"), "", entry.type, on, "200", change)
    by, outcome, changes = _text(data, "by"), _text(data, "code"), []
    for later in following:
        if later.type == DONE and later.data.get("id") == data.get("id"):
            outcome = _text(later.data, "outcome")
            break
        if later.type not in (ACT, DONE, REFUSED, *LOOKS) and later.data.get("by") == by:
            changes.append(_change(later, later.data))
    else:
        changes = []  # without its end nobody can say which were its own
    named = data.get("on")
    on = named if isinstance(named, Mapping) else {}
    role, act = _text(data, "role"), _text(data, "act")
    return Act(entry.index, entry.at_ms, by, role, act, on, outcome, tuple(changes))


def _change(entry: Entry, data: Mapping[str, JSON]) -> Change:
    """Before and after as the fact has them; one that has neither is itself what was not there before."""
    if "before" in data or "after" in data:
        return Change(entry.index, entry.type, data.get("before"), data.get("after"))
    return Change(
        entry.index, entry.type, None, {name: value for name, value in data.items() if name != "by"}
    )


def _text(data: Mapping[str, JSON], name: str) -> str:
    value = data.get(name)
    return value if isinstance(value, str) else ""

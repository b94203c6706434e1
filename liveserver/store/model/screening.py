"""Incidents, what people make of them, and versions of what screening goes by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from liveserver.core.ledger import JSON


@dataclass(frozen=True, slots=True)
class Incident:
    """Something screening found, and what was done.

    The ledger has its receipt and, for words, their commitment under `salt`; erasing texts and salt here
    leaves every proof valid.
    """

    id: str
    lesson: str
    at_ms: int
    until_ms: int
    """When it was last seen."""
    kind: str
    """`core.screening.Kind`, or blind."""
    category: str
    score_ppm: int
    """Millionths."""
    action: str
    receipt: Mapping[str, JSON]
    """`core.screening.Receipt.as_json`, `{}` for blind."""
    salt: bytes = b""
    count: int = 1
    person: str = ""
    name: str = ""
    track: str = ""
    text: str = ""
    line: str = ""
    """The chat line it is about."""
    why: tuple[str, ...] = ()
    lines: Sequence[Mapping[str, JSON]] = ()
    """Of a picture: {line, box, label}."""
    evidence: str = ""
    """Of the picture: none "", kept, or gone after its date."""


@dataclass(frozen=True, slots=True)
class Decided:
    """What a person made of an incident. `outcome`: confirmed or dismissed."""

    incident: str
    outcome: str
    note: str
    by: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Appeal:
    """Why somebody says that an incident is none."""

    incident: str
    text: str
    by: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Case:
    """An incident with the last decision on it and its appeal."""

    incident: Incident
    decided: Decided | None = None
    appeal: Appeal | None = None

    @property
    def state(self) -> str:
        """open, confirmed or dismissed."""
        return self.decided.outcome if self.decided else "open"


@dataclass(frozen=True, slots=True)
class Tally:
    """Incidents of one kind and category, by what people made of them."""

    kind: str
    category: str
    found: int
    confirmed: int
    dismissed: int


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a policy or a list; never changed once it is there.

    `body`: the policy as JSON, or the list as it was uploaded.
    """

    name: str
    version: int
    body: str
    sha256: str
    entries: int
    at_ms: int
    by: str

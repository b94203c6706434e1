"""What the store keeps, as values. Facts and entries of the ledger: `liveserver.core.ledger`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from liveserver.core.ledger import JSON


class StoreError(Exception):
    """The store cannot do what was asked: not reachable, in use, damaged, or newer than this program."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """One live session. `state`: waiting, live, paused, cut or ended."""

    id: str
    title: str
    instructor: str
    """The name of who teaches, empty until somebody does."""
    state: str
    created_at_ms: int
    started_at_ms: int | None = None
    ended_at_ms: int | None = None
    programmes: str = ""
    """`core.retention.Programme`s by commas: how long its recordings are kept."""
    policy: str = ""
    """The name of the policy it is screened by, with its version; empty in lessons older than policies."""
    policy_version: int = 0
    preset: str = "default"
    """`core.presets.Name`: where its policy of lesson hours comes from."""
    planned_s: int | None = None
    """Planned teaching time; None where nothing was planned."""
    course: str = ""
    """The name of the course it belongs to; lessons without one are told apart by their title."""
    training_class: str = ""
    """The class whose learners alone may attend, by its id; empty for everybody with a token."""
    course_id: str = ""
    project: str = ""
    planned_start_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Recording:
    """One recording of a lesson, or one reel of a long one (`recorder.reels`).

    `state`: recording, sealing, sealed, failed, or deleted after its date.
    """

    id: str
    lesson: str
    state: str
    path: str
    """Relative to the object store."""
    started_at_ms: int
    sha256: str | None = None
    """Of the sealed file, as hex."""
    size: int | None = None
    """Bytes."""
    duration_ms: int | None = None
    sealed_at_ms: int | None = None
    retain_until_ms: int | None = None
    locked: bool = False
    """Whether the object store refuses to delete it before `retain_until_ms`."""
    gaps: Sequence[Mapping[str, JSON]] = ()
    detail: str = ""
    programmes: str = ""
    """What `retain_until_ms` was reckoned from; a later change of policy never shortens it."""
    hold: str = ""
    """Why it is under legal hold: it is then not deleted whatever its date."""
    deleted_at_ms: int | None = None
    series: str = ""
    """The id of the first reel, which all share."""
    reel: int = 1
    begins_ms: int = 0
    """Where this reel begins, from the first one's beginning."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object of a recording, where it was last read back. `store`: disk or s3."""

    key: str
    recording: str
    size: int
    sha256: str
    store: str
    stored_at_ms: int
    version: str | None = None
    retain_until_ms: int | None = None
    locked: bool = False
    verified_at_ms: int | None = None
    verdict: str = ""
    """Of the last reading: `recorder.reverify.Verdict`, "" before the first."""


@dataclass(frozen=True, slots=True)
class CutRow:
    """One cut of a lesson, as `node` carried it out. `key` is both their names."""

    key: str
    cut: str
    node: str
    lesson: str
    epoch: int
    level: str
    person: str | None
    reason: str
    made_by: str
    at_ms: int
    measured: Mapping[str, int | None] | None = None
    """`core.measured.Measured.as_json`, None until it is known."""
    restored_at_ms: int | None = None
    restored_by: str | None = None


@dataclass(frozen=True, slots=True)
class Drill:
    """One drill of the kill switch."""

    id: str
    lesson: str
    level: str
    made_by: str
    at_ms: int
    viewers: int
    rounds: int
    times: Mapping[str, JSON]
    """`core.drill.summary`."""


@dataclass(frozen=True, slots=True)
class ChatLine:
    """A chat message as people read it.

    The ledger has its id, its author and the commitment under `salt`: erasing this row erases the words
    and leaves every proof valid.
    """

    id: str
    lesson: str
    person: str
    name: str
    role: str
    text: str
    at_ms: int
    salt: bytes
    state: str = "shown"
    """shown, held or removed."""


@dataclass(frozen=True, slots=True)
class Muted:
    """A person whom the chat of a lesson was taken from. `incidents`: what led to it, if nobody did it."""

    lesson: str
    person: str
    name: str
    reason: str
    at_ms: int
    by: str
    incidents: tuple[str, ...] = ()


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


@dataclass(frozen=True, slots=True)
class Attended:
    """One learner's part of a settled lesson, as its newest revision has it.

    `result`: `core.attendance.Record.as_json`, canonical. `days`: credited seconds by day in China, counted
    from 1970-01-01.
    """

    lesson: str
    person: str
    revision: int
    course: str
    started_at_ms: int
    session_s: int
    credited_s: int
    result: str
    days: Mapping[int, int]
    others: str = "[]"
    """Other activities that were reckoned with, `core.share.others_json`, canonical."""
    leaf: str = ""
    """`core.share.share_leaf`, hex; empty where it was settled before there were shares."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """One revision of a lesson's attendance: reckoned from the first `ledger_size` entries of the ledger.

    `result_sha256`: `core.attendance.digest`. `reason`: why there is this revision. `about`: the lesson
    itself as JSON, `core.attendance.About.as_json`.
    """

    lesson: str
    revision: int
    at_ms: int
    ledger_size: int
    result_sha256: str
    people: int
    credited_s: int
    reason: str
    about: str = "{}"
    people_root: str = ""
    """Over everybody's shares, hex (`core.share`); empty where it was settled before there were shares."""
    salt: str = ""
    """What the shares' salts come from, hex; not in the ledger."""


@dataclass(frozen=True, slots=True)
class Adjustment:
    """A change of one learner's hours, asked for by one person and decided by another.

    `state`: requested, approved or refused. Either `delta_s` seconds, or the check `challenge` that is
    excused (`after` "excused") or counts again ("missed"): while the lesson is not over one person does
    that alone.
    """

    id: str
    lesson: str
    person: str
    delta_s: int
    reason: str
    state: str
    requested_by: str
    requested_at_ms: int
    decided_by: str = ""
    decided_at_ms: int | None = None
    decision: str = ""
    challenge: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class Sample:
    """Lessons drawn for inspection from those that began on days in China, both included (`core.sample`).

    `seed`: 64 hex digits. `population`: how many lessons there were, `population_sha256`: which and how long.
    """

    id: str
    by: str
    at_ms: int
    since: str
    until: str
    percent: int
    seed: str
    population: int
    population_sha256: str
    total_s: int
    drawn_s: int
    lessons: tuple[str, ...]
    """In the order drawn."""


@dataclass(frozen=True, slots=True)
class View:
    """Something an inspector looked at. `subject`: the person, recording or entry; "" for the whole."""

    by: str
    what: str
    lesson: str
    subject: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class DayHours:
    """What one learner was credited in one lesson on one day in China."""

    person: str
    lesson: str
    course: str
    day: int
    credited_s: int


@dataclass(frozen=True, slots=True)
class ProjectSum:
    """What one learner was credited in the settled lessons of one project."""

    project: str
    person: str
    lessons: int
    credited_s: int

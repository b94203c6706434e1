"""A roster from a file: looked through with nothing written, then all good rows of it or none.

Somebody is known again by the person's id, by identity number, telephone number or (in the same class)
student number with the name; else he is new. Rows that are not sure are not guessed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from liveserver.clock import Clock
from liveserver.core.errors import PeerError
from liveserver.core.masking import masked_number
from liveserver.core.messages import Json
from liveserver.core.people import Enrolled, Status
from liveserver.core.roster import Roster, Row, Wrong, read_roster
from liveserver.core.subsidy import CLAUSE, Place, repeated
from liveserver.people.classes import Classes
from liveserver.people.members import ClassMembers
from liveserver.people.phones import Phones
from liveserver.people.registry import new_id, new_salt
from liveserver.people.repeats import Repeats, place
from liveserver.people.spreadsheet import Spreadsheets
from liveserver.store import Store
from liveserver.store.members import Member
from liveserver.store.model.people import Enrolment, Person, TrainingClass

_AT_ONCE = 100


class Numbers(Protocol):
    """Identity numbers: `liveserver.log_in.identities`. Raises PeerError `bad_identity_number`."""

    def checked(self, number: str) -> str: ...

    async def bearers(self, numbers: Sequence[str]) -> dict[str, list[str]]: ...

    async def enter_all(self, numbers: Mapping[str, str], by: str) -> None: ...

    async def erase(self, person: str, by: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class _Known:
    """What the rows of one file may refer to."""

    firms: Mapping[str, str]
    groups: Mapping[str, str]
    persons: Mapping[str, Person]
    of_phones: Mapping[str, Sequence[Person]]
    by_student_no: Mapping[tuple[str, str], Person]
    by_number: Mapping[str, Sequence[Person]]
    enrolled: Mapping[str, Enrolment]
    places: Mapping[str, Sequence[Place]]
    training_class: TrainingClass
    ids: frozenset[str]
    """Everybody's who is in one of these."""


class RosterImport:
    """Owned by the main loop."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        classes: Classes,
        class_members: ClassMembers,
        phones: Phones,
        numbers: Numbers | None = None,
    ):
        self._phones = phones
        self._numbers = numbers
        self._people = store.people
        self._clock = clock
        self._classes = classes
        self._class_members = class_members
        self._repeats = Repeats(store)
        self._spreadsheets = Spreadsheets()

    async def take(
        self, training_class: str, data: bytes, media_type: str, by: str, *, dry_run: bool
    ) -> Json:
        """Every row with what becomes of it, and whether it was written.

        Raises PeerError as `Spreadsheets.rows`, `read_roster`, `Classes.require_active`.
        """
        of = await self._classes.require_active(training_class)
        roster = read_roster(await self._spreadsheets.rows(data, media_type))
        self._check_numbers(roster)
        known = await self._known(of, roster)
        now_ms = self._clock.wall_ms()
        members: list[Member[Enrolment]] = []
        states: list[str] = []
        for row in roster.rows:
            member = _member(row, known, training_class, now_ms)
            states.append("bad" if member is None else _state(member.person, known))
            members += [] if member is None else [member]
        sha256 = hashlib.sha256(data).hexdigest()
        if members and not dry_run:
            new = frozenset(one.person.id for one in members) - known.ids
            members = await self._sealed(members, new)
            await self._people.roster.take(training_class, members, new, sha256, by, now_ms)
            await self._class_members.enrolled(training_class, [one.person.id for one in members], by)
            await self._enter_numbers(roster, states, members, by)
        return {
            "sha256": sha256,
            "good": len(members),
            "bad": len(roster.rows) - len(members),
            "written": not dry_run,
            "ignored": list(roster.ignored),
            "items": [_shown(row, state) for row, state in zip(roster.rows, states, strict=True)],
        }

    async def _sealed(
        self, members: Sequence[Member[Enrolment]], new: frozenset[str]
    ) -> list[Member[Enrolment]]:
        """With the telephone numbers of those who are new as they are to be kept."""
        sealed = {p.id: p for p in await self._phones.seal([m.person for m in members if m.person.id in new])}
        return [Member(one.row, sealed.get(one.person.id, one.person)) for one in members]

    def _check_numbers(self, roster: Roster) -> None:
        for row in roster.rows:
            if self._numbers is None or not row.get("identity"):
                row.values.pop("identity", None)
                continue
            try:
                row.values["identity"] = self._numbers.checked(row.get("identity"))
            except PeerError as error:
                row.values.pop("identity")
                row.wrong.append(Wrong(error.code, "identity", error.detail))

    async def _enter_numbers(
        self, roster: Roster, states: Sequence[str], members: Sequence[Member[Enrolment]], by: str
    ) -> None:
        """After the rows: each number is sealed under the person's own key, a hundred share a transaction.

        Should the process end in between, the same file taken again enters what is missing.
        """
        if self._numbers is None:
            return
        good = [row for row, state in zip(roster.rows, states, strict=True) if state != "bad"]
        wanted = [(one.person.id, row.get("identity")) for row, one in zip(good, members, strict=True)]
        wanted = [(person, number) for person, number in wanted if number]
        for start in range(0, len(wanted), _AT_ONCE):
            await self._numbers.enter_all(dict(wanted[start : start + _AT_ONCE]), by)

    async def _by_number(self, roster: Roster) -> dict[str, list[Person]]:
        if self._numbers is None:
            return {}
        asked = sorted({row.get("identity") for row in roster.rows} - {""})
        bearers: dict[str, list[str]] = {}
        for start in range(0, len(asked), _AT_ONCE):
            bearers |= await self._numbers.bearers(asked[start : start + _AT_ONCE])
        people = await self._people.persons.named([one for found in bearers.values() for one in found])
        return {number: [people[one] for one in found if one in people] for number, found in bearers.items()}

    async def _known(self, of: TrainingClass, roster: Roster) -> _Known:
        training_class = of.id
        groups = (await self._classes.groups(training_class))["items"]
        named = await self._people.persons.named([row.get("person") for row in roster.rows])
        marks = {self._phones.mark(row.get("phone")): row.get("phone") for row in roster.rows}
        marks.pop(b"", None)
        of_marks = await self._people.of_phones(list(marks))
        of_phones = {marks[mark]: found for mark, found in of_marks.items()}
        members = await self._people.roster.with_student_no(training_class)
        by_student_no = {(one.row.student_no, one.person.name): one.person for one in members}
        ids = {*named, *(person.id for found in of_phones.values() for person in found)}
        ids |= {person.id for person in by_student_no.values()}
        by_number = await self._by_number(roster)
        ids |= {person.id for found in by_number.values() for person in found}
        return _Known(
            await self._people.firms({row.get("enterprise") for row in roster.rows} - {""}),
            {group["name"]: group["id"] for group in groups if group["status"] == Status.ACTIVE},
            named,
            of_phones,
            by_student_no,
            by_number,
            await self._people.roster.known(training_class, sorted(ids)),
            await self._repeats.of(of, sorted(ids)),
            of,
            frozenset(ids),
        )


def _member(row: Row, known: _Known, training_class: str, now_ms: int) -> Member[Enrolment] | None:
    """The row as it will be kept, or None, with why in `row.wrong`."""
    enterprise = _referred(row, "enterprise", known.firms)
    group = _referred(row, "group", known.groups)
    person = None if row.wrong else _person(row, known, enterprise, now_ms)
    if person is None or row.wrong:
        return None
    before = known.enrolled.get(person.id)
    is_in = before is not None and before.status == Enrolled.ENROLLED
    enrolment = Enrolment(
        training_class,
        person.id,
        row.get("student_no"),
        group,
        enterprise,
        row.get("target_group"),
        row.get("subsidy_type"),
        enrolled_at_ms=before.enrolled_at_ms if before is not None and is_in else now_ms,
    )
    again = repeated(place(enrolment, known.training_class), known.places.get(person.id, ()))
    if again is not None:
        row.wrong.append(Wrong(again, "name", CLAUSE))
        return None
    return Member(enrolment, person)


def _referred(row: Row, column: str, kept: Mapping[str, str]) -> str:
    wanted = row.get(column)
    if wanted and wanted not in kept:
        row.wrong.append(Wrong(f"unknown_{column}", column, "not there; make it first"))
    return kept.get(wanted, "")


def _person(row: Row, known: _Known, enterprise: str, now_ms: int) -> Person | None:
    name, phone = row.get("name"), row.get("phone")
    if row.get("person"):
        found = known.persons.get(row.get("person"))
        if found is None or found.name != name:
            row.wrong.append(Wrong("unknown_person", "person", "nobody of that id and name"))
            return None
        return _present(row, found)
    bearers = known.by_number.get(row.get("identity"), ())
    if bearers:
        same = [one for one in bearers if one.name == name]
        if len(same) == 1:
            return _present(row, same[0])
        code = "ambiguous_person" if same else "number_of_another"
        row.wrong.append(Wrong(code, "identity", "say which person by the id"))
        return None
    sharing = known.of_phones.get(phone, ()) if phone else ()
    same = [one for one in sharing if one.name == name]
    if len(same) == 1:
        return _present(row, same[0])
    if sharing:
        code = "ambiguous_person" if same else "phone_of_another"
        row.wrong.append(Wrong(code, "phone", "say which person by the id"))
        return None
    again = known.by_student_no.get((row.get("student_no"), name)) if row.get("student_no") else None
    if again is not None and (not phone or not again.phone_mark):
        return _present(row, again)
    return Person(new_id(), name, phone, enterprise, created_at_ms=now_ms, salt=new_salt())


def _present(row: Row, person: Person) -> Person | None:
    if person.status == Status.ARCHIVED:
        row.wrong.append(Wrong("archived", "name", "the person is archived"))
        return None
    return person


def _state(person: Person, known: _Known) -> str:
    """new: a person nobody knew; known: to this class new; returns, after having left; enrolled: already."""
    before = known.enrolled.get(person.id)
    if before is not None:
        return "enrolled" if before.status == Enrolled.ENROLLED else "returns"
    return "known" if person.id in known.ids else "new"


def _shown(row: Row, state: str) -> Json:
    return {
        "row": row.number,
        "name": row.get("name"),
        "phone": masked_number(row.get("phone")),
        "identity": masked_number(row.get("identity")),
        "student_no": row.get("student_no"),
        "enterprise": row.get("enterprise"),
        "group": row.get("group"),
        "state": state,
        "errors": [{"code": one.code, "column": one.column, "detail": one.detail} for one in row.wrong],
    }

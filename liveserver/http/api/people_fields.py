"""Bodies and queries of people and classes."""

from __future__ import annotations

from dataclasses import dataclass

from liveserver.core.people import Approval, Assigned, Enrolled, Form, OrganisationKind, Status, Teaching
from liveserver.core.presets import Name
from liveserver.core.retention import Programme
from liveserver.http.fields import choice, flag, several, text, whole

# ruff: noqa: RUF009 - `choice` makes a dataclass field

HOURS_MOST = 10_000
SIZE_MOST = 10_000
_KEY = 64
_LONG = 2_000


@dataclass(frozen=True, slots=True)
class NewOrganisation:
    kind: OrganisationKind = choice(OrganisationKind)
    name: str = text(1, 60)
    short_name: str = text(0, 60, default="")
    uscc: str = text(0, 24, default="")
    legal_person: str = text(0, 60, default="")
    contact_name: str = text(0, 60, default="")
    contact_phone: str = text(0, 30, default="")
    region_code: str = text(0, 20, default="")
    address: str = text(0, 200, default="")
    industry_direction: str = text(0, 100, default="")
    scale: str = text(0, 40, default="")
    valid_from: str = text(0, 10, default="")
    valid_to: str = text(0, 10, default="")


@dataclass(frozen=True, slots=True)
class NewProject:
    code: str = text(1, 60)
    name: str = text(1, 200)
    provider: str = text(0, _KEY, default="")
    preset: Name = choice(Name, default=Name.DEFAULT)
    zone: bool = flag(default=False)
    programmes: tuple[str, ...] = several(len(Programme), 20, Programme, default=())
    catalogue_code: str = text(0, 60, default="")
    industry_direction: str = text(0, 100, default="")
    occupation_code: str = text(0, 40, default="")
    level: str = text(0, 40, default="")
    goal: str = text(0, _LONG, default="", controls=True)
    audience: str = text(0, _LONG, default="", controls=True)
    content_form: Form = choice(Form, default=Form.LIVE)
    required_lesson_hours: int = whole(0, HOURS_MOST, default=0)
    class_size: int = whole(0, SIZE_MOST, default=0)


@dataclass(frozen=True, slots=True)
class NewCourse:
    code: str = text(1, 60)
    name: str = text(1, 200)
    project: str = text(0, _KEY, default="")
    outline: str = text(0, _LONG, default="", controls=True)
    mode: Form = choice(Form, default=Form.LIVE)
    planned_lesson_hours: int = whole(0, HOURS_MOST, default=0)


@dataclass(frozen=True, slots=True)
class NewClass:
    number: str = text(1, 60)
    name: str = text(1, 200)
    project: str = text(1, _KEY)
    enterprise: str = text(0, _KEY, default="")
    term: str = text(0, 60, default="")
    starts_on: str = text(0, 10, default="")
    ends_on: str = text(0, 10, default="")
    plan_no: str = text(0, 60, default="")
    head_teacher: str = text(0, _KEY, default="")
    capacity: int = whole(0, SIZE_MOST, default=0)


@dataclass(frozen=True, slots=True)
class NewPerson:
    name: str = text(1, 60)
    phone: str = text(0, 30, default="")
    enterprise: str = text(0, _KEY, default="")


@dataclass(frozen=True, slots=True)
class NewGroup:
    name: str = text(1, 60)
    status: Status | None = choice(Status, default=None)


@dataclass(frozen=True, slots=True)
class NewEnrolment:
    person: str = text(1, _KEY)
    student_no: str = text(0, 40, default="")
    group: str = text(0, _KEY, default="")
    enterprise: str = text(0, _KEY, default="")
    target_group: str = text(0, 60, default="")
    subsidy_type: str = text(0, 60, default="")
    status: Enrolled | None = choice(Enrolled, default=None)


@dataclass(frozen=True, slots=True)
class NewAssignment:
    person: str = text(1, _KEY)
    role: Teaching = choice(Teaching, default=Teaching.LECTURER)
    certificate_no: str = text(0, 60, default="")
    full_time: bool = flag(default=False)
    status: Assigned | None = choice(Assigned, default=None)


@dataclass(frozen=True, slots=True)
class ApprovalStep:
    approval: Approval = choice(Approval)
    note: str = text(0, 500, default="")


@dataclass(frozen=True, slots=True)
class OrganisationsQuery:
    q: str = text(0, 100, default="")
    kind: OrganisationKind | None = choice(OrganisationKind, default=None)
    status: Status | None = choice(Status, default=None)
    after: str | None = text(1, 200, default=None)
    limit: int = whole(1, 200, default=50)


@dataclass(frozen=True, slots=True)
class ProjectsQuery:
    q: str = text(0, 100, default="")
    zone: bool | None = flag(default=None)
    status: Status | None = choice(Status, default=None)
    after: str | None = text(1, 200, default=None)
    limit: int = whole(1, 200, default=50)


@dataclass(frozen=True, slots=True)
class OfProjectQuery:
    q: str = text(0, 100, default="")
    project: str | None = text(1, _KEY, default=None)
    status: Status | None = choice(Status, default=None)
    after: str | None = text(1, 200, default=None)
    limit: int = whole(1, 200, default=50)


@dataclass(frozen=True, slots=True)
class PersonsQuery:
    q: str = text(0, 100, default="")
    enterprise: str | None = text(1, _KEY, default=None)
    status: Status | None = choice(Status, default=None)
    after: str | None = text(1, 200, default=None)
    limit: int = whole(1, 200, default=50)


@dataclass(frozen=True, slots=True)
class RosterQuery:
    q: str = text(0, 100, default="")
    status: Enrolled | None = choice(Enrolled, default=None)
    after: str | None = text(1, 200, default=None)
    limit: int = whole(1, 200, default=50)


@dataclass(frozen=True, slots=True)
class TeachersQuery:
    status: Assigned | None = choice(Assigned, default=None)
    after: str | None = text(1, 200, default=None)
    limit: int = whole(1, 200, default=50)


@dataclass(frozen=True, slots=True)
class ImportQuery:
    dry_run: bool = flag(default=True)

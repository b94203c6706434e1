"""People and classes as values. What is never deleted is archived; ids never change.

`PRIVATE` names what is personal: the ledger has commitments of it alone, under the row's own salt.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from liveserver.core.ledger import JSON, canonical_json, commitment


@dataclass(frozen=True, slots=True)
class Organisation:
    """A provider, an enterprise, an operator or an authority. `uscc`: GB 32100. Dates: 2026-03-02."""

    PRIVATE: ClassVar[frozenset[str]] = frozenset({"legal_person", "contact_name", "contact_phone"})
    id: str
    kind: str
    name: str
    short_name: str = ""
    uscc: str = ""
    legal_person: str = ""
    contact_name: str = ""
    contact_phone: str = ""
    region_code: str = ""
    address: str = ""
    industry_direction: str = ""
    scale: str = ""
    valid_from: str = ""
    valid_to: str = ""
    status: str = "active"
    created_at_ms: int = 0
    salt: bytes = b""


@dataclass(frozen=True, slots=True)
class Project:
    """A training project. `preset`: `core.presets.Name`; `programmes`: `core.retention.Programme`s by commas.

    `zone`: whether the portal shows it under 高精尖产业技能提升培训. `required_lesson_hours` and `class_size`
    are 0 where the preset's hold.
    """

    PRIVATE: ClassVar[frozenset[str]] = frozenset()
    id: str
    code: str
    name: str
    provider: str = ""
    preset: str = "default"
    zone: bool = False
    programmes: str = ""
    catalogue_code: str = ""
    industry_direction: str = ""
    occupation_code: str = ""
    level: str = ""
    goal: str = ""
    audience: str = ""
    content_form: str = "live"
    required_lesson_hours: int = 0
    class_size: int = 0
    status: str = "active"
    created_at_ms: int = 0


@dataclass(frozen=True, slots=True)
class Course:
    """Part of a project. `mode`: live, recorded, offline or mixed."""

    PRIVATE: ClassVar[frozenset[str]] = frozenset()
    id: str
    code: str
    name: str
    project: str = ""
    outline: str = ""
    mode: str = "live"
    planned_lesson_hours: int = 0
    status: str = "active"
    created_at_ms: int = 0


@dataclass(frozen=True, slots=True)
class TrainingClass:
    """A cohort of learners (班级). `approval`: draft, submitted, approved, refused. `capacity` 0: no own."""

    PRIVATE: ClassVar[frozenset[str]] = frozenset()
    id: str
    number: str
    name: str
    project: str
    enterprise: str = ""
    term: str = ""
    starts_on: str = ""
    ends_on: str = ""
    plan_no: str = ""
    head_teacher: str = ""
    capacity: int = 0
    approval: str = "draft"
    approval_by: str = ""
    approval_note: str = ""
    approval_at_ms: int | None = None
    status: str = "active"
    created_at_ms: int = 0


@dataclass(frozen=True, slots=True)
class ClassGroup:
    """Part of a class (群组)."""

    PRIVATE: ClassVar[frozenset[str]] = frozenset()
    id: str
    training_class: str
    name: str
    status: str = "active"
    created_at_ms: int = 0


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody, under the id that tokens, attendance, checks and keys use. `status`: active or archived.

    `phone` is never kept: in the database it is sealed, with a keyed hash to find it by (`people.phones`).
    """

    PRIVATE: ClassVar[frozenset[str]] = frozenset({"name", "phone_mark"})
    id: str
    name: str
    phone: str = ""
    enterprise: str = ""
    status: str = "active"
    created_at_ms: int = 0
    salt: bytes = b""
    phone_sealed: bytes = b""
    phone_mark: bytes = b""


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A learner of a class. `status`: enrolled or left."""

    PRIVATE: ClassVar[frozenset[str]] = frozenset({"student_no", "target_group", "subsidy_type"})
    training_class: str
    person: str
    student_no: str = ""
    group: str = ""
    enterprise: str = ""
    target_group: str = ""
    subsidy_type: str = ""
    status: str = "enrolled"
    enrolled_at_ms: int = 0
    left_at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Assignment:
    """Who teaches a class. `role`: lecturer, assistant or invigilator; `status`: assigned or released."""

    PRIVATE: ClassVar[frozenset[str]] = frozenset({"certificate_no"})
    training_class: str
    person: str
    role: str = "lecturer"
    certificate_no: str = ""
    full_time: bool = False
    status: str = "assigned"
    assigned_at_ms: int = 0
    left_at_ms: int | None = None


_UNSAID = frozenset({"id", "salt", "training_class", "person", "created_at_ms", "phone", "phone_sealed"})
_NAMES = {"phone_mark": "phone"}


def said(value: Any, salt: bytes, only: Mapping[str, object] | None = None) -> dict[str, JSON]:
    """The fields of `value` as the ledger has them: what is private as a commitment, what is empty not.

    `only`: of these fields, the empty ones too.
    """
    found: dict[str, JSON] = {}
    for field in fields(value):
        content = getattr(value, field.name)
        name = _NAMES.get(field.name, field.name)
        content = content.hex() if isinstance(content, bytes) else content
        if field.name in _UNSAID or (only is not None and field.name not in only):
            continue
        if field.name in value.PRIVATE and content:
            found[name] = commitment(salt, canonical_json([name, content]))
        elif content or only is not None:
            found[name] = content
    return found

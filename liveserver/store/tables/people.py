"""The tables of people and classes. What is personal is marked in `model.people`; nothing here is deleted."""

from __future__ import annotations

import sqlalchemy as sa

from liveserver.store.tables.base import METADATA, WHOLE


def _text(name: str, default: str = "") -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, server_default=default)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, WHOLE, nullable=False, server_default="0")


ORGANISATIONS = sa.Table(
    "organisations",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    _text("kind"),
    _text("name"),
    _text("short_name"),
    _text("uscc"),
    _text("legal_person"),
    _text("contact_name"),
    _text("contact_phone"),
    _text("region_code"),
    _text("address"),
    _text("industry_direction"),
    _text("scale"),
    _text("valid_from"),
    _text("valid_to"),
    _text("status", "active"),
    sa.Column("created_at_ms", WHOLE, nullable=False),
    sa.Column("salt", sa.LargeBinary, nullable=False),
    sa.Index("organisations_by_age", "created_at_ms", "id"),
    sa.Index("organisations_by_name", "name"),
    sa.Index(
        "organisations_by_uscc",
        "uscc",
        unique=True,
        sqlite_where=sa.text("uscc <> ''"),
        postgresql_where=sa.text("uscc <> ''"),
    ),
)

PROJECTS = sa.Table(
    "projects",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("code", sa.Text, nullable=False, unique=True),
    _text("name"),
    _text("provider"),
    _text("preset", "default"),
    sa.Column("zone", sa.Boolean, nullable=False),
    _text("programmes"),
    _text("catalogue_code"),
    _text("industry_direction"),
    _text("occupation_code"),
    _text("level"),
    _text("goal"),
    _text("audience"),
    _text("content_form", "live"),
    _number("required_lesson_hours"),
    _number("class_size"),
    _text("status", "active"),
    sa.Column("created_at_ms", WHOLE, nullable=False),
    sa.Index("projects_by_age", "created_at_ms", "id"),
)

# A course's name is its name in statistics and on attendance sheets: it is there once, and stays.
COURSES = sa.Table(
    "courses",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("code", sa.Text, nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    _text("project"),
    _text("outline"),
    _text("mode", "live"),
    _number("planned_lesson_hours"),
    _text("status", "active"),
    sa.Column("created_at_ms", WHOLE, nullable=False),
    sa.Index("courses_by_age", "created_at_ms", "id"),
    sa.Index("courses_of_project", "project"),
)

CLASSES = sa.Table(
    "classes",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("number", sa.Text, nullable=False, unique=True),
    _text("name"),
    _text("project"),
    _text("enterprise"),
    _text("term"),
    _text("starts_on"),
    _text("ends_on"),
    _text("plan_no"),
    _text("head_teacher"),
    _number("capacity"),
    _text("approval", "draft"),
    _text("approval_by"),
    _text("approval_note"),
    sa.Column("approval_at_ms", WHOLE),
    _text("status", "active"),
    sa.Column("created_at_ms", WHOLE, nullable=False),
    sa.Index("classes_by_age", "created_at_ms", "id"),
    sa.Index("classes_of_project", "project"),
)

GROUPS = sa.Table(
    "class_groups",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("training_class", sa.Text, nullable=False),
    _text("name"),
    _text("status", "active"),
    sa.Column("created_at_ms", WHOLE, nullable=False),
    sa.UniqueConstraint("training_class", "name", name="class_group_once"),
)

PERSONS = sa.Table(
    "persons",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    _text("name"),
    _text("phone"),  # in clear from before 0019, until the node has sealed it
    _text("enterprise"),
    _text("status", "active"),
    sa.Column("created_at_ms", WHOLE, nullable=False),
    sa.Column("salt", sa.LargeBinary, nullable=False),
    sa.Column("phone_sealed", sa.LargeBinary, nullable=False),  # under the person's key; empty for none
    sa.Column("phone_mark", sa.LargeBinary, nullable=False),  # keyed hash: finds the number
    sa.Index("persons_by_age", "created_at_ms", "id"),
    sa.Index("persons_by_name", "name"),
    sa.Index("persons_by_phone", "phone"),
    sa.Index("persons_by_phone_mark", "phone_mark"),
)

ENROLMENTS = sa.Table(
    "enrolments",
    METADATA,
    sa.Column("training_class", sa.Text, primary_key=True),
    sa.Column("person", sa.Text, primary_key=True),
    _text("student_no"),
    _text("group"),
    _text("enterprise"),
    _text("target_group"),
    _text("subsidy_type"),
    _text("status", "enrolled"),
    sa.Column("enrolled_at_ms", WHOLE, nullable=False),
    sa.Column("left_at_ms", WHOLE),
    sa.Index("enrolments_of_person", "person", "training_class"),
    sa.Index("enrolments_by_age", "training_class", "enrolled_at_ms", "person"),
)

ASSIGNMENTS = sa.Table(
    "assignments",
    METADATA,
    sa.Column("training_class", sa.Text, primary_key=True),
    sa.Column("person", sa.Text, primary_key=True),
    _text("role", "lecturer"),
    _text("certificate_no"),
    sa.Column("full_time", sa.Boolean, nullable=False),
    _text("status", "assigned"),
    sa.Column("assigned_at_ms", WHOLE, nullable=False),
    sa.Column("left_at_ms", WHOLE),
    sa.Index("assignments_of_person", "person", "training_class"),
)

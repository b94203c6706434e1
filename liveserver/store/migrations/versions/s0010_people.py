"""People, organisations, programmes and classes; which of them a lesson belongs to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the tables. A lesson of before belongs to no class."""
    _create_organisations()
    _create_programmes()
    _create_classes()
    _create_people()
    for name in ("training_class", "course_id", "project"):
        op.add_column("lessons", _text(name))
    op.add_column("lessons", sa.Column("planned_start_ms", _WHOLE))
    op.create_index("lessons_of_class", "lessons", ["training_class", "planned_start_ms", "id"])


def _create_organisations() -> None:
    op.create_table(
        "organisations",
        _id(),
        *_texts("kind", "name", "short_name", "uscc", "legal_person", "contact_name", "contact_phone"),
        *_texts("region_code", "address", "industry_direction", "scale", "valid_from", "valid_to"),
        _text("status", "active"),
        _created(),
        sa.Column("salt", sa.LargeBinary, nullable=False),
    )
    op.create_index("organisations_by_age", "organisations", ["created_at_ms", "id"])
    op.create_index("organisations_by_name", "organisations", ["name"])
    known = sa.text("uscc <> ''")
    op.create_index(
        "organisations_by_uscc",
        "organisations",
        ["uscc"],
        unique=True,
        sqlite_where=known,
        postgresql_where=known,
    )


def _create_programmes() -> None:
    op.create_table(
        "projects",
        _id(),
        sa.Column("code", sa.Text, nullable=False, unique=True),
        *_texts("name", "provider"),
        _text("preset", "default"),
        sa.Column("zone", sa.Boolean, nullable=False),
        *_texts("programmes", "catalogue_code", "industry_direction", "occupation_code", "level"),
        *_texts("goal", "audience"),
        _text("content_form", "live"),
        *_numbers("required_lesson_hours", "class_size"),
        _text("status", "active"),
        _created(),
    )
    op.create_index("projects_by_age", "projects", ["created_at_ms", "id"])
    op.create_table(
        "courses",
        _id(),
        sa.Column("code", sa.Text, nullable=False, unique=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        *_texts("project", "outline"),
        _text("mode", "live"),
        *_numbers("planned_lesson_hours"),
        _text("status", "active"),
        _created(),
    )
    op.create_index("courses_by_age", "courses", ["created_at_ms", "id"])
    op.create_index("courses_of_project", "courses", ["project"])


def _create_classes() -> None:
    op.create_table(
        "classes",
        _id(),
        sa.Column("number", sa.Text, nullable=False, unique=True),
        *_texts("name", "project", "enterprise", "term", "starts_on", "ends_on", "plan_no", "head_teacher"),
        *_numbers("capacity"),
        _text("approval", "draft"),
        *_texts("approval_by", "approval_note"),
        sa.Column("approval_at_ms", _WHOLE),
        _text("status", "active"),
        _created(),
    )
    op.create_index("classes_by_age", "classes", ["created_at_ms", "id"])
    op.create_index("classes_of_project", "classes", ["project"])
    op.create_table(
        "class_groups",
        _id(),
        sa.Column("training_class", sa.Text, nullable=False),
        _text("name"),
        _text("status", "active"),
        _created(),
        sa.UniqueConstraint("training_class", "name", name="class_group_once"),
    )


def _create_people() -> None:
    op.create_table(
        "persons",
        _id(),
        *_texts("name", "phone", "enterprise"),
        _text("status", "active"),
        _created(),
        sa.Column("salt", sa.LargeBinary, nullable=False),
    )
    for name, columns in (("age", ["created_at_ms", "id"]), ("name", ["name"]), ("phone", ["phone"])):
        op.create_index(f"persons_by_{name}", "persons", columns)
    op.create_table(
        "enrolments",
        *_member(),
        *_texts("student_no", "group", "enterprise", "target_group", "subsidy_type"),
        _text("status", "enrolled"),
        sa.Column("enrolled_at_ms", _WHOLE, nullable=False),
        sa.Column("left_at_ms", _WHOLE),
    )
    op.create_index("enrolments_of_person", "enrolments", ["person", "training_class"])
    op.create_index("enrolments_by_age", "enrolments", ["training_class", "enrolled_at_ms", "person"])
    op.create_table(
        "assignments",
        *_member(),
        _text("role", "lecturer"),
        _text("certificate_no"),
        sa.Column("full_time", sa.Boolean, nullable=False),
        _text("status", "assigned"),
        sa.Column("assigned_at_ms", _WHOLE, nullable=False),
        sa.Column("left_at_ms", _WHOLE),
    )
    op.create_index("assignments_of_person", "assignments", ["person", "training_class"])


def _id() -> sa.Column[str]:
    return sa.Column("id", sa.Text, primary_key=True)


def _member() -> tuple[sa.Column[str], sa.Column[str]]:
    return (
        sa.Column("training_class", sa.Text, primary_key=True),
        sa.Column("person", sa.Text, primary_key=True),
    )


def _created() -> sa.Column[int]:
    return sa.Column("created_at_ms", _WHOLE, nullable=False)


def _text(name: str, default: str = "") -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, server_default=default)


def _texts(*names: str) -> list[sa.Column[str]]:
    return [_text(name) for name in names]


def _numbers(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, _WHOLE, nullable=False, server_default="0") for name in names]

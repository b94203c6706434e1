"""What the REST API answers about people and classes: part of the components of the OpenAPI document."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from liveserver.core.gates import Gate
from liveserver.http.schemas.words import COUNT, FLAG, HASH, TEXT, TIME, Schema, list_of, object_of, or_null
from liveserver.store.model.people import (
    Assignment,
    ClassGroup,
    Course,
    Enrolment,
    Organisation,
    Person,
    Project,
    TrainingClass,
)

_TYPES: dict[str, Schema] = {"str": TEXT, "int": COUNT, "bool": FLAG}
_GATE: Schema = {"type": "string", "enum": [str(gate) for gate in Gate]}


def _properties(kind: type[Any]) -> dict[str, Schema]:
    """As `people.kinds.shown` shows it."""
    found: dict[str, Schema] = {}
    for field in fields(kind):
        if field.type == "bytes":  # salts, and what is sealed
            continue
        if field.name.endswith("_at_ms"):
            nullable = field.type != "int"
            found[field.name.removesuffix("_ms")] = or_null(TIME) if nullable else TIME
        elif field.name == "programmes":
            found[field.name] = {"type": "array", "items": TEXT}
        else:
            name = "class" if field.name == "training_class" else field.name
            found[name] = _TYPES[str(field.type)]
    return found


_PERSON: dict[str, Schema] = {
    "name": TEXT,
    "phone": {**TEXT, "description": "Masked"},
    "home": {**TEXT, "description": "The person's own enterprise"},
}
_STANDING: dict[str, Schema] = {
    "project_name": TEXT,
    "preset": TEXT,
    "learners": COUNT,
    "lecturers": {**COUNT, "description": "With a certificate"},
    "size_limit": {**COUNT, "description": "0 for none"},
    "gates": {
        "type": "array",
        "items": object_of({"code": _GATE, "detail": TEXT, "clause": TEXT}),
        "description": "What a start would be refused for now",
    },
}
_KINDS: dict[str, Schema] = {
    "Organisation": object_of(_properties(Organisation)),
    "Project": object_of(_properties(Project)),
    "Course": object_of(_properties(Course)),
    "Class": object_of(_properties(TrainingClass), _STANDING),
    "Group": object_of(_properties(ClassGroup)),
    "Person": object_of(_properties(Person)),
    "Enrolment": object_of({**_properties(Enrolment), **_PERSON}),
    "Assignment": object_of({**_properties(Assignment), **_PERSON}),
}
_OWN_LESSON = object_of(
    {
        "id": TEXT,
        "title": TEXT,
        "role": {"type": "string", "enum": ["learner", "instructor"]},
        "class": {**TEXT, "description": "Its name; so of course and project"},
        "class_id": TEXT,
        "course": TEXT,
        "project": TEXT,
        "project_id": TEXT,
        "zone": FLAG,
        "planned_start": or_null(TIME),
        "planned_s": or_null(COUNT),
        "state": TEXT,
        "pages": {"type": "object", "additionalProperties": TEXT},
    }
)
_IMPORT = object_of(
    {
        "sha256": HASH,
        "good": COUNT,
        "bad": COUNT,
        "written": FLAG,
        "ignored": {"type": "array", "items": TEXT, "description": "Heads that nothing is made of"},
        "items": {
            "type": "array",
            "items": object_of(
                {
                    "row": COUNT,
                    "name": TEXT,
                    "phone": TEXT,
                    "identity": {**TEXT, "description": "Masked"},
                    "student_no": TEXT,
                    "enterprise": TEXT,
                    "group": TEXT,
                    "state": {"type": "string", "enum": ["new", "known", "enrolled", "returns", "bad"]},
                    "errors": {
                        "type": "array",
                        "items": object_of({"code": TEXT, "column": TEXT, "detail": TEXT}),
                    },
                }
            ),
        },
    }
)
_KINDS["OwnLesson"] = _OWN_LESSON
COMPONENTS: dict[str, Schema] = {
    "RosterImport": _IMPORT,
    **_KINDS,
    **{f"{name}List": list_of(name) for name in _KINDS},
}

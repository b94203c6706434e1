"""The words JSON Schemas of the REST API are made of (2020-12)."""

from __future__ import annotations

from typing import Any

from liveserver.core.events.lesson import LessonState
from liveserver.core.retention import Programme

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
NUMBER: Schema = {"type": "number"}
FLAG: Schema = {"type": "boolean"}
TIME: Schema = {"type": "string", "format": "date-time"}
HASH: Schema = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
MS: Schema = {"type": "integer", "description": "Milliseconds since 1970"}
MAP: Schema = {"type": "object", "additionalProperties": TEXT}
OBJECT: Schema = {"type": "object"}
PROGRAMMES: Schema = {"type": "array", "items": {"type": "string", "enum": [str(p) for p in Programme]}}
STATES = [str(state) for state in LessonState]


def object_of(required: dict[str, Schema], optional: dict[str, Schema] | None = None) -> Schema:
    """An object with these properties."""
    return {"type": "object", "required": list(required), "properties": {**required, **(optional or {})}}


def or_null(schema: Schema) -> Schema:
    if "$ref" in schema:
        return {"oneOf": [schema, {"type": "null"}]}
    return {**schema, "type": [schema["type"], "null"]}


def ref(name: str) -> Schema:
    """A component of the document."""
    return {"$ref": f"#/components/schemas/{name}"}


def list_of(name: str) -> Schema:
    """A page of components."""
    return object_of({"items": {"type": "array", "items": ref(name)}, "next": or_null(TEXT)})

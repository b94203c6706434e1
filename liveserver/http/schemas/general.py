"""What the REST API answers about failures, and what all answers share."""

from __future__ import annotations

from liveserver.http.schemas.words import FLAG, OBJECT, TEXT, Schema, object_of

COMPONENTS: dict[str, Schema] = {
    "Problem": {
        **object_of(
            {"type": TEXT, "title": TEXT, "status": {"type": "integer"}, "detail": TEXT, "code": TEXT}
        ),
        "description": "RFC 9457; `code` is stable, docs/PROTOCOL.md lists them",
    },
    "Object": OBJECT,
    "Health": object_of({"status": TEXT}, {"parts": {"type": "object", "additionalProperties": FLAG}}),
}

"""What the REST API answers about inspections."""

from __future__ import annotations

from liveserver.http.schemas.words import (
    COUNT,
    HASH,
    STATES,
    TEXT,
    TIME,
    Schema,
    list_of,
    object_of,
    or_null,
    ref,
)

COMPONENTS: dict[str, Schema] = {
    "Sample": object_of(
        {
            "id": TEXT,
            "by": TEXT,
            "at": TIME,
            "since": TEXT,
            "until": TEXT,
            "percent": COUNT,
            "seed": HASH,
            "population": COUNT,
            "population_sha256": HASH,
            "total_s": COUNT,
            "drawn_s": COUNT,
            "lessons": {"type": "array", "items": ref("SampledLesson")},
        },
        {"entry": COUNT},
    ),
    "SampledLesson": object_of(
        {
            "id": TEXT,
            "title": TEXT,
            "state": {"type": "string", "enum": STATES},
            "started_at": or_null(TIME),
            "ended_at": or_null(TIME),
        }
    ),
    "SampleList": list_of("Sample"),
    "View": object_of({"what": TEXT, "lesson": or_null(TEXT), "title": TEXT, "subject": TEXT, "at": TIME}),
    "ViewList": list_of("View"),
}

"""What the REST API answers about lessons, and what links are made for them."""

from __future__ import annotations

from liveserver.http.schemas.words import (
    COUNT,
    FLAG,
    MAP,
    OBJECT,
    PROGRAMMES,
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
    "Lesson": object_of(
        {
            "id": TEXT,
            "title": TEXT,
            "state": {"type": "string", "enum": STATES},
            "viewers": COUNT,
            "publishing": FLAG,
            "sources": or_null(OBJECT),
            "instructor": TEXT,
            "created_at": TIME,
            "started_at": or_null(TIME),
            "ended_at": or_null(TIME),
            "cut": or_null(ref("Cut")),
            "programmes": PROGRAMMES,
            "preset": TEXT,
            "planned_s": or_null(COUNT),
            "planned_start": or_null(TIME),
            "course": TEXT,
            "course_id": TEXT,
            "class": TEXT,
            "project": TEXT,
        }
    ),
    "LessonList": list_of("Lesson"),
    "CreatedLesson": object_of({"id": TEXT, "pages": MAP, "tokens": MAP}),
    "Token": object_of({"token": TEXT}),
    "TokenList": object_of(
        {"tokens": {"type": "array", "items": TEXT}},
        {"people": {"type": "array", "items": object_of({"person": TEXT, "name": TEXT, "token": TEXT})}},
    ),
}

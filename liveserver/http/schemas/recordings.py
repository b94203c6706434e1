"""What the REST API answers about recordings, and how they are kept."""

from __future__ import annotations

from liveserver.http.schemas.words import (
    COUNT,
    FLAG,
    HASH,
    OBJECT,
    PROGRAMMES,
    TEXT,
    TIME,
    Schema,
    list_of,
    object_of,
    or_null,
    ref,
)

COMPONENTS: dict[str, Schema] = {
    "Recording": object_of(
        {
            "id": TEXT,
            "lesson": TEXT,
            "state": {"type": "string", "enum": ["recording", "sealing", "sealed", "failed", "deleted"]},
            "sha256": or_null(HASH),
            "size": or_null(COUNT),
            "duration_ms": or_null(COUNT),
            "url": or_null(TEXT),
            "retain_until": or_null(TIME),
            "locked": FLAG,
            "started_at": TIME,
            "gaps": {"type": "array", "items": OBJECT},
            "series": {**TEXT, "description": "The first reel's id, which all reels of a long one share"},
            "reel": {**COUNT, "description": "Its number, from 1"},
            "begins_ms": {**COUNT, "description": "Where it begins, from the first one's beginning"},
        },
        {
            "title": TEXT,
            "detail": TEXT,
            "programmes": PROGRAMMES,
            "hold": {"type": "string", "description": "Why it is under legal hold, empty if it is not"},
            "deleted_at": or_null(TIME),
        },
    ),
    "RecordingList": list_of("Recording"),
    "Chapter": object_of(
        {"from_ms": COUNT, "to_ms": COUNT, "thumbnail": or_null(TEXT), "url": or_null(TEXT)}
    ),
    "Watch": object_of(
        {
            "recording": ref("Recording"),
            "viewer": {"type": "string", "description": "Whose name the picture is marked with"},
            "expires_at": {**TIME, "description": "When the addresses end"},
            "chapters": {"type": "array", "items": ref("Chapter")},
            "chapters_url": {**or_null(TEXT), "description": "The chapters as WebVTT"},
            "captions_url": {**or_null(TEXT), "description": "What is said as WebVTT, where it is written"},
            "reels": {
                "type": "array",
                "description": "All files of a long recording in their order, this one among them",
                "items": object_of(
                    {
                        "recording": ref("Recording"),
                        "chapters": {"type": "array", "items": ref("Chapter")},
                        "chapters_url": or_null(TEXT),
                        "captions_url": or_null(TEXT),
                    }
                ),
            },
        }
    ),
    "Storage": object_of(
        {
            "store": {"type": "string", "enum": ["disk", "s3"]},
            "lock": {"type": "string", "enum": ["proven", "not_enforced", "unknown", "none"]},
            "lock_detail": TEXT,
            "alarms": {
                "type": "array",
                "items": {
                    "type": "string",
                    "enum": ["away", "lock_not_enforced", "backlog", "disk_low", "disk_failing"],
                },
            },
            "failing": TEXT,
            "objects": COUNT,
            "bytes": COUNT,
            "unlocked_objects": COUNT,
            "damaged_objects": COUNT,
            "overdue_readings": COUNT,
            "waiting_objects": COUNT,
            "waiting_bytes": COUNT,
            "free_bytes": or_null(COUNT),
            "bytes_per_day": COUNT,
            "forecast": {
                "type": "array",
                "items": object_of({"month": TEXT, "gb": {"type": "number", "minimum": 0}}),
                "description": "GB (10^9 bytes) kept when a month begins, going on as in the last 30 days",
            },
        }
    ),
    "DueRecording": object_of(
        {
            "id": TEXT,
            "lesson": TEXT,
            "started_at": TIME,
            "retain_until": TIME,
            "months": COUNT,
            "programmes": PROGRAMMES,
            "size": COUNT,
            "sha256": or_null(HASH),
        }
    ),
    "DueList": object_of({"items": {"type": "array", "items": ref("DueRecording")}}),
    "Deletions": object_of(
        {
            "deleted": {"type": "array", "items": TEXT},
            "refused": {"type": "array", "items": object_of({"id": TEXT, "code": TEXT})},
        }
    ),
    "Hold": object_of({"recording": TEXT, "hold": TEXT}),
}

"""What the REST API answers about attendance and hours: part of the components of the OpenAPI document."""

from __future__ import annotations

from liveserver.core.earning import Reason
from liveserver.core.hours import Status
from liveserver.http.schemas.words import COUNT, HASH, TEXT, TIME, Schema, list_of, object_of, or_null, ref

_LESSON_HOURS: Schema = {
    "type": "string",
    "pattern": r"^\d+\.\d\d$",
    "description": "Lesson hours of 45 minutes, rounded down",
}

_STATUS: Schema = {"type": "array", "items": {"type": "string", "enum": [str(status) for status in Status]}}

_REASON: Schema = {"type": "string", "enum": [str(reason) for reason in Reason]}

_SPANS: Schema = {"type": "array", "items": object_of({"from": TIME, "to": TIME})}

_ATTENDANCE = object_of(
    {
        "person": TEXT,
        "name": TEXT,
        "first_online_at": TIME,
        "last_offline_at": or_null(TIME),
        "spans": {**_SPANS, "description": "Presence, with gaps of at most a minute left out"},
        "session_s": COUNT,
        "cumulative_s": {**COUNT, "description": "With earlier lessons of the course"},
        "credited_s": COUNT,
        "adjusted_s": {"type": "integer"},
        "lesson_hours": _LESSON_HOURS,
        "status": _STATUS,
        "checks": ref("CheckCount"),
        "void": {
            "type": "array",
            "items": object_of({"from": TIME, "to": TIME, "reason": _REASON, "clause": TEXT}),
        },
    }
)

_DAY: Schema = {"type": "string", "format": "date"}

_STEPS: Schema = {
    "type": "array",
    "items": object_of({"name": TEXT, "from": _DAY, "seconds": COUNT, "change_s": {"type": "integer"}}),
}

_STATISTICS = object_of(
    {
        "lessons": COUNT,
        "session_s": COUNT,
        "cumulative_s": {**COUNT, "description": "Credited, ever"},
        "lesson_hours": _LESSON_HOURS,
        "from": _DAY,
        "to": _DAY,
        "period_s": COUNT,
        "active_days": COUNT,
        "average_active_day_s": COUNT,
        "average_calendar_day_s": COUNT,
        "days": _STEPS,
        "weeks": {**_STEPS, "description": "Whole weeks from Monday on"},
        "months": {**_STEPS, "description": "Whole months"},
    }
)

_FAR: dict[str, Schema] = {
    "lessons": COUNT,
    "counted_s": {**COUNT, "description": "Of all courses together, before anything is rounded"},
    "lesson_hours": _LESSON_HOURS,
    "required_s": or_null(COUNT),
    "state": {"enum": ["finished", "unfinished", "unknown"]},
}

COMPONENTS: dict[str, Schema] = {
    "Attendance": _ATTENDANCE,
    "AttendanceList": {
        **object_of(
            {
                "items": {"type": "array", "items": ref("Attendance")},
                "next": or_null(TEXT),
                "teaching_s": COUNT,
                "lecturer_s": {**COUNT, "description": "Teaching time with a lecturer"},
                "preset": TEXT,
                "settlement": or_null(ref("Settlement")),
            }
        ),
        "description": "`settlement` is null while the rows are provisional",
    },
    "ExplainedHours": {
        "allOf": [
            ref("Attendance"),
            object_of(
                {
                    "lesson": TEXT,
                    "title": TEXT,
                    "teaching_s": COUNT,
                    "lecturer_s": COUNT,
                    "teaching": _SPANS,
                    "lecturer": _SPANS,
                    "reckoned_s": {**COUNT, "description": "Before adjustments"},
                    "lost": {
                        "type": "array",
                        "items": object_of({"reason": _REASON, "seconds": COUNT, "clause": TEXT}),
                    },
                    "days": {"type": "object", "additionalProperties": COUNT},
                    "policy": {"type": "object"},
                    "settlement": or_null(ref("Settlement")),
                    "adjustments": {"type": "array", "items": ref("Adjustment")},
                }
            ),
        ]
    },
    "Settlement": object_of(
        {"revision": COUNT, "at": TIME, "reason": TEXT, "ledger_size": COUNT, "sha256": HASH}
    ),
    "SettlementList": list_of("Settlement"),
    "Adjustment": object_of(
        {
            "id": TEXT,
            "lesson": TEXT,
            "person": TEXT,
            "delta_s": {"type": "integer"},
            "reason": TEXT,
            "state": {"type": "string", "enum": ["requested", "approved", "refused"]},
            "requested_by": TEXT,
            "requested_at": TIME,
            "decided_by": TEXT,
            "decided_at": or_null(TIME),
            "decision": TEXT,
            "challenge": {**TEXT, "description": "The check it is about; empty where seconds are added"},
            "after": {"type": "string", "enum": ["", "excused", "missed"]},
        }
    ),
    "AdjustmentList": list_of("Adjustment"),
    "CreditedLesson": object_of(
        {
            "lesson": TEXT,
            "title": TEXT,
            "course": TEXT,
            "started_at": or_null(TIME),
            "session_s": COUNT,
            "credited_s": COUNT,
            "lesson_hours": _LESSON_HOURS,
            "status": _STATUS,
            "checks": ref("CheckCount"),
            "revision": or_null(COUNT),
        }
    ),
    "OwnHours": object_of(
        {
            "items": {"type": "array", "items": ref("CreditedLesson")},
            "next": or_null(TEXT),
            "credited_s": COUNT,
            "lesson_hours": _LESSON_HOURS,
        }
    ),
    "CheckCount": object_of({"issued": COUNT, "passed": COUNT, "missed": COUNT}),
    "ExportGrant": object_of(
        {
            "id": TEXT,
            "lesson": TEXT,
            "reason": TEXT,
            "asked_by": TEXT,
            "agreed_by": TEXT,
            "expires_at": TIME,
        }
    ),
    "LearnerStatistics": {
        "allOf": [
            _STATISTICS,
            object_of(
                {
                    "person": TEXT,
                    "courses": object_of(
                        {
                            "joined": COUNT,
                            "finished": COUNT,
                            "unfinished": COUNT,
                            "items": {"type": "array", "items": {"type": "object"}},
                        }
                    ),
                    "projects": {
                        "type": "array",
                        "items": object_of({"project": TEXT, "name": TEXT, **_FAR}),
                    },
                }
            ),
        ]
    },
    "ProjectProgress": object_of(
        {
            "project": TEXT,
            "name": TEXT,
            "preset": TEXT,
            "required_hours": COUNT,
            "learners": COUNT,
            "finished": COUNT,
            "items": {"type": "array", "items": object_of({"person": TEXT, "name": TEXT, **_FAR})},
            "next": or_null(TEXT),
        }
    ),
    "CourseStatistics": {
        "allOf": [
            _STATISTICS,
            object_of(
                {
                    "course": TEXT,
                    "required_s": or_null(COUNT),
                    "held_lessons": COUNT,
                    "learners": COUNT,
                    "finished": COUNT,
                    "items": {"type": "array", "items": {"type": "object"}},
                    "next": or_null(TEXT),
                }
            ),
        ]
    },
}

"""What the REST API answers, as JSON Schema (2020-12): the components of the OpenAPI document."""

from __future__ import annotations

from typing import Any

from liveserver.core.earning import Reason
from liveserver.core.events import LessonState, Level
from liveserver.core.hours import Status
from liveserver.core.retention import Programme
from liveserver.core.screening import Action, Category, Kind, Mode, WhenBlind

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_NUMBER: Schema = {"type": "number"}
_FLAG: Schema = {"type": "boolean"}
_TIME: Schema = {"type": "string", "format": "date-time"}
_HASH: Schema = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_MS: Schema = {"type": "integer", "description": "Milliseconds since 1970"}
STATES = [str(state) for state in LessonState]
LEVELS = [str(level) for level in Level]


def _object(required: dict[str, Schema], optional: dict[str, Schema] | None = None) -> Schema:
    return {"type": "object", "required": list(required), "properties": {**required, **(optional or {})}}


def _or_null(schema: Schema) -> Schema:
    if "$ref" in schema:
        return {"oneOf": [schema, {"type": "null"}]}
    return {**schema, "type": [schema["type"], "null"]}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _list(name: str) -> Schema:
    return _object({"items": {"type": "array", "items": _ref(name)}, "next": _or_null(_TEXT)})


_CHECK_KIND: Schema = {"type": "string", "enum": ["quiz", "face"]}
_TEXTS: Schema = {"type": "array", "items": _TEXT}
_SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
_CATEGORY: Schema = {"type": "string", "enum": [str(category) for category in Category]}
_ACTION: Schema = {"type": "string", "enum": [str(action) for action in Action]}
_MAP: Schema = {"type": "object", "additionalProperties": _TEXT}
_OBJECT: Schema = {"type": "object"}
_PROGRAMMES: Schema = {"type": "array", "items": {"type": "string", "enum": [str(p) for p in Programme]}}

_HOURS: Schema = {
    "type": "string",
    "pattern": r"^\d+\.\d\d$",
    "description": "Lesson hours of 45 minutes, rounded down",
}
_STATUS: Schema = {"type": "array", "items": {"type": "string", "enum": [str(status) for status in Status]}}
_REASON: Schema = {"type": "string", "enum": [str(reason) for reason in Reason]}
_SPANS: Schema = {"type": "array", "items": _object({"from": _TIME, "to": _TIME})}
_ATTENDANCE = _object(
    {
        "person": _TEXT,
        "name": _TEXT,
        "first_online_at": _TIME,
        "last_offline_at": _or_null(_TIME),
        "spans": {**_SPANS, "description": "Presence, with gaps of at most a minute left out"},
        "session_s": _COUNT,
        "cumulative_s": {**_COUNT, "description": "With earlier lessons of the course"},
        "credited_s": _COUNT,
        "adjusted_s": {"type": "integer"},
        "lesson_hours": _HOURS,
        "status": _STATUS,
        "checks": _ref("CheckCount"),
        "void": {
            "type": "array",
            "items": _object({"from": _TIME, "to": _TIME, "reason": _REASON, "clause": _TEXT}),
        },
    }
)

_DAY: Schema = {"type": "string", "format": "date"}
_STEPS: Schema = {
    "type": "array",
    "items": _object({"name": _TEXT, "from": _DAY, "seconds": _COUNT, "change_s": {"type": "integer"}}),
}
_STATISTICS = _object(
    {
        "lessons": _COUNT,
        "session_s": _COUNT,
        "cumulative_s": {**_COUNT, "description": "Credited, ever"},
        "lesson_hours": _HOURS,
        "from": _DAY,
        "to": _DAY,
        "period_s": _COUNT,
        "active_days": _COUNT,
        "average_active_day_s": _COUNT,
        "average_calendar_day_s": _COUNT,
        "days": _STEPS,
        "weeks": {**_STEPS, "description": "Whole weeks from Monday on"},
        "months": {**_STEPS, "description": "Whole months"},
    }
)

SCHEMAS: dict[str, Schema] = {
    "ChallengeAsked": _object({"id": _TEXT, "kind": _CHECK_KIND, "asked": _COUNT, "deadline_at": _TIME}),
    "Challenge": _object(
        {
            "id": _TEXT,
            "person": _TEXT,
            "number": _COUNT,
            "kind": _CHECK_KIND,
            "cause": {"type": "string", "enum": ["random", "asked"]},
            "by": _TEXT,
            "issued_at": _TIME,
            "deadline_at": _TIME,
            "answered_at": _or_null(_TIME),
            "result": _or_null(_TEXT),
            "detail": _TEXT,
        }
    ),
    "ChallengeList": _list("Challenge"),
    "Problem": {
        **_object(
            {"type": _TEXT, "title": _TEXT, "status": {"type": "integer"}, "detail": _TEXT, "code": _TEXT}
        ),
        "description": "RFC 9457; `code` is stable, docs/PROTOCOL.md lists them",
    },
    "Object": _OBJECT,
    "Health": _object({"status": _TEXT}, {"parts": {"type": "object", "additionalProperties": _FLAG}}),
    "Measured": {
        **_object(
            {
                "viewers": _COUNT,
                "flags_ms": _NUMBER,
                "udp_ms": _or_null(_NUMBER),
                "tcp_ms": _or_null(_NUMBER),
                "told_ms": _or_null(_NUMBER),
                "dark_ms": _or_null(_NUMBER),
            }
        ),
        "description": "Milliseconds after the request began to be read; docs/PROTOCOL.md says of what",
    },
    "RestoreAsked": _object({"by": _TEXT, "reason": _TEXT, "at": _TIME, "expires_at": _TIME}),
    "Cut": _object(
        {
            "level": {"type": "string", "enum": LEVELS},
            "reason": _TEXT,
            "at": _TIME,
            "by": _TEXT,
            "epoch": _COUNT,
            "measured": _or_null(_ref("Measured")),
            "restore": _or_null(_ref("RestoreAsked")),
        }
    ),
    "CutEntry": _object(
        {
            "id": _TEXT,
            "node": _TEXT,
            "epoch": _COUNT,
            "level": {"type": "string", "enum": LEVELS},
            "person": _or_null(_TEXT),
            "reason": _TEXT,
            "by": _TEXT,
            "at": _TIME,
            "measured": _or_null(_ref("Measured")),
            "restored_at": _or_null(_TIME),
            "restored_by": _or_null(_TEXT),
        }
    ),
    "CutList": _list("CutEntry"),
    "Lesson": _object(
        {
            "id": _TEXT,
            "title": _TEXT,
            "state": {"type": "string", "enum": STATES},
            "viewers": _COUNT,
            "publishing": _FLAG,
            "sources": _or_null(_OBJECT),
            "instructor": _TEXT,
            "created_at": _TIME,
            "started_at": _or_null(_TIME),
            "ended_at": _or_null(_TIME),
            "cut": _or_null(_ref("Cut")),
            "programmes": _PROGRAMMES,
            "preset": _TEXT,
            "planned_s": _or_null(_COUNT),
            "course": _TEXT,
        }
    ),
    "LessonList": _list("Lesson"),
    "CreatedLesson": _object({"id": _TEXT, "pages": _MAP, "tokens": _MAP}),
    "Token": _object({"token": _TEXT}),
    "TokenList": _object({"tokens": {"type": "array", "items": _TEXT}}),
    "CutDone": _object(
        {"level": _TEXT, "reason": _TEXT, "at": _TIME, "epoch": _COUNT},
        {"dark_ms": {"type": ["number", "null"], "description": "Milliseconds until nothing was sent"}},
    ),
    "RestoreDone": _object({"state": {"const": "restored"}, "reason": _TEXT, "at": _TIME, "epoch": _COUNT}),
    "RestoreWaiting": _object(
        {
            "state": {"const": "waiting_for_second"},
            "by": _TEXT,
            "reason": _TEXT,
            "at": _TIME,
            "expires_at": _TIME,
            "epoch": _COUNT,
        }
    ),
    "Recording": _object(
        {
            "id": _TEXT,
            "lesson": _TEXT,
            "state": {"type": "string", "enum": ["recording", "sealing", "sealed", "failed", "deleted"]},
            "sha256": _or_null(_HASH),
            "size": _or_null(_COUNT),
            "duration_ms": _or_null(_COUNT),
            "url": _or_null(_TEXT),
            "retain_until": _or_null(_TIME),
            "locked": _FLAG,
            "started_at": _TIME,
            "gaps": {"type": "array", "items": _OBJECT},
        },
        {
            "title": _TEXT,
            "detail": _TEXT,
            "programmes": _PROGRAMMES,
            "hold": {"type": "string", "description": "Why it is under legal hold, empty if it is not"},
            "deleted_at": _or_null(_TIME),
        },
    ),
    "RecordingList": _list("Recording"),
    "Chapter": _object(
        {"from_ms": _COUNT, "to_ms": _COUNT, "thumbnail": _or_null(_TEXT), "url": _or_null(_TEXT)}
    ),
    "Watch": _object(
        {
            "recording": _ref("Recording"),
            "viewer": {"type": "string", "description": "Whose name the picture is marked with"},
            "expires_at": {**_TIME, "description": "When the addresses end"},
            "chapters": {"type": "array", "items": _ref("Chapter")},
            "chapters_url": {**_or_null(_TEXT), "description": "The chapters as WebVTT"},
        }
    ),
    "Storage": _object(
        {
            "store": {"type": "string", "enum": ["disk", "s3"]},
            "lock": {"type": "string", "enum": ["proven", "not_enforced", "unknown", "none"]},
            "lock_detail": _TEXT,
            "alarms": {
                "type": "array",
                "items": {"type": "string", "enum": ["away", "lock_not_enforced", "backlog", "disk_low"]},
            },
            "failing": _TEXT,
            "objects": _COUNT,
            "bytes": _COUNT,
            "unlocked_objects": _COUNT,
            "damaged_objects": _COUNT,
            "overdue_readings": _COUNT,
            "waiting_objects": _COUNT,
            "waiting_bytes": _COUNT,
            "free_bytes": _or_null(_COUNT),
            "bytes_per_day": _COUNT,
            "forecast": {
                "type": "array",
                "items": _object({"month": _TEXT, "gb": {"type": "number", "minimum": 0}}),
                "description": "GB (10^9 bytes) kept when a month begins, going on as in the last 30 days",
            },
        }
    ),
    "DueRecording": _object(
        {
            "id": _TEXT,
            "lesson": _TEXT,
            "started_at": _TIME,
            "retain_until": _TIME,
            "months": _COUNT,
            "programmes": _PROGRAMMES,
            "size": _COUNT,
            "sha256": _or_null(_HASH),
        }
    ),
    "DueList": _object({"items": {"type": "array", "items": _ref("DueRecording")}}),
    "Deletions": _object(
        {
            "deleted": {"type": "array", "items": _TEXT},
            "refused": {"type": "array", "items": _object({"id": _TEXT, "code": _TEXT})},
        }
    ),
    "Hold": _object({"recording": _TEXT, "hold": _TEXT}),
    "Attendance": _ATTENDANCE,
    "AttendanceList": {
        **_object(
            {
                "items": {"type": "array", "items": _ref("Attendance")},
                "next": _or_null(_TEXT),
                "teaching_s": _COUNT,
                "lecturer_s": {**_COUNT, "description": "Teaching time with a lecturer"},
                "preset": _TEXT,
                "settlement": _or_null(_ref("Settlement")),
            }
        ),
        "description": "`settlement` is null while the rows are provisional",
    },
    "ExplainedHours": {
        "allOf": [
            _ref("Attendance"),
            _object(
                {
                    "lesson": _TEXT,
                    "title": _TEXT,
                    "teaching_s": _COUNT,
                    "lecturer_s": _COUNT,
                    "teaching": _SPANS,
                    "lecturer": _SPANS,
                    "reckoned_s": {**_COUNT, "description": "Before adjustments"},
                    "lost": {
                        "type": "array",
                        "items": _object({"reason": _REASON, "seconds": _COUNT, "clause": _TEXT}),
                    },
                    "days": {"type": "object", "additionalProperties": _COUNT},
                    "policy": _OBJECT,
                    "settlement": _or_null(_ref("Settlement")),
                    "adjustments": {"type": "array", "items": _ref("Adjustment")},
                }
            ),
        ]
    },
    "Settlement": _object(
        {"revision": _COUNT, "at": _TIME, "reason": _TEXT, "ledger_size": _COUNT, "sha256": _HASH}
    ),
    "SettlementList": _list("Settlement"),
    "Adjustment": _object(
        {
            "id": _TEXT,
            "lesson": _TEXT,
            "person": _TEXT,
            "delta_s": {"type": "integer"},
            "reason": _TEXT,
            "state": {"type": "string", "enum": ["requested", "approved", "refused"]},
            "requested_by": _TEXT,
            "requested_at": _TIME,
            "decided_by": _TEXT,
            "decided_at": _or_null(_TIME),
            "decision": _TEXT,
        }
    ),
    "AdjustmentList": _list("Adjustment"),
    "OwnLesson": _object(
        {
            "lesson": _TEXT,
            "title": _TEXT,
            "course": _TEXT,
            "started_at": _or_null(_TIME),
            "session_s": _COUNT,
            "credited_s": _COUNT,
            "lesson_hours": _HOURS,
            "status": _STATUS,
            "checks": _ref("CheckCount"),
            "revision": _or_null(_COUNT),
        }
    ),
    "OwnHours": _object(
        {
            "items": {"type": "array", "items": _ref("OwnLesson")},
            "next": _or_null(_TEXT),
            "credited_s": _COUNT,
            "lesson_hours": _HOURS,
        }
    ),
    "CheckCount": _object({"issued": _COUNT, "passed": _COUNT, "missed": _COUNT}),
    "Appeal": _object({"text": _TEXT, "by": _TEXT, "at": _TIME}),
    "Receipt": {**_OBJECT, "description": "What was seen, by its hash, and all that repeats the decision"},
    "Incident": _object(
        {
            "id": _TEXT,
            "lesson": _TEXT,
            "title": _TEXT,
            "at": _TIME,
            "until": {**_TIME, "description": "When it was last seen"},
            "kind": {"type": "string", "enum": [*(str(kind) for kind in Kind), "blind"]},
            "category": _CATEGORY,
            "score": _SHARE,
            "action": _ACTION,
            "state": {"type": "string", "enum": ["open", "confirmed", "dismissed"]},
            "count": {"type": "integer", "minimum": 1},
            "person": _TEXT,
            "name": _TEXT,
            "track": _TEXT,
            "text": _TEXT,
            "line": {"type": "string", "description": "The chat line it is about"},
            "why": _TEXTS,
            "lines": {
                "type": "array",
                "items": _object(
                    {
                        "line": _TEXT,
                        "box": {"type": "array", "items": {"type": "integer"}, "minItems": 4, "maxItems": 4},
                        "label": _CATEGORY,
                    }
                ),
            },
            "evidence": {**_or_null(_TEXT), "description": "The picture's address"},
            "receipt": _ref("Receipt"),
            "appeal": _or_null(_ref("Appeal")),
            "decided": _or_null(_ref("Decided")),
        }
    ),
    "Decided": _object(
        {
            "outcome": {"type": "string", "enum": ["confirmed", "dismissed"]},
            "note": _TEXT,
            "by": _TEXT,
            "at": _TIME,
        }
    ),
    "IncidentList": _list("Incident"),
    "ScreeningStatistics": _object(
        {
            "since": _TIME,
            "items": {
                "type": "array",
                "items": _object(
                    {
                        "kind": _TEXT,
                        "category": _CATEGORY,
                        "found": _COUNT,
                        "open": _COUNT,
                        "confirmed": _COUNT,
                        "dismissed": _COUNT,
                        "precision": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
                    }
                ),
            },
            "blind_s": {"type": "number", "minimum": 0},
            "blind_spells": _COUNT,
            "median_decision_s": {"type": ["number", "null"], "minimum": 0},
        }
    ),
    "Mute": _object({"person": _TEXT, "name": _TEXT, "active": _FLAG, "reason": _TEXT, "at_ms": _MS}),
    "LineRemoved": _object({"id": _TEXT, "removed": _FLAG}),
    "Rule": _object(
        {
            "kind": {"type": "string", "enum": [str(kind) for kind in Kind]},
            "category": _CATEGORY,
            "threshold": _SHARE,
            "action": _ACTION,
        }
    ),
    "Policy": {
        **_object(
            {},
            {
                "name": _TEXT,
                "version": _COUNT,
                "mode": {"type": "string", "enum": [str(mode) for mode in Mode]},
                "delay_ms": {"type": "integer", "minimum": 1000, "maximum": 3000},
                "blind_after_ms": {"type": "integer", "minimum": 1000, "maximum": 600_000},
                "when_blind": {"type": "string", "enum": [str(when) for when in WhenBlind]},
                "two_person_restore": _FLAG,
                "mute_after": {"type": "integer", "minimum": 0, "maximum": 100},
                "rules": {"type": "array", "items": _ref("Rule"), "maxItems": 256},
                "versions": {"type": "array", "items": _ref("Version")},
            },
        ),
        "description": "What a PUT leaves out is as in the policy default",
    },
    "PolicyChoice": {
        "oneOf": [_object({"name": _TEXT}, {"version": _COUNT}), _ref("Policy")],
        "description": "A kept policy by its name, or a whole policy",
    },
    "Version": _object(
        {"version": _COUNT, "entries": _COUNT, "sha256": _TEXT, "at": _TIME, "by": _TEXT}, {"name": _TEXT}
    ),
    "VersionList": _list("Version"),
    "Lexicon": _object(
        {
            "name": _TEXT,
            "version": _COUNT,
            "entries": _COUNT,
            "sha256": _TEXT,
            "text": {"type": "string", "description": "Its rows in order, tab-separated"},
            "versions": {"type": "array", "items": _ref("Version")},
        }
    ),
    "LexiconTaken": _object(
        {
            "name": _TEXT,
            "version": {**_or_null(_COUNT), "description": "Null when nothing was taken"},
            "entries": _COUNT,
            "added": _COUNT,
            "removed": _COUNT,
            "errors": {
                "type": "array",
                "items": _object({"row": _COUNT, "code": _TEXT, "detail": _TEXT}),
            },
            "looked_at": {**_COUNT, "description": "Recent chat lines"},
            "hits": {
                "type": "array",
                "items": _object(
                    {
                        "line": _TEXT,
                        "lesson": _TEXT,
                        "name": _TEXT,
                        "text": _TEXT,
                        "at": _TIME,
                        "category": _CATEGORY,
                        "now": _ACTION,
                        "then": _ACTION,
                    }
                ),
            },
    "ExportGrant": _object(
        {
            "id": _TEXT,
            "lesson": _TEXT,
            "reason": _TEXT,
            "asked_by": _TEXT,
            "agreed_by": _TEXT,
            "expires_at": _TIME,
        }
    ),
    "LearnerStatistics": {
        "allOf": [
            _STATISTICS,
            _object(
                {
                    "person": _TEXT,
                    "courses": _object(
                        {
                            "joined": _COUNT,
                            "finished": _COUNT,
                            "unfinished": _COUNT,
                            "items": {"type": "array", "items": _OBJECT},
                        }
                    ),
                }
            ),
        ]
    },
    "CourseStatistics": {
        "allOf": [
            _STATISTICS,
            _object(
                {
                    "course": _TEXT,
                    "required_s": _or_null(_COUNT),
                    "held_lessons": _COUNT,
                    "learners": _COUNT,
                    "finished": _COUNT,
                    "items": {"type": "array", "items": _OBJECT},
                    "next": _or_null(_TEXT),
                }
            ),
        ]
    },
    "LedgerHead": _object({"size": _COUNT, "root": _HASH}),
    "Entry": _object(
        {
            "index": _COUNT,
            "type": _TEXT,
            "lesson": _or_null(_TEXT),
            "at": _TIME,
            "at_ms": _MS,
            "recorded_at_ms": _MS,
            "data": _OBJECT,
            "leaf": _HASH,
        }
    ),
    "EntryList": _list("Entry"),
    "LedgerProof": _object(
        {"index": _COUNT, "size": _COUNT, "leaf": _HASH, "path": {"type": "array", "items": _HASH}}
    ),
}

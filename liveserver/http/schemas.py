"""What the REST API answers, as JSON Schema (2020-12): the components of the OpenAPI document."""

from __future__ import annotations

from liveserver.core.events.cut import Level
from liveserver.core.events.lesson import LessonState
from liveserver.core.people import Status
from liveserver.core.photo import Alive, Turn
from liveserver.core.quiz import QuestionKind
from liveserver.core.retention import Programme
from liveserver.http.schema import COUNT as _COUNT
from liveserver.http.schema import FLAG as _FLAG
from liveserver.http.schema import HASH as _HASH
from liveserver.http.schema import MS as _MS
from liveserver.http.schema import NUMBER as _NUMBER
from liveserver.http.schema import TEXT as _TEXT
from liveserver.http.schema import TIME as _TIME
from liveserver.http.schema import Schema
from liveserver.http.schema import list_of as _list
from liveserver.http.schema import object_of as _object
from liveserver.http.schema import or_null as _or_null
from liveserver.http.schema import ref as _ref

STATES = [str(state) for state in LessonState]
LEVELS = [str(level) for level in Level]

_CHECK_KIND: Schema = {"type": "string", "enum": ["quiz", "face"]}
_SIGNATURE: Schema = {"type": "string", "pattern": "^[0-9a-f]{128}$"}
_MAP: Schema = {"type": "object", "additionalProperties": _TEXT}
_OBJECT: Schema = {"type": "object"}
_PROGRAMMES: Schema = {"type": "array", "items": {"type": "string", "enum": [str(p) for p in Programme]}}

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
            "photo": _or_null(_TEXT),
            "turned": _or_null(_TEXT),
            "excuse": _or_null(_ref("Excuse")),
            "liveness": _or_null(_ref("Liveness")),
        }
    ),
    "Liveness": {
        **_object(
            {
                "alive": {"type": "string", "enum": [str(alive) for alive in Alive]},
                "why": _TEXT,
                "asked": {"type": "string", "enum": [str(turn) for turn in Turn]},
                "yaw": _or_null({"type": "array", "items": {"type": "integer"}}),
                "distance": _or_null(_COUNT),
            }
        ),
        "description": "Advice about two photos; it decides nothing",
    },
    "Excuse": _object({"before": _TEXT, "reason": _TEXT, "asked_by": _TEXT, "by": _TEXT}),
    "BankQuestion": _object(
        {
            "id": _TEXT,
            "course": {**_TEXT, "description": "Empty for everybody's"},
            "kind": {"type": "string", "enum": [str(kind) for kind in QuestionKind]},
            "text": _TEXT,
            "right": {"type": "array", "items": {"type": "integer"}},
            "by": _TEXT,
            "status": {"type": "string", "enum": [str(status) for status in Status]},
            "created_at": _TIME,
        },
        {"options": {"type": "array", "items": _TEXT}},
    ),
    "BankQuestionList": _list("BankQuestion"),
    "BankQuestionsAdded": _object({"items": {"type": "array", "items": _ref("BankQuestion")}}),
    "ConsentText": _object({"purpose": _TEXT, "text": _MAP, "sha256": _HASH}),
    "Consents": _object({"face": _FLAG}),
    "Reviewed": _object({"challenge": _TEXT, "person": _TEXT, "passed": _FLAG}),
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
    "Drill": _object(
        {
            "id": _TEXT,
            "lesson": _TEXT,
            "level": {"type": "string", "enum": LEVELS},
            "by": _TEXT,
            "at": _TIME,
            "viewers": _COUNT,
            "rounds": _COUNT,
            "seen": _OBJECT,
            "server": _OBJECT,
        }
    ),
    "DrillList": _list("Drill"),
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
            "planned_start": _or_null(_TIME),
            "course": _TEXT,
            "course_id": _TEXT,
            "class": _TEXT,
            "project": _TEXT,
        }
    ),
    "LessonList": _list("Lesson"),
    "CreatedLesson": _object({"id": _TEXT, "pages": _MAP, "tokens": _MAP}),
    "Token": _object({"token": _TEXT}),
    "TokenList": _object(
        {"tokens": {"type": "array", "items": _TEXT}},
        {"people": {"type": "array", "items": _object({"person": _TEXT, "name": _TEXT, "token": _TEXT})}},
    ),
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
            "series": {**_TEXT, "description": "The first reel's id, which all reels of a long one share"},
            "reel": {**_COUNT, "description": "Its number, from 1"},
            "begins_ms": {**_COUNT, "description": "Where it begins, from the first one's beginning"},
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
            "captions_url": {**_or_null(_TEXT), "description": "What is said as WebVTT, where it is written"},
            "reels": {
                "type": "array",
                "description": "All files of a long recording in their order, this one among them",
                "items": _object(
                    {
                        "recording": _ref("Recording"),
                        "chapters": {"type": "array", "items": _ref("Chapter")},
                        "chapters_url": _or_null(_TEXT),
                        "captions_url": _or_null(_TEXT),
                    }
                ),
            },
        }
    ),
    "Storage": _object(
        {
            "store": {"type": "string", "enum": ["disk", "s3"]},
            "lock": {"type": "string", "enum": ["proven", "not_enforced", "unknown", "none"]},
            "lock_detail": _TEXT,
            "alarms": {
                "type": "array",
                "items": {
                    "type": "string",
                    "enum": ["away", "lock_not_enforced", "backlog", "disk_low", "disk_failing"],
                },
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
    "Sample": _object(
        {
            "id": _TEXT,
            "by": _TEXT,
            "at": _TIME,
            "since": _TEXT,
            "until": _TEXT,
            "percent": _COUNT,
            "seed": _HASH,
            "population": _COUNT,
            "population_sha256": _HASH,
            "total_s": _COUNT,
            "drawn_s": _COUNT,
            "lessons": {"type": "array", "items": _ref("SampledLesson")},
        },
        {"entry": _COUNT},
    ),
    "SampledLesson": _object(
        {
            "id": _TEXT,
            "title": _TEXT,
            "state": {"type": "string", "enum": STATES},
            "started_at": _or_null(_TIME),
            "ended_at": _or_null(_TIME),
        }
    ),
    "SampleList": _list("Sample"),
    "View": _object(
        {"what": _TEXT, "lesson": _or_null(_TEXT), "title": _TEXT, "subject": _TEXT, "at": _TIME}
    ),
    "ViewList": _list("View"),
    "LedgerHead": _object({"size": _COUNT, "root": _HASH, "signed": _or_null(_ref("SignedHead"))}),
    "SignedHead": _object(
        {
            "type": _TEXT,
            "log": _HASH,
            "size": _COUNT,
            "root": _HASH,
            "at_ms": _MS,
            "key": _HASH,
            "previous": _or_null(_HASH),
            "signature": _SIGNATURE,
        }
    ),
    "SignedHeadList": _list("SignedHead"),
    "Receipt": _object(
        {
            "type": _TEXT,
            "log": _HASH,
            "fact": _HASH,
            "at_ms": _MS,
            "key": _HASH,
            "index": _or_null(_COUNT),
            "leaf": _or_null(_HASH),
            "signature": _SIGNATURE,
        }
    ),
    "LogKey": _object(
        {
            "type": _TEXT,
            "log": _HASH,
            "number": _COUNT,
            "public": _HASH,
            "at_ms": _MS,
            "key": _HASH,
            "size": _COUNT,
            "signature": _SIGNATURE,
            "accepted": _SIGNATURE,
        }
    ),
    "LogKeyList": _list("LogKey"),
    "Witness": _object(
        {
            "witness": _TEXT,
            "size": _COUNT,
            "behind_s": _NUMBER,
            "refused": _TEXT,
            "reason": _TEXT,
            "weakness": _TEXT,
            "alarm": _FLAG,
        }
    ),
    "WitnessList": _list("Witness"),
    "Act": _object(
        {
            "index": _COUNT,
            "at": _TIME,
            "at_ms": _MS,
            "by": _TEXT,
            "role": _TEXT,
            "act": _TEXT,
            "on": _OBJECT,
            "outcome": _TEXT,
            "changes": {
                "type": "array",
                "items": _object({"index": _COUNT, "type": _TEXT, "before": {}, "after": {}}),
            },
        }
    ),
    "ActList": _list("Act"),
    "AuditReport": _object(
        {
            "at": _TIME,
            "index": _COUNT,
            "witnesses": {"type": "array", "items": _ref("Witness")},
            "report": _OBJECT,
        }
    ),
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
        {"path": {"type": "array", "items": _HASH}},
        {"index": _COUNT, "size": _COUNT, "leaf": _HASH, "first": _COUNT, "second": _COUNT},
    ),
}

"""What the REST API answers about random checks."""

from __future__ import annotations

from liveserver.core.people import Status
from liveserver.core.photo import Alive, Turn
from liveserver.core.quiz import QuestionKind
from liveserver.http.schemas.words import (
    COUNT,
    FLAG,
    HASH,
    MAP,
    TEXT,
    TIME,
    Schema,
    list_of,
    object_of,
    or_null,
    ref,
)

_CHECK_KIND: Schema = {"type": "string", "enum": ["quiz", "face"]}

COMPONENTS: dict[str, Schema] = {
    "ChallengeAsked": object_of({"id": TEXT, "kind": _CHECK_KIND, "asked": COUNT, "deadline_at": TIME}),
    "Challenge": object_of(
        {
            "id": TEXT,
            "person": TEXT,
            "number": COUNT,
            "kind": _CHECK_KIND,
            "cause": {"type": "string", "enum": ["random", "asked"]},
            "by": TEXT,
            "issued_at": TIME,
            "deadline_at": TIME,
            "answered_at": or_null(TIME),
            "result": or_null(TEXT),
            "detail": TEXT,
            "photo": or_null(TEXT),
            "turned": or_null(TEXT),
            "excuse": or_null(ref("Excuse")),
            "liveness": or_null(ref("Liveness")),
        }
    ),
    "Liveness": {
        **object_of(
            {
                "alive": {"type": "string", "enum": [str(alive) for alive in Alive]},
                "why": TEXT,
                "asked": {"type": "string", "enum": [str(turn) for turn in Turn]},
                "yaw": or_null({"type": "array", "items": {"type": "integer"}}),
                "distance": or_null(COUNT),
            }
        ),
        "description": "Advice about two photos; it decides nothing",
    },
    "Excuse": object_of({"before": TEXT, "reason": TEXT, "asked_by": TEXT, "by": TEXT}),
    "BankQuestion": object_of(
        {
            "id": TEXT,
            "course": {**TEXT, "description": "Empty for everybody's"},
            "kind": {"type": "string", "enum": [str(kind) for kind in QuestionKind]},
            "text": TEXT,
            "right": {"type": "array", "items": {"type": "integer"}},
            "by": TEXT,
            "status": {"type": "string", "enum": [str(status) for status in Status]},
            "created_at": TIME,
        },
        {"options": {"type": "array", "items": TEXT}},
    ),
    "BankQuestionList": list_of("BankQuestion"),
    "BankQuestionsAdded": object_of({"items": {"type": "array", "items": ref("BankQuestion")}}),
    "ConsentText": object_of({"purpose": TEXT, "text": MAP, "sha256": HASH}),
    "Consents": object_of({"face": FLAG}),
    "Reviewed": object_of({"challenge": TEXT, "person": TEXT, "passed": FLAG}),
    "ChallengeList": list_of("Challenge"),
}

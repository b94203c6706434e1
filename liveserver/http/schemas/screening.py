"""What the REST API answers about screening: part of the components of the OpenAPI document."""

from __future__ import annotations

from liveserver.core.screening import Action, Category, Kind, Mode, WhenBlind
from liveserver.http.schemas.words import (
    COUNT,
    FLAG,
    HASH,
    MS,
    TEXT,
    TIME,
    Schema,
    list_of,
    object_of,
    or_null,
    ref,
)

_OBJECT: Schema = {"type": "object"}
_TEXTS: Schema = {"type": "array", "items": TEXT}
_SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
_CATEGORY: Schema = {"type": "string", "enum": [str(category) for category in Category]}
_ACTION: Schema = {"type": "string", "enum": [str(action) for action in Action]}

COMPONENTS: dict[str, Schema] = {
    "Appeal": object_of({"text": TEXT, "by": TEXT, "at": TIME}),
    "DecisionReceipt": {
        **_OBJECT,
        "description": "What was seen, by its hash, and all that repeats the decision",
    },
    "Incident": object_of(
        {
            "id": TEXT,
            "lesson": TEXT,
            "title": TEXT,
            "at": TIME,
            "until": {**TIME, "description": "When it was last seen"},
            "kind": {"type": "string", "enum": [*(str(kind) for kind in Kind), "blind"]},
            "category": _CATEGORY,
            "score": _SHARE,
            "action": _ACTION,
            "state": {"type": "string", "enum": ["open", "confirmed", "dismissed"]},
            "count": {"type": "integer", "minimum": 1},
            "person": TEXT,
            "name": TEXT,
            "track": TEXT,
            "text": TEXT,
            "line": {"type": "string", "description": "The chat line it is about"},
            "why": _TEXTS,
            "lines": {
                "type": "array",
                "items": object_of(
                    {
                        "line": TEXT,
                        "box": {"type": "array", "items": {"type": "integer"}, "minItems": 4, "maxItems": 4},
                        "label": _CATEGORY,
                    }
                ),
            },
            "evidence": {**or_null(TEXT), "description": "The picture's address"},
            "receipt": ref("DecisionReceipt"),
            "appeal": or_null(ref("Appeal")),
            "decided": or_null(ref("Decided")),
        }
    ),
    "Decided": object_of(
        {
            "outcome": {"type": "string", "enum": ["confirmed", "dismissed"]},
            "note": TEXT,
            "by": TEXT,
            "at": TIME,
        }
    ),
    "IncidentList": list_of("Incident"),
    "ScreeningStatistics": object_of(
        {
            "since": TIME,
            "items": {
                "type": "array",
                "items": object_of(
                    {
                        "kind": TEXT,
                        "category": _CATEGORY,
                        "found": COUNT,
                        "open": COUNT,
                        "confirmed": COUNT,
                        "dismissed": COUNT,
                        "precision": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
                    }
                ),
            },
            "blind_s": {"type": "number", "minimum": 0},
            "blind_spells": COUNT,
            "median_decision_s": {"type": ["number", "null"], "minimum": 0},
        }
    ),
    "Mute": object_of({"person": TEXT, "name": TEXT, "active": FLAG, "reason": TEXT, "at_ms": MS}),
    "LineRemoved": object_of({"id": TEXT, "removed": FLAG}),
    "Rule": object_of(
        {
            "kind": {"type": "string", "enum": [str(kind) for kind in Kind]},
            "category": _CATEGORY,
            "threshold": _SHARE,
            "action": _ACTION,
        }
    ),
    "Policy": {
        **object_of(
            {},
            {
                "name": TEXT,
                "version": COUNT,
                "mode": {"type": "string", "enum": [str(mode) for mode in Mode]},
                "delay_ms": {"type": "integer", "minimum": 1000, "maximum": 3000},
                "blind_after_ms": {"type": "integer", "minimum": 1000, "maximum": 600_000},
                "when_blind": {"type": "string", "enum": [str(when) for when in WhenBlind]},
                "two_person_restore": FLAG,
                "mute_after": {"type": "integer", "minimum": 0, "maximum": 100},
                "rules": {"type": "array", "items": ref("Rule"), "maxItems": 256},
                "versions": {"type": "array", "items": ref("Version")},
            },
        ),
        "description": "What a PUT leaves out is as in the policy default",
    },
    "PolicyChoice": {
        "oneOf": [object_of({"name": TEXT}, {"version": COUNT}), ref("Policy")],
        "description": "A kept policy by its name, or a whole policy",
    },
    "Version": object_of(
        {"version": COUNT, "entries": COUNT, "sha256": TEXT, "at": TIME, "by": TEXT}, {"name": TEXT}
    ),
    "VersionList": list_of("Version"),
    "Model": object_of(
        {
            "name": TEXT,
            "kind": TEXT,
            "version": TEXT,
            "file": TEXT,
            "sha256": HASH,
            "size": COUNT,
            "licence": TEXT,
            "author": TEXT,
            "used_for": TEXT,
            "limits": TEXT,
            "state": {"type": "string", "enum": ["present", "missing", "damaged"]},
        }
    ),
    "ModelList": list_of("Model"),
    "Lexicon": object_of(
        {
            "name": TEXT,
            "version": COUNT,
            "entries": COUNT,
            "sha256": TEXT,
            "text": {"type": "string", "description": "Its rows in order, tab-separated"},
            "versions": {"type": "array", "items": ref("Version")},
        }
    ),
    "LexiconTaken": object_of(
        {
            "name": TEXT,
            "version": {**or_null(COUNT), "description": "Null when nothing was taken"},
            "entries": COUNT,
            "added": COUNT,
            "removed": COUNT,
            "errors": {
                "type": "array",
                "items": object_of({"row": COUNT, "code": TEXT, "detail": TEXT}),
            },
            "looked_at": {**COUNT, "description": "Recent chat lines"},
            "hits": {
                "type": "array",
                "items": object_of(
                    {
                        "line": TEXT,
                        "lesson": TEXT,
                        "name": TEXT,
                        "text": TEXT,
                        "at": TIME,
                        "category": _CATEGORY,
                        "now": _ACTION,
                        "then": _ACTION,
                    }
                ),
            },
        }
    ),
}

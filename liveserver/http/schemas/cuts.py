"""What the REST API answers about cuts and drills."""

from __future__ import annotations

from liveserver.core.events.cut import Level
from liveserver.http.schemas.words import (
    COUNT,
    NUMBER,
    OBJECT,
    TEXT,
    TIME,
    Schema,
    list_of,
    object_of,
    or_null,
    ref,
)

_LEVELS = [str(level) for level in Level]

COMPONENTS: dict[str, Schema] = {
    "Measured": {
        **object_of(
            {
                "viewers": COUNT,
                "flags_ms": NUMBER,
                "udp_ms": or_null(NUMBER),
                "tcp_ms": or_null(NUMBER),
                "told_ms": or_null(NUMBER),
                "dark_ms": or_null(NUMBER),
            }
        ),
        "description": "Milliseconds after the request began to be read; docs/PROTOCOL.md says of what",
    },
    "RestoreAsked": object_of({"by": TEXT, "reason": TEXT, "at": TIME, "expires_at": TIME}),
    "Cut": object_of(
        {
            "level": {"type": "string", "enum": _LEVELS},
            "reason": TEXT,
            "at": TIME,
            "by": TEXT,
            "epoch": COUNT,
            "measured": or_null(ref("Measured")),
            "restore": or_null(ref("RestoreAsked")),
        }
    ),
    "CutEntry": object_of(
        {
            "id": TEXT,
            "node": TEXT,
            "epoch": COUNT,
            "level": {"type": "string", "enum": _LEVELS},
            "person": or_null(TEXT),
            "reason": TEXT,
            "by": TEXT,
            "at": TIME,
            "measured": or_null(ref("Measured")),
            "restored_at": or_null(TIME),
            "restored_by": or_null(TEXT),
        }
    ),
    "CutList": list_of("CutEntry"),
    "CutDone": object_of(
        {"level": TEXT, "reason": TEXT, "at": TIME, "epoch": COUNT},
        {"dark_ms": {"type": ["number", "null"], "description": "Milliseconds until nothing was sent"}},
    ),
    "RestoreDone": object_of({"state": {"const": "restored"}, "reason": TEXT, "at": TIME, "epoch": COUNT}),
    "RestoreWaiting": object_of(
        {
            "state": {"const": "waiting_for_second"},
            "by": TEXT,
            "reason": TEXT,
            "at": TIME,
            "expires_at": TIME,
            "epoch": COUNT,
        }
    ),
    "Drill": object_of(
        {
            "id": TEXT,
            "lesson": TEXT,
            "level": {"type": "string", "enum": _LEVELS},
            "by": TEXT,
            "at": TIME,
            "viewers": COUNT,
            "rounds": COUNT,
            "seen": OBJECT,
            "server": OBJECT,
        }
    ),
    "DrillList": list_of("Drill"),
}

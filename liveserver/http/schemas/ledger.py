"""What the REST API answers about the ledger: entries, heads, witnesses, acts."""

from __future__ import annotations

from liveserver.http.schemas.words import (
    COUNT,
    FLAG,
    HASH,
    MS,
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

_SIGNATURE: Schema = {"type": "string", "pattern": "^[0-9a-f]{128}$"}

COMPONENTS: dict[str, Schema] = {
    "LedgerHead": object_of({"size": COUNT, "root": HASH, "signed": or_null(ref("SignedHead"))}),
    "SignedHead": object_of(
        {
            "type": TEXT,
            "log": HASH,
            "size": COUNT,
            "root": HASH,
            "at_ms": MS,
            "key": HASH,
            "previous": or_null(HASH),
            "signature": _SIGNATURE,
        }
    ),
    "SignedHeadList": list_of("SignedHead"),
    "Receipt": object_of(
        {
            "type": TEXT,
            "log": HASH,
            "fact": HASH,
            "at_ms": MS,
            "key": HASH,
            "index": or_null(COUNT),
            "leaf": or_null(HASH),
            "signature": _SIGNATURE,
        }
    ),
    "LogKey": object_of(
        {
            "type": TEXT,
            "log": HASH,
            "number": COUNT,
            "public": HASH,
            "at_ms": MS,
            "key": HASH,
            "size": COUNT,
            "signature": _SIGNATURE,
            "accepted": _SIGNATURE,
        }
    ),
    "LogKeyList": list_of("LogKey"),
    "Witness": object_of(
        {
            "witness": TEXT,
            "size": COUNT,
            "behind_s": NUMBER,
            "refused": TEXT,
            "reason": TEXT,
            "weakness": TEXT,
            "alarm": FLAG,
        }
    ),
    "WitnessList": list_of("Witness"),
    "Act": object_of(
        {
            "index": COUNT,
            "at": TIME,
            "at_ms": MS,
            "by": TEXT,
            "role": TEXT,
            "act": TEXT,
            "on": OBJECT,
            "outcome": TEXT,
            "changes": {
                "type": "array",
                "items": object_of({"index": COUNT, "type": TEXT, "before": {}, "after": {}}),
            },
        }
    ),
    "ActList": list_of("Act"),
    "Look": object_of(
        {
            "index": COUNT,
            "at": TIME,
            "at_ms": MS,
            "by": TEXT,
            "role": TEXT,
            "what": TEXT,
            "lesson": or_null(TEXT),
            "subject": TEXT,
        }
    ),
    "LookList": list_of("Look"),
    "AuditReport": object_of(
        {
            "at": TIME,
            "index": COUNT,
            "witnesses": {"type": "array", "items": ref("Witness")},
            "report": OBJECT,
        }
    ),
    "Entry": object_of(
        {
            "index": COUNT,
            "type": TEXT,
            "lesson": or_null(TEXT),
            "at": TIME,
            "at_ms": MS,
            "recorded_at_ms": MS,
            "data": OBJECT,
            "leaf": HASH,
        }
    ),
    "EntryList": list_of("Entry"),
    "LedgerProof": object_of(
        {"path": {"type": "array", "items": HASH}},
        {"index": COUNT, "size": COUNT, "leaf": HASH, "first": COUNT, "second": COUNT},
    ),
}

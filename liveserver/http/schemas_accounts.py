"""What the REST API answers about accounts and signing in: part of the components of the OpenAPI document."""

from __future__ import annotations

from liveserver.core.log_in import Ended, Method, Need
from liveserver.core.permissions import Role
from liveserver.http.schema import COUNT, FLAG, TEXT, TIME, Schema, list_of, object_of, or_null

_ROLE: Schema = {"type": "string", "enum": [str(role) for role in Role]}
_METHOD: Schema = {"type": "string", "enum": [str(method) for method in Method]}
_ACCOUNT: dict[str, Schema] = {
    "person": TEXT,
    "sign_in_name": TEXT,
    "name": TEXT,
    "role": or_null({"type": "string", "description": "Over all lessons"}),
    "has_password": FLAG,
    "passkeys": COUNT,
    "made_at": TIME,
    "closed_at": or_null(TIME),
}
_SESSION: dict[str, Schema] = {
    "token": TEXT,
    "expires_at": TIME,
    "person": TEXT,
    "name": TEXT,
    "role": _ROLE,
    "account_role": or_null(TEXT),
    "method": _METHOD,
    "needs": {
        "type": "array",
        "items": {"type": "string", "enum": [str(need) for need in Need]},
        "description": "What keeps the bearer from the account's role",
    },
}

ACCOUNTS: dict[str, Schema] = {
    "Account": object_of(_ACCOUNT, {"locked": FLAG}),
    "AccountList": list_of("Account"),
    "NewAccount": object_of({**_ACCOUNT, "link": TEXT}),
    "PasswordLink": object_of({"link": TEXT}),
    "Removed": object_of({"removed": COUNT}),
    "Session": object_of(_SESSION),
    "SetUp": object_of({"token": TEXT}, _SESSION),
    "Stay": object_of(
        {
            "id": TEXT,
            "this": FLAG,
            "method": _METHOD,
            "began_at": TIME,
            "seen_at": TIME,
            "ended_at": or_null(TIME),
            "ended": or_null({"type": "string", "enum": [str(ended) for ended in Ended]}),
            "address": TEXT,
            "agent": TEXT,
        }
    ),
    "StayList": list_of("Stay"),
}

"""What the REST API answers about accounts and signing in: part of the components of the OpenAPI document."""

from __future__ import annotations

from liveserver.core.identity import State
from liveserver.core.log_in import Ended, Method, Need
from liveserver.core.permissions import Role
from liveserver.http.schemas.words import COUNT, FLAG, TEXT, TIME, Schema, list_of, object_of, or_null

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

COMPONENTS: dict[str, Schema] = {
    "Account": object_of(_ACCOUNT, {"locked": FLAG}),
    "AccountList": list_of("Account"),
    "NewAccount": object_of({**_ACCOUNT, "link": TEXT}),
    "LessonEntry": object_of({"role": _ROLE, "token": TEXT, "pages": {"type": "object"}}),
    "Identity": object_of(
        {
            "person": TEXT,
            "kind": TEXT,
            "number": {**TEXT, "description": "Masked"},
            "state": {"type": "string", "enum": [str(state) for state in State]},
            "method": or_null(TEXT),
            "noted_by": or_null(TEXT),
            "noted_at": TIME,
            "seconded_by": or_null(TEXT),
            "changed_at": TIME,
            "same_number": {"type": "array", "items": TEXT, "description": "Other persons with this number"},
        }
    ),
    "IdentityNote": object_of({"note": TEXT}),
    "Passkey": object_of({"id": TEXT, "label": TEXT, "made_at": TIME, "used_at": or_null(TIME)}),
    "PasskeyCode": object_of({"code": TEXT, "until": TIME}),
    "PasskeyList": list_of("Passkey"),
    "PasskeyOptions": object_of(
        {"ticket": TEXT, "public_key": {"type": "object", "description": "WebAuthn Level 3, 5.1.8 and 5.1.9"}}
    ),
    "PasswordLink": object_of({"link": TEXT}),
    "Revocation": object_of({"person": or_null(TEXT), "token": or_null(TEXT)}),
    "Removed": object_of({"removed": COUNT}),
    "Session": object_of(_SESSION),
    "SetUp": object_of({"token": TEXT}, _SESSION),
    "SignInWays": object_of(
        {"oidc": or_null({"type": "object", "description": "label and url"}), "known": FLAG}
    ),
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

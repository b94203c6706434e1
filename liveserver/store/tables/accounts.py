"""The tables of signing in: accounts, passkeys, stays, attempts, and proofs of identity."""

from __future__ import annotations

import sqlalchemy as sa

from liveserver.store.tables.base import METADATA, WHOLE

ACCOUNTS = sa.Table(
    "accounts",
    METADATA,
    sa.Column("person", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),  # what one signs in by, folded
    sa.Column("shown", sa.Text, nullable=False),
    sa.Column("password", sa.Text, nullable=False),  # Argon2id in PHC form; "" for none
    sa.Column("password_at_ms", WHOLE, nullable=False),
    sa.Column("role", sa.Text, nullable=False),  # for all lessons; "" for most
    sa.Column("link", sa.Text, nullable=False),  # the last link by which a password may be set
    sa.Column("made_at_ms", WHOLE, nullable=False),
    sa.Column("closed_at_ms", WHOLE),
    sa.UniqueConstraint("name", name="account_name_once"),
    sa.Index("accounts_of_role", "role", "person"),
    sa.Index("accounts_by_age", "made_at_ms", "person"),
)

PASSKEYS = sa.Table(
    "passkeys",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),  # base64url of the credential's id
    sa.Column("person", sa.Text, nullable=False),
    sa.Column("public_key", sa.LargeBinary, nullable=False),  # COSE (RFC 9052)
    sa.Column("count", WHOLE, nullable=False),
    sa.Column("label", sa.Text, nullable=False),
    sa.Column("made_at_ms", WHOLE, nullable=False),
    sa.Column("used_at_ms", WHOLE),
    sa.Index("passkeys_of_person", "person", "made_at_ms"),
)

# What an administrator gave somebody for a first passkey (`core.passkey_code`).
PASSKEY_CODES = sa.Table(
    "passkey_codes",
    METADATA,
    sa.Column("person", sa.Text, primary_key=True),
    sa.Column("mark", sa.LargeBinary, nullable=False),  # HMAC-SHA256
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("until_ms", WHOLE, nullable=False),
    sa.Column("tries", WHOLE, nullable=False),
)

STAYS = sa.Table(
    "stays",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("person", sa.Text, nullable=False),
    sa.Column("handle", sa.LargeBinary, nullable=False),  # SHA-256
    sa.Column("before", sa.LargeBinary, nullable=False),  # of the one before
    sa.Column("exchanged_at_ms", WHOLE, nullable=False),
    sa.Column("began_at_ms", WHOLE, nullable=False),
    sa.Column("seen_at_ms", WHOLE, nullable=False),
    sa.Column("method", sa.Text, nullable=False),
    sa.Column("address", sa.Text, nullable=False),
    sa.Column("agent", sa.Text, nullable=False),
    sa.Column("ended_at_ms", WHOLE),
    sa.Column("ended", sa.Text, nullable=False),
    sa.Index("stays_of_person", "person", "began_at_ms"),
    sa.Index("stays_by_sight", "seen_at_ms"),
)

# Of names that exist and of those that do not: by a keyed hash, so that what people type by mistake
# (a password in the wrong field) is nowhere.
ATTEMPTS = sa.Table(
    "sign_in_attempts",
    METADATA,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("count", WHOLE, nullable=False),
    sa.Column("since_ms", WHOLE, nullable=False),
    sa.Column("locked_until_ms", WHOLE, nullable=False),
    sa.Index("sign_in_attempts_by_age", "since_ms"),
)

# Whom an identity provider's subject is here. Bound at the first sign-in.
SUBJECTS = sa.Table(
    "oidc_subjects",
    METADATA,
    sa.Column("issuer", sa.Text, primary_key=True),
    sa.Column("subject", sa.Text, primary_key=True),
    sa.Column("person", sa.Text, nullable=False),
    sa.Column("bound_at_ms", WHOLE, nullable=False),
    sa.UniqueConstraint("issuer", "person", name="oidc_person_once"),
)

# Access tokens that were taken back (`core.revocation`).
REVOCATIONS = sa.Table(
    "revocations",
    METADATA,
    sa.Column("of", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("training_class", sa.Text, primary_key=True),
    sa.Column("role", sa.Text, primary_key=True),
    sa.Column("issued_until_s", WHOLE, nullable=False),
    sa.Column("spared", sa.Text, nullable=False),
    sa.Column("at_ms", WHOLE, nullable=False),
    sa.Column("until_ms", WHOLE, nullable=False),
    sa.Index("revocations_by_age", "at_ms"),
    sa.Index("revocations_by_end", "until_ms"),
)

IDENTITIES = sa.Table(
    "identities",
    METADATA,
    sa.Column("person", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("sealed", sa.LargeBinary, nullable=False),  # under the person's key; empty once erased
    sa.Column("mark", sa.LargeBinary, nullable=False),  # keyed hash: finds the same number elsewhere
    sa.Column("salt", sa.LargeBinary, nullable=False),  # of the commitment in the ledger
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("method", sa.Text, nullable=False),
    sa.Column("note", sa.LargeBinary, nullable=False),  # sealed as well
    sa.Column("noted_by", sa.Text, nullable=False),
    sa.Column("noted_at_ms", WHOLE, nullable=False),
    sa.Column("seconded_by", sa.Text, nullable=False),
    sa.Column("changed_at_ms", WHOLE, nullable=False),
    sa.Index("identities_by_mark", "mark"),
    sa.Index("identities_by_state", "state", "noted_at_ms"),
)

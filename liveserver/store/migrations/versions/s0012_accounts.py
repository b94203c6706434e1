"""Accounts, passkeys, stays, attempts to sign in, and proofs of identity."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the tables."""
    _create_accounts()
    _create_passkeys()
    _create_stays()
    _create_sign_in_attempts()
    _create_oidc_subjects()
    _create_identities()


def _create_accounts() -> None:
    op.create_table(
        "accounts",
        sa.Column("person", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("shown", sa.Text, nullable=False),
        sa.Column("password", sa.Text, nullable=False),
        sa.Column("password_at_ms", _WHOLE, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("link", sa.Text, nullable=False),
        sa.Column("made_at_ms", _WHOLE, nullable=False),
        sa.Column("closed_at_ms", _WHOLE),
        sa.UniqueConstraint("name", name="account_name_once"),
    )
    op.create_index("accounts_of_role", "accounts", ["role", "person"])
    op.create_index("accounts_by_age", "accounts", ["made_at_ms", "person"])


def _create_passkeys() -> None:
    op.create_table(
        "passkeys",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("public_key", sa.LargeBinary, nullable=False),
        sa.Column("count", _WHOLE, nullable=False),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("made_at_ms", _WHOLE, nullable=False),
        sa.Column("used_at_ms", _WHOLE),
    )
    op.create_index("passkeys_of_person", "passkeys", ["person", "made_at_ms"])


def _create_stays() -> None:
    op.create_table(
        "stays",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("handle", sa.LargeBinary, nullable=False),
        sa.Column("before", sa.LargeBinary, nullable=False),
        sa.Column("exchanged_at_ms", _WHOLE, nullable=False),
        sa.Column("began_at_ms", _WHOLE, nullable=False),
        sa.Column("seen_at_ms", _WHOLE, nullable=False),
        sa.Column("method", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("agent", sa.Text, nullable=False),
        sa.Column("ended_at_ms", _WHOLE),
        sa.Column("ended", sa.Text, nullable=False),
    )
    op.create_index("stays_of_person", "stays", ["person", "began_at_ms"])
    op.create_index("stays_by_sight", "stays", ["seen_at_ms"])


def _create_sign_in_attempts() -> None:
    op.create_table(
        "sign_in_attempts",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("count", _WHOLE, nullable=False),
        sa.Column("since_ms", _WHOLE, nullable=False),
        sa.Column("locked_until_ms", _WHOLE, nullable=False),
    )
    op.create_index("sign_in_attempts_by_age", "sign_in_attempts", ["since_ms"])


def _create_oidc_subjects() -> None:
    op.create_table(
        "oidc_subjects",
        sa.Column("issuer", sa.Text, primary_key=True),
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("bound_at_ms", _WHOLE, nullable=False),
        sa.UniqueConstraint("issuer", "person", name="oidc_person_once"),
    )


def _create_identities() -> None:
    op.create_table(
        "identities",
        sa.Column("person", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("mark", sa.LargeBinary, nullable=False),
        sa.Column("salt", sa.LargeBinary, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("method", sa.Text, nullable=False),
        sa.Column("note", sa.LargeBinary, nullable=False),
        sa.Column("noted_by", sa.Text, nullable=False),
        sa.Column("noted_at_ms", _WHOLE, nullable=False),
        sa.Column("seconded_by", sa.Text, nullable=False),
        sa.Column("changed_at_ms", _WHOLE, nullable=False),
    )
    op.create_index("identities_by_mark", "identities", ["mark"])
    op.create_index("identities_by_state", "identities", ["state", "noted_at_ms"])

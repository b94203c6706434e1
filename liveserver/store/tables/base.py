"""What all tables share."""

from __future__ import annotations

import sqlalchemy as sa

# SQLite gives a gapless 64-bit key only to the type name INTEGER; PostgreSQL's INTEGER has 32 bits.
WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

METADATA = sa.MetaData()

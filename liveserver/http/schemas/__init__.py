"""What the REST API answers, as JSON Schema (2020-12): the components of the OpenAPI document."""

from __future__ import annotations

from liveserver.http.schemas import (
    accounts,
    checks,
    cuts,
    general,
    hours,
    inspections,
    ledger,
    lessons,
    people,
    recordings,
    screening,
)
from liveserver.http.schemas.words import Schema

PARTS = (general, lessons, cuts, checks, screening, recordings, hours, inspections, ledger, people, accounts)
COMPONENTS: dict[str, Schema] = {name: schema for part in PARTS for name, schema in part.COMPONENTS.items()}

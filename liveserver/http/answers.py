"""JSON answers of the REST API."""

from __future__ import annotations

import datetime
import json
from typing import Any

from aiohttp import web


def json_answer(value: Any, status: int = 200) -> web.Response:
    """`value` as JSON; never kept by a cache, for it is about a lesson that moves on."""
    return web.Response(
        status=status,
        body=json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(),
        headers={"Content-Type": "application/json", "Cache-Control": "no-store"},
    )


def rfc3339(ms: int | None) -> str | None:
    """Milliseconds since 1970 as RFC 3339 in UTC: 1767225600000 → `2026-01-01T00:00:00.000Z`."""
    if ms is None:
        return None
    moment = datetime.datetime.fromtimestamp(ms / 1000, datetime.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

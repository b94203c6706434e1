"""The attendance sheet to hand on: XLSX and CSV, masked; with whole names when two persons agree."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from aiohttp import web

from liveserver.core.permissions import Permission
from liveserver.hours.export import CSV, XLSX
from liveserver.http.answers import json_answer
from liveserver.http.api import PREFIX
from liveserver.http.api.attendance import hours
from liveserver.http.context import Call
from liveserver.http.fields import text
from liveserver.http.routes import LESSON, Route, Scope

GRANT = "{grant:[A-Za-z0-9_-]{1,64}}"


@dataclass(frozen=True, slots=True)
class ExportQuery:
    grant: str | None = text(1, 64, default=None)


@dataclass(frozen=True, slots=True)
class NewExport:
    reason: str = text(1, 200)


async def xlsx(call: Call[None, ExportQuery]) -> web.Response:
    return await _file(call, "xlsx", XLSX)


async def csv(call: Call[None, ExportQuery]) -> web.Response:
    return await _file(call, "csv", f"{CSV}; charset=utf-8")


async def ask(call: Call[NewExport, None]) -> web.Response:
    asked = await hours(call).ask_export(call.lesson, call.body.reason, call.bearer.person)
    return json_answer(asked, status=201)


async def agree(call: Call[None, None]) -> web.Response:
    """By another person than the one who asked."""
    grant = call.request.match_info["grant"]
    return json_answer(await hours(call).agree_export(grant, call.bearer.person))


async def _file(call: Call[None, ExportQuery], kind: str, content_type: str) -> web.Response:
    data = await hours(call).export(call.lesson, kind, call.bearer, call.query.grant)
    name = f"考勤表-{call.lesson}.{kind}"
    disposition = f"attachment; filename=\"attendance-{call.lesson}.{kind}\"; filename*=UTF-8''{quote(name)}"
    headers = {"Content-Type": content_type, "Content-Disposition": disposition, "Cache-Control": "no-store"}
    return web.Response(body=data, headers=headers)


_LESSON = f"{PREFIX}/lessons/{LESSON}"
ROUTES = (
    Route(
        "GET",
        f"{_LESSON}/attendance.xlsx",
        xlsx,
        "The attendance sheet as XLSX, with room for the seal",
        Scope.LESSON,
        {200: ("Masked, unless a grant of two persons is named", XLSX)},
        Permission.SEE_ATTENDANCE,
        query=ExportQuery,
        view="attendance_file",
    ),
    Route(
        "GET",
        f"{_LESSON}/attendance.csv",
        csv,
        "The attendance sheet as CSV",
        Scope.LESSON,
        {200: ("Masked, unless a grant of two persons is named", CSV)},
        Permission.SEE_ATTENDANCE,
        query=ExportQuery,
        view="attendance_file",
    ),
    Route(
        "POST",
        f"{_LESSON}/exports",
        ask,
        "Ask for an export with whole names",
        Scope.LESSON,
        {201: ("Asked; another person has to agree within the hour", "ExportGrant")},
        Permission.ASK_WHOLE_NAMES,
        body=NewExport,
    ),
    Route(
        "POST",
        f"{PREFIX}/exports/{GRANT}/agreement",
        agree,
        "Agree to an export with whole names that another person asked for",
        Scope.ALL,
        {200: ("Agreed", "ExportGrant")},
        Permission.ASK_WHOLE_NAMES,
    ),
)

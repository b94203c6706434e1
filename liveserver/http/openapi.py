"""The OpenAPI 3.1 document, built from the table of routes the application is built from."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from aiohttp import web

from liveserver import __version__
from liveserver.http import fields
from liveserver.http.api import PREFIX
from liveserver.http.assets import Asset
from liveserver.http.context import AnyCall
from liveserver.http.problems import CONTENT_TYPE
from liveserver.http.routes import Handler, Route, Scope
from liveserver.http.schemas import COMPONENTS

PATH = f"{PREFIX}/openapi.json"
_PARAMETER = re.compile(r"\{(\w+):((?:[^{}]|\{[^{}]*\})*)\}")


def route(others: Sequence[Route]) -> Route:
    """The route that serves the document of `others` and itself."""
    made: list[Asset] = []

    async def show(call: AnyCall) -> web.Response:
        return made[0].answer(call.request)

    itself = _itself(show)
    made.append(Asset.of(json.dumps(document([*others, itself])).encode(), "application/json"))
    return itself


def _itself(handler: Handler) -> Route:
    return Route("GET", PATH, handler, "This document", Scope.OPEN, {200: ("OpenAPI 3.1", "Object")})


def document(table: Sequence[Route]) -> dict[str, Any]:
    """Every route of `table` as an operation."""
    paths: dict[str, dict[str, Any]] = {}
    for row in table:
        path = _PARAMETER.sub(r"{\1}", row.path)
        paths.setdefault(path, {})[row.method.lower()] = _operation(row)
    return {
        "openapi": "3.1.0",
        "info": {"title": "liveserver", "version": __version__, "license": {"name": "Apache-2.0"}},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": COMPONENTS,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def _operation(row: Route) -> dict[str, Any]:
    answers = {str(status): _answer(words, body) for status, (words, body) in row.answers.items()}
    answers["default"] = {
        "description": "Refused",
        "content": {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    operation: dict[str, Any] = {"summary": row.summary, "responses": answers, "parameters": _parameters(row)}
    if row.permission is not None:
        operation["description"] = f"Needs the permission `{row.permission}`."
    if row.scope is not Scope.OPEN:
        operation["security"] = [{"token": []}]
    body = _body(row)
    if body:
        operation["requestBody"] = {"required": True, "content": body}
    return operation


def _answer(words: str, body: str | None) -> dict[str, Any]:
    if body is None:
        return {"description": words}
    if "/" in body:
        return {"description": words, "content": {body: {}}}
    schema = {"$ref": f"#/components/schemas/{body}"}
    return {"description": words, "content": {"application/json": {"schema": schema}}}


def _parameters(row: Route) -> list[Any]:
    in_path = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "pattern": f"^{pattern}$"},
        }
        for name, pattern in _PARAMETER.findall(row.path)
    ]
    return in_path + (fields.parameters(row.query) if row.query else [])


def _body(row: Route) -> dict[str, Any]:
    if row.body is not None:
        return {"application/json": {"schema": fields.schema(row.body)}}
    if row.document is not None:
        return {"application/json": {"schema": {"$ref": f"#/components/schemas/{row.document}"}}}
    if row.bytes_body:
        return {media_type: {} for media_type in row.bytes_body}
    return {media_type: {"schema": {"type": "string"}} for media_type in row.text_body}

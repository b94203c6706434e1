"""Organisations, projects, courses, classes and persons: the same seven routes for each kind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from liveserver.core.errors import PeerError
from liveserver.core.people import Status
from liveserver.core.permissions import Permission, allows
from liveserver.hours.export import CSV
from liveserver.http import fields
from liveserver.http.answers import json_answer
from liveserver.http.api import PREFIX
from liveserver.http.api import people_fields as bodies
from liveserver.http.context import AnyCall, Call
from liveserver.http.ports.people import People
from liveserver.http.routes import Route, Scope

KEY = "{id:[A-Za-z0-9_-]{1,64}}"


@dataclass(frozen=True, slots=True)
class Shelf:
    """One kind on the wire. `schema`: of its answers; `fixed`: what is said once, when it is made."""

    name: str
    path: str
    schema: str
    new: type[Any]
    query: type[Any]
    fixed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Erasure:
    reason: str = fields.text(1, 200)


SHELVES = (
    Shelf("organisation", "organisations", "Organisation", bodies.NewOrganisation, bodies.OrganisationsQuery),
    Shelf("project", "projects", "Project", bodies.NewProject, bodies.ProjectsQuery),
    Shelf("course", "courses", "Course", bodies.NewCourse, bodies.OfProjectQuery, ("name",)),
    Shelf("class", "classes", "Class", bodies.NewClass, bodies.OfProjectQuery, ("project",)),
    Shelf("person", "persons", "Person", bodies.NewPerson, bodies.PersonsQuery),
)


def people(call: AnyCall) -> People:
    """Raises PeerError `not_found` (404) in a node without them."""
    if call.services.people is None:
        raise PeerError("not_found", "this node keeps no people", status=404)
    return call.services.people


def file_answer(body: bytes, media_type: str, name: str) -> web.Response:
    """Something to keep as a file; `name` in ASCII."""
    headers = {
        "Content-Type": f"{media_type}; charset=utf-8",
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cache-Control": "no-store",
    }
    return web.Response(body=body, headers=headers)


def plain(values: dict[str, Any]) -> dict[str, Any]:
    """What was given as the store has it: words of an enumeration as texts, programmes by commas."""
    return {
        name: ",".join(value) if name == "programmes" else str(value) if isinstance(value, str) else value
        for name, value in values.items()
    }


def _where(query: Any) -> dict[str, Any]:
    given = fields.given(query)
    return {name: value for name, value in given.items() if name not in ("q", "after", "limit")}


def _routes(shelf: Shelf) -> tuple[Route, ...]:
    async def listed(call: AnyCall) -> web.Response:
        query = call.query
        where = _where(query)
        return json_answer(
            await people(call).registry.page(shelf.name, query.q, query.after, query.limit, where)
        )

    async def export(call: AnyCall) -> web.Response:
        body = await people(call).registry.export(shelf.name, call.query.q, _where(call.query))
        return file_answer(body, CSV, f"{shelf.path}.csv")

    async def add(call: AnyCall) -> web.Response:
        values = plain(fields.given(call.body))
        return json_answer(await people(call).registry.add(shelf.name, values, call.bearer.person), 201)

    async def one(call: AnyCall) -> web.Response:
        key = call.request.match_info["id"]
        if shelf.name == "class":
            return json_answer(await people(call).classes.one(key))
        masked = not allows(call.bearer.role, Permission.MANAGE_PEOPLE)
        return json_answer(await people(call).registry.one(shelf.name, key, masked=masked))

    async def change(call: AnyCall) -> web.Response:
        key, values = call.request.match_info["id"], plain(fields.given(call.body))
        return json_answer(await people(call).registry.change(shelf.name, key, values, call.bearer.person))

    def status_setter(status: Status) -> Callable[[AnyCall], Awaitable[web.Response]]:
        async def set_status(call: AnyCall) -> web.Response:
            key, by = call.request.match_info["id"], call.bearer.person
            return json_answer(await people(call).registry.set_status(shelf.name, key, status, by))

        return set_status

    path, words, schema = f"{PREFIX}/{shelf.path}", shelf.path, shelf.schema
    see, manage = Permission.SEE_PEOPLE, Permission.MANAGE_PEOPLE
    seen = {name: name if shelf.name == "person" else "" for name in ("persons", "persons_file", "person")}
    some = fields.partial(shelf.new, shelf.fixed)
    archived = status_setter(Status.ARCHIVED)
    restored = status_setter(Status.ACTIVE)
    return (
        Route("GET", path, listed, f"All {words}, newest first", Scope.ALL,
              {200: ("A page", f"{schema}List")}, see, query=shelf.query, view=seen["persons"]),
        Route("GET", f"{path}.csv", export, f"All {words} as a file, personal data masked", Scope.ALL,
              {200: ("UTF-8 with a mark", CSV)}, see, query=shelf.query, view=seen["persons_file"]),
        Route("POST", path, add, f"Add to the {words}", Scope.ALL,
              {201: ("Added", schema)}, manage, body=shelf.new),
        Route("GET", f"{path}/{KEY}", one, f"One of the {words}", Scope.ALL,
              {200: ("As it stands", schema)}, see, view=seen["person"]),
        Route("PATCH", f"{path}/{KEY}", change, f"Change what is given of one of the {words}", Scope.ALL,
              {200: ("As it is now", schema)}, manage, body=some),
        Route("POST", f"{path}/{KEY}/archive", archived, f"One of the {words} out of the way", Scope.ALL,
              {200: ("As it is now", schema)}, manage),
        Route("POST", f"{path}/{KEY}/restore", restored, f"An archived one of the {words} back", Scope.ALL,
              {200: ("As it is now", schema)}, manage),
    )  # fmt: skip


async def erase(call: Call[Erasure, None]) -> web.Response:
    key, by = call.request.match_info["id"], call.bearer.person
    await people(call).erasure.erase(key, call.body.reason, by)
    return web.Response(status=204)


ROUTES = (
    *(route for shelf in SHELVES for route in _routes(shelf)),
    Route(
        "POST",
        f"{PREFIX}/persons/{KEY}/erasure",
        erase,
        "Erase what is a person's own, for ever: of somebody archived who belongs to no class",
        Scope.ALL,
        {204: ("Erased; attendance and hours stay, under an id that leads to nobody", None)},
        Permission.MANAGE_PEOPLE,
        body=Erasure,
    ),
)

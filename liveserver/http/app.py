"""The application: one table of routes, and the way each request takes through it."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

from aiohttp import hdrs, web
from aiohttp.typedefs import Middleware

from liveserver.core.errors import PeerError
from liveserver.core.permissions import STAFF
from liveserver.http import (
    diagnostics,
    fields,
    health,
    hls,
    openapi,
    pages,
    playback,
    trail,
    wall,
    watch,
    whep,
    whip,
    ws,
)
from liveserver.http.api import (
    accounts,
    attendance,
    audit,
    challenges,
    chat,
    classes,
    drills,
    entry,
    evidence,
    exports,
    identities,
    incidents,
    inspections,
    ledger,
    lessons,
    members,
    models,
    oidc,
    passkeys,
    photos,
    questions,
    recordings,
    registry,
    revocations,
    rules,
    session,
    setup,
    statistics,
    storage,
    timetable,
)
from liveserver.http.auth import authorise, bearer
from liveserver.http.carrier import Rounds
from liveserver.http.connections import CONNECTIONS
from liveserver.http.context import EDGE, Call, Edge, Services
from liveserver.http.cors import cors
from liveserver.http.problems import problems
from liveserver.http.reading import read_body, strict_json
from liveserver.http.refusals import REFUSALS, Refusals
from liveserver.http.routes import Next, Route
from liveserver.tokens import Claims


def public_routes(*, test_hooks: bool) -> tuple[Route, ...]:
    """Every route of the public port."""
    api = (
        *lessons.ROUTES,
        *drills.ROUTES,
        *attendance.ROUTES,
        *statistics.ROUTES,
        *exports.ROUTES,
        *evidence.ROUTES,
        *inspections.ROUTES,
        *recordings.ROUTES,
        *storage.ROUTES,
        *ledger.ROUTES,
        *audit.ROUTES,
        *setup.ROUTES,
        *session.ROUTES,
        *passkeys.ROUTES,
        *oidc.ROUTES,
        *entry.ROUTES,
        *accounts.ROUTES,
        *revocations.ROUTES,
        *identities.ROUTES,
        *challenges.ROUTES,
        *questions.ROUTES,
        *photos.ROUTES,
    )
    moderation = (*incidents.ROUTES, *chat.ROUTES, *rules.ROUTES, *models.ROUTES)
    people = (*registry.ROUTES, *classes.ROUTES, *members.ROUTES, *timetable.ROUTES)
    media = (
        *whip.ROUTES,
        *whep.ROUTES,
        *hls.ROUTES,
        *wall.ROUTES,
        *ws.ROUTES,
        *playback.ROUTES,
        *watch.ROUTES,
    )
    known = (
        *api,
        *moderation,
        *people,
        *media,
        *health.ROUTES,
        *diagnostics.routes(test_hooks=test_hooks),
        *pages.routes(),
    )
    return (*known, openapi.route(known))


def public_app(services: Services) -> web.Application:
    """The public port's application over a node's parts."""
    routes = public_routes(test_hooks=services.config.test_hooks)
    app = make_app(services, routes, cors("/whip/", "/whep/", "/hls/"))
    sockets: set[ws.Closable] = set()
    app[ws.SOCKETS] = sockets
    app[ws.BEARERS] = {}
    app[ws.ROUNDS] = Rounds()
    app.on_shutdown.append(ws.close_all)
    if services.log_in is not None:
        services.log_in.revocations.listen(lambda: ws.end_void(app, services.tokens.revoked.voids))
    services.metrics.watch("sockets", lambda: {"open": len(sockets)})
    return app


def make_app(edge: Edge, routes: Sequence[Route], open_to_others: Middleware) -> web.Application:
    """An application that answers `routes` and nothing else."""
    app = web.Application(middlewares=[measured, open_to_others, problems, refuse_encoded])
    app[EDGE] = edge
    app[CONNECTIONS] = []
    app[REFUSALS] = Refusals(edge.clock.monotonic_ns())
    for row in routes:
        resource = app.router.add_resource(row.path)
        handler = _handler(edge, row)
        resource.add_route(row.method, handler)
        if row.method == hdrs.METH_GET and row not in (*ws.ROUTES, *wall.ROUTES):
            resource.add_route(hdrs.METH_HEAD, handler)
    app.on_response_prepare.append(_common_headers)
    return app


def _handler(edge: Edge, row: Route) -> Next:
    """What aiohttp calls for `row`: check the token, then the query, then the body, then do it."""

    async def handle(request: web.Request) -> web.StreamResponse:
        began_ns = edge.clock.monotonic_ns()
        claims = await _authorised(request, edge, row)
        query = fields.parse_query(row.query, request.query) if row.query else None
        body = await _body(request, edge, row)
        call = Call(request, edge, claims, body, query, began_ns)
        if claims is None:  # nobody's act; of 10,000 sockets each would keep what `on_record` remembers
            answer = await row.handler(call)
        else:
            answer = await trail.on_record(row, call, lambda: row.handler(call))
        if row.view and claims is not None and claims.role in STAFF:
            await _seen(request, edge, row, claims)
        if request.body_exists and not (row.body or row.document or row.text_body or row.bytes_body):
            answer.force_close()  # an unexpected body is the place to hide another request in
        return answer

    return handle


async def _seen(request: web.Request, edge: Edge, row: Route, claims: Claims) -> None:
    """A look of the staff is a fact before its answer goes out; of a bundle, at its end."""
    inspections = edge.inspections if isinstance(edge, Services) else None
    if inspections is not None:
        named = request.match_info
        asked = request.query.get("person") or request.query.get("index", "")
        subject = next((value for name, value in named.items() if name != "lesson"), asked)
        await inspections.saw(claims, row.view, named.get("lesson", ""), subject[:128])


async def _authorised(request: web.Request, edge: Edge, row: Route) -> Claims | None:
    """As `authorise`; that an administrator was refused is on record."""
    claims = bearer(request, edge, row)
    if claims is None:
        return None
    try:
        authorise(row, claims, request.match_info.get("lesson"))
    except PeerError as error:
        if isinstance(edge, Services):
            await trail.refused(edge, row, request, claims, error.code)
        raise
    return claims


async def _body(request: web.Request, edge: Edge, row: Route) -> object:
    http = edge.config.http
    limit = row.max_body or http.max_body.bytes
    if row.body is not None or row.document is not None:
        document = strict_json(await read_body(request, http, ("application/json",), limit))
        return document if row.body is None else fields.parse(row.body, document)
    if row.bytes_body:
        return await read_body(request, http, row.bytes_body, limit)
    if not row.text_body:
        return None
    body = await read_body(request, http, row.text_body, limit)
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        code = "sdp_malformed" if any("sdp" in kind for kind in row.text_body) else "bad_request"
        raise PeerError(code, f"not UTF-8 at byte {error.start}") from error


@web.middleware
async def measured(request: web.Request, handler: Next) -> web.StreamResponse:
    """Count the request by its route, and tell the connection's clock when it begins and ends."""
    edge, tracked, transport = request.app[EDGE], request.app[CONNECTIONS], request.transport
    started_ns = edge.clock.monotonic_ns()
    for connections in tracked:
        connections.request_started(transport)
    try:
        answer = await handler(request)
    finally:
        for connections in tracked:
            connections.request_ended(transport)
    resource = request.match_info.route.resource
    route = resource.canonical if resource is not None else "unknown"
    method = request.method if request.method in hdrs.METH_ALL else "other"
    edge.metrics.requests.labels(route, method, str(answer.status)).inc()
    if not isinstance(answer, web.WebSocketResponse):
        seconds = (edge.clock.monotonic_ns() - started_ns) / 1e9
        edge.metrics.request_seconds.labels(route).observe(seconds)
    return answer


@web.middleware
async def refuse_encoded(request: web.Request, handler: Next) -> web.StreamResponse:
    """Requests come plain: unpacking is work a client can multiply (RELIABILITY section 6)."""
    if hdrs.CONTENT_ENCODING in request.headers:
        raise PeerError(
            "bad_request", "Content-Encoding is not taken", status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE
        )
    return await handler(request)


async def _common_headers(request: web.Request, response: web.StreamResponse) -> None:
    """What every answer carries."""
    response.headers["Server"] = "liveserver"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    config = request.app[EDGE].config
    if config.http.hsts.ms and config.tls:
        response.headers["Strict-Transport-Security"] = f"max-age={int(config.http.hsts.s)}"

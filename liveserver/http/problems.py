"""Refusals as RFC 9457 problems: the one place where an exception becomes an answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from aiohttp import web

from liveserver.core.errors import PeerError
from liveserver.http.context import EDGE
from liveserver.http.refusals import REFUSALS
from liveserver.http.routes import Next
from liveserver.log import Event, get_logger

CONTENT_TYPE = "application/problem+json"

# What aiohttp refuses by itself, under our codes.
_CODES = {400: "bad_request", 404: "not_found", 405: "bad_request", 413: "too_large", 417: "bad_request"}
_log = get_logger()


def problem(
    code: str,
    detail: str,
    status: int,
    headers: Mapping[str, str] | None = None,
    more: Mapping[str, Any] | None = None,
) -> web.Response:
    """An `application/problem+json` answer with `more` members (RFC 9457 3.2); the connection closes then.

    Closing keeps what a confused or hostile client sent behind a bad request from being read as another
    one (RFC 9112 section 11.2): a refused connection gets one answer.
    """
    response = web.Response(
        status=status,
        body=document(code, detail, status, more),
        headers={"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store", **(headers or {})},
    )
    response.force_close()
    return response


def document(code: str, detail: str, status: int, more: Mapping[str, Any] | None = None) -> bytes:
    """The body of `problem`."""
    body = {
        **(more or {}),
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
    }
    return json.dumps(body, ensure_ascii=False).encode()


class RefusalError(PeerError):
    """A `PeerError` of the HTTP edge itself, with the headers its answer needs."""

    def __init__(self, code: str, detail: str, status: int, headers: Mapping[str, str]):
        super().__init__(code, detail, status=status)
        self.headers = headers


def headers_of(error: PeerError) -> dict[str, str]:
    """What a refusal's answer needs besides its body."""
    headers = dict(error.headers) if isinstance(error, RefusalError) else {}
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(error.retry_after_s)
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return headers


def answer_to(error: PeerError) -> web.Response:
    """The problem that says a `PeerError`."""
    return problem(error.code, error.detail, error.status, headers_of(error))


@web.middleware
async def problems(request: web.Request, handler: Next) -> web.StreamResponse:
    """Turn whatever a handler raises into a problem; the unforeseen is logged and answered 500."""
    metrics = request.app[EDGE].metrics
    try:
        return await handler(request)
    except PeerError as error:
        answer, code = answer_to(error), error.code
    except web.HTTPException as error:
        if error.status < HTTPStatus.BAD_REQUEST:
            raise
        code = _CODES.get(error.status, "bad_request")
        kept = {name: error.headers[name] for name in ("Allow",) if name in error.headers}
        answer = problem(code, HTTPStatus(error.status).description or error.reason, error.status, kept)
    except Exception as error:  # the edge of the process: one request's failure must not end another's
        route = request.match_info.route.resource
        _log.exception(
            Event.HTTP_FAILED,
            route=route.canonical if route else None,
            method=request.method,
            kind=type(error).__name__,
        )
        answer, code = problem("internal", "The server failed; it was logged.", 500), "internal"
    if answer.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        request.app[REFUSALS].note(request, code, answer.status)
    metrics.problems.labels(code).inc()
    return answer

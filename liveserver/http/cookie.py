"""The cookie that holds the handle of a stay: no script reads it, no other site's page sends it.

`HttpOnly; SameSite=Strict`, for the session's own address alone. Over TLS it is `Secure` and named
`__Secure-…`, so that nothing that came without TLS can put another one in its place (RFC 6265bis 4.1.3).
"""

from __future__ import annotations

from aiohttp import web

from liveserver.http.api import PREFIX
from liveserver.http.context import base_url

PATH = f"{PREFIX}/session"
_NAME = "lectern_session"
_SECURE_NAME = "__Secure-lectern_session"


def handle_of(request: web.Request) -> str:
    """The handle that came with the request, "" for none."""
    return request.cookies.get(_SECURE_NAME if _is_secure(request) else _NAME, "")


def keep_handle(request: web.Request, answer: web.Response, handle: str) -> None:
    """Until the browser is closed: how long it may be used the server knows."""
    secure = _is_secure(request)
    answer.set_cookie(
        _SECURE_NAME if secure else _NAME, handle, path=PATH, secure=secure, httponly=True, samesite="Strict"
    )


def drop_handle(request: web.Request, answer: web.Response) -> None:
    secure = _is_secure(request)
    answer.del_cookie(
        _SECURE_NAME if secure else _NAME, path=PATH, secure=secure, httponly=True, samesite="Strict"
    )


def keep_ticket(request: web.Request, answer: web.Response, ticket: str, seconds: int) -> None:
    """What a browser that goes to an identity provider comes back with: `Lax`, for it comes back from another
    site; `seconds` 0 drops it."""
    name, secure = _ticket_name(request), _is_secure(request)
    answer.set_cookie(
        name, ticket, max_age=seconds, path=f"{PATH}/oidc", secure=secure, httponly=True, samesite="Lax"
    )


def spent_ticket(request: web.Request) -> str:
    return request.cookies.get(_ticket_name(request), "")


def _ticket_name(request: web.Request) -> str:
    return "__Secure-lectern_oidc" if _is_secure(request) else "lectern_oidc"


def _is_secure(request: web.Request) -> bool:
    return base_url(request).startswith("https:")

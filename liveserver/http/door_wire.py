"""The one request that the door for edges takes, and its answers, as bytes (RFC 9112). Pure.

GET /hls/{lesson}/access?token={token} HTTP/1.1, a Host, any other fields that bring no body: what
`deploy/nginx` sends. A field that is folded, has a space before its colon or a control character is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from liveserver.core.errors import PeerError

ROUTE = "/hls/{lesson}/access"  # what metrics and log call it
HEAD_MOST = 8192  # bytes of one request
END = b"\r\n\r\n"
_REQUEST = re.compile(
    rb"GET /hls/([A-Za-z0-9_-]{1,64})/access\?token=([A-Za-z0-9._-]{0,2048}) HTTP/1\.1\r\n"
    rb"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*\r\n)*\r\n"
)
_HOST, _CLOSE = b"\r\nhost:", b"\r\nconnection: close\r\n"
_NOT_TAKEN = (b"\r\ncontent-length:", b"\r\ntransfer-encoding:", b"\r\nupgrade:", b"\r\nexpect:")
_FORWARDED = re.compile(rb"\r\nx-forwarded-for:[\t ]*([^\r]*)", re.IGNORECASE)
_LINES = {int(status): f"HTTP/1.1 {int(status)} {status.phrase}\r\n" for status in HTTPStatus}
_ALWAYS = "Server: liveserver\r\nX-Content-Type-Options: nosniff\r\n"


@dataclass(frozen=True, slots=True)
class Question:
    """May the bearer of `token` have the media of `lesson` now? `is_last`: the connection ends with it."""

    lesson: str
    token: str = field(repr=False)
    is_last: bool
    head: bytes = field(repr=False)

    def forwarded(self) -> list[str]:
        """The lines of X-Forwarded-For."""
        return [line.decode("latin-1") for line in _FORWARDED.findall(self.head)]


def read(head: bytes) -> Question:
    """A request's head, its empty line included. PeerError `bad_request` (400), `too_large` (431)."""
    if len(head) > HEAD_MOST:
        raise too_large()
    found = _REQUEST.fullmatch(head)
    fields = head.lower()
    if found is None or fields.count(_HOST) != 1 or any(name in fields for name in _NOT_TAKEN):
        raise PeerError("bad_request", "this port answers one question, of edges")
    lesson, token = found.groups()
    return Question(lesson.decode("ascii"), token.decode("ascii"), _CLOSE in fields, head)


def too_large() -> PeerError:
    """For a head without an end."""
    return PeerError(
        "too_large", "the request is too large", status=HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
    )


def answer(status: int, headers: Mapping[str, str], body: bytes = b"", *, is_last: bool = False) -> bytes:
    """An answer; a 204 has no length (RFC 9110 8.6)."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    length = "" if status == HTTPStatus.NO_CONTENT else f"Content-Length: {len(body)}\r\n"
    close = "Connection: close\r\n" if is_last else ""
    return f"{_LINES[status]}{_ALWAYS}{lines}{length}{close}\r\n".encode("latin-1") + body

"""Reading a request's body: bounded in size and time, and strictly."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from aiohttp import web

from liveserver.config.sections import HttpConfig
from liveserver.core.errors import PeerError
from liveserver.core.reading import loads


async def read_body(
    request: web.Request, config: HttpConfig, media_types: Sequence[str], limit: int
) -> bytes:
    """The body, at most `limit` bytes, whole within `config.body_timeout`.

    PeerError `too_large` (413), `bad_request` with 415 for another content type, 408 when it does not come.
    """
    if request.content_type not in media_types:
        expected = " or ".join(media_types)
        raise PeerError("bad_request", f"Content-Type {expected} is expected", status=415)
    if (request.content_length or 0) > limit:
        raise _too_large(limit)
    body = bytearray()
    try:
        async with asyncio.timeout(config.body_timeout.s):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > limit:
                    raise _too_large(limit)
    except TimeoutError:
        raise PeerError("bad_request", "the body did not come in time", status=408) from None
    return bytes(body)


def _too_large(limit: int) -> PeerError:
    return PeerError("too_large", f"the body may have {limit} bytes", status=413)


def strict_json(body: bytes) -> Any:
    """The JSON value of a body under the rules of control messages; PeerError `bad_json`."""
    try:
        return loads(body.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise PeerError("bad_json", f"not UTF-8 at byte {error.start}") from error

"""Listening on one TCP port with the limits of `connections`, TLS where a certificate is given."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from pathlib import Path

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from liveserver.config.sections import HttpConfig
from liveserver.http.connections import CONNECTIONS, Connections
from liveserver.http.problems import problem
from liveserver.metrics import Metrics

_BACKLOG = 1024
_SHUTDOWN_S = 3.0  # for requests in flight
_LINGER_S = 2.0  # for a client that still sends what was refused
_READ_BYTES = 65_536
_NO_LOG = logging.Logger("no access log", logging.CRITICAL)


class ListenError(OSError):
    """The port cannot be opened; the message is one sentence for the operator."""


class Listener:
    """One application on one port. Belongs to the loop it was started on."""

    def __init__(self, runner: web.AppRunner, server: asyncio.Server, url: str, port: int):
        self._runner = runner
        self._server = server
        self.url = url
        self.port = port

    async def close(self) -> None:
        """Take no new connection, let requests in flight end within 3 s, and close the rest."""
        self._server.close()
        await self._runner.cleanup()


async def listen(app: web.Application, host: str, port: int, http: HttpConfig, metrics: Metrics) -> Listener:
    """Serve `app` on `host:port`; port 0 takes any free one. Raises `ListenError`."""
    context = tls_context(http)
    sock = bind(host, port)
    loop = asyncio.get_running_loop()
    runner = web.AppRunner(app, shutdown_timeout=_SHUTDOWN_S)
    await runner.setup()
    manager = runner.server
    assert manager is not None, "a runner has its server once it is set up"

    connections = Connections(http, metrics, lambda: _Protocol(manager, metrics, http))
    app[CONNECTIONS].append(connections)
    server = await loop.create_server(
        connections,
        sock=sock,
        ssl=context,
        ssl_handshake_timeout=http.header_timeout.s if context else None,
        backlog=_BACKLOG,
    )
    bound = sock.getsockname()[1]
    return Listener(runner, server, f"{'https' if context else 'http'}://{_in_url(host)}:{bound}", bound)


class _Protocol(web.RequestHandler):
    """aiohttp's, but for what it says to a request that is not HTTP: counted and not logged, for strangers
    must not write the log, and never said back to whoever sent it."""

    __slots__ = ("_metrics",)

    def __init__(self, manager: web.Server, metrics: Metrics, http: HttpConfig):
        super().__init__(
            manager,
            loop=asyncio.get_running_loop(),
            access_log=_NO_LOG,  # requests are counted
            keepalive_timeout=http.idle_timeout.s,
            lingering_time=_LINGER_S,
            read_bufsize=_READ_BYTES,
            auto_decompress=False,
        )
        self._metrics = metrics

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if isinstance(exc, HttpProcessingError) and not request.writer.output_size:
            self._metrics.problems.labels("malformed").inc()
            return problem("bad_request", "the request is not well-formed HTTP", 400)
        return super().handle_error(request, status, exc, message)


def bind(host: str, port: int) -> socket.socket:
    """A TCP socket on `host:port`. Raises `ListenError`."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(address)
        except OSError:
            sock.close()
            raise
    except OSError as error:
        raise ListenError(f"cannot listen on {host}:{port}: {_reason(error)}") from error
    return sock


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def tls_context(http: HttpConfig) -> ssl.SSLContext | None:
    """TLS 1.2 or newer with the configured certificate, None without one. Raises `ListenError`."""
    if not http.tls_cert:
        return None
    for what, name in (("certificate", http.tls_cert), ("private key", http.tls_key)):
        try:
            Path(name).read_bytes()
        except OSError as error:
            raise ListenError(f"cannot read the TLS {what} {name}: {_reason(error)}") from error
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(http.tls_cert, http.tls_key)
    except (ssl.SSLError, OSError) as error:
        raise ListenError(
            f"{http.tls_cert} and {http.tls_key} are no certificate and its key: {error}"
        ) from error
    return context

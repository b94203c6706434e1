"""What the tests of the HTTP edge share: tokens signed with the server's own key, raw connections."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from liveserver.core.permissions import Role
from liveserver.tokens import ALL_LESSONS, Tokens
from tests.drivers.server import Server

SHARED = Path(__file__).parents[2] / "../shared/data"

Sign = Callable[..., str]


@pytest.fixture(scope="session")
def sign(shared_server: Server) -> Sign:
    return signer(shared_server)


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The fuzz corpora, kept outside the repository."""
    if not (SHARED / "fuzz").is_dir():
        pytest.skip("the fuzz corpora are not beside the repository (../shared/data/fuzz)")
    return SHARED / "fuzz"


def signer(server: Server) -> Sign:
    """Sign a token of any role and reach, as `server` would."""
    tokens = Tokens.load_or_create(server.data / "keys" / "tokens.key")

    def issue(
        role: Role = Role.LEARNER, lesson: str = ALL_LESSONS, person: str = "p", ttl_s: int = 600
    ) -> str:
        now_s = int(time.time())
        return tokens.issue(person=person, name="N", role=role, lesson=lesson, now_s=now_s, ttl_s=ttl_s)

    return issue


def connect(url: str, timeout_s: float = 10) -> socket.socket:
    """A plain TCP connection to the server behind `url`."""
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname, parts.port), timeout=timeout_s)


def read_all(sock: socket.socket) -> bytes:
    """What comes until the server closes; TimeoutError when it does not."""
    parts = []
    while True:
        try:
            part = sock.recv(65_536)
        except ConnectionResetError:
            part = b""
        if not part:
            return b"".join(parts)
        parts.append(part)


def closed(sock: socket.socket) -> bool:
    """Whether the server has ended the connection by now, waiting for it within the socket's timeout."""
    try:
        return read_all(sock) is not None
    except TimeoutError:
        return False

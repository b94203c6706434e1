"""What the tests with real peers share: a lesson on the air, and one who watches it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from loadtest.viewer import Viewer
from tests.drivers.media import Client, pattern_publisher
from tests.drivers.server import Lesson, Server
from tests.peers.wire import Address

# Long enough for a picture that stopped to be noticed, short against the 2 s between keyframes.
SOME_FRAMES = 25


@pytest.fixture
def on_air(network: str, server: Server, lesson: Lesson, tmp_path) -> Iterator[Client]:
    """A small test pattern, published by a process of its own."""
    url, token = server.whip_url(lesson), lesson.tokens["instructor"]
    with pattern_publisher(tmp_path, url, token, size="320x240") as client:
        client.wait("publishing")
        yield client


@pytest.fixture
async def watching(on_air: Client, server: Server, lesson: Lesson) -> AsyncIterator[Viewer]:
    """A viewer whose picture moves."""
    async with Viewer(server.whep_url(lesson), lesson.tokens["learner"]) as viewer:
        await viewer.frames(5)
        yield viewer


@pytest.fixture
def media_address() -> Callable[[Viewer], Address]:
    """Where the server takes media, from its answer (RFC 8839 5.1)."""

    def read(viewer: Viewer) -> Address:
        answer = viewer._connection.remoteDescription.sdp
        fields = next(line for line in answer.splitlines() if line.startswith("a=candidate:")).split()
        return fields[4], int(fields[5])

    return read

"""Who is told to come again comes again; who is refused does not."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from loadtest.swarm.whep import RefusedError, Whep

Crowd = pytest.importorskip(
    "loadtest.swarm.crowd", reason="the swarm was not built: that takes a compiler", exc_type=ImportError
)


class Door:
    """A WHEP endpoint that answers with `statuses`, one after the other; the last one stays."""

    def __init__(self, *statuses: int):
        self.asked = 0
        self._statuses = statuses

    async def answer(self, request: web.Request) -> web.Response:
        status = self._statuses[min(self.asked, len(self._statuses) - 1)]
        self.asked += 1
        return web.Response(status=status, text="full", headers={"Retry-After": "0"} if status == 503 else {})


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def visit(http: aiohttp.ClientSession, door: Door):
    from loadtest.swarm.hub import Hub

    application = web.Application()
    application.router.add_post("/whep", door.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        async with Hub() as hub:
            viewer = Crowd.Viewer(hub, Whep(http, f"http://127.0.0.1:{port}/whep", None))
            await viewer.join()
            await viewer.leave()
            return viewer.visit
    finally:
        await runner.cleanup()


async def test_a_full_server_is_asked_again_when_it_says_so(http):
    door = Door(503, 503, 403)
    seen = await visit(http, door)
    assert (door.asked, seen.postponed) == (3, 2)
    assert seen.failure.startswith("HTTP 403")


async def test_a_refusal_is_final(http):
    door = Door(401)
    seen = await visit(http, door)
    assert (door.asked, seen.postponed, seen.joined) == (1, 0, False)


async def test_an_answer_that_is_no_description_is_reported(http):
    seen = await visit(http, Door(201))
    assert "no ICE credentials" in seen.failure


def test_a_refusal_says_what_the_server_said():
    assert str(RefusedError(403, "x" * 1000)) == "HTTP 403: " + "x" * 300

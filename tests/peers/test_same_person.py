"""One account at two places at once: never two of a learner, and who is removed stays out (REL-C1, A4)."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType, WSServerHandshakeError

from loadtest.viewer import Viewer
from tests.drivers.media import pattern_publisher
from tests.drivers.process import until
from tests.drivers.server import Lesson, Server, request
from tests.peers.conftest import SOME_FRAMES
from tests.peers.test_attendance import person, sheet
from tests.peers.test_kill import cut, refused
from tests.peers.test_lesson import message

pytestmark = pytest.mark.usefixtures("network")
LEARNERS = 50


@pytest.fixture(scope="module")
def refusing(network: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that lets nobody in who is there already."""
    server = Server(tmp_path_factory.mktemp("refusing"), LIVESERVER_SESSIONS_SAME_PERSON="refuse").start()
    yield server
    server.stop()
    assert server.tracebacks() == []


async def come(
    http: ClientSession, server: Server, lesson: Lesson, token: str
) -> tuple[ClientWebSocketResponse, str]:
    """One place more at which a learner comes in: `joined`, or why not. Told to come again, he does."""
    while True:
        try:
            socket = await http.ws_connect(f"{server.base_url}/ws/{lesson.id}", autoclose=False)
            break
        except WSServerHandshakeError as busy:
            assert busy.status == 503 and busy.headers is not None
            await asyncio.sleep(float(busy.headers["Retry-After"]))
    await socket.send_json({"type": "join", "token": token})
    while isinstance((heard := await socket.receive(timeout=20)).data, str):
        said = json.loads(heard.data)
        if said["type"] in ("joined", "error"):
            return socket, said.get("code", said["type"])
    return socket, "closed"


async def ended(socket: ClientWebSocketResponse) -> int:
    """The code it is closed with, when it is."""
    while isinstance((heard := await socket.receive()).data, str):
        pass
    assert heard.type is WSMsgType.CLOSE
    return int(heard.data)


def at_once(server: Server, lesson: Lesson) -> dict[str, int]:
    """The most places at which each learner was at the same time, by the ledger."""
    here: Counter[str] = Counter()
    most: Counter[str] = Counter()
    for entry in server.entries("join", "leave", lesson=lesson.id):
        if entry["data"].get("role", "learner") == "learner":
            who = entry["data"]["person"]
            here[who] += 1 if entry["type"] == "join" else -1
            most[who] = max(most[who], here[who])
    return dict(most)


class TestFiftyLearnersWhoComeTwiceAtOnce:
    """REL-C1."""

    async def test_are_there_once_each_and_the_newer_place_counts(self, server: Server, lesson: Lesson):
        tokens = server.more_tokens(lesson, LEARNERS)
        async with ClientSession() as http:
            came = await asyncio.gather(*(come(http, server, lesson, t) for t in tokens for _ in range(2)))
            await asyncio.to_thread(server.wait_lesson, lesson, viewers=LEARNERS)
            ends = [asyncio.create_task(ended(socket)) for socket, _ in came]
            async with asyncio.timeout(30):
                for pair in zip(ends[::2], ends[1::2], strict=True):
                    done, _ = await asyncio.wait(pair, return_when=asyncio.FIRST_COMPLETED)
                    assert [end.result() for end in done] == [4409]
            assert sum(end.done() for end in ends) == LEARNERS
            for end in ends:
                end.cancel()
        assert set(at_once(server, lesson).values()) == {1}
        assert len(sheet(server, lesson)) == LEARNERS, "a line each"

    async def test_are_there_once_each_where_the_second_is_refused(self, refusing: Server):
        lesson = refusing.new_lesson()
        tokens = refusing.more_tokens(lesson, LEARNERS)
        async with ClientSession() as http:
            came = await asyncio.gather(*(come(http, refusing, lesson, t) for t in tokens for _ in range(2)))
            words = Counter(frozenset(pair) for pair in list(pairwise(w for _, w in came))[::2])
            assert words == {frozenset({"joined", "already_here"}): LEARNERS}
            assert refusing.lesson(lesson)["viewers"] == LEARNERS
        assert set(at_once(refusing, lesson).values()) == {1}
        assert len(sheet(refusing, lesson)) == LEARNERS


class TestALearnerWhoIsRemoved:
    """REL-A4."""

    async def test_is_dark_comes_in_nowhere_and_not_after_a_restart_either(
        self, own_server: Server, tmp_path
    ):
        server, lesson = own_server, own_server.demo
        mine, other = lesson.tokens["learner"], server.more_tokens(lesson, 1)[0]
        url, teacher = server.whip_url(lesson), lesson.tokens["instructor"]
        with pattern_publisher(tmp_path, url, teacher, size="320x240", name="first") as publisher:
            publisher.wait("publishing")
            async with (
                Viewer(server.whep_url(lesson), mine) as viewer,
                Viewer(server.whep_url(lesson), other) as witness,
            ):
                await viewer.frames(SOME_FRAMES)
                await message(viewer, "joined")
                removed = cut(server, lesson, "person", person=person(mine, server))
                assert removed.status == 200
                async with asyncio.timeout(10):
                    await viewer.session.gone.wait()
                await witness.frames(SOME_FRAMES)
                await self._out(server, lesson, mine)
                await asyncio.to_thread(server.restart)
        with pattern_publisher(tmp_path, url, teacher, size="320x240", name="second") as publisher:
            publisher.wait("publishing")
            await self._out(server, lesson, mine)
            async with Viewer(server.whep_url(lesson), other) as witness:
                await witness.frames(SOME_FRAMES)

    async def _out(self, server: Server, lesson: Lesson, token: str) -> None:
        """Media, WebSocket and LL-HLS refuse him."""
        playlist = f"{server.base_url}/hls/{lesson.id}/index.m3u8?token={token}"
        await asyncio.to_thread(
            until, lambda: request("GET", playlist).status == 410, "LL-HLS refuses", timeout_s=30
        )
        assert refused(request("GET", playlist)) == (410, "person_removed")
        async with ClientSession() as http:
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/sdp"}
            async with http.post(server.whep_url(lesson), data="v=0\r\n", headers=headers) as answer:
                assert (answer.status, (await answer.json())["code"]) == (410, "person_removed")
            _, said = await come(http, server, lesson, token)
            assert said == "person_removed"

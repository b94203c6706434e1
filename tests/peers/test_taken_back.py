"""Access taken back while it is used: a socket, a WebRTC session and LL-HLS end at once."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import time

import pytest
from aiohttp import ClientSession

from liveserver.core.permissions import Role
from liveserver.tokens import ALL_LESSONS, Tokens
from loadtest.viewer import Viewer
from tests.drivers.process import until
from tests.drivers.server import Lesson, Reply, Server, request
from tests.http.test_commands import run
from tests.http.test_people import person as registered
from tests.http.test_people import training_class
from tests.http.test_requests import is_problem
from tests.peers.test_same_person import come, ended

pytestmark = pytest.mark.usefixtures("network")


def claims(token: str) -> dict[str, str]:
    middle = token.split(".")[1]
    found: dict[str, str] = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    return found


def person(token: str) -> str:
    return claims(token)["sub"]


async def told(viewer: Viewer, code: str) -> None:
    """On the data channel."""
    heard = viewer.session
    async with asyncio.timeout(5):
        while not any(message.get("code") == code for message in heard.messages):  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)


def leaves(server: Server, lesson: Lesson, token: str) -> list[str]:
    left = [entry["data"] for entry in server.entries("leave", lesson=lesson.id)]
    return [one["reason"] for one in left if one["person"] == person(token)]


def access(server: Server, lesson: Lesson, token: str) -> Reply:
    return request("GET", f"{server.base_url}/hls/{lesson.id}/access?token={token}")


def take_back(server: Server, token: str) -> None:
    reply = server.api("POST", "/revocations", {"person": person(token)})
    assert reply.status == 200, reply


class TestWhatWasTakenBack:
    async def test_ends_the_picture_the_socket_and_ll_hls_of_one_and_nobody_elses(
        self, server: Server, lesson: Lesson, on_air
    ):
        mine, other = server.more_tokens(lesson, 2)
        url = server.whep_url(lesson)
        async with ClientSession() as http, Viewer(url, other) as witness, Viewer(url, mine) as viewer:
            await viewer.frames(5)
            await asyncio.to_thread(server.wait_lesson, lesson, viewers=2)
            assert access(server, lesson, mine).status == 204
            await asyncio.to_thread(take_back, server, mine)
            await told(viewer, "session_ended")
            await asyncio.to_thread(server.wait_lesson, lesson, viewers=1)
            await witness.frames(5)
            assert leaves(server, lesson, mine) == ["session_ended"]
            assert is_problem(access(server, lesson, mine), 401, "session_ended")
            assert access(server, lesson, other).status == 204
            assert (await come(http, server, lesson, mine))[1] == "session_ended"
            refused = request("POST", url, token=mine, body=b"v=0", content_type="application/sdp")
            assert is_problem(refused, 401, "session_ended")

    async def test_closes_a_socket_with_the_reason(self, server: Server, lesson: Lesson):
        mine, other = server.more_tokens(lesson, 2)
        async with ClientSession() as http:
            socket, joined = await come(http, server, lesson, mine)
            assert joined == "joined"
            stays, _ = await come(http, server, lesson, other)
            await asyncio.to_thread(take_back, server, mine)
            assert await asyncio.wait_for(ended(socket), 5) == 4401
            await stays.send_json({"type": "heartbeat", "seq": 1})
            async with asyncio.timeout(5):
                while json.loads((await stays.receive()).data)["type"] != "heartbeat":
                    pass
        left = await asyncio.to_thread(until, lambda: leaves(server, lesson, mine), "the leave on record")
        assert left == ["session_ended"]

    async def test_ends_a_broadcast(self, server: Server, lesson: Lesson, on_air):
        await asyncio.to_thread(server.wait_lesson, lesson, state="live")
        await asyncio.to_thread(take_back, server, lesson.tokens["instructor"])
        refused = request("POST", server.whip_url(lesson), token=lesson.tokens["instructor"], body=b"v=0",
                          content_type="application/sdp")  # fmt: skip
        assert is_problem(refused, 401, "session_ended")
        began_s = time.monotonic()
        while server.lesson(lesson)["publishing"]:
            assert time.monotonic() - began_s < 5
            await asyncio.sleep(0.02)

    async def test_gives_nothing_to_whoever_waits_for_what_comes_next(
        self, server: Server, lesson: Lesson, on_air
    ):
        """A playlist that is waited for comes up to twelve seconds later (RFC 8216bis 6.2.5.2)."""
        (mine,) = server.more_tokens(lesson, 1)
        base = f"{server.base_url}/hls/{lesson.id}"
        listed = await asyncio.to_thread(request, "GET", f"{base}/video.m3u8?token={mine}")
        first = int(re.search(r"MEDIA-SEQUENCE:(\d+)", listed.body.decode())[1])
        following = first + listed.body.decode().count("#EXTINF") + 1
        waiting = asyncio.create_task(
            asyncio.to_thread(request, "GET", f"{base}/video.m3u8?token={mine}&_HLS_msn={following}")
        )
        await asyncio.sleep(0.2)  # asked; two to four seconds are missing
        assert not waiting.done()
        await asyncio.to_thread(take_back, server, mine)
        assert is_problem(await waiting, 401, "session_ended")

    async def test_closes_the_moderators_wall(self, server: Server, lesson: Lesson):
        # One of its own: the shared server's moderator goes on in other tests.
        token = Tokens.load_or_create(server.data / "keys" / "tokens.key").issue(
            person="once-a-moderator", name="M", role=Role.MODERATOR, lesson=ALL_LESSONS,
            now_s=int(time.time()), ttl_s=600,
        )  # fmt: skip
        async with ClientSession() as http:
            wall = await http.ws_connect(f"{server.base_url}/ws/wall", autoclose=False)
            await wall.send_json({"type": "join", "token": token})
            await wall.receive(timeout=5)
            await asyncio.to_thread(take_back, server, token)
            assert await asyncio.wait_for(ended(wall), 5) == 4401


class TestWhoLeavesAClass:
    async def test_is_out_of_its_lesson_at_once_and_comes_back_with_what_he_had(self, server: Server):
        of = training_class(server)["id"]
        who = registered(server, "王伟")["id"]
        assert server.api("POST", f"/classes/{of}/roster", {"person": who}).status == 201
        made = server.api("POST", "/lessons", {"title": "第一课", "class": of})
        lesson = Lesson(made.json["id"], "第一课", made.json["pages"], made.json["tokens"])
        body = {"role": "learner", "roster": True}
        (token,) = server.api("POST", f"/lessons/{lesson.id}/tokens", body).json["tokens"]
        assert claims(token)["class"] == of
        async with ClientSession() as http:
            socket, joined = await come(http, server, lesson, token)
            assert joined == "joined"
            path = f"/classes/{of}/roster/{who}"
            assert (await asyncio.to_thread(server.api, "PATCH", path, {"status": "left"})).status == 200
            assert await asyncio.wait_for(ended(socket), 5) == 4401
            assert is_problem(access(server, lesson, token), 401, "session_ended")
            assert (await asyncio.to_thread(server.api, "PATCH", path, {"status": "enrolled"})).status == 200
            again, joined = await come(http, server, lesson, token)
            assert joined == "joined"
            await again.close()


class TestTheCommand:
    def test_takes_back_a_link_and_names_misuse(self, server: Server, lesson: Lesson) -> None:
        (token,) = server.more_tokens(lesson, 1)
        data = {"LIVESERVER_DATA_DIR": str(server.data)}
        done = run("revoke", "--url", server.base_url, "--token", token, **data)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert is_problem(server.api("GET", f"/lessons/{lesson.id}", token=token), 401, "session_ended")
        assert run("revoke", "--url", server.base_url, **data).returncode == 2

"""`/ws/wall`: who may look, what is said, and what a socket may not do."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from liveserver.clock import Clock
from liveserver.config import Config
from liveserver.config.sections import SocketConfig
from liveserver.config.units import Duration
from liveserver.core.messages import MAX_WATCHED
from liveserver.core.permissions import Role
from liveserver.http import wall as wall_socket
from liveserver.http.app import make_app
from liveserver.http.carrier import TOO_SLOW
from liveserver.http.context import Services
from liveserver.http.cors import cors
from liveserver.http.ws import BEARERS, SOCKETS
from liveserver.metrics import Metrics
from liveserver.screening.wall import Wall
from liveserver.tokens import Tokens
from tests.drivers.server import Server, request
from tests.http.test_sockets import TIMEOUT_S, close_code, join, opened, until_type

MAY = (Role.MODERATOR, Role.SECURITY, Role.ADMIN)


@contextmanager
def stand(server: Server, token: str) -> Iterator[ClientConnection]:
    with opened(server, "wall") as ws:
        ws.send(json.dumps({"type": "join", "token": token}))
        yield ws


def until_lesson(ws: ClientConnection, lesson: str) -> dict[str, Any]:
    """The lesson, as soon as the wall shows it."""
    while True:
        found = [one for one in until_type(ws, "wall")["lessons"] if one["id"] == lesson]
        if found:
            return found[0]


class TestWhoMayLook:
    @pytest.mark.parametrize("role", list(Role))
    def test_moderators_and_administrators_alone(self, server: Server, sign, role: Role) -> None:
        with stand(server, sign(role)) as ws:
            if role in MAY:
                assert until_type(ws, "wall")["whole"]
            else:
                assert json.loads(ws.recv(timeout=TIMEOUT_S))["code"] == "forbidden"
                assert close_code(ws) == 4403

    def test_nobody_without_a_token(self, server: Server) -> None:
        with opened(server, "wall") as ws:
            ws.send('{"type": "watch", "lessons": []}')
            assert json.loads(ws.recv(timeout=TIMEOUT_S))["type"] == "error"
            assert close_code(ws) == 4401

    def test_it_is_no_page(self, server: Server) -> None:
        assert request("GET", f"{server.base_url}/ws/wall").status == 426


class TestWhatItShows:
    def test_a_lesson_with_somebody_in_it_and_its_cut(self, server: Server) -> None:
        lesson = server.new_lesson()
        with stand(server, server.token("moderator")) as wall, opened(server, lesson.id) as learner:
            join(learner, lesson.tokens["learner"])
            shown = until_lesson(wall, lesson.id)
            assert (shown["title"], shown["state"], shown["viewers"]) == (lesson.title, "waiting", 1)
            assert shown["sight"]["seeing"] == "off"
            cut = {"level": "lesson", "reason": "Not part of the syllabus"}
            server.api("POST", f"/lessons/{lesson.id}/cut", cut, role="moderator")
            while shown["cut"] is None:
                shown = until_lesson(wall, lesson.id)
            assert (shown["cut"]["level"], shown["cut"]["reason"]) == ("lesson", cut["reason"])
            assert shown["cut"]["by_name"] == "陈监看"

    def test_a_token_for_one_lesson_shows_that_one(self, server: Server, sign) -> None:
        mine, other = server.new_lesson(), server.new_lesson()
        with opened(server, mine.id) as one, opened(server, other.id) as two:
            join(one, mine.tokens["learner"])
            join(two, other.tokens["learner"])
            with stand(server, server.token("moderator")) as wall:
                until_lesson(wall, other.id)
            with stand(server, sign(Role.MODERATOR, mine.id)) as wall:
                shown = until_type(wall, "wall")["lessons"]
                assert [lesson["id"] for lesson in shown] == [mine.id]


class TestWhatAClientSays:
    def test_a_heartbeat_comes_back(self, server: Server) -> None:
        with stand(server, server.token("moderator")) as ws:
            ws.send('{"type": "heartbeat", "seq": 7}')
            assert until_type(ws, "heartbeat")["seq"] == 7

    @pytest.mark.parametrize(
        ("sent", "code"),
        [
            ('{"type": "watch"}', "bad_message"),
            ('{"type": "watch", "lessons": [1]}', "bad_message"),
            (json.dumps({"type": "watch", "lessons": ["x"] * (MAX_WATCHED + 1)}), "bad_message"),
            ('{"type": "join", "token": "again"}', "bad_message"),
            ('{"type": "chat", "text": "hello"}', "unknown_type"),
            ("{", "bad_json"),
            (b"\x00", "bad_message"),
        ],
    )
    def test_what_is_wrong_is_answered_and_the_socket_stays(self, server: Server, sent, code: str) -> None:
        with stand(server, server.token("moderator")) as ws:
            ws.send(sent)
            assert until_type(ws, "error")["code"] == code
            ws.send('{"type": "heartbeat", "seq": 1}')
            assert until_type(ws, "heartbeat")["seq"] == 1

    def test_too_much_of_it_ends_with_1008(self, server: Server) -> None:
        with stand(server, server.token("moderator")) as ws:
            with pytest.raises(ConnectionClosed):
                for number in range(400):
                    ws.send(json.dumps({"type": "heartbeat", "seq": number}))
                while True:
                    ws.recv(timeout=TIMEOUT_S)
            assert ws.protocol.close_code == 1008


class TestWhoTakesNothing:
    async def test_is_closed_with_4408_and_holds_up_nobody(self, tmp_path: Path) -> None:
        """The wall's own socket over a lesson that is looked at, and a reader that never reads."""
        wall = Wall(lambda: [{"id": "a", "state": "live", "cut": None}], Clock())
        wall.tick()
        config = dataclasses.replace(Config(), socket=SocketConfig(stall=Duration(200)))
        tokens = Tokens.load_or_create(tmp_path / "key")
        others: dict[str, Any] = dict.fromkeys(
            ("rooms", "store", "moderation", "rules", "inventory", "drills", "questions")
        )
        services = Services(config, tokens, Metrics(), Clock(), wall=wall, **others)
        app = make_app(services, wall_socket.ROUTES, cors("/"))
        app[SOCKETS] = set()
        app[BEARERS] = {}
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        now_s = Clock().wall_s()
        token = tokens.issue(person="p", name="N", role=Role.MODERATOR, lesson="*", now_s=now_s, ttl_s=60)
        try:
            with socket.socket() as reader:
                await silent(reader, runner.addresses[0][1], token)
                async with asyncio.timeout(TIMEOUT_S):
                    while not (closed := services.metrics.text().decode().count(f'code="{TOO_SLOW}"')):
                        wall.looked("a", "camera", 1, {}, bytes(60_000))
                        await asyncio.sleep(0.002)
            assert closed
        finally:
            await runner.cleanup()


async def silent(reader: socket.socket, port: int, token: str) -> None:
    """Join and ask for lesson `a`, then read nothing more."""
    loop = asyncio.get_running_loop()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reader.setblocking(False)
    await loop.sock_connect(reader, ("127.0.0.1", port))
    await loop.sock_sendall(
        reader,
        b"GET /ws/wall HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    )
    for message in ({"type": "join", "token": token}, {"type": "watch", "lessons": ["a"]}):
        text = json.dumps(message).encode()
        # One masked text frame (RFC 6455 5.2); a mask of zeros leaves the text as it is.
        size = bytes((0x80 | len(text),)) if len(text) < 126 else b"\xfe" + len(text).to_bytes(2, "big")
        await loop.sock_sendall(reader, b"\x81" + size + bytes(4) + text)

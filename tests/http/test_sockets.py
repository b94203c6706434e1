"""`/ws/{lesson}`: joining, closing, and what a socket may not do."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import web
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from liveserver.config import Config
from liveserver.config.sections import SocketConfig
from liveserver.config.units import Duration, Size
from liveserver.core.permissions import Role
from liveserver.http.carrier import TOO_SLOW, Framer, WebSocketCarrier, frame
from tests.drivers.server import Lesson, Server, request

TIMEOUT_S = 10


def opened(server: Server, lesson: str, **headers: str) -> ClientConnection:
    url = f"{server.base_url}/ws/{lesson}".replace("http", "ws", 1)
    return connect(url, compression=None, additional_headers=headers, close_timeout=1)


def close_code(ws: ClientConnection) -> int | None:
    """Read until the server closes; the code it gave."""
    try:
        while True:
            ws.recv(timeout=TIMEOUT_S)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None


def until_type(ws: ClientConnection, kind: str) -> dict[str, Any]:
    while True:
        message: dict[str, Any] = json.loads(ws.recv(timeout=TIMEOUT_S))
        if message["type"] == kind:
            return message


def join(ws: ClientConnection, token: str) -> dict[str, Any]:
    ws.send(json.dumps({"type": "join", "token": token}))
    return until_type(ws, "joined")


@pytest.fixture
def lesson(server: Server) -> Lesson:
    return server.new_lesson()


@pytest.fixture
def joined(server: Server, lesson: Lesson) -> Iterator[ClientConnection]:
    with opened(server, lesson.id) as ws:
        join(ws, lesson.tokens["learner"])
        yield ws


class TestJoining:
    def test_shows_the_lesson_and_oneself(self, server: Server, lesson: Lesson) -> None:
        with opened(server, lesson.id) as ws:
            message = join(ws, lesson.tokens["learner"])
        assert message["lesson"]["id"] == lesson.id
        assert message["you"]["role"] == "learner"

    @pytest.mark.parametrize(
        "first",
        [
            '{"type": "heartbeat", "seq": 1}',
            '{"type": "join"}',
            '{"type": "join", "token": 3}',
            '{"type": "join", "token": "x.y.z"}',
            "hello",
            b"\x00",
        ],
    )
    def test_without_a_token_ends_with_4401(self, server: Server, lesson: Lesson, first: str | bytes) -> None:
        with opened(server, lesson.id) as ws:
            ws.send(first)
            assert json.loads(ws.recv(timeout=TIMEOUT_S))["type"] == "error"
            assert close_code(ws) == 4401

    def test_with_an_expired_token_ends_with_4401(self, server: Server, lesson: Lesson, sign) -> None:
        with opened(server, lesson.id) as ws:
            ws.send(json.dumps({"type": "join", "token": sign(Role.LEARNER, ttl_s=-120)}))
            assert until_type(ws, "error")["code"] == "token_expired"
            assert close_code(ws) == 4401

    def test_another_lesson_ends_with_4403(self, server: Server, lesson: Lesson) -> None:
        with opened(server, lesson.id) as ws:
            ws.send(json.dumps({"type": "join", "token": server.token("learner")}))
            assert close_code(ws) == 4403

    def test_an_unknown_lesson_ends_with_4404(self, server: Server, sign) -> None:
        with opened(server, "nolesson") as ws:
            ws.send(json.dumps({"type": "join", "token": sign()}))
            assert close_code(ws) == 4404

    def test_an_ended_lesson_is_shown_as_such_and_ends_with_4410(
        self, server: Server, lesson: Lesson
    ) -> None:
        server.api("POST", f"/lessons/{lesson.id}/end")
        with opened(server, lesson.id) as ws:
            ws.send(json.dumps({"type": "join", "token": lesson.tokens["learner"]}))
            assert until_type(ws, "lesson")["state"] == "ended"
            assert close_code(ws) == 4410


class TestAnOrigin:
    def test_of_the_server_itself_may_connect(self, server: Server, lesson: Lesson) -> None:
        with opened(server, lesson.id, Origin=server.base_url) as ws:
            assert join(ws, lesson.tokens["learner"])

    @pytest.mark.parametrize("origin", ["https://other.example", "null", "http://127.0.0.1"])
    def test_of_others_may_not(self, server: Server, lesson: Lesson, origin: str) -> None:
        with pytest.raises(InvalidStatus) as refused:
            opened(server, lesson.id, Origin=origin)
        assert refused.value.response.status_code == 403

    def test_a_plain_request_is_told_to_upgrade(self, server: Server, lesson: Lesson) -> None:
        assert request("GET", f"{server.base_url}/ws/{lesson.id}").status == 426


class TestAMessage:
    def test_that_is_wrong_is_answered_by_an_error_and_nothing_ends(self, joined: ClientConnection) -> None:
        for wrong, code in (("{", "bad_json"), ("[]", "bad_message"), ('{"type": "x"}', "unknown_type")):
            joined.send(wrong)
            assert until_type(joined, "error")["code"] == code
        joined.send(b"\x00\x01")
        assert until_type(joined, "error")["code"] == "bad_message"
        joined.send('{"type": "heartbeat", "seq": 7}')
        assert until_type(joined, "heartbeat")["seq"] == 7

    def test_over_64_kib_ends_with_1009(self, joined: ClientConnection) -> None:
        joined.send("x" * 65_537)
        assert close_code(joined) == 1009

    def test_too_often_ends_with_1008(self, joined: ClientConnection) -> None:
        flood(lambda number: joined.send(json.dumps({"type": "heartbeat", "seq": number})))
        assert close_code(joined) == 1008

    def test_pings_count_as_messages(self, joined: ClientConnection) -> None:
        flood(lambda number: joined.ping(str(number)))
        assert close_code(joined) == 1008


def flood(send) -> None:
    """Twice the burst that is allowed, or less if the connection ends under it."""
    try:
        for number in range(80):
            send(number)
    except ConnectionClosed:
        return


class TestASlowReader:
    """RELIABILITY G25, on a real connection whose other end reads nothing."""

    async def closed_with(self, config: SocketConfig, message: str, count: int) -> int:
        """The code a carrier ends with when `count` messages are sent to somebody who does not read."""
        code: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        async def handle(request: web.Request) -> web.WebSocketResponse:
            ws = web.WebSocketResponse(compress=False, writer_limit=16_384)
            await ws.prepare(request)
            assert request.transport is not None
            loop = asyncio.get_running_loop()
            carrier = WebSocketCarrier(ws, request.transport, config, Framer(), loop.time())
            for _ in range(count):
                carrier.send(message)
                await asyncio.sleep(0)
            while carrier.closing is None:
                carrier.look(loop.time())
                await asyncio.sleep(0.01)
            code.set_result(carrier.closing)
            await carrier.ended()
            return ws

        app = web.Application()
        app.router.add_get("/", handle)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]
        with socket.socket() as reader:
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            reader.setblocking(False)
            await asyncio.get_running_loop().sock_connect(reader, ("127.0.0.1", port))
            reader.send(
                b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            )
            try:
                return await asyncio.wait_for(code, TIMEOUT_S)
            finally:
                await runner.cleanup()

    async def test_who_takes_nothing_for_the_stall_time_is_closed_with_4408(self) -> None:
        config = SocketConfig(stall=Duration(200), queue_messages=65_536, queue_size=Size(2**30))
        assert await self.closed_with(config, "x" * 60_000, 400) == TOO_SLOW

    async def test_who_lets_too_much_wait_is_closed_with_4408(self) -> None:
        config = SocketConfig(stall=Duration(300), queue_messages=16, queue_size=Size(2**30))
        assert await self.closed_with(config, "x" * 60_000, 400) == TOO_SLOW

    async def test_what_waits_is_bounded_in_number_and_bytes(self) -> None:
        few, wire = unread(SocketConfig(queue_messages=3))
        for _ in range(3):
            few.send("x")
        assert (few.waiting, few.closing) == ((3, 9), None)
        few.send("x")
        assert (wire.size, few.closing) == (9, TOO_SLOW)
        small, _ = unread(SocketConfig(queue_size=Size(12)))
        small.send("二二二")
        assert small.waiting == (1, 11)
        small.send("")
        assert small.closing == TOO_SLOW

    async def test_whose_reader_took_everything_begins_anew(self) -> None:
        carrier, wire = unread(SocketConfig(queue_messages=3))
        for _ in range(9):
            carrier.send("x")
            wire.size = 0
        assert (carrier.waiting, carrier.closing, carrier.sent) == ((0, 0), None, 9)

    async def test_who_takes_a_little_at_a_time_stays(self) -> None:
        carrier, wire = unread(SocketConfig(stall=Duration(5_000)))
        carrier.send("x" * 100)
        for second in range(20):
            wire.size -= 1
            carrier.look(float(second))
        assert carrier.closing is None
        for second in range(20, 25):
            carrier.look(float(second))
        assert carrier.closing == TOO_SLOW

    def test_the_default_bounds_are_those_of_the_protocol(self) -> None:
        socket_config = Config().socket
        assert (socket_config.queue_messages, socket_config.queue_size) == (256, Size(262_144))
        assert socket_config.stall == Duration(5_000)


class TestASilentClient:
    """Nothing comes: a ping after `heartbeat`, the end of the connection after half as much again."""

    async def test_is_asked_and_then_gone(self) -> None:
        carrier, wire = unread(SocketConfig(heartbeat=Duration(20_000), stall=Duration(10**9)))
        carrier.look(19.0)
        assert wire.size == 0
        carrier.look(20.0)
        assert wire.size == len(PING)
        carrier.look(29.0)
        assert not wire.aborted
        carrier.look(30.0)
        assert wire.aborted

    async def test_that_answers_stays(self) -> None:
        carrier, wire = unread(SocketConfig(heartbeat=Duration(20_000), stall=Duration(10**9)))
        carrier.look(20.0)
        carrier.heard(21.0)
        carrier.look(40.0)
        assert (wire.size, wire.aborted) == (len(PING), False)


class TestAFrame:
    @pytest.mark.parametrize(("size", "head"), [
        (0, b"\x81\x00"), (125, b"\x81\x7d"), (126, b"\x81\x7e\x00\x7e"),
        (65_535, b"\x81\x7e\xff\xff"), (65_536, b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
    ])  # fmt: skip
    def test_has_the_length_that_rfc_6455_wants(self, size: int, head: bytes) -> None:
        assert frame(b"x" * size) == head + b"x" * size

    def test_of_the_same_text_is_made_once(self) -> None:
        framer, text = Framer(), "一样"
        assert framer.frame(text) is framer.frame(text)
        assert framer.frame("x") == frame(b"x")


PING = b"\x89\x00"


class Unread:
    """A transport whose other end takes nothing."""

    def __init__(self) -> None:
        self.size, self.aborted = 0, False

    def write(self, data: bytes) -> None:
        self.size += len(data)

    def get_write_buffer_size(self) -> int:
        return self.size

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True


def unread(config: SocketConfig) -> tuple[WebSocketCarrier, Unread]:
    """A carrier of the time 0 over such a transport."""

    class Closing:
        async def close(self, *, code: int = 1000, message: bytes = b"", drain: bool = True) -> bool:
            return True

    wire = Unread()
    return WebSocketCarrier(Closing(), wire, config, Framer(), 0.0), wire


class TestAStoppingServer:
    def test_says_1001_to_everyone(self, own_server: Server) -> None:
        with opened(own_server, own_server.demo.id) as ws:
            join(ws, own_server.token("learner"))
            assert own_server.stop() == 0
            assert close_code(ws) == 1001

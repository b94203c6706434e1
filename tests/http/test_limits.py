"""Clients that are slow on purpose, and too many of them (RELIABILITY G23)."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.drivers.server import Server, request
from tests.edge.nginx import free_port
from tests.http.conftest import closed, connect, read_all

DOOR = free_port()
QUESTION = b"GET /hls/x/access?token=x HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose patience is short, so that the tests' is too."""
    server = Server(
        tmp_path_factory.mktemp("strict"),
        LIVESERVER_HTTP_HEADER_TIMEOUT="400ms",
        LIVESERVER_HTTP_BODY_TIMEOUT="400ms",
        LIVESERVER_HTTP_IDLE_TIMEOUT="600ms",
        LIVESERVER_HTTP_UNFINISHED_PER_ADDRESS="5",
        LIVESERVER_SOCKET_JOIN_TIMEOUT="300ms",
        LIVESERVER_RECORDER_ENABLED="false",
        LIVESERVER_DOOR_PORT=str(DOOR),
    )
    server.start()
    yield server
    assert server.stop() == 0
    assert server.tracebacks() == []


class TestASlowClient:
    @pytest.mark.parametrize("start", [b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: "])
    def test_that_never_ends_its_header_is_cut_off(self, strict: Server, start: bytes) -> None:
        with connect(strict.base_url) as sock:
            sock.sendall(start)
            assert closed(sock)

    def test_that_drips_its_header_is_cut_off(self, strict: Server) -> None:
        with connect(strict.base_url) as sock:
            sock.settimeout(0.05)
            sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n")
            assert drips_until_closed(sock)

    def test_that_does_the_same_with_its_second_request_is_cut_off(self, strict: Server) -> None:
        with connect(strict.base_url) as sock:
            sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert sock.recv(4096).startswith(b"HTTP/1.1 200")
            sock.sendall(b"GET /healthz HTTP/1.1\r\nHost")
            assert closed(sock)

    def test_that_never_ends_its_body_is_told_408(self, strict: Server) -> None:
        head = (
            f"POST /api/v1/lessons HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {strict.token('admin')}\r\n"
            "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
        )
        with connect(strict.base_url) as sock:
            sock.sendall(head.encode())
            assert read_all(sock).startswith(b"HTTP/1.1 408 ")

    def test_that_keeps_a_connection_idle_loses_it(self, strict: Server) -> None:
        with connect(strict.base_url) as sock:
            sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert closed(sock)

    def test_that_upgrades_and_does_not_join_is_closed_with_4401(self, strict: Server) -> None:
        upgrade = (
            f"GET /ws/{strict.demo.id} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        with connect(strict.base_url) as sock:
            sock.sendall(upgrade.encode())
            assert (4401).to_bytes(2, "big") in read_all(sock)


class TestTheDoorForEdges:
    @pytest.mark.parametrize("start", [b"", b"GET /hls/x/access?token=", QUESTION + b"GET /hls/x"])
    def test_cuts_off_who_never_ends_a_question(self, strict: Server, start: bytes) -> None:
        with connect(f"http://127.0.0.1:{DOOR}") as sock:
            sock.sendall(start)
            assert closed(sock)

    def test_cuts_off_who_drips(self, strict: Server) -> None:
        with connect(f"http://127.0.0.1:{DOOR}") as sock:
            sock.settimeout(0.05)
            sock.sendall(QUESTION[:-2])
            assert drips_until_closed(sock)

    def test_ends_what_is_idle(self, strict: Server) -> None:
        with connect(f"http://127.0.0.1:{DOOR}") as sock:
            sock.sendall(QUESTION)
            assert sock.recv(4096).startswith(b"HTTP/1.1 401 ")
            assert closed(sock)

    def test_takes_a_whole_class_from_one_address(self, strict: Server) -> None:
        lines = [connect(f"http://127.0.0.1:{DOOR}") for _ in range(50)]
        for line in lines:
            line.sendall(QUESTION)
        for line in lines:
            with line:
                assert line.recv(4096).startswith(b"HTTP/1.1 401 ")


def drips_until_closed(sock: socket.socket) -> bool:
    """Send a byte each time nothing came for a while, at most 200 times; whether the server hung up."""
    for _ in range(200):
        try:
            sock.sendall(b"x")
            if sock.recv(4096) == b"":
                return True
        except TimeoutError:
            continue
        except OSError:
            return True
    return False


class TestManyClients:
    def test_of_one_address_may_not_all_be_unfinished(self, strict: Server) -> None:
        held = [connect(strict.base_url) for _ in range(30)]
        refused = [answer for sock in held if (answer := said_at_once(sock))]
        assert refused
        assert {answer[:13] for answer in refused} == {b"HTTP/1.1 503 "}
        for sock in held:
            sock.close()

    def test_that_do_finish_their_requests_are_not_limited(self, strict: Server) -> None:
        held = []
        for _ in range(20):
            sock = connect(strict.base_url)
            sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert sock.recv(4096).startswith(b"HTTP/1.1 200")
            held.append(sock)
        for sock in held:
            sock.close()

    def test_are_counted_by_the_limit_that_refused_them(self, strict: Server) -> None:
        text = request("GET", f"{strict.base_url}/metrics").body
        assert b'liveserver_http_connections_refused_total{why="address"}' in text
        assert b'liveserver_http_connections_refused_total{why="header_timeout"}' in text


def said_at_once(sock: socket.socket) -> bytes:
    """What the server says, unasked, well before the header's time is over."""
    sock.settimeout(0.1)
    try:
        return sock.recv(4096)
    except TimeoutError:
        return b""


class TestAHugeHeader:
    @pytest.mark.parametrize(
        "header",
        [
            b"X: " + b"a" * 20_000,
            b"\r\n".join(b"X%d: a" % n for n in range(5000)),
            b"Cookie: " + b"a=b;" * 5000,
        ],
        ids=["long", "many", "cookie"],
    )
    def test_is_refused_and_the_connection_ends(self, strict: Server, header: bytes) -> None:
        with connect(strict.base_url) as sock:
            try:
                sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + header + b"\r\n\r\n")
            except OSError:  # it hung up while we were still sending
                return
            answer = read_all(sock)
        assert answer.count(b"HTTP/1.") <= 1
        assert answer == b"" or answer.split(b" ", 2)[1] in (b"400", b"431")

    def test_and_its_kind_leave_the_server_as_it_was(self, strict: Server, tmp_path: Path) -> None:
        assert request("GET", f"{strict.base_url}/healthz").status == 200

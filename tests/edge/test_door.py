"""The door for edges: the answers of the route, to one request alone, whatever else comes."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator

import jwt
import pytest

from liveserver.http import door_wire as wire
from tests.drivers.media import pattern_publisher
from tests.drivers.process import until
from tests.drivers.server import Lesson, Reply, Server, request
from tests.edge.nginx import Ports
from tests.edge.test_nginx import asked_of_origin
from tests.http.conftest import connect, read_all

EDGE = {"LL-Edge": "1"}


def ask(port: int, lesson: str, token: str) -> Reply:
    """As nginx asks."""
    return request("GET", f"http://127.0.0.1:{port}/hls/{lesson}/access?token={token}", headers=EDGE)


def said(reply: Reply) -> tuple[int, str | None, str | None]:
    return reply.status, reply.headers.get("LL-Run"), reply.headers.get("LL-Refusal")


def head(lesson: Lesson, token: str, more: str = "") -> bytes:
    return f"GET /hls/{lesson.id}/access?token={token} HTTP/1.1\r\nHost: x\r\n{more}\r\n".encode()


@pytest.fixture
def line(ports: Ports, server: Server) -> Iterator[socket.socket]:
    with connect(f"http://127.0.0.1:{ports.door}") as sock:
        yield sock


class TestTheDoor:
    def test_answers_what_the_route_answers(self, ports, server, aired):
        other = server.new_lesson()
        learner, gone = aired.tokens["learner"], "x" * 40
        asked = [
            (aired.id, learner),
            (aired.id, learner),  # who asked just before
            (aired.id, aired.tokens["instructor"]),
            (aired.id, server.token("admin")),
            (aired.id, server.token("inspector")),
            (aired.id, ""),
            (aired.id, gone),
            (aired.id, other.tokens["learner"]),
            (other.id, other.tokens["learner"]),  # nobody teaches yet
            ("nowhere", server.token("admin")),
        ]
        for lesson, token in asked:
            door, route = ask(ports.door, lesson, token), ask(ports.origin, lesson, token)
            assert said(door) == said(route), (lesson, token)
            assert door.headers.get("Retry-After") == route.headers.get("Retry-After")
            if door.status != 204:
                assert door.json == route.json
        assert said(ask(ports.door, aired.id, learner))[0] == 204
        assert said(ask(ports.door, other.id, other.tokens["learner"]))[2] == "503 not_live"

    def test_is_counted_as_the_route_is(self, ports, server, aired):
        before = asked_of_origin(ports, wire.ROUTE, 204)
        assert ask(ports.door, aired.id, aired.tokens["learner"]).status == 204
        assert asked_of_origin(ports, wire.ROUTE, 204) > before

    def test_refuses_at_once_after_a_cut_and_lets_in_after_it_is_lifted(self, ports, server, tmp_path):
        lesson = server.new_lesson()
        url, token = server.whip_url(lesson), lesson.tokens["instructor"]
        with pattern_publisher(tmp_path, url, token, size="320x240") as client:
            client.wait("publishing")
            learner = lesson.tokens["learner"]
            until(lambda: ask(ports.door, lesson.id, learner).status == 204, "let in")
            run = ask(ports.door, lesson.id, learner).headers["LL-Run"]
            cut = {"level": "pause", "reason": "advert"}
            assert server.api("POST", f"/lessons/{lesson.id}/cut", cut, role="moderator").status == 200
            assert said(ask(ports.door, lesson.id, learner)) == (403, None, "410 lesson_cut")
            lifted = {"reason": "it was none"}
            assert server.api("POST", f"/lessons/{lesson.id}/restore", lifted).status == 200
            until(lambda: ask(ports.door, lesson.id, learner).status == 204, "let in again")
            assert ask(ports.door, lesson.id, learner).headers["LL-Run"] != run
            assert server.api("POST", f"/lessons/{lesson.id}/end").status == 200

    def test_refuses_who_was_removed(self, ports, server, aired):
        token = server.more_tokens(aired, 1)[0]
        assert ask(ports.door, aired.id, token).status == 204
        person = jwt.decode(token, options={"verify_signature": False})["sub"]
        whom = {"level": "person", "reason": "abuse", "person": person}
        assert server.api("POST", f"/lessons/{aired.id}/cut", whom, role="moderator").status == 200
        until(lambda: ask(ports.door, aired.id, token).status == 403, "refused")  # the room hears of it
        assert said(ask(ports.door, aired.id, token)) == (403, None, "410 person_removed")

    def test_refuses_at_once_whose_access_was_taken_back(self, ports, server, aired):
        token, other = server.more_tokens(aired, 2)
        for one in (token, other):
            assert ask(ports.door, aired.id, one).status == 204
        person = jwt.decode(token, options={"verify_signature": False})["sub"]
        assert server.api("POST", "/revocations", {"person": person}).status == 200
        refused = ask(ports.door, aired.id, token)
        assert (refused.status, refused.json["code"]) == (401, "session_ended")
        assert ask(ports.door, aired.id, other).status == 204


class TestAConnection:
    def test_is_kept_for_the_next_question_and_after_a_refusal(self, line, aired):
        for token, status in (("", 401), (aired.tokens["learner"], 204), ("x", 401)):
            line.sendall(head(aired, token))
            assert line.recv(65_536).startswith(f"HTTP/1.1 {status} ".encode())

    def test_gets_the_answers_in_order_when_questions_come_together(self, line, server, aired):
        new, known = server.more_tokens(aired, 2)
        line.sendall(head(aired, known))
        assert line.recv(65_536).startswith(b"HTTP/1.1 204")
        # The first one takes a look at the database, the others none.
        line.sendall(head(aired, new) + head(aired, "x") + head(aired, known, "Connection: close\r\n"))
        assert re.findall(rb"HTTP/1\.1 (\d+)", read_all(line)) == [b"204", b"401", b"204"]

    def test_may_come_in_any_pieces(self, line, aired):
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in head(aired, aired.tokens["learner"]):
            line.send(bytes([byte]))
        assert line.recv(65_536).startswith(b"HTTP/1.1 204")

    @pytest.mark.parametrize(
        "sent",
        [
            b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
            b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
            b"POST /hls/x/access?token= HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
        ],
    )
    def test_ends_after_one_refusal_of_what_is_no_question(self, line, sent):
        line.sendall(sent)
        answer = read_all(line)
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert answer.count(b"HTTP/1.1 ") == 1
        assert b'"code": "bad_request"' in answer

    @pytest.mark.parametrize("sent", [b"x" * 9000, b"GET /hls/" + b"x" * 300_000])
    def test_ends_when_a_head_has_no_end(self, line, sent):
        line.sendall(sent)
        assert read_all(line).startswith(b"HTTP/1.1 431 ")

    def test_that_asks_without_reading_is_not_answered_without_bound(self, line, aired):
        line.settimeout(2)
        question, sent = head(aired, aired.tokens["learner"]), 0
        with pytest.raises((TimeoutError, ConnectionError)):
            while sent < 200_000_000:
                line.sendall(question * 20)
                sent += 20 * len(question)
        assert sent < 200_000_000

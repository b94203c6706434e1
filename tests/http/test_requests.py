"""What is refused before a handler sees it, and in which words."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from liveserver.core.permissions import Role, allows
from liveserver.http.app import public_routes
from liveserver.http.routes import Route, Scope
from tests.drivers.server import Reply, Server, request
from tests.http.conftest import connect, read_all

ROUTES = public_routes(test_hooks=True)
# Without a token OPTIONS is a preflight, which is answered to everyone (tests/faults/test_turn.py).
GUARDED = [row for row in ROUTES if row.scope is not Scope.OPEN and row.method != "OPTIONS"]


def address(row: Route, lesson: str = "nolesson") -> str:
    """A path that leads to `row`."""
    known = {
        "lesson": lesson,
        "run": "0" * 16,
        "rendition": "video",
        "number": "1",
        "sequence": "1",
        "part": "1",
    }
    return re.sub(r"\{(\w+):(?:[^{}]|\{[^{}]*\})*\}", lambda found: known.get(found[1], "nolesson"), row.path)


def create(server: Server, body: bytes, **headers: str) -> Reply:
    url = f"{server.base_url}/api/v1/lessons"
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    kind = sent.pop("Content-Type", "application/json")
    return request("POST", url, token=server.token("admin"), body=body, content_type=kind, headers=sent)


def is_problem(reply: Reply, status: int, code: str) -> bool:
    """Whether the answer is an RFC 9457 problem with our code; says what it was if not."""
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert set(reply.json) == {"type", "title", "status", "detail", "code"}
    assert (reply.status, reply.json["status"], reply.json["code"]) == (status, status, code), reply.json
    return True


class TestAToken:
    @pytest.mark.parametrize("row", GUARDED, ids=lambda row: f"{row.method} {row.path}")
    def test_without_one_every_guarded_route_is_closed(self, server: Server, row: Route) -> None:
        reply = request(row.method, server.base_url + address(row), body=b"" if row.method != "GET" else None)
        assert is_problem(reply, 401, "token_missing")
        assert reply.headers["WWW-Authenticate"] == "Bearer"

    @pytest.mark.parametrize("role", list(Role))
    def test_a_role_opens_nothing_that_is_not_its_own(self, server: Server, sign, role: Role) -> None:
        """REL-A3: every route there is, by its method alone, in one's own lesson and with a token for all."""
        beyond = [row for row in GUARDED if row.permission is not None and not allows(role, row.permission)]
        lesson = server.demo.id
        tokens = (sign(role, lesson=lesson), sign(role))
        assert beyond
        for row in beyond:
            body = b"{}" if row.method != "GET" else None
            for token in tokens:
                reply = request(row.method, server.base_url + address(row, lesson), token=token, body=body)
                assert (reply.status, reply.json.get("code")) == (403, "forbidden"), (
                    f"{row.method} {row.path}"
                )

    @pytest.mark.parametrize(
        "header", ["Bearer x.y.z", "Bearer ", "Basic dTpw", "bearer \u00e9", "Bearer a b"]
    )
    def test_a_wrong_one_opens_nothing(self, server: Server, header: str) -> None:
        headers = {"Authorization": header}
        reply = request("GET", f"{server.base_url}/api/v1/lessons", headers=headers)
        assert reply.status == 401

    def test_an_expired_one_is_said_to_be(self, server: Server, sign) -> None:
        reply = server.api("GET", "/lessons", token=sign(Role.ADMIN, ttl_s=-120))
        assert is_problem(reply, 401, "token_expired")

    def test_in_the_query_string_it_does_not_count(self, server: Server) -> None:
        reply = request("GET", f"{server.base_url}/api/v1/ledger/head?token={server.token('admin')}")
        assert is_problem(reply, 401, "token_missing")

    def test_the_schemes_case_does_not_matter(self, server: Server) -> None:
        headers = {"Authorization": f"bEARER {server.token('admin')}"}
        assert request("GET", f"{server.base_url}/api/v1/lessons", headers=headers).status == 200


class TestABody:
    def test_at_the_limit_it_is_read_and_one_byte_more_is_413(self, server: Server) -> None:
        body = json.dumps({"title": "x"}).encode()
        assert create(server, body + b" " * (65_536 - len(body))).status == 201
        assert is_problem(create(server, body + b" " * (65_537 - len(body))), 413, "too_large")

    def test_sent_in_chunks_it_has_the_same_limit(self, server: Server) -> None:
        head = (
            f"POST /api/v1/lessons HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.token('admin')}\r\n"
            "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        with connect(server.base_url) as sock:
            sock.sendall(head.encode() + b"8000\r\n" + b" " * 0x8000 + b"\r\n" + b"9000\r\n" + b" " * 0x9000)
            assert read_all(sock).startswith(b"HTTP/1.1 413 ")

    @pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/sdp"])
    def test_of_another_type_is_415(self, server: Server, kind: str) -> None:
        assert is_problem(create(server, b"{}", Content_Type=kind), 415, "bad_request")

    @pytest.mark.parametrize("coding", ["gzip", "identity", "br"])
    def test_with_a_content_encoding_is_415(self, server: Server, coding: str) -> None:
        assert is_problem(create(server, b"{}", Content_Encoding=coding), 415, "bad_request")

    @pytest.mark.parametrize(
        "body",
        [
            b'{"title": "a", "title": "b"}',
            b'{"title": NaN}',
            b'{"title": "\\ud800"}',
            b'\xef\xbb\xbf{"title": "a"}',
            b'{"title": "\xff"}',
            b"[" * 33 + b"]" * 33,
            b'"' + b"\\" * 4001 + b'"',
            b"1" * 5000,
            b"",
        ],
        ids=["name twice", "NaN", "surrogate", "mark", "not UTF-8", "33 deep", "escapes", "digits", "empty"],
    )
    def test_of_loose_json_is_400(self, server: Server, body: bytes) -> None:
        reply = create(server, body)
        assert reply.status == 400
        assert reply.json["code"] in ("bad_json", "bad_request")

    @pytest.mark.parametrize(
        ("body", "named"),
        [
            ({"title": "a", "titel": "b"}, "titel"),
            ({}, "title"),
            ({"title": 3}, "title"),
            ({"title": ""}, "title"),
            ({"title": "  "}, "title"),
            ({"title": "a\u0000b"}, "title"),
            ({"title": "x" * 201}, "title"),
            ({"title": None}, "title"),
        ],
    )
    def test_with_a_wrong_field_is_400_and_the_field_is_named(self, server: Server, body, named: str) -> None:
        reply = create(server, json.dumps(body).encode())
        assert is_problem(reply, 400, "bad_request")
        assert named in reply.json["detail"]


class TestAQuery:
    @pytest.mark.parametrize(
        "query",
        [
            "state=open",
            "limit=0",
            "limit=201",
            "limit=x",
            "limit=--1",
            "what=1",
            "limit=1&limit=2",
            "after=zzz",
        ],
    )
    def test_that_is_wrong_is_400(self, server: Server, query: str) -> None:
        assert is_problem(server.api("GET", f"/lessons?{query}"), 400, "bad_request")


class TestAnAddress:
    @pytest.mark.parametrize("path", ["/nowhere", "/api/v1/nothing", "/learn/", "/static/../x", "/learn/%00"])
    def test_that_leads_nowhere_is_404(self, server: Server, path: str) -> None:
        assert is_problem(request("GET", server.base_url + path), 404, "not_found")

    def test_with_another_method_is_405_and_says_which_there_are(self, server: Server) -> None:
        reply = request("PUT", f"{server.base_url}/api/v1/lessons", body=b"")
        assert is_problem(reply, 405, "bad_request")
        assert set(reply.headers["Allow"].replace(" ", "").split(",")) == {"GET", "HEAD", "POST"}

    def test_of_a_lesson_nobody_made_is_404(self, server: Server) -> None:
        for method, path in (("GET", "nolesson"), ("GET", "nolesson/recordings"), ("POST", "nolesson/end")):
            reply = server.api(method, f"/lessons/{path}")
            assert is_problem(reply, 404, "unknown_lesson")


class TestARefusal:
    def test_ends_the_connection(self, server: Server) -> None:
        """What stands behind a refused request is never read as another one."""
        with connect(server.base_url) as sock:
            sock.sendall(b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = read_all(sock)
        assert answer.startswith(b"HTTP/1.1 404 ")
        assert answer.count(b"HTTP/1.1 ") == 1


class TestTheCorpora:
    def test_malformed_json_is_400(self, server: Server, corpus: Path) -> None:
        files = sorted((corpus / "json").glob("*.json"))
        assert files
        for file in files:
            reply = create(server, file.read_bytes())
            assert reply.status < 500, file.name
            if "__n_" in file.name:
                assert reply.status == 400, file.name

    def test_malformed_requests_get_one_refusal_and_the_connection_ends(
        self, server: Server, corpus: Path
    ) -> None:
        files = sorted((corpus / "http").glob("*.http"))
        assert files
        for file in files:
            with connect(server.base_url) as sock:
                sock.sendall(file.read_bytes())
                answer = read_all(sock)
            assert answer.count(b"HTTP/1.") == 1, file.name
            assert answer.split(b" ", 2)[1] in (b"400", b"413", b"431"), file.name

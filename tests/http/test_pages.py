"""Pages, their files, the OpenAPI document, health and diagnostics."""

from __future__ import annotations

import gzip
import re
from html.parser import HTMLParser
from typing import Any

import pytest

import web
from liveserver.http import schemas
from liveserver.http.app import public_routes
from tests.drivers.server import Server, request
from tests.http.test_requests import is_problem

PAGES = ("/", "/teach/{lesson}", "/learn/{lesson}", "/moderate", "/admin", "/inspect", "/watch/{lesson}")
FORWARDED = {"X-Forwarded-For": "203.0.113.9"}


class Loaded(HTMLParser):
    """What a page loads, and whether anything in it is inline."""

    def __init__(self, text: str):
        super().__init__()
        self.addresses: list[str] = []
        self.inline: list[str] = []
        self.metas: dict[str, str | None] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "meta" and given.get("name"):
            self.metas[str(given["name"])] = given.get("content")
        self.inline += [name for name in given if name.startswith("on") or name == "style"]
        if tag == "style" or (tag == "script" and not given.get("src")):
            self.inline.append(tag)
        address = given.get("src") or (given.get("href") if tag == "link" else None)
        if address:
            self.addresses.append(address)


class TestAPage:
    @pytest.mark.parametrize("path", PAGES)
    def test_loads_only_its_own_files_under_a_strict_policy(self, server: Server, path: str) -> None:
        reply = request("GET", server.base_url + path.format(lesson=server.demo.id))
        assert (reply.status, reply.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        policy = reply.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert server.control_url in policy
        assert reply.headers["Referrer-Policy"] == "no-referrer"
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
        page = Loaded(reply.body.decode())
        assert page.inline == []
        assert page.metas.get("control-url", server.control_url) == server.control_url
        assert page.addresses
        for address in page.addresses:
            assert address.startswith("/static/")
            assert request("GET", server.base_url + address).status == 200, address

    def test_names_the_control_port_on_the_host_the_client_used(self, server: Server) -> None:
        host = f"localhost:{server.base_url.rsplit(':', 1)[1]}"
        page = Loaded(request("GET", f"{server.base_url}/moderate", headers={"Host": host}).body.decode())
        assert page.metas["control-url"] == f"http://localhost:{server.control_url.rsplit(':', 1)[1]}"

    def test_answers_head_like_get_without_a_body(self, server: Server) -> None:
        get, head = (request(method, f"{server.base_url}/learn/abc") for method in ("GET", "HEAD"))
        assert (head.status, head.body) == (200, b"")
        assert head.headers["Content-Length"] == get.headers["Content-Length"]


class TestAFile:
    def test_is_asked_for_again_only_when_it_changed(self, server: Server) -> None:
        url = f"{server.base_url}/static/logo.svg"
        first = request("GET", url)
        assert first.headers["Cache-Control"] == "no-cache"
        second = request("GET", url, headers={"If-None-Match": first.headers["ETag"]})
        assert (second.status, second.body) == (304, b"")
        assert request("GET", url, headers={"If-None-Match": '"other"'}).status == 200

    def test_is_compressed_for_who_takes_that_under_a_tag_of_its_own(self, server: Server) -> None:
        script = max((web.root() / "static").rglob("*.js"), key=lambda path: path.stat().st_size)
        url = f"{server.base_url}/static/{script.relative_to(web.root() / 'static').as_posix()}"
        plain = request("GET", url, headers={"Accept-Encoding": "identity"})
        packed = request("GET", url, headers={"Accept-Encoding": "br, gzip;q=0.8"})
        refused = request("GET", url, headers={"Accept-Encoding": "gzip;q=0"})
        assert packed.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(packed.body) == plain.body == refused.body == script.read_bytes()
        assert packed.headers["ETag"] != plain.headers["ETag"]
        assert plain.headers["Content-Type"] == "text/javascript; charset=utf-8"

    @pytest.mark.parametrize(
        "path", ["../__init__.py", "%2e%2e/__init__.py", "..%2f__init__.py", "nothing.js", "lib"]
    )
    def test_outside_the_folder_there_is_none(self, server: Server, path: str) -> None:
        assert is_problem(request("GET", f"{server.base_url}/static/{path}"), 404, "not_found")


class TestTheDocument:
    def test_is_served_as_openapi_3_1(self, server: Server) -> None:
        reply = request("GET", f"{server.base_url}/api/v1/openapi.json")
        assert reply.headers["Content-Type"] == "application/json"
        assert reply.json["openapi"] == "3.1.0"

    def test_has_every_route_of_the_table(self, server: Server) -> None:
        paths = request("GET", f"{server.base_url}/api/v1/openapi.json").json["paths"]
        for row in public_routes(test_hooks=True):
            path = re.sub(r"\{(\w+):(?:[^{}]|\{[^{}]*\})*\}", r"{\1}", row.path)
            assert row.method.lower() in paths[path]

    def test_refers_only_to_what_it_has(self, server: Server) -> None:
        document = request("GET", f"{server.base_url}/api/v1/openapi.json").json
        for reference in references(document):
            kind, name = reference.removeprefix("#/components/").split("/")
            assert name in document["components"][kind]

    def test_gives_each_name_to_one_thing(self) -> None:
        assert sum(len(part.COMPONENTS) for part in schemas.PARTS) == len(schemas.COMPONENTS)

    @pytest.mark.parametrize(
        ("path", "schema"),
        [
            ("/lessons", "LessonList"),
            ("/lessons/{lesson}", "Lesson"),
            ("/lessons/{lesson}/recordings", "RecordingList"),
            ("/ledger/head", "LedgerHead"),
            ("/ledger/entries", "EntryList"),
            ("/ledger/proof?index=0&size=1", "LedgerProof"),
        ],
    )
    def test_describes_what_is_answered(self, server: Server, path: str, schema: str) -> None:
        document = request("GET", f"{server.base_url}/api/v1/openapi.json").json
        answer = server.api("GET", path.format(lesson=server.demo.id)).json
        check(answer, document["components"]["schemas"][schema], document, schema)


def references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [found for item in value.values() for found in references(item)]
    return [found for item in value for found in references(item)] if isinstance(value, list) else []


KINDS = {
    "object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float),
    "null": type(None),
}  # fmt: skip


def check(value: Any, schema: dict[str, Any], document: dict[str, Any], where: str) -> None:
    """As much of JSON Schema as the document uses: types, required names, items, enums, patterns."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    if "oneOf" in schema:
        if value is not None:
            check(value, schema["oneOf"][0], document, where)
        return
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    assert isinstance(value, tuple(KINDS[kind] for kind in kinds)), (where, value)
    if isinstance(value, dict):
        assert set(schema.get("required", ())) <= set(value), where
        for name, inner in schema.get("properties", {}).items():
            if name in value:
                check(value[name], inner, document, f"{where}.{name}")
    if isinstance(value, list):
        for item in value:
            check(item, schema["items"], document, f"{where}[]")
    if isinstance(value, str):
        assert value in schema.get("enum", [value]), where
        assert re.search(schema.get("pattern", ""), value), where


class TestHealth:
    def test_is_open_and_names_the_parts(self, server: Server) -> None:
        assert request("GET", f"{server.base_url}/healthz").json == {"status": "ok"}
        ready = request("GET", f"{server.base_url}/readyz")
        assert (ready.status, ready.json["parts"]) == (200, {"store": True, "bus": True, "guard": True})


class TestDiagnostics:
    def test_from_the_machine_itself_are_open(self, server: Server) -> None:
        metrics = request("GET", f"{server.base_url}/metrics")
        assert b"liveserver_http_requests_total{" in metrics.body
        assert b"liveserver_rooms_open " in metrics.body
        assert "rooms" in request("GET", f"{server.base_url}/debug/rooms").json

    @pytest.mark.parametrize("path", ["/metrics", "/debug/rooms"])
    @pytest.mark.parametrize("header", ["Forwarded", "X-Forwarded-For", "X-Real-IP"])
    def test_what_a_proxy_passes_on_is_refused(self, server: Server, path: str, header: str) -> None:
        reply = request("GET", server.base_url + path, headers={header: "127.0.0.1"})
        assert is_problem(reply, 403, "forbidden")

    def test_so_is_the_test_hook(self, server: Server) -> None:
        reply = request("POST", f"{server.base_url}/debug/block?seconds=1", body=b"", headers=FORWARDED)
        assert is_problem(reply, 403, "forbidden")

    def test_without_test_hooks_there_is_none(self) -> None:
        assert not [row for row in public_routes(test_hooks=False) if row.path == "/debug/block"]

    def test_count_requests_by_route_and_not_by_address(self, server: Server) -> None:
        request("GET", f"{server.base_url}/learn/a-lesson-of-its-own")
        text = request("GET", f"{server.base_url}/metrics").body
        assert b"a-lesson-of-its-own" not in text

"""Playing a sealed recording by its signed link, and the first administrator's link."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from liveserver.store import Lesson, Recording, open_store
from liveserver.tokens import Tokens
from tests.drivers.server import Reply, Server, request
from tests.http.test_requests import is_problem

CONTENT = bytes(range(256)) * 1024


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose data folder already holds one sealed recording and one that failed."""
    server = Server(tmp_path_factory.mktemp("kept"), LIVESERVER_RECORDER_ENABLED="false")
    asyncio.run(fill(server.data))
    server.start()
    yield server
    assert server.stop() == 0
    assert server.tracebacks() == []


async def fill(data: Path) -> None:
    folder = data / "recordings" / "objects" / "old"
    folder.mkdir(parents=True)
    (folder / "old-1.mp4").write_bytes(CONTENT)
    (data / "outside.mp4").write_bytes(b"secret")
    store = await open_store(f"sqlite:///{data / 'liveserver.db'}")
    digest = hashlib.sha256(CONTENT).hexdigest()
    await store.lessons.create(Lesson("old", "An earlier lesson", "Wang", "ended", 1, 2, 3))
    for name, state, path in (
        ("old-1", "sealed", "old/old-1.mp4"),
        ("old-2", "failed", ""),
        ("old-3", "sealed", "../../outside.mp4"),
    ):
        await store.recordings.save(
            Recording(name, "old", state, path, 5, sha256=digest, size=len(CONTENT), duration_ms=1000)
        )
    await store.close()


def listed(server: Server) -> dict[str, dict]:
    return {item["id"]: item for item in server.api("GET", "/lessons/old/recordings").json["items"]}


def play(server: Server, method: str = "GET", **headers: str) -> Reply:
    return request(method, listed(server)["old-1"]["url"], headers=headers)


class TestTheList:
    def test_gives_a_signed_address_for_what_is_sealed_and_none_for_the_rest(self, kept: Server) -> None:
        items = listed(kept)
        assert items["old-1"]["url"].startswith(f"{kept.base_url}/recordings/old-1?link=")
        assert items["old-2"]["url"] is None
        assert items["old-1"]["sha256"] == hashlib.sha256(CONTENT).hexdigest()

    def test_of_all_lessons_names_theirs(self, kept: Server) -> None:
        found = kept.api("GET", "/recordings?limit=2", role="inspector").json
        assert {(item["lesson"], item["title"]) for item in found["items"]} == {("old", "An earlier lesson")}
        assert found["next"] is not None


class TestTheFile:
    def test_played_by_the_staff_by_a_link_of_the_list_is_a_look_on_record(self, kept: Server) -> None:
        for role in ("admin", "inspector"):
            items = kept.api("GET", "/recordings?limit=10", role=role).json["items"]
            (url,) = [item["url"] for item in items if item["id"] == "old-1"]
            for _ in range(2):
                assert request("GET", url, headers={"Range": "bytes=0-9"}).status == 206
        looks = kept.api("GET", "/audit/looks?limit=200&after=-1", role="admin").json["items"]
        seen = [(one["role"], one["lesson"]) for one in looks if one["subject"] == "old-1"]
        assert sorted(seen) == [("admin", "old"), ("inspector", "old")]

    def test_is_whole_and_its_hash_is_the_apis(self, kept: Server) -> None:
        reply = play(kept)
        assert (reply.status, reply.headers["Content-Type"]) == (200, "video/mp4")
        assert reply.headers["Accept-Ranges"] == "bytes"
        assert hashlib.sha256(reply.body).hexdigest() == listed(kept)["old-1"]["sha256"]

    @pytest.mark.parametrize(
        ("wanted", "start", "end"),
        [
            ("bytes=0-0", 0, 1),
            ("bytes=1000-1999", 1000, 2000),
            ("bytes=262000-", 262_000, 262_144),
            ("bytes=-5", 262_139, 262_144),
        ],
    )
    def test_answers_a_range(self, kept: Server, wanted: str, start: int, end: int) -> None:
        reply = play(kept, Range=wanted)
        assert (reply.status, reply.body) == (206, CONTENT[start:end])
        assert reply.headers["Content-Range"] == f"bytes {start}-{end - 1}/{len(CONTENT)}"

    @pytest.mark.parametrize(
        "wanted", ["bytes=262144-", "bytes=9999999-", "bytes=b-a", "lines=1-2", "bytes=5-1"]
    )
    def test_has_no_range_that_is_none(self, kept: Server, wanted: str) -> None:
        reply = play(kept, Range=wanted)
        assert is_problem(reply, 416, "range_invalid")
        assert reply.headers["Content-Range"] == f"bytes */{len(CONTENT)}"

    def test_answers_head(self, kept: Server) -> None:
        reply = play(kept, "HEAD")
        assert (reply.status, reply.body, reply.headers["Content-Length"]) == (200, b"", str(len(CONTENT)))

    def test_needs_a_link_of_its_own(self, kept: Server) -> None:
        link = urlsplit(listed(kept)["old-1"]["url"]).query
        assert is_problem(request("GET", f"{kept.base_url}/recordings/old-2?{link}"), 403, "forbidden")
        assert is_problem(request("GET", f"{kept.base_url}/recordings/old-1"), 400, "bad_request")
        token = kept.token("admin")
        reply = request("GET", f"{kept.base_url}/recordings/old-1?link={token}", token=token)
        assert is_problem(reply, 401, "token_invalid")

    def test_is_gone_with_its_link(self, kept: Server) -> None:
        tokens = Tokens.load_or_create(kept.data / "keys" / "tokens.key")
        link = tokens.sign_link("recording", "old-1", int(time.time()) - 700, 600)
        reply = request("GET", f"{kept.base_url}/recordings/old-1?link={link}")
        assert is_problem(reply, 401, "token_expired")

    def test_outside_the_object_store_is_never_served(self, kept: Server) -> None:
        assert is_problem(request("GET", listed(kept)["old-3"]["url"]), 404, "not_found")


class TestTheSetUpLink:
    def link(self, server: Server) -> str:
        tokens = Tokens.load_or_create(server.data / "keys" / "tokens.key")
        return tokens.sign_link("setup", "first-administrator", int(time.time()), 600)

    def exchange(self, server: Server, token: str) -> Reply:
        return server.api("POST", "/setup", {"token": token, "name": "赵管理"})

    def test_makes_an_administrator_once(self, kept: Server) -> None:
        link = self.link(kept)
        token = self.exchange(kept, link).json["token"]
        assert kept.api("POST", "/lessons", {"title": "First"}, token=token).status == 201
        assert is_problem(self.exchange(kept, link), 410, "setup_used")
        assert len(kept.entries("administrator")) == 1

    def test_is_no_other_token(self, kept: Server) -> None:
        assert is_problem(self.exchange(kept, kept.token("admin")), 401, "token_invalid")
        assert is_problem(kept.api("GET", "/lessons", token=self.link(kept)), 401, "token_invalid")

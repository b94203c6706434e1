"""What the player is told and given: chapters, thumbnails and versions, by a token or by a signed link."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import pytest

from liveserver.core.permissions import Role
from liveserver.http.watch import parse
from liveserver.store import Lesson, Recording, open_store
from liveserver.tokens import Tokens
from recorder.chapters import Chapter, webvtt
from tests.drivers.server import Reply, Server, request
from tests.http.test_requests import is_problem

CONTENT = bytes(range(256)) * 1024
CHAPTERS = [
    Chapter(0, 400_040, "start"),
    Chapter(400_040, 700_000, "slide"),
    Chapter(700_000, 3_900_120, "time"),
]
GAP = {"track": "camera", "from_ms": 1000, "to_ms": 2000, "reason": "lost"}
OBJECTS = {
    "chapters.vtt": webvtt(CHAPTERS).encode(),
    "captions.vtt": b"WEBVTT\n\n00:00:01.000 --> 00:00:02.000\nHello\n",
    "chapter.01.jpg": b"\xff\xd8 one",
    "web.01.mp4": b"web one" * 1000,
    "archive.01.mp4": b"archive one",
    "archive.02.mp4": b"archive two",
}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose data folder holds a sealed recording with some of its objects, and others without."""
    server = Server(tmp_path_factory.mktemp("watched"), LIVESERVER_RECORDER_ENABLED="false")
    asyncio.run(fill(server.data))
    server.start()
    yield server
    assert server.stop() == 0
    assert server.tracebacks() == []


async def fill(data: Path) -> None:
    folder = data / "recordings" / "objects" / "old"
    folder.mkdir(parents=True)
    for name in ("old-1.mp4", "bare-1.mp4"):
        (folder / name).write_bytes(CONTENT)
    for name, content in OBJECTS.items():
        (folder / f"old-1.{name}").write_bytes(content)
    (folder / "old-1.manifest.jsonl").write_bytes(b"{}\n")
    (data / "recordings" / "outside.web.01.mp4").write_bytes(b"secret")
    store = await open_store(f"sqlite:///{data / 'liveserver.db'}")
    digest = hashlib.sha256(CONTENT).hexdigest()
    await store.lessons.create(Lesson("old", "An earlier lesson", "Wang", "ended", 1, 2, 3))
    for name, state, path in (
        ("old-1", "sealed", "old/old-1.mp4"),
        ("bare-1", "sealed", "old/bare-1.mp4"),
        ("open-1", "recording", ""),
        ("wrong-1", "sealed", "../outside.mp4"),
    ):
        await store.recordings.save(
            Recording(
                name, "old", state, path, 5, sha256=digest, size=len(CONTENT), duration_ms=1, gaps=[GAP]
            )
        )
    for number, state in ((1, "sealed"), (2, "sealed"), (3, "recording")):
        name = "long" if number == 1 else f"long-{number}"
        (folder / f"{name}.mp4").write_bytes(name.encode())
        path = f"old/{name}.mp4" if state == "sealed" else ""
        reel = Recording(name, "old", state, path, 5, sha256=digest, size=4, duration_ms=9, series="long")
        await store.recordings.save(replace(reel, reel=number, begins_ms=(number - 1) * 9))
    await store.close()


def tokens(server: Server) -> Tokens:
    return Tokens.load_or_create(server.data / "keys" / "tokens.key")


def told(server: Server, recording: str = "old-1", role: str = "inspector") -> dict[str, Any]:
    reply = server.api("GET", f"/recordings/{recording}", role=role)
    assert reply.status == 200, reply
    return reply.json


def link_of(server: Server, recording: str = "old-1", ago_s: int = 0, name: str = "") -> str:
    return tokens(server).sign_link("recording", recording, int(time.time()) - ago_s, 600, name)


def fetch(server: Server, name: str, link: str | None = None, method: str = "GET", **headers: str) -> Reply:
    link = link_of(server) if link is None else link
    return request(method, f"{server.base_url}/recordings/old-1/{name}?link={quote(link)}", headers=headers)


class TestWhatThePlayerIsTold:
    def test_has_the_recording_its_gaps_and_whose_name_to_show(self, kept: Server) -> None:
        found = told(kept)
        assert (found["recording"]["title"], found["recording"]["gaps"]) == ("An earlier lesson", [GAP])
        assert found["recording"]["sha256"] == hashlib.sha256(CONTENT).hexdigest()
        assert found["viewer"]
        assert request("GET", found["recording"]["url"]).body == CONTENT

    def test_has_the_chapters_with_what_was_made_of_each(self, kept: Server) -> None:
        chapters = told(kept)["chapters"]
        assert [(c["from_ms"], c["to_ms"]) for c in chapters] == [(c.from_ms, c.to_ms) for c in CHAPTERS]
        names = [urlsplit(c["url"] or "").path.rpartition("/")[2] for c in chapters]
        assert names == ["web.01.mp4", "archive.02.mp4", ""]
        assert [bool(c["thumbnail"]) for c in chapters] == [True, False, False]
        assert request("GET", chapters[0]["url"]).body == OBJECTS["web.01.mp4"]
        assert request("GET", chapters[0]["thumbnail"]).body == OBJECTS["chapter.01.jpg"]

    def test_has_the_captions_where_they_are_written(self, kept: Server) -> None:
        reply = request("GET", told(kept)["captions_url"])
        assert (reply.body, reply.headers["Content-Type"]) == (
            OBJECTS["captions.vtt"],
            "text/vtt; charset=utf-8",
        )
        assert told(kept, "bare-1")["captions_url"] is None

    def test_has_no_chapters_before_there_are_some(self, kept: Server) -> None:
        found = told(kept, "bare-1")
        assert (found["chapters"], found["chapters_url"]) == ([], None)
        assert found["recording"]["url"]

    def test_has_every_reel_of_a_long_recording_by_links_that_end_together(self, kept: Server) -> None:
        link = link_of(kept, "long-2", ago_s=500, name="Li")
        found = request("GET", f"{kept.base_url}/recordings/long-2/about?link={quote(link)}").json
        assert found["recording"]["id"] == "long-2"
        reels = [reel["recording"] for reel in found["reels"]]
        assert [(r["id"], r["series"], r["reel"], r["begins_ms"]) for r in reels] == [
            ("long", "long", 1, 0), ("long-2", "long", 2, 9), ("long-3", "long", 3, 18),
        ]  # fmt: skip
        assert [request("GET", r["url"]).body for r in reels[:2]] == [b"long", b"long-2"]
        assert reels[2]["url"] is None
        own = urlsplit(reels[0]["url"]).query.removeprefix("link=")
        made = tokens(kept).verify_link("recording", unquote(own), int(time.time()))
        given = tokens(kept).verify_link("recording", link, int(time.time()))
        assert (made.subject, made.name) == ("long", "Li")
        assert abs(made.expires_at_s - given.expires_at_s) <= 1
        alone = told(kept)["reels"]
        assert [reel["recording"]["id"] for reel in alone] == ["old-1"]

    def test_has_no_address_before_the_seal(self, kept: Server) -> None:
        found = told(kept, "open-1")
        assert (found["recording"]["state"], found["recording"]["url"]) == ("recording", None)

    def test_is_for_those_who_may_see_recordings_and_whose_token_covers_the_lesson(
        self, kept: Server
    ) -> None:
        def status(role: Role, lesson: str) -> int:
            now_s = int(time.time())
            token = tokens(kept).issue(person="p", name="N", role=role, lesson=lesson, now_s=now_s, ttl_s=60)
            return kept.api("GET", "/recordings/old-1", token=token).status

        assert [status(role, "old") for role in (Role.INSTRUCTOR, Role.LEARNER, Role.MODERATOR)] == [
            200,
            403,
            403,
        ]
        assert (status(Role.INSTRUCTOR, "other"), status(Role.ADMIN, "*"), status(Role.INSPECTOR, "*")) == (
            403,
            200,
            200,
        )
        assert request("GET", f"{kept.base_url}/api/v1/recordings/old-1").status == 401

    def test_is_nothing_of_what_is_unknown(self, kept: Server) -> None:
        assert is_problem(kept.api("GET", "/recordings/none"), 404, "not_found")


class TestByLink:
    def test_the_same_is_told_for_the_name_it_was_made_for_and_no_longer_than_it_lasts(
        self, kept: Server
    ) -> None:
        link = link_of(kept, ago_s=300, name="王老师")
        found = fetch(kept, "about", link).json
        assert found["viewer"] == "王老师"
        assert found["chapters"][0]["url"].endswith(f"link={link}")
        assert found["recording"]["url"].endswith(f"link={link}")

    def test_the_lists_links_are_made_for_who_asked(self, kept: Server) -> None:
        items = kept.api("GET", "/lessons/old/recordings", role="inspector").json["items"]
        url = next(item["url"] for item in items if item["id"] == "old-1")
        by_list = request("GET", url.replace("?", "/about?")).json["viewer"]
        assert by_list == told(kept)["viewer"]

    @pytest.mark.parametrize("name", ["about", *OBJECTS])
    def test_nothing_is_given_without_one_with_anothers_or_with_an_old_one(
        self, kept: Server, name: str
    ) -> None:
        assert is_problem(request("GET", f"{kept.base_url}/recordings/old-1/{name}"), 400, "bad_request")
        assert is_problem(fetch(kept, name, link_of(kept, "bare-1")), 403, "forbidden")
        assert is_problem(fetch(kept, name, link_of(kept, ago_s=700)), 401, "token_expired")
        assert is_problem(fetch(kept, name, link_of(kept)[:-4] + "AAAA"), 401, "token_invalid")
        assert is_problem(fetch(kept, name, kept.token("admin")), 401, "token_invalid")


class TestAnObject:
    @pytest.mark.parametrize(
        ("name", "content_type"),
        [
            ("chapters.vtt", "text/vtt; charset=utf-8"),
            ("chapter.01.jpg", "image/jpeg"),
            ("web.01.mp4", "video/mp4"),
        ],
    )
    def test_is_whole_and_of_its_type(self, kept: Server, name: str, content_type: str) -> None:
        reply = fetch(kept, name)
        assert (reply.status, reply.body, reply.headers["Content-Type"]) == (200, OBJECTS[name], content_type)
        assert reply.headers["Cache-Control"] == "private, no-store"
        head = fetch(kept, name, method="HEAD")
        assert (head.status, head.headers["Content-Length"]) == (200, str(len(OBJECTS[name])))

    @pytest.mark.parametrize("name", ["chapters.vtt", "web.01.mp4"])
    def test_answers_a_range(self, kept: Server, name: str) -> None:
        content = OBJECTS[name]
        reply = fetch(kept, name, Range="bytes=3-12")
        assert (reply.status, reply.body) == (206, content[3:13])
        assert reply.headers["Content-Range"] == f"bytes 3-12/{len(content)}"
        assert is_problem(fetch(kept, name, Range=f"bytes={len(content)}-"), 416, "range_invalid")

    @pytest.mark.parametrize(
        "name",
        [
            "manifest.jsonl",
            "mp4",
            "web.02.mp4",
            "web.1.mp4",
            "..%2fold-1.mp4",
            "chapters.vtt%00",
            "web.01.mp4.retain",
        ],
    )
    def test_is_nothing_but_what_a_player_needs(self, kept: Server, name: str) -> None:
        assert is_problem(fetch(kept, name), 404, "not_found")

    def test_outside_the_object_store_is_never_served(self, kept: Server) -> None:
        link = link_of(kept, "wrong-1")
        reply = request("GET", f"{kept.base_url}/recordings/wrong-1/web.01.mp4?link={link}")
        assert is_problem(reply, 404, "not_found")
        assert is_problem(kept.api("GET", "/recordings/wrong-1"), 404, "not_found")


class TestTheListOfChapters:
    def test_is_read_as_it_was_written(self) -> None:
        assert parse(webvtt(CHAPTERS).encode()) == [(c.from_ms, c.to_ms) for c in CHAPTERS]

    def test_is_bounded_and_nothing_in_it_is_an_error(self) -> None:
        many = webvtt([Chapter(i, i + 1, "time") for i in range(600)]).encode()
        assert len(parse(many)) == 500
        assert parse(b"\xff\xfeWEBVTT 00:00 --> nonsense") == []

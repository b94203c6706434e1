"""Room, dates, holds and deletion: by REST and by `liveserver retention`, on a server with the disk."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from liveserver.core.retention import DAY_MS
from liveserver.store import Lesson, Recording, StoredObject, open_store
from recorder.objects import DiskStore
from tests.drivers.server import Server
from tests.http.test_commands import run
from tests.http.test_requests import is_problem

NOW_MS = time.time_ns() // 1_000_000
CONTENT = bytes(range(200)) * 100
DIGEST = hashlib.sha256(CONTENT).hexdigest()
PAST, FUTURE = NOW_MS - DAY_MS, NOW_MS + 400 * DAY_MS
OLD = Recording("", "old", "sealed", "", 5, sha256=DIGEST, size=len(CONTENT))
# One for each test that deletes or holds; the date of all but the young one has come.
NAMES = ("gone", "tampered", "kept", "disputed", "typed", "typed-not", "held", "young")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that keeps a recording of each name."""
    server = Server(tmp_path_factory.mktemp("kept"), LIVESERVER_RECORDER_ENABLED="false")
    asyncio.run(fill(server.data))
    server.start()
    yield server
    assert server.stop() == 0
    assert server.tracebacks() == []


async def fill(data: Path) -> None:
    (data / "recordings" / "objects").mkdir(parents=True)
    store = await open_store(f"sqlite:///{data / 'liveserver.db'}")
    await store.lessons.create(Lesson("old", "An earlier lesson", "Wang", "ended", 1, 2, 3))
    disk = DiskStore(data / "recordings" / "objects")
    for name in NAMES:
        until = FUTURE if name == "young" else PAST
        recording = replace(OLD, id=name, path=f"old/{name}.mp4", retain_until_ms=until)
        await store.recordings.save(replace(recording, hold="a dispute" if name == "held" else ""))
        part = data / "part"
        part.write_bytes(CONTENT)
        disk.put(recording.path, part, until)
        part.unlink()
        row = StoredObject(recording.path, name, len(CONTENT), DIGEST, "disk", NOW_MS, retain_until_ms=until)
        await store.kept.save_objects([row])
    await store.close()


def file_of(server: Server, name: str) -> Path:
    return server.data / "recordings" / "objects" / "old" / f"{name}.mp4"


def due(server: Server) -> list[str]:
    return [item["id"] for item in server.api("GET", "/retention/due", role="inspector").json["items"]]


def facts(server: Server, kind: str) -> list[dict[str, Any]]:
    return [entry["data"] for entry in server.entries(kind)]


class TestRoom:
    def test_is_told_with_the_months_ahead(self, kept: Server) -> None:
        found = kept.api("GET", "/storage", role="inspector").json
        assert (found["store"], found["lock"], found["objects"]) == ("disk", "none", len(NAMES))
        assert found["bytes"] == len(NAMES) * len(CONTENT)
        assert len(found["forecast"]) == 12
        assert found["forecast"][0]["month"] > time.strftime("%Y-%m", time.gmtime(NOW_MS / 1000))
        assert all(month["gb"] >= 0 for month in found["forecast"])

    def test_is_not_for_learners(self, kept: Server) -> None:
        assert is_problem(kept.api("GET", "/storage", role="learner"), 403, "forbidden")


class TestProgrammes:
    def test_are_given_to_a_lesson_and_shown(self, kept: Server) -> None:
        made = kept.api("POST", "/lessons", {"title": "CNC", "programmes": ["subsidised"]}).json
        assert kept.api("GET", f"/lessons/{made['id']}").json["programmes"] == ["subsidised"]

    @pytest.mark.parametrize("wrong", [["other"], ["subsidised", "subsidised"], "subsidised", [3]])
    def test_are_those_that_exist(self, kept: Server, wrong: object) -> None:
        reply = kept.api("POST", "/lessons", {"title": "CNC", "programmes": wrong})
        assert is_problem(reply, 400, "bad_request")


class TestDeletion:
    def test_takes_what_is_due_and_certifies_it(self, kept: Server) -> None:
        assert due(kept) == sorted(set(NAMES) - {"held", "young"})
        answer = kept.api("POST", "/retention/deletions", {"recordings": ["gone"]}).json
        assert answer == {"deleted": ["gone"], "refused": []}
        assert not file_of(kept, "gone").exists()
        (certificate,) = facts(kept, "deleted")
        assert facts(kept, "deleting") == [certificate]
        assert (certificate["recording"], certificate["sha256"], certificate["size"]) == (
            "gone", DIGEST, len(CONTENT),
        )  # fmt: skip
        assert (certificate["retain_until_ms"], certificate["months"]) == (PAST, 12)
        assert certificate["by"]
        (of_object,) = certificate["objects"]
        assert (of_object["key"], of_object["sha256"]) == ("old/gone.mp4", DIGEST)
        items = kept.api("GET", "/lessons/old/recordings").json["items"]
        gone = next(item for item in items if item["id"] == "gone")
        assert (gone["state"], gone["url"]) == ("deleted", None)
        assert gone["deleted_at"] is not None
        assert "gone" not in due(kept)

    def test_refuses_what_is_young_or_held_or_unknown(self, kept: Server) -> None:
        wanted = {"recordings": ["young", "held", "none"]}
        assert kept.api("POST", "/retention/deletions", wanted).json == {
            "deleted": [],
            "refused": [
                {"id": "young", "code": "too_early"},
                {"id": "held", "code": "held"},
                {"id": "none", "code": "not_found"},
            ],
        }
        assert file_of(kept, "young").exists()
        assert "young" not in {fact["recording"] for fact in facts(kept, "deleting")}

    def test_is_an_administrators_alone(self, kept: Server) -> None:
        for role in ("inspector", "moderator", "instructor"):
            reply = kept.api("POST", "/retention/deletions", {"recordings": ["kept"]}, role=role)
            assert is_problem(reply, 403, "forbidden")
        assert file_of(kept, "kept").exists()

    def test_is_refused_by_the_disk_too_when_the_database_was_tampered_with(self, kept: Server) -> None:
        path = file_of(kept, "tampered")
        date = path.with_name(path.name + ".retain")
        date.write_text(json.dumps({"retain_until_ms": FUTURE}))
        answer = kept.api("POST", "/retention/deletions", {"recordings": ["tampered"]}).json
        assert answer["refused"] == [{"id": "tampered", "code": "locked"}]
        assert path.exists()


class TestALegalHold:
    def test_stops_deletion_until_it_is_lifted(self, kept: Server) -> None:
        reply = kept.api("POST", "/recordings/disputed/hold", {"reason": "a court asks"})
        assert reply.json == {"recording": "disputed", "hold": "a court asks"}
        assert "disputed" not in due(kept)
        assert kept.api("DELETE", "/recordings/disputed/hold").status == 200
        assert "disputed" in due(kept)
        assert [fact["reason"] for fact in facts(kept, "hold")] == ["a court asks"]
        assert [fact["recording"] for fact in facts(kept, "hold_lifted")] == ["disputed"]

    def test_of_nothing_is_refused(self, kept: Server) -> None:
        reply = kept.api("POST", "/recordings/none/hold", {"reason": "x"})
        assert is_problem(reply, 404, "not_found")


class TestTheCommand:
    def ask(self, server: Server, *options: str) -> tuple[int, str, str]:
        done = run("retention", "--url", server.base_url, *options, LIVESERVER_DATA_DIR=str(server.data))
        return done.returncode, done.stdout, done.stderr

    def test_lists_then_deletes_only_when_confirmed(self, kept: Server) -> None:
        code, said, _ = self.ask(kept)
        assert code == 0
        assert [line.split()[0] for line in said.splitlines()[:-1]] == due(kept)
        code, _, complaint = self.ask(kept, "--delete")
        assert (code, "--yes" in complaint) == (2, True)
        assert "typed" in due(kept)
        code, said, _ = self.ask(kept, "--delete", "--yes", "--recording", "typed", "--json")
        assert (code, json.loads(said)["deleted"]) == (0, ["typed"])
        code, said, _ = self.ask(kept, "--delete", "--yes", "--recording", "young", "--json")
        assert (code, json.loads(said)["refused"]) == (1, [{"id": "young", "code": "too_early"}])
        assert {"typed-not", "typed"} & set(due(kept)) == {"typed-not"}

    def test_says_in_one_sentence_that_no_server_answers(self, kept: Server) -> None:
        code, said, complaint = self.ask(kept, "--url", "http://127.0.0.1:1")
        assert (code, said) == (1, "")
        assert complaint.startswith("liveserver: no server answers at http://127.0.0.1:1")
        assert "Traceback" not in complaint

    def test_explains_itself(self) -> None:
        done = run("retention", "--help")
        assert done.returncode == 0
        assert "certificate" in done.stdout
        assert run("retention", "--limit", "0").returncode == 2

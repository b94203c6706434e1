"""A real lesson, attended by a real viewer and by a socket that only pretends: what each is credited.

The lesson's facts are then read back and reckoned again, as anybody with the ledger may.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

from liveserver.core import attendance
from liveserver.core.permissions import Role
from liveserver.core.register import Register
from liveserver.core.times import parse_rfc3339
from liveserver.tokens import ALL_LESSONS, Tokens
from loadtest.viewer import Viewer
from tests.drivers.media import pattern_publisher
from tests.drivers.process import until
from tests.drivers.server import Lesson, Server

pytestmark = pytest.mark.usefixtures("network")


@contextmanager
def socket(server: Server, lesson: Lesson, token: str) -> Iterator[ClientConnection]:
    url = server.base_url.replace("http", "ws", 1) + f"/ws/{lesson.id}"
    with connect(url) as ws:
        ws.send(json.dumps({"type": "join", "token": token}))
        yield ws


def signed(server: Server, person: str) -> str:
    """Another administrator."""
    tokens = Tokens.load_or_create(server.data / "keys" / "tokens.key")
    now_s = int(time.time())
    return tokens.issue(person=person, name="N", role=Role.ADMIN, lesson=ALL_LESSONS, now_s=now_s, ttl_s=600)


def person(token: str, server: Server) -> str:
    return Tokens.load_or_create(server.data / "keys" / "tokens.key").verify(token, int(time.time())).person


def sheet(server: Server, lesson: Lesson) -> dict[str, dict[str, Any]]:
    reply = server.api("GET", f"/lessons/{lesson.id}/attendance", role="inspector")
    assert reply.status == 200, reply
    return {row["person"]: row for row in reply.json["items"]}


async def told(viewer: Viewer, at_least_s: int) -> dict[str, Any]:
    """The first `attendance` message that says so much."""
    async with asyncio.timeout(20):
        while True:
            for message in viewer.session.messages:
                if message["type"] == "attendance" and message["credited_s"] >= at_least_s:
                    return message
            await viewer.session.heard.wait()
            viewer.session.heard.clear()


class TestAWholeLesson:
    @pytest.fixture
    async def held(self, server: Server, lesson: Lesson, tmp_path) -> dict[str, Any]:
        """A lesson of some ten seconds: one watches and hides for three, one has a socket and no media."""
        idle = server.more_tokens(lesson, 1)[0]
        url, token = server.whip_url(lesson), lesson.tokens["instructor"]
        with (
            socket(server, lesson, idle),
            pattern_publisher(tmp_path, url, token, size="320x240") as publisher,
        ):
            publisher.wait("publishing")
            async with Viewer(server.whep_url(lesson), lesson.tokens["learner"]) as viewer:
                await viewer.frames(50)
                first = await told(viewer, 2)
                for state in ("hidden", "foreground"):
                    viewer.session.send({"type": "visibility", "state": state})
                    await viewer.frames(75)
                provisional = await asyncio.to_thread(sheet, server, lesson)
                await asyncio.to_thread(server.api, "POST", f"/lessons/{lesson.id}/end", role="admin")
        return {
            "viewer": person(lesson.tokens["learner"], server),
            "idle": person(idle, server),
            "told": first,
            "provisional": provisional,
        }

    async def test_is_credited_as_it_was_attended_and_settled_for_anybody_to_reckon_again(
        self, server: Server, lesson: Lesson, held: dict[str, Any]
    ) -> None:
        path = f"/lessons/{lesson.id}"
        settled = await asyncio.to_thread(self._settled, server, path)
        rows = sheet(server, lesson)
        watched, pretended = rows[held["viewer"]], rows[held["idle"]]
        facts = server.entries(lesson=lesson.id)

        # Who watched is credited what there was, but for the time the page was hidden.
        hidden_s = sum(self._length(void) for void in watched["void"] if void["reason"] == "hidden")
        assert 2 <= hidden_s <= 4.5
        assert abs(watched["session_s"] - hidden_s - watched["credited_s"]) <= 1
        assert watched["credited_s"] >= 4
        assert watched["name"] and watched["last_offline_at"]
        assert watched["spans"] and watched["checks"] == {"issued": 0, "passed": 0, "missed": 0}
        assert all(void["clause"].startswith("REQ-") for void in watched["void"])
        assert held["told"]["credited_s"] <= held["told"]["session_s"] <= held["told"]["teaching_s"] + 2
        assert held["provisional"][held["viewer"]]["last_offline_at"] is None
        # Who only had a socket is credited nothing (REL-C3).
        assert (pretended["credited_s"], pretended["status"]) == (0, ["absent"])
        assert pretended["first_online_at"]

        # The facts, reckoned again, have the hash that the settlement names.
        register = Register()
        for fact in facts:
            if fact["index"] < settled["ledger_size"]:
                register.take(fact["type"], fact["at_ms"], fact["data"])
        again = attendance.records(register, facts[-1]["at_ms"] + 60_000, lesson.id)
        assert attendance.digest(record.text for record in again) == settled["sha256"]
        assert [fact["data"]["result_sha256"] for fact in facts if fact["type"] == "attendance_settled"] == [
            settled["sha256"]
        ]

        self._own(server, lesson, watched)
        self._adjusted(server, lesson, held["viewer"], watched["credited_s"])

    def _settled(self, server: Server, path: str) -> dict[str, Any]:
        found = until(
            lambda: server.api("GET", f"{path}/settlements", role="inspector").json["items"],
            "the lesson settled",
        )
        assert [one["revision"] for one in found] == [1]
        return found[0]

    @staticmethod
    def _length(void: dict[str, str]) -> float:
        return (parse_rfc3339(void["to"]) - parse_rfc3339(void["from"])) / 1000

    def _own(self, server: Server, lesson: Lesson, watched: dict[str, Any]) -> None:
        """A learner sees his own, and nobody else's."""
        token = lesson.tokens["learner"]
        own = server.api("GET", "/me/hours", token=token).json
        assert [item["lesson"] for item in own["items"]] == [lesson.id]
        assert own["credited_s"] == watched["credited_s"]
        explained = server.api("GET", f"/me/hours/{lesson.id}", token=token).json
        assert {"reason", "seconds", "clause"} == set(explained["lost"][0])
        assert explained["policy"]["policy"]["check_mode"] == "since_last_pass"
        refused = server.api("GET", f"/lessons/{lesson.id}/attendance", token=token)
        assert refused.status == 403

    def _adjusted(self, server: Server, lesson: Lesson, learner: str, credited_s: int) -> None:
        """One asks, another decides; the settlement has a second revision."""
        path = f"/lessons/{lesson.id}"
        asked = server.api(
            "POST",
            f"{path}/adjustments",
            {"person": learner, "delta_s": 60, "reason": "the camera failed"},
            token=signed(server, "one"),
        )
        assert asked.status == 201, asked
        decision = f"/adjustments/{asked.json['id']}/decision"
        words = {"decision": "approved", "reason": "seen on the recording"}
        same = server.api("POST", decision, words, token=signed(server, "one"))
        assert (same.status, same.json["code"]) == (403, "same_person")
        assert server.api("POST", decision, words, token=signed(server, "two")).status == 200
        again = server.api("POST", decision, words, token=signed(server, "two"))
        assert (again.status, again.json["code"]) == (409, "already_decided")
        row = server.api("GET", f"{path}/attendance/{learner}", role="inspector").json
        assert (row["credited_s"], row["adjusted_s"], row["reckoned_s"]) == (credited_s + 60, 60, credited_s)
        assert row["settlement"]["revision"] == 2
        nobody = server.api("POST", f"{path}/adjustments", {"person": "x", "delta_s": 1, "reason": "r"})
        assert (nobody.status, nobody.json["code"]) == (404, "unknown_person")

"""Held chat, incidents, policies and lists as people meet them: a server, sockets, REST."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection

from liveserver.core.permissions import Role
from tests.drivers.process import until
from tests.drivers.server import Lesson, Reply, Server, request
from tests.http.conftest import Sign
from tests.http.test_requests import is_problem
from tests.http.test_sockets import TIMEOUT_S, join, opened, until_type

ADVERT = "加薇信abc123 澳门六合彩代理 日赚千元"
RUDE = "你他妈的闭嘴"


@dataclass
class Person:
    """Somebody in a lesson. What was said is read in order and never twice."""

    id: str
    ws: ClientConnection
    joined: dict[str, Any] = field(default_factory=dict)

    def hears(self, kind: str, **fields: Any) -> dict[str, Any]:
        """The next message of this type with these fields."""
        while True:
            message = until_type(self.ws, kind)
            if all(message.get(name) == value for name, value in fields.items()):
                return message

    def hears_nothing_but(self, *kinds: str) -> None:
        """An echo comes back before anything of another type does."""
        self.ws.send(json.dumps({"type": "heartbeat", "seq": 77}))
        while True:
            message = json.loads(self.ws.recv(timeout=TIMEOUT_S))
            if message["type"] == "heartbeat":
                return
            assert message["type"] in kinds, message

    def answered(self) -> dict[str, Any]:
        """What became of the next line this person said."""
        while True:
            message: dict[str, Any] = json.loads(self.ws.recv(timeout=TIMEOUT_S))
            if message.get("ref") == "r1":
                return message

    def says(self, text: str, ref: str = "r1") -> None:
        self.ws.send(json.dumps({"type": "chat", "text": text, "ref": ref}))


@dataclass
class Classroom:
    server: Server
    lesson: Lesson
    sign: Sign
    people: contextlib.ExitStack
    _numbers: int = 0

    def enters(self, role: str, person: str | None = None) -> Person:
        self._numbers += 1
        name = person or f"{role}-{self._numbers}"
        ws = self.people.enter_context(opened(self.server, self.lesson.id))
        return Person(name, ws, join(ws, self.sign(Role(role), self.lesson.id, name)))

    def api(self, method: str, path: str, body: Any = None, role: str = "moderator") -> Reply:
        """With a token of this lesson alone."""
        return self.server.api(method, path, body, token=self.token(role))

    def token(self, role: str, person: str = "") -> str:
        return self.sign(Role(role), self.lesson.id, person or f"{role}-{self.lesson.id}")

    def admin(self, method: str, path: str, body: Any = None) -> Reply:
        return self.server.api(method, path, body)

    def facts(self, kind: str) -> list[dict[str, Any]]:
        return [entry["data"] for entry in self.server.entries(kind, lesson=self.lesson.id)]

    def decides(self, incident: str, outcome: str, **more: Any) -> Reply:
        body = {"outcome": outcome, **more}
        return self.api("POST", f"/incidents/{incident}/decision", body, "moderator")


@pytest.fixture
def room(server: Server, sign: Sign) -> Iterator[Classroom]:
    with contextlib.ExitStack() as people:
        yield Classroom(server, server.new_lesson(), sign, people)


@dataclass
class Held:
    """A learner has said an advert, a moderator and a classmate are there."""

    author: Person
    mate: Person
    mod: Person
    line: dict[str, Any]


@pytest.fixture
def held(room: Classroom) -> Held:
    author, mate, mod = room.enters("learner"), room.enters("learner"), room.enters("moderator")
    author.says(ADVERT)
    line = mod.hears("held")
    path = f"/incidents/{line['incident']}"
    until(lambda: room.api("GET", path).status == 200, "the incident on record")
    return Held(author, mate, mod, line)


class TestAHeldLine:
    def test_is_seen_by_its_author_and_the_moderators_alone(self, room: Classroom, held: Held) -> None:
        notice = held.author.hears("notice", code="chat_held")
        assert (notice["id"], notice["text"], notice["ref"]) == (held.line["id"], ADVERT, "r1")
        assert (held.line["category"], held.line["from"]["person"]) == ("gambling", held.author.id)
        assert held.line["why"] and held.line["score"] > 0.5
        incident = held.mod.hears("incident", id=held.line["incident"])
        assert (incident["kind"], incident["action"], incident["state"]) == ("chat", "hide", "open")
        held.mate.hears_nothing_but("lesson")
        assert room.enters("learner").joined["chat"] == []
        assert [line["id"] for line in room.enters("moderator").joined["held"]] == [held.line["id"]]

    def test_dismissed_is_shown_to_everyone(self, room: Classroom, held: Held) -> None:
        decided = room.decides(held.line["incident"], "dismissed", note="a quotation").json
        assert (decided["state"], decided["decided"]["note"]) == ("dismissed", "a quotation")
        assert held.mod.hears("incident", state="dismissed")["id"] == held.line["incident"]
        for person in (held.author, held.mate, held.mod):
            assert person.hears("chat")["text"] == ADVERT
        assert [line["text"] for line in room.enters("learner").joined["chat"]] == [ADVERT]
        assert room.enters("moderator").joined["held"] == []

    def test_confirmed_stays_away_for_good(self, room: Classroom, held: Held) -> None:
        assert room.decides(held.line["incident"], "confirmed").json["state"] == "confirmed"
        assert held.author.hears("chat_removed")["id"] == held.line["id"]
        assert held.mod.hears("chat_removed")["id"] == held.line["id"]
        held.mate.hears_nothing_but("lesson")
        assert room.enters("learner").joined["chat"] == []

    def test_may_be_reinstated_after_all(self, room: Classroom, held: Held) -> None:
        room.decides(held.line["incident"], "confirmed")
        room.decides(held.line["incident"], "dismissed")
        assert held.mate.hears("chat")["id"] == held.line["id"]
        room.decides(held.line["incident"], "confirmed")
        assert held.mate.hears("chat_removed")["id"] == held.line["id"]
        outcomes = [(fact["before"], fact["after"]) for fact in room.facts("incident_decided")]
        assert outcomes == [("open", "confirmed"), ("confirmed", "dismissed"), ("dismissed", "confirmed")]

    def test_the_ledger_has_who_did_what_and_no_words(self, room: Classroom, held: Held) -> None:
        room.decides(held.line["incident"], "dismissed", note="quoted in class")
        (found,) = room.facts("incident")
        assert (found["id"], found["person"], found["done"]) == (
            held.line["incident"],
            held.author.id,
            "hide",
        )
        assert found["receipt"]["policy"] == "default" and len(found["receipt"]["commitment"]) == 64
        (decided,) = room.facts("incident_decided")
        (released,) = room.facts("chat_released")
        assert released["by"] == decided["by"] == f"moderator-{room.lesson.id}"
        written = json.dumps(room.server.entries(), ensure_ascii=False)
        assert ADVERT not in written and "quoted in class" not in written


class TestAWarnedLine:
    def test_is_shown_and_its_author_told(self, room: Classroom) -> None:
        room.admin("PUT", f"/lessons/{room.lesson.id}/policy", warning_of_abuse())
        author, mate = room.enters("learner"), room.enters("learner")
        author.says(RUDE)
        assert mate.hears("chat")["text"] == RUDE
        notice = author.hears("notice", code="chat_warned")
        assert notice["category"] == "abuse"
        room.decides(notice["incident"], "confirmed")
        assert mate.hears("chat_removed")["id"] == notice["id"]


def warning_of_abuse() -> dict[str, Any]:
    return {"rules": [{"kind": "chat", "category": "abuse", "threshold": 0.3, "action": "warn"}]}


class TestMuting:
    def test_three_adverts_take_the_chat_from_their_author(self, room: Classroom, held: Held) -> None:
        held.author.says(ADVERT)
        held.author.says(ADVERT + "!!")
        muted = held.author.hears("muted", active=True)
        assert (muted["person"], muted["reason"]) == (held.author.id, "gambling")
        assert held.mod.hears("muted")["person"] == held.author.id
        held.author.says("hello", ref="r9")
        assert held.author.hears("error", ref="r9")["code"] == "chat_muted"
        counted = held.mod.hears("incident", id=held.line["incident"], count=2)
        assert counted["state"] == "open"

    def test_a_mute_is_lifted_with_the_incident_that_led_to_it(self, room: Classroom, held: Held) -> None:
        held.author.says(ADVERT)
        held.author.says(ADVERT)
        held.author.hears("muted", active=True)
        room.decides(held.line["incident"], "dismissed")
        assert held.author.hears("muted", active=False)["person"] == held.author.id
        held.author.says("老师好")
        assert held.mate.hears("chat", text="老师好")

    def test_by_hand(self, room: Classroom) -> None:
        author, path = room.enters("learner"), f"/lessons/{room.lesson.id}/mutes"
        made = room.api("POST", path, {"person": author.id, "reason": "flooding"}).json
        assert (made["person"], made["name"], made["active"], made["reason"]) == (
            author.id,
            "N",
            True,
            "flooding",
        )
        assert author.hears("muted")["active"] is True
        back = room.enters("learner", author.id)
        assert back.joined["you"]["muted"] is True
        assert room.api("DELETE", f"{path}/{author.id}").json["active"] is False
        assert back.hears("muted")["active"] is False
        back.says("thanks")
        assert back.hears("chat")["text"] == "thanks"

    def test_a_line_is_taken_away_by_hand(self, room: Classroom) -> None:
        author, mate = room.enters("learner"), room.enters("learner")
        author.says("off topic")
        line = mate.hears("chat")["id"]
        path = f"/lessons/{room.lesson.id}/chat"
        assert room.api("POST", f"{path}/{line}/remove", {"reason": "off topic"}).json["removed"] is True
        assert mate.hears("chat_removed")["id"] == line
        assert room.facts("chat_removed")[0]["reason"] == "off topic"
        assert is_problem(room.api("POST", f"{path}/none/remove", {}), 404, "not_found")


class TestTheQueue:
    def test_lists_what_was_found_with_its_receipt(self, room: Classroom, held: Held) -> None:
        (item,) = room.api("GET", "/incidents?state=open").json["items"]
        assert item == room.api("GET", f"/incidents/{item['id']}").json
        assert (item["lesson"], item["title"], item["text"]) == (room.lesson.id, room.lesson.title, ADVERT)
        assert (item["line"], item["person"], item["name"]) == (held.line["id"], held.author.id, "N")
        assert item["receipt"]["lists"] and item["receipt"]["scores_ppm"]["gambling"] > 500_000
        assert (item["evidence"], item["appeal"], item["decided"]) == (None, None, None)
        assert is_problem(room.api("GET", f"/incidents/{item['id']}/evidence.jpg"), 404, "not_found")

    def test_of_one_lesson_is_not_another_ones(self, room: Classroom, held: Held) -> None:
        stranger = room.sign(Role.MODERATOR, room.server.new_lesson().id, "mo")
        path = f"/incidents/{held.line['incident']}"
        refused = room.server.api("GET", path, token=stranger)
        assert is_problem(refused, 403, "forbidden")
        assert room.server.api("GET", "/incidents", token=stranger).json["items"] == []
        asked = f"/incidents?lesson={room.lesson.id}"
        assert is_problem(room.server.api("GET", asked, token=stranger), 403, "forbidden")
        everywhere = room.admin("GET", asked).json["items"]
        assert [item["id"] for item in everywhere] == [held.line["incident"]]

    @pytest.mark.parametrize("query", ["state=closed", "kind=smell", "limit=0", "appealed=1", "colour=red"])
    def test_a_wrong_question_is_named(self, room: Classroom, query: str) -> None:
        assert is_problem(room.api("GET", f"/incidents?{query}"), 400, "bad_request")

    def test_an_incident_nobody_made_is_404(self, room: Classroom) -> None:
        for method, path, body in (
            ("GET", "/incidents/none", None),
            ("POST", "/incidents/none/decision", {"outcome": "confirmed"}),
        ):
            assert is_problem(room.api(method, path, body), 404, "not_found")

    def test_counts_how_often_it_was_right(self, room: Classroom, held: Held) -> None:
        room.decides(held.line["incident"], "dismissed")
        found = room.api("GET", "/screening/statistics").json
        (item,) = found["items"]
        assert (item["kind"], item["category"], item["found"], item["precision"]) == (
            "chat",
            "gambling",
            1,
            0.0,
        )
        assert found["median_decision_s"] >= 0 and found["blind_spells"] == 0


class TestAnObjection:
    def test_is_the_authors_or_the_instructors_and_one_alone(self, room: Classroom, held: Held) -> None:
        path, body = f"/incidents/{held.line['incident']}/appeal", {"text": "it was in the textbook"}
        stranger, author = room.token("learner", "stranger"), room.token("learner", held.author.id)
        assert is_problem(room.server.api("POST", path, body, token=stranger), 403, "forbidden")
        made = room.server.api("POST", path, body, token=author)
        assert (made.status, made.json["text"], made.json["by"]) == (201, body["text"], held.author.id)
        assert is_problem(room.api("POST", path, body, "instructor"), 409, "appealed")
        assert held.mod.hears("incident", appealed=True)["state"] == "open"
        items = room.api("GET", "/incidents?appealed=true").json["items"]
        assert [item["appeal"]["text"] for item in items] == [body["text"]]


class TestPolicies:
    def test_a_lesson_has_the_standard_one_and_another_takes_effect_at_once(self, room: Classroom) -> None:
        path = f"/lessons/{room.lesson.id}/policy"
        before = room.api("GET", path).json
        assert (before["name"], before["mode"]) == ("default", "watch")
        author, mate = room.enters("learner"), room.enters("learner")
        author.says(ADVERT)
        author.hears("notice", code="chat_held")
        after = room.admin("PUT", path, {"name": "observe"}).json
        assert after["name"] == "observe"
        author.says(ADVERT + "?")
        assert mate.hears("chat")["text"] == ADVERT + "?"
        (fact,) = room.facts("lesson_policy")
        assert (fact["before"]["name"], fact["after"]["name"]) == ("default", "observe")

    def test_a_lesson_may_have_its_own(self, room: Classroom) -> None:
        path = f"/lessons/{room.lesson.id}/policy"
        first = room.admin("PUT", path, {"mode": "screened", "delay_ms": 2000}).json
        assert (first["name"], first["version"], first["delay_ms"]) == (f"lesson-{room.lesson.id}", 1, 2000)
        second = room.admin("PUT", path, {**first, "delay_ms": 3000}).json
        assert (second["version"], room.api("GET", path).json["delay_ms"]) == (2, 3000)

    def test_each_change_is_a_version_and_old_ones_stay(self, room: Classroom) -> None:
        first = room.admin("PUT", "/policies/evening", {"mute_after": 5}).json
        assert (first["version"], first["mute_after"]) == (1, 5)
        room.admin("PUT", "/policies/evening", {"mute_after": 9})
        shown = room.api("GET", "/policies/evening").json
        assert (shown["version"], shown["mute_after"]) == (2, 9)
        assert [one["version"] for one in shown["versions"]] == [2, 1]
        assert room.api("GET", "/policies/evening?version=1").json["mute_after"] == 5
        names = {one["name"] for one in room.api("GET", "/policies").json["items"]}
        assert {"default", "strict", "observe", "light", "evening"} <= names
        facts = [entry["data"] for entry in room.server.entries("policy")]
        changes = [fact for fact in facts if fact["name"] == "evening"]
        assert [(one["before"], one["after"]["mute_after"]) for one in changes] == [(None, 5), (1, 9)]

    def test_what_is_wrong_is_named_and_changes_nothing(self, room: Classroom) -> None:
        path = f"/lessons/{room.lesson.id}/policy"
        refused = room.admin("PUT", path, {"mode": "sometimes"})
        assert is_problem(refused, 400, "bad_request") and "mode" in refused.json["detail"]
        assert is_problem(room.admin("PUT", path, {"name": "nowhere"}), 404, "not_found")
        assert is_problem(room.admin("PUT", "/policies/lesson-x", {}), 400, "bad_request")
        assert is_problem(room.admin("PUT", path, []), 400, "bad_request")
        assert room.api("GET", path).json["name"] == "default"

    def test_moderators_read_them_and_change_nothing(self, room: Classroom) -> None:
        path = f"/lessons/{room.lesson.id}/policy"
        assert is_problem(room.api("PUT", path, {"name": "observe"}), 403, "forbidden")


@pytest.fixture
def lists(server: Server) -> Iterator[Server]:
    """The shared server's lists, empty again afterwards."""
    yield server
    for name in ("sensitive", "house", "whitelist"):
        assert upload(server, name, "").status == 200


def upload(
    server: Server, name: str, text: str, *, dry_run: bool = False, kind: str = "tab-separated-values"
) -> Reply:
    return request(
        "POST",
        f"{server.base_url}/api/v1/lexicons/{name}?dry_run={str(dry_run).lower()}",
        token=server.token("admin"),
        body=text.encode(),
        content_type=f"text/{kind}",
    )


class TestLists:
    def test_none_ships(self, server: Server) -> None:
        items = server.api("GET", "/lexicons").json["items"]
        assert [item["name"] for item in items] == ["sensitive", "house", "whitelist"]
        assert {item["entries"] for item in items} == {0}

    def test_a_dry_run_says_what_would_have_been_hit_and_takes_nothing(
        self, lists: Server, room: Classroom
    ) -> None:
        author, mate = room.enters("learner"), room.enters("learner")
        author.says("今天讲蓝色方案")
        line = mate.hears("chat")
        tried = upload(lists, "sensitive", "蓝色方案\n", dry_run=True).json
        assert (tried["version"], tried["entries"], tried["added"], tried["errors"]) == (None, 1, 1, [])
        (hit,) = [hit for hit in tried["hits"] if hit["line"] == line["id"]]
        assert (hit["text"], hit["category"], hit["now"], hit["then"]) == (
            "今天讲蓝色方案", "sensitive", "allow", "hide",
        )  # fmt: skip
        assert tried["looked_at"] >= 1
        author.says("蓝色方案")
        assert mate.hears("chat")["text"] == "蓝色方案"

    def test_a_list_is_used_for_the_next_message_and_rolled_back(
        self, lists: Server, room: Classroom
    ) -> None:
        taken = upload(lists, "house", "蓝色方案,illicit_ad,0.9\n红色方案\n", kind="csv").json
        assert taken["entries"] == 2
        author, mod = room.enters("learner"), room.enters("moderator")
        author.says("看看蓝 色 方 案")
        assert mod.hears("held")["category"] == "illicit_ad"
        shown = lists.api("GET", "/lexicons/house").json
        assert shown["text"].splitlines() == [
            "红色方案\tsensitive\t1.0000",
            "蓝色方案\tillicit_ad\t0.9000",
        ]
        (incident,) = room.api("GET", "/incidents").json["items"]
        assert incident["receipt"]["lists"]["house"] == shown["sha256"]
        upload(lists, "house", "")
        author.says("蓝色方案")
        assert author.hears("chat")["text"] == "蓝色方案"
        rolled = lists.api("POST", "/lexicons/house/rollback", {"version": taken["version"]}).json
        assert (rolled["version"], rolled["entries"]) == (taken["version"] + 2, 2)
        author.says("红色方案")
        assert mod.hears("held")["text"] == "红色方案"

    def test_errors_are_told_by_row_and_nothing_is_taken(self, lists: Server) -> None:
        wrong = "好词\tporn\t0.5\n坏词\tcolour\t0.5\n\n# remark\n词语\tporn\t7\n"
        refused = upload(lists, "house", wrong)
        assert (refused.status, refused.json["code"]) == (422, "lexicon_invalid")
        assert [(e["row"], e["code"]) for e in refused.json["errors"]] == [(2, "category"), (5, "severity")]
        assert lists.api("GET", "/lexicons/house").json["entries"] == 0
        assert is_problem(upload(lists, "secret", "x"), 404, "not_found")
        assert is_problem(upload(lists, "house", "x", kind="plain"), 415, "bad_request")
        assert is_problem(upload(lists, "house", "x" * (1024**2 + 1)), 413, "too_large")

    def test_a_whitelisted_text_passes_from_then_on(self, lists: Server, room: Classroom, held: Held) -> None:
        refused = room.decides(held.line["incident"], "dismissed", whitelist=True)
        assert is_problem(refused, 403, "forbidden")
        path = f"/incidents/{held.line['incident']}/decision"
        room.admin("POST", path, {"outcome": "dismissed", "whitelist": True})
        held.mate.hears("chat", id=held.line["id"])
        held.author.says("加 薇 信 abc123 澳门六合彩代理 日赚千元")
        assert held.mate.hears("chat")["text"].startswith("加 薇 信")


class TestTitles:
    def test_a_title_that_is_an_advert_makes_no_lesson(self, server: Server) -> None:
        refused = server.api("POST", "/lessons", {"title": ADVERT})
        assert is_problem(refused, 422, "text_refused")

    def test_a_name_that_is_one_is_not_shown(self, server: Server, room: Classroom) -> None:
        made = room.admin(
            "POST", f"/lessons/{room.lesson.id}/tokens", {"role": "learner", "name": "六合彩代理"}
        )
        with opened(server, room.lesson.id) as ws:
            you = join(ws, made.json["tokens"][0])["you"]
            assert you["name"] == you["person"]


class TestFuzz:
    def test_no_text_breaks_the_chat(self, room: Classroom, corpus: Path) -> None:
        """F12: each is answered, and shown as it was written or held, never altered."""
        lines = (corpus / "text" / "big-list-of-naughty-strings__e87d3889__blns.txt").read_text("utf-8")
        texts = [line.strip() for line in lines.splitlines() if line.strip() and not line.startswith("#")]
        for start in range(0, len(texts), 30):  # fewer than one person may say at once
            with contextlib.ExitStack() as people:
                author = replace(room, people=people).enters("learner", f"author-{start}")
                for text in texts[start : start + 30]:
                    author.says(text)
                for text in texts[start : start + 30]:
                    answer = author.answered()
                    if answer["type"] == "error":
                        assert answer["code"] in ("chat_too_long", "bad_message", "chat_muted"), answer
                    else:
                        assert answer["text"] == text

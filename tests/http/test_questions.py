"""Banks of questions over REST: added all or none, screened, taken out of use and back, seen by who asks."""

from __future__ import annotations

from typing import Any

import pytest

from liveserver.core.permissions import Role
from tests.drivers.server import Server
from tests.http.conftest import Sign
from tests.http.test_requests import is_problem

GAS: dict[str, Any] = {
    "kind": "single",
    "text": "氩弧焊用什么气体？",
    "options": ["氩气", "氧气"],
    "right": [0],
}
SUM: dict[str, Any] = {"kind": "arithmetic", "text": "6 x 7 = ?", "right": [42]}


@pytest.fixture(scope="module")
def course(shared_server: Server) -> str:
    reply = shared_server.api("POST", "/courses", {"code": "questions", "name": "Questions"})
    return str(reply.json["id"])


def add(server: Server, course: str, *questions: Any) -> Any:
    return server.api("POST", "/questions", {"course": course, "questions": list(questions)})


class TestABank:
    def test_has_what_was_added_and_a_lesson_of_its_course_is_asked_from_it(self, shared_server, course):
        reply = add(shared_server, course, GAS, SUM)
        assert reply.status == 201
        added = reply.json["items"]
        assert [{key: item[key] for key in GAS} for item in added[:1]] == [GAS]
        lesson = shared_server.api("POST", "/lessons", {"title": "x", "course": course}).json
        path, token = f"/lessons/{lesson['id']}/questions", lesson["tokens"]["instructor"]
        listed = shared_server.api("GET", path, token=token).json["items"]
        assert {item["id"] for item in listed} == {item["id"] for item in added}

    def test_is_searched_and_what_is_archived_comes_back(self, shared_server, course):
        (item,) = add(shared_server, course, {**GAS, "text": "Which of 100% is_it?"}).json["items"]
        found = shared_server.api("GET", "/questions?q=100%25%20is_it&course=" + course).json["items"]
        assert [one["id"] for one in found] == [item["id"]]
        for act, status in (("archive", "archived"), ("restore", "active")):
            reply = shared_server.api("POST", f"/questions/{item['id']}/{act}", {})
            assert (reply.status, reply.json["status"]) == (200, status)
            left = shared_server.api("GET", f"/questions?status=active&course={course}&limit=1000").json
            assert (item["id"] in [one["id"] for one in left["items"]]) is (status == "active")

    def test_of_nothing_is_nothing(self, shared_server):
        assert is_problem(shared_server.api("POST", f"/questions/{'0' * 16}/archive", {}), 404, "not_found")
        assert is_problem(add(shared_server, "nowhere", GAS), 422, "unknown_course")


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("wrong", "code", "why"),
        [
            ({**GAS, "right": [2]}, "bad_question", "number 2: right names options"),
            ({**GAS, "kind": "riddle"}, "bad_question", "number 2: kind is"),
            ("text", "bad_request", "number 2 is no JSON object"),
            ({**GAS, "answer": 1}, "bad_question", "number 2: unknown: answer"),
        ],
    )
    def test_is_named_by_its_number_and_nothing_is_added(self, shared_server, course, wrong, code, why):
        before = shared_server.api("GET", f"/questions?course={course}&limit=1000").json["items"]
        reply = add(shared_server, course, GAS, wrong)
        assert is_problem(reply, 400, code)
        assert why in reply.json["detail"]
        assert shared_server.api("GET", f"/questions?course={course}&limit=1000").json["items"] == before

    def test_what_may_not_be_shown_is_not_kept(self, shared_server, course):
        advert = {**GAS, "text": "加微信 vx88888 澳门赌场上线就送88元，日结高佣"}
        assert is_problem(add(shared_server, course, advert), 422, "text_refused")

    def test_none_and_too_many(self, shared_server, course):
        assert is_problem(add(shared_server, course), 400, "bad_request")
        assert is_problem(add(shared_server, course, *[SUM] * 201), 400, "bad_request")

    @pytest.mark.parametrize("role", [role for role in Role if role not in (Role.ADMIN, Role.SYSTEM)])
    def test_from_who_may_not(self, shared_server, sign: Sign, role: Role):
        reply = shared_server.api("GET", "/questions", token=sign(role))
        assert is_problem(reply, 403, "forbidden")

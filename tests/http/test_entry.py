"""From a class's roster to its lesson: an account, a sign-in, one's own lessons, a token for one of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from liveserver.core.permissions import Role
from tests.drivers.server import Reply, Server, request
from tests.http.test_people import person, training_class
from tests.http.test_requests import is_problem

PASSWORD = "焊接-Lesson-7"


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody with an account, signed in."""

    server: Server
    person: str
    token: str

    def api(self, method: str, path: str, body: Any = None) -> Reply:
        return self.server.api(method, path, body, token=self.token)


def signed_in(server: Server, name: str) -> Member:
    """A person of the register, with an account made by the administrator and opened by its owner."""
    who = person(server, name)["id"]
    made = server.api("POST", "/accounts", {"sign_in_name": f"n{who}", "person": who})
    assert made.status == 201, made
    link = made.json["link"].partition("#password=")[2]
    url = f"{server.base_url}/api/v1/session"
    for path, body in (
        ("/password", {"link": link, "password": PASSWORD}),
        ("", {"name": f"n{who}", "password": PASSWORD}),
    ):
        reply = request("POST", url + path, body=json.dumps(body).encode())
        assert reply.status in (200, 204), reply
    return Member(server, who, reply.json["token"])


@dataclass(frozen=True, slots=True)
class School:
    server: Server
    learner: Member
    teacher: Member
    stranger: Member
    lesson: str


@pytest.fixture(scope="module")
def school(shared_server: Server) -> School:
    server = shared_server
    of = training_class(server)["id"]
    learner, teacher, stranger = (signed_in(server, name) for name in ("王伟", "李老师", "孙路过"))
    assert server.api("POST", f"/classes/{of}/roster", {"person": learner.person}).status == 201
    body = {"person": teacher.person, "role": "lecturer", "certificate_no": "T1"}
    assert server.api("POST", f"/classes/{of}/instructors", body).status == 201
    made = server.api("POST", "/lessons", {"title": "第一课", "class": of})
    assert made.status == 201, made
    return School(server, learner, teacher, stranger, made.json["id"])


class TestEntering:
    @pytest.mark.parametrize(
        ("who", "role", "page"), [("learner", "learner", "learn"), ("teacher", "instructor", "teach")]
    )
    def test_gives_a_token_as_what_ones_place_in_the_class_makes_one(
        self, school: School, who: str, role: str, page: str
    ) -> None:
        member: Member = getattr(school, who)
        (own,) = member.api("GET", "/me/lessons").json["items"]
        assert (own["id"], own["role"]) == (school.lesson, role)
        entry = member.api("POST", f"/lessons/{school.lesson}/entry")
        assert (entry.status, entry.json["role"]) == (200, role)
        assert entry.json["pages"][page].endswith(f"/{page}/{school.lesson}#token={entry.json['token']}")
        lesson = school.server.api("GET", f"/lessons/{school.lesson}", token=entry.json["token"])
        assert lesson.status == 200

    def test_is_for_those_of_the_class(self, school: School) -> None:
        assert school.stranger.api("GET", "/me/lessons").json["items"] == []
        assert is_problem(school.stranger.api("POST", f"/lessons/{school.lesson}/entry"), 403, "not_enrolled")
        assert is_problem(school.learner.api("POST", "/lessons/none/entry"), 404, "unknown_lesson")
        assert is_problem(
            school.learner.api("POST", f"/lessons/{school.server.demo.id}/entry"), 403, "not_enrolled"
        )

    def test_before_it_the_token_opens_no_lesson(self, school: School) -> None:
        for path in (f"/lessons/{school.lesson}", "/lessons", "/recordings", "/accounts", "/persons"):
            assert is_problem(school.learner.api("GET", path), 403, "forbidden"), path
        whep = request(
            "POST", f"{school.server.base_url}/whep/{school.lesson}", token=school.learner.token, body=b"v=0",
            content_type="application/sdp",
        )  # fmt: skip
        assert is_problem(whep, 403, "forbidden")

    def test_ones_own_hours_are_seen_with_it(self, school: School) -> None:
        hours = school.learner.api("GET", "/me/hours")
        assert (hours.status, hours.json["items"]) == (200, [])

    def test_the_system_administrator_makes_lessons_without_tokens_of_others(
        self, school: School, sign
    ) -> None:
        made = school.server.api("POST", "/lessons", {"title": "x"}, token=sign(Role.SYSTEM))
        assert (made.status, set(made.json["tokens"])) == (201, {"instructor", "learner"})
        path = f"/lessons/{made.json['id']}/tokens"
        refused = school.server.api("POST", path, {"role": "moderator", "name": "x"}, token=sign(Role.SYSTEM))
        assert is_problem(refused, 403, "forbidden")

"""Learners are asked whether they are there, on both carriers, and the server's clock decides (REL-C5)."""

from __future__ import annotations

from tests.drivers.server import Lesson, Server
from tests.peers.test_lesson import message, viewer

QUESTION = {"kind": "single", "text": "灭火器先做什么?", "options": ["提", "拔", "握"], "right": [1]}


def ask(server: Server, lesson: Lesson, **order: object) -> dict:
    body = {"kind": "quiz", "question": QUESTION} | order
    return server.api(
        "POST", f"/lessons/{lesson.id}/challenges", body, token=lesson.tokens["instructor"]
    ).json


async def test_all_are_asked_one_answers_one_errs_and_the_list_says_so(server, lesson, on_air):
    other_token = server.more_tokens(lesson, 1, name="Zhang")[0]
    async with viewer(server, lesson) as one, viewer(server, lesson, other_token) as other:
        await message(one, "joined")
        await message(other, "joined")
        asked = ask(server, lesson)
        assert asked["asked"] == 2
        for learner in (one, other):
            shown = await message(learner, "challenge", id=asked["id"])
            assert shown["question"] == {key: QUESTION[key] for key in ("kind", "text", "options")}
        one.session.send({"type": "answer", "challenge": asked["id"], "choice": [1]})
        assert await message(one, "result", result="passed")
        other.session.send({"type": "answer", "challenge": asked["id"], "choice": [0]})
        assert (await message(other, "result", result="issued"))["attempts_left"] == 2
        other.session.send({"type": "answer", "challenge": "another", "choice": [1]})
        assert await message(other, "error", code="unknown_challenge")
        one.session.send({"type": "answer", "challenge": asked["id"], "choice": [1]})
        assert await message(one, "error", code="challenge_over")
        items = server.api("GET", f"/lessons/{lesson.id}/challenges", token=lesson.tokens["inspector"]).json[
            "items"
        ]
        assert sorted(str(item["result"]) for item in items) == ["None", "passed"]
        assert {item["cause"] for item in items} == {"asked"}
    server.api("POST", f"/lessons/{lesson.id}/end", token=lesson.tokens["instructor"])
    items = server.api("GET", f"/lessons/{lesson.id}/challenges", token=lesson.tokens["inspector"]).json[
        "items"
    ]
    assert sorted(item["result"] for item in items) == ["excused", "passed"]


async def test_a_lesson_that_is_not_live_asks_nobody(server, lesson):
    order = {"kind": "quiz"}
    reply = server.api("POST", f"/lessons/{lesson.id}/challenges", order, token=lesson.tokens["instructor"])
    assert (reply.status, reply.json["code"]) == (409, "not_live")


async def test_a_question_that_is_none_is_refused(server, lesson):
    for change in ({"right": [7]}, {"hint": "no such key"}, {"options": ["one"]}):
        order = {"kind": "quiz", "question": QUESTION | change}
        reply = server.api(
            "POST", f"/lessons/{lesson.id}/challenges", order, token=lesson.tokens["instructor"]
        )
        assert (reply.status, reply.json["code"]) == (400, "bad_question")

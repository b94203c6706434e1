"""Learners are asked whether they are there, on both carriers, and the server's clock decides (REL-C5)."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from liveserver.core.heads import LogKey, Receipt, check, follow
from tests.drivers.server import Lesson, Server
from tests.peers.test_lesson import message, viewer

QUESTION = {"kind": "single", "text": "灭火器先做什么?", "options": ["提", "拔", "握"], "right": [1]}


def ask(server: Server, lesson: Lesson, **order: object) -> dict:
    body = {"kind": "quiz", "question": QUESTION} | order
    body = {key: value for key, value in body.items() if value is not None}
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
        receipt = Receipt.read((await message(one, "result", result="passed"))["receipt"])
        entry = server.api("GET", f"/ledger/entries?after={receipt.index - 1}&limit=1").json["items"][0]
        assert (entry["type"], entry["data"]["id"], entry["leaf"]) == (
            "challenge_resolved", asked["id"], receipt.leaf,
        )  # fmt: skip
        keys = [LogKey.read(key) for key in server.api("GET", "/ledger/keys").json["items"]]
        check(receipt, follow(receipt.log, keys), receipt.log)
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


async def test_a_missed_check_is_excused_in_class_by_one_and_afterwards_by_two(server, lesson, on_air):
    path, teacher = f"/lessons/{lesson.id}", lesson.tokens["instructor"]
    async with viewer(server, lesson) as learner:
        person = (await message(learner, "joined"))["you"]["person"]
        asked = ask(server, lesson)["id"]
        for _ in range(3):
            learner.session.send({"type": "answer", "challenge": asked, "choice": [0]})
        await message(learner, "result", challenge=asked, result="failed")
        why = {"person": person, "reason": "the slide was not to be seen"}
        mine = server.api("POST", f"{path}/challenges/{asked}/excuse", why, token=lesson.tokens["learner"])
        assert mine.status == 403
        done = server.api("POST", f"{path}/challenges/{asked}/excuse", why, token=teacher)
        assert (done.status, done.json["state"], done.json["challenge"]) == (201, "approved", asked)
        await message(learner, "result", challenge=asked, result="excused")
        back = server.api("POST", f"{path}/challenges/{asked}/excuse/withdrawal", why, token=teacher)
        assert (back.status, back.json["after"]) == (201, "missed")
        again = server.api("POST", f"{path}/challenges/{asked}/excuse/withdrawal", why, token=teacher)
        assert (again.status, again.json["code"]) == (409, "not_excused")
    server.api("POST", f"{path}/end", token=teacher)
    later = server.api("POST", f"{path}/challenges/{asked}/excuse", why, token=teacher)
    assert (later.status, later.json["state"]) == (201, "requested")
    words = {"decision": "approved", "reason": "seen on the recording"}
    assert server.api("POST", f"/adjustments/{later.json['id']}/decision", words).status == 200
    (row,) = server.api("GET", f"{path}/challenges?person={person}").json["items"]
    assert (row["result"], row["excuse"]["before"], row["excuse"]["reason"]) == (
        "excused", "failed", why["reason"],
    )  # fmt: skip
    explained = server.api("GET", f"/me/hours/{lesson.id}", token=lesson.tokens["learner"]).json
    assert explained["checks"] == {"issued": 1, "passed": 0, "missed": 0}
    assert [one["after"] for one in explained["adjustments"]] == ["excused", "missed", "excused"]


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


PHOTOS = Path(__file__).parents[2] / "../shared/data/faces"


def photo(name: str) -> bytes:
    path = PHOTOS / name
    if not path.exists():
        pytest.skip("the photos are not beside the repository (../shared/data/faces)")
    return path.read_bytes()


def send(learner, challenge: str, jpeg: bytes, turned: bytes = b"") -> None:
    head = {"type": "photo", "challenge": challenge} | blob(jpeg)
    learner.session.send(head | ({"turned": blob(turned)} if turned else {}))
    data = jpeg + turned
    for start in range(0, len(data), 16_384):
        learner.session.send_bytes(data[start : start + 16_384])


def blob(data: bytes) -> dict:
    return {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def liveness(server: Server, lesson: Lesson, challenge: str) -> dict:
    items = server.api("GET", f"/lessons/{lesson.id}/challenges").json["items"]
    return next(item["liveness"] for item in items if item["id"] == challenge)


async def test_photos_are_taken_with_consent_matched_and_doubt_goes_to_a_person(server, lesson, on_air):
    me = lesson.tokens["learner"]
    words = server.api("GET", "/consents/face", token=me).json
    async with viewer(server, lesson) as learner:
        person = (await message(learner, "joined"))["you"]["person"]
        refused = ask(server, lesson, kind="face", question=None)
        assert (await message(learner, "challenge", id=refused["id"]))[
            "kind"
        ] == "quiz"  # no consent: a question
        send(learner, refused["id"], b"\xff\xd8")
        assert await message(learner, "error", code="no_consent")
        shown = await message(learner, "challenge", id=refused["id"])
        first, sign, second, *_ = shown["question"]["text"].split()
        value = int(first) + int(second) if sign == "+" else int(first) - int(second)
        learner.session.send({"type": "answer", "challenge": refused["id"], "choice": [value]})
        await message(learner, "result", result="passed")

        agreed = server.api("PUT", "/me/consents/face", {"text_sha256": words["sha256"]}, token=me)
        assert agreed.json == {"face": True}
        asked = ask(server, lesson, kind="face", question=None)["id"]
        shown = await message(learner, "challenge", id=asked)
        assert shown["kind"] == "face"
        send(learner, asked, photo("president_a_1.jpg"), photo("president_a_2.jpg"))
        await message(learner, "result", challenge=asked, result="passed", timeout_s=60)
        advice = liveness(server, lesson, asked)
        assert (advice["asked"], advice["alive"]) == (
            shown["turn"], "yes" if shown["turn"] == "right" else "no",
        )  # fmt: skip

        asked = ask(server, lesson, kind="face", question=None)["id"]
        await message(learner, "challenge", id=asked)
        send(learner, asked, photo("liveness_real_1.jpg"))
        doubted = await message(learner, "result", challenge=asked, result="review", timeout_s=60)
        assert doubted["detail"] == "not_alike"

    admin = f"/lessons/{lesson.id}"
    assert liveness(server, lesson, asked)["why"] == "not_measured", "one photo alone is as good"
    row = next(i for i in server.api("GET", f"{admin}/challenges").json["items"] if i["id"] == asked)
    seen = server.api("GET", f"{admin}/photos/{row['photo']}?reason=review")
    assert (seen.status, seen.body) == (200, photo("liveness_real_1.jpg"))
    teacher = lesson.tokens["instructor"]
    assert server.api("GET", f"{admin}/photos/{row['photo']}?reason=look", token=teacher).status == 403
    decided = server.api("POST", f"{admin}/challenges/{asked}/review", {"person": person, "passed": True})
    assert decided.status == 200
    row = next(i for i in server.api("GET", f"{admin}/challenges").json["items"] if i["id"] == asked)
    assert row["result"] == "passed"

    assert server.api("DELETE", "/me/consents/face", token=me).json == {"face": False}
    assert server.api("GET", f"{admin}/photos/{row['photo']}?reason=review").status == 404

"""Screening on a node: a real store, guard, rooms and media plane; the chat's list is the one that ships."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from liveserver.config import Config
from liveserver.core.challenge import CheckKind
from liveserver.core.chat import SCREENING
from liveserver.core.errors import PeerError
from liveserver.core.events.cut import Level
from liveserver.core.permissions import Role
from liveserver.core.policies import PRESETS
from liveserver.core.quiz import Question, QuestionKind
from liveserver.core.screening import (
    Action,
    Category,
    Finding,
    Kind,
    Line,
    Mode,
    Policy,
    Seeing,
    Sight,
    WhenBlind,
)
from liveserver.http.api import incidents as api_incidents
from liveserver.http.app import make_app
from liveserver.http.context import Services
from liveserver.http.cors import cors
from liveserver.metrics import Metrics
from liveserver.rtp.flags import VIDEO
from liveserver.screening import LEVELS, Screening, receipts
from liveserver.screening.evidence import Evidence
from liveserver.screening.incidents import FOLD_MS, Incidents
from liveserver.screening.lexicons import Lexicons
from liveserver.screening.moderation import Moderation
from liveserver.screening.policies import Policies
from liveserver.store import Case
from liveserver.store.incidents import Wanted
from liveserver.tokens import Tokens
from models.chat.screen import ChatScreen
from tests.rooms.node import ADMIN, MODERATOR, TEACHER, Carrier, Node, chat, claims, soon

ADVERT = "澳门六合彩代理 加薇信abc123"
JPEG = b"\xff\xd8 a picture"
CHAT = ChatScreen.load()
TOKENS = Tokens(b"k" * 32)
KEPT_MS = 1_000_000


class Broken:
    """A model that fails."""

    def screen(self, text: str) -> Any:
        raise RuntimeError("no such weights")


class ScreenedNode(Node):
    """A node that screens. `chat` is what looks at texts."""

    chat: Any = CHAT

    async def begin_screening(self, store: Any) -> Screening:
        self.policies = Policies(store, self.clock)
        await self.policies.start()
        evidence = Evidence(self.folder / "evidence", b"k" * 32)
        self.incidents = Incidents(store, evidence, self.clock, KEPT_MS)
        self.incidents.start()
        self.lexicons = Lexicons(store, self.clock, self.chat)
        await self.lexicons.start()

        async def cut(lesson: str, level: Level, reason: str) -> object:
            return await self.guard.call(self.guard.cut(lesson, level, reason, None, SCREENING))

        self.screening = Screening(
            self.policies, self.incidents, cut, self.clock, self.chat, self.lexicons.excused
        )
        return self.screening

    async def end_screening(self) -> None:
        await self.screening.stop()
        await self.incidents.stop()

    def token(self, role: Role, lesson: str) -> str:
        now_s = self.clock.wall_s()
        return TOKENS.issue(person=role, name="N", role=role, lesson=lesson, now_s=now_s, ttl_s=60)

    def client(self) -> TestClient[Any, Any]:
        """The API of incidents over this node."""
        parts: dict[str, Any] = dict.fromkeys(field.name for field in fields(Services))
        parts |= {"config": Config(), "tokens": TOKENS, "metrics": Metrics(), "clock": self.clock}
        services = Services(**parts | {"rooms": self.rooms, "moderation": self.moderation})
        return TestClient(TestServer(make_app(services, api_incidents.ROUTES, cors("/"))))

    @property
    def moderation(self) -> Moderation:
        return Moderation(self.store, self.rooms.moderating, self.incidents, self.lexicons, self.clock)

    async def live(self, **policy: Any) -> tuple[str, Carrier, Carrier]:
        """A lesson with a moderator and its instructor in it, under a policy of its own if one is given."""
        lesson = await self.lesson()
        stored = await self.store.lessons.one(lesson)
        assert stored is not None
        if policy:
            await self.policies.give(stored, policy, "ada")
        _, mod = await self.join(lesson, MODERATOR)
        _, teacher = await self.join(lesson, TEACHER)
        return lesson, mod, teacher

    async def cases(self, lesson: str) -> list[Case]:
        await soon(lambda: not self.incidents._unsaved, "everything written")
        found, _ = await self.incidents.cases(Wanted(lesson=lesson), None, 50)
        return found

    async def data(self, lesson: str, kind: str) -> list[Mapping[str, Any]]:
        entries = await self.store.entries(limit=1000, lesson=lesson)
        return [entry.data for entry in entries if entry.type == kind]


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[ScreenedNode]:
    made = ScreenedNode(tmp_path)
    await made.start()
    yield made
    await made.stop()


def seen(node: Node, score: float = 0.95, **changed: Any) -> Finding:
    finding = Finding(
        Kind.FRAME, node.clock.wall_ms(), {"porn": score}, {"nsfw": "ab" * 32},
        hashlib.sha256(JPEG).hexdigest(), "screen", (Line("招嫖", (1, 2, 3, 4), Category.PORN, 0.9),), JPEG,
    )  # fmt: skip
    return replace(finding, **changed)


class TestAFinding:
    async def test_that_asks_for_a_cut_is_cut_by_the_guard_and_told(self, node: ScreenedNode) -> None:
        lesson, mod, teacher = await node.live()
        decision = node.screening.found(lesson, seen(node))
        assert decision.action is Action.BLANK
        cut = await soon(lambda: node.guard.kill_of(lesson).cuts.get(Level.PICTURE), "the picture is cut")
        assert (cut.by, cut.reason) == (SCREENING, "screening: porn")
        row = node.rooms.registry.rooms[lesson].stage.room
        assert node.flags.dark(row) == VIDEO
        await soon(lambda: "incident" in mod.types() and "warning" in teacher.types(), "people are told")
        incident = mod.last("incident")
        assert (incident["kind"], incident["category"], incident["action"]) == ("frame", "porn", "blank")
        assert (incident["track"], incident["evidence"], incident["score"]) == ("screen", True, 0.95)
        assert "evidence" not in teacher.last("incident")
        assert teacher.last("warning")["incident"] == incident["id"]

    async def test_is_on_record_with_its_receipt_and_its_picture(self, node: ScreenedNode) -> None:
        lesson, _, _ = await node.live()
        node.screening.found(lesson, seen(node))
        (case,) = await node.cases(lesson)
        found = case.incident
        assert (found.evidence, found.lines) == (
            "kept",
            ({"line": "招嫖", "box": [1, 2, 3, 4], "label": "porn"},),
        )
        assert found.receipt["content_sha256"] == hashlib.sha256(JPEG).hexdigest()
        (fact,) = await node.data(lesson, "incident")
        assert fact["receipt"] == found.receipt
        assert await node.moderation.picture(MODERATOR, found.id) == JPEG
        (view,) = await node.data(lesson, "evidence_viewed")
        assert view == {"incident": found.id, "by": "mo"}

    async def test_is_cut_and_told_while_the_database_is_away_and_kept_when_it_is_back(
        self, node: ScreenedNode
    ) -> None:
        lesson, mod, _ = await node.live()
        node.flaky.is_away = True
        node.screening.found(lesson, seen(node))
        await soon(lambda: Level.PICTURE in node.guard.kill_of(lesson).cuts, "cut without the database")
        await soon(lambda: "incident" in mod.types(), "told without the database")
        node.flaky.is_away = False
        await soon(lambda: not node.incidents._unsaved, "written afterwards")
        assert len(await node.cases(lesson)) == 1

    async def test_equal_ones_that_follow_each_other_are_one_incident(self, node: ScreenedNode) -> None:
        lesson, mod, _ = await node.live()
        first = seen(node, 0.7)
        for step in range(4):
            node.screening.found(lesson, replace(first, at_ms=first.at_ms + step * FOLD_MS))
        node.screening.found(lesson, seen(node, 0.7, track="camera"))
        node.screening.found(lesson, replace(first, at_ms=first.at_ms + 5 * FOLD_MS))
        counted = await soon(
            lambda: [m for m in mod.heard if m["type"] == "incident" and m["count"] == 4], "counted together"
        )
        assert counted[0]["state"] == "open"
        counts = sorted(case.incident.count for case in await node.cases(lesson))
        assert counts == [1, 1, 4]

    async def test_below_every_threshold_leaves_no_trace(self, node: ScreenedNode) -> None:
        lesson, _, _ = await node.live()
        assert node.screening.found(lesson, seen(node, 0.1)).action is Action.ALLOW
        assert await node.cases(lesson) == []

    async def test_of_a_lesson_nobody_knows_harms_nobody(self, node: ScreenedNode) -> None:
        node.screening.found("nowhere", seen(node))
        await soon(lambda: node.screening.numbers()["act_failures_total"], "refused by the guard")

    async def test_each_strong_action_has_its_level(self) -> None:
        assert {action for action in Action if action.rank >= Action.BLANK.rank} == set(LEVELS)


class TestEvidence:
    async def test_is_had_by_its_address_by_those_who_may(self, node: ScreenedNode) -> None:
        lesson, _, _ = await node.live()
        node.screening.found(lesson, seen(node))
        async with node.client() as client:
            by = {role: {"Authorization": f"Bearer {node.token(role, lesson)}"} for role in Role}
            await node.cases(lesson)
            listed = await client.get("/api/v1/incidents", headers=by[Role.MODERATOR])
            (item,) = (await listed.json())["items"]
            assert item["lines"] == [{"line": "招嫖", "box": [1, 2, 3, 4], "label": "porn"}]
            path = item["evidence"].removeprefix(str(client.make_url("")).rstrip("/"))
            assert path == f"/api/v1/incidents/{item['id']}/evidence.jpg"
            shown = await client.get(path, headers=by[Role.MODERATOR])
            assert (shown.status, await shown.read()) == (200, JPEG)
            kept = {name: shown.headers[name] for name in ("Content-Type", "Cache-Control")}
            assert kept == {"Content-Type": "image/jpeg", "Cache-Control": "no-store"}
            statuses = {role: (await client.get(path, headers=by[role])).status for role in Role}
        allowed = {role for role, status in statuses.items() if status == 200}
        assert allowed == {Role.MODERATOR, Role.ADMIN, Role.SECURITY}
        views = [view["by"] for view in await node.data(lesson, "evidence_viewed")]
        assert views == ["moderator", "moderator", "admin", "security"]

    async def test_that_was_altered_is_said_to_be_and_not_shown(self, node: ScreenedNode) -> None:
        lesson, _, _ = await node.live()
        node.screening.found(lesson, seen(node))
        (case,) = await node.cases(lesson)
        (path,) = (node.folder / "evidence" / lesson).iterdir()
        path.write_bytes(path.read_bytes()[:-1] + b"x")
        with pytest.raises(PeerError) as refused:
            await node.moderation.picture(MODERATOR, case.incident.id)
        assert (refused.value.code, refused.value.status) == ("internal", 500)

    async def test_goes_with_its_words_when_its_date_has_come(self, node: ScreenedNode) -> None:
        lesson, _, _ = await node.live()
        old_ms = node.clock.wall_ms() - KEPT_MS - 1
        node.screening.found(lesson, seen(node, at_ms=old_ms))
        node.screening.found(lesson, seen(node, track="camera"))
        assert len(await node.cases(lesson)) == 2
        assert await node.incidents.erase_old() == 1
        young, old = await node.cases(lesson)
        assert (young.incident.evidence, old.incident.evidence) == ("kept", "gone")
        with pytest.raises(PeerError) as refused:
            await node.moderation.picture(MODERATOR, old.incident.id)
        assert (refused.value.code, refused.value.status) == ("evidence_gone", 410)
        assert len(list((node.folder / "evidence" / lesson).iterdir())) == 1
        assert await node.incidents.erase_old() == 0


class TestBlindness:
    async def test_is_an_incident_from_its_beginning_to_its_end(self, node: ScreenedNode) -> None:
        lesson, mod, teacher = await node.live()
        since_ms = node.clock.wall_ms() - 5_000
        blind = Sight(Seeing.BLIND, since_ms, Mode.WATCH)
        node.screening.sight(lesson, blind)
        node.screening.sight(lesson, blind)
        await soon(lambda: "warning" in teacher.types(), "the instructor knows")
        assert teacher.last("warning")["what"] == "blind"
        assert node.screening.numbers()["blind_lessons"] == 1
        node.screening.sight(lesson, Sight(Seeing.SEEING, node.clock.wall_ms(), Mode.WATCH))
        await soon(
            lambda: len([m for m in mod.heard if m["type"] == "incident"]) == 2, "its end is on record"
        )
        (case,) = await node.cases(lesson)
        assert (case.incident.kind, case.incident.count) == ("blind", 1)
        assert case.incident.until_ms - case.incident.at_ms >= 5_000
        (fact,) = await node.data(lesson, "unmoderated")
        assert (fact["incident"], fact["from_ms"]) == (case.incident.id, since_ms)
        assert fact["to_ms"] == case.incident.until_ms
        found = await node.moderation.statistics(MODERATOR, lesson, 0)
        assert (found["blind_spells"], found["items"]) == (1, []) and found["blind_s"] >= 5

    async def test_lasts_to_the_end_of_the_node_at_most(self, node: ScreenedNode) -> None:
        lesson, _, _ = await node.live()
        node.screening.sight(lesson, Sight(Seeing.BLIND, 1, Mode.SCREENED, held_back=True))
        assert (await node.cases(lesson))[0].incident.action == "blank"
        await node.restarted()
        (case,) = await node.cases(lesson)
        assert case.incident.until_ms > 1


class TestTextsNobodyCanLookAt:
    @pytest.mark.parametrize("screen", [None, Broken()])
    async def test_pass_or_wait_as_the_policy_says(self, tmp_path: Path, screen: Any) -> None:
        node = ScreenedNode(tmp_path)
        node.chat = screen
        await node.start()
        try:
            for when, outcome in ((WhenBlind.PASS, "chat"), (WhenBlind.SLATE, "notice")):
                lesson, mod, _ = await node.live(when_blind=when)
                learner, carrier = await node.join(lesson, claims())
                await learner.receive(chat("hello"))
                assert outcome in carrier.types()
                assert ("held" in mod.types()) == (when is WhenBlind.SLATE)
            assert node.screening.numbers()["text_failures_total"] >= 2
        finally:
            await node.stop()


class TestARestart:
    async def test_keeps_what_waits_who_is_muted_and_the_policy(self, node: ScreenedNode) -> None:
        lesson, _, _ = await node.live(mute_after=2)
        learner, _ = await node.join(lesson, claims())
        await learner.receive(chat(ADVERT))
        await learner.receive(chat(ADVERT))
        (before,) = await node.cases(lesson)
        await node.restarted()
        _, mod = await node.join(lesson, MODERATOR)
        joined = mod.last("joined")
        (held,) = joined["held"]
        assert (held["text"], held["incident"], held["category"]) == (ADVERT, before.incident.id, "gambling")
        assert [muted["person"] for muted in joined["muted"]] == ["li"]
        assert [incident["id"] for incident in joined["incidents"]] == [before.incident.id]
        assert node.screening.policy(lesson).mute_after == 2
        learner, carrier = await node.join(lesson, claims())
        assert carrier.last("joined")["you"]["muted"] is True
        await node.moderation.decide(MODERATOR, before.incident.id, "dismissed", "")
        assert carrier.last("chat")["text"] == ADVERT
        assert carrier.last("muted")["active"] is False

    async def test_opens_a_lesson_whose_policy_is_lost_under_the_standard_one(
        self, node: ScreenedNode
    ) -> None:
        lesson = await node.lesson()
        await node.store.lessons.update(lesson, policy="lost", policy_version=3)
        await node.join(lesson, claims())
        assert node.screening.policy(lesson) == node.policies.standard

    async def test_finds_shipped_policies_there_and_changed_ones_as_they_were_left(
        self, node: ScreenedNode
    ) -> None:
        await node.policies.put("light", {"mode": "off"}, "ada")
        await node.restarted()
        assert [len(await node.store.rules.policies.history(name)) for name in ("default", "light")] == [1, 2]
        assert (await node.policies.get("light")).mode is Mode.OFF
        assert node.policies.standard == PRESETS["default"]


class TestReceipts:
    """What is on record can be decided again by whoever has the content, the models and the policy."""

    async def incident(self, node: ScreenedNode) -> Case:
        lesson, _, _ = await node.live()
        learner, _ = await node.join(lesson, claims())
        await learner.receive(chat(ADVERT))
        (case,) = await node.cases(lesson)
        return case

    async def policy_of(self, node: ScreenedNode, receipt: Mapping[str, Any]) -> Policy:
        return await node.policies.get(receipt["policy"], receipt["policy_version"])

    @staticmethod
    def look(content: bytes) -> receipts.Looked:
        return CHAT.screen(content.decode())

    async def test_the_same_content_gives_the_same_decision(self, node: ScreenedNode) -> None:
        case = await self.incident(node)
        receipt = case.incident.receipt
        policy = await self.policy_of(node, receipt)
        again = receipts.rerun(receipt, case.incident.text.encode(), self.look, policy)
        assert again.differs == ()
        assert (again.decision.action, again.decision.category) == ("hide", "gambling")

    async def test_what_is_not_the_same_is_named(self, node: ScreenedNode) -> None:
        case = await self.incident(node)
        receipt = case.incident.receipt
        policy = await self.policy_of(node, receipt)
        other = receipts.rerun(receipt, b"hello", self.look, policy)
        assert other.differs == ("content", "scores", "decision")
        changed = receipts.rerun(receipt, ADVERT.encode(), self.look, replace(policy, version=9, rules=()))
        assert changed.differs == ("policy", "decision")
        aged = receipts.rerun({**receipt, "models": {"old": "ab" * 32}}, ADVERT.encode(), self.look, policy)
        assert aged.differs == ("models",)


class TestNames:
    async def test_are_looked_at_once_and_forgotten_when_lists_change(self, node: ScreenedNode) -> None:
        lesson, _, _ = await node.live()
        looked = node.screening.numbers()["texts_total"]
        for _ in range(3):
            assert node.screening.texts.name(lesson, "p1", "六合彩代理") == "p1"
            assert node.screening.texts.name(lesson, "p2", "王小明") == "王小明"
        assert node.screening.numbers()["texts_total"] == looked + 2
        assert [case.incident.text for case in await node.cases(lesson)] == ["六合彩代理"]
        node.lexicons.changed = node.screening.texts.forget_names
        await node.lexicons.whitelist("六合彩代理", ADMIN.person)
        assert node.screening.texts.name(lesson, "p1", "六合彩代理") == "六合彩代理"


async def test_a_configured_policy_that_nobody_made_stops_the_start(node: ScreenedNode) -> None:
    with pytest.raises(ValueError, match="there is no policy nowhere"):
        await Policies(node.store, node.clock, "nowhere").start()


async def test_a_commit_whose_answer_was_lost_is_not_made_twice(node: ScreenedNode) -> None:
    lesson, _, _ = await node.live()
    node.screening.found(lesson, seen(node))
    (case,) = await node.cases(lesson)
    await node.incidents._add_once(case.incident)
    assert len(await node.data(lesson, "incident")) == 1


async def test_a_question_is_looked_at_before_it_is_asked(node: ScreenedNode) -> None:
    lesson, _, _ = await node.live()
    question = Question(QuestionKind.SINGLE, "哪个是本课内容?", ("车床", ADVERT), frozenset({0}))
    node.rooms.checking._challenges = object()  # what would ask it is not asked
    with pytest.raises(PeerError) as refused:
        await node.rooms.checking.ask(lesson, TEACHER, CheckKind.QUIZ, None, question)
    assert (refused.value.code, refused.value.status) == ("text_refused", 422)
    assert [case.incident.person for case in await node.cases(lesson)] == ["wang"]


async def test_what_cannot_be_kept_is_counted_and_said(node: ScreenedNode) -> None:
    lesson, mod, _ = await node.live()
    node.incidents._queue = asyncio.Queue(1)
    node.incidents._queue.put_nowait("filled up")
    node.screening.found(lesson, seen(node))
    assert node.incidents.numbers()["lost_total"] == 1
    await soon(lambda: "incident" in mod.types(), "people are told all the same")
    node.incidents._queue = asyncio.Queue()

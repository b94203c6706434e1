"""Cuts on one node: carried out, told, recorded, restored."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from liveserver.core.errors import PeerError
from liveserver.core.events.cut import Cut, Level
from liveserver.core.kill import Kill
from liveserver.core.permissions import Role
from liveserver.cut.kills import KillFiles, cut_act
from liveserver.cut.lights import LEASE_TOPIC
from liveserver.cut.neighbours import STATE_TOPIC
from liveserver.rtp.flags import ALL
from tests.rooms.node import ADMIN, MODERATOR, TEACHER, Carrier, Node, claims, soon
from tests.sfu.sdp import AUDIO, offer


class TestCut:
    async def test_learners_are_told_why_and_sent_away_moderators_stay(self, node):
        lesson = await node.lesson()
        _, learner = await node.join(lesson, claims())
        _, moderator = await node.join(lesson, MODERATOR)
        answer = await node.rooms.moderating.cut(lesson, MODERATOR, "lesson", "advert")
        assert answer["level"] == "lesson"
        await soon(lambda: learner.closed, "sent away")
        assert learner.closed == (4410, "lesson_cut")
        told = learner.last("cut")
        assert (told["active"], told["level"], told["reason"]) == (True, "lesson", "advert")
        assert moderator.closed is None
        assert moderator.last("lesson")["state"] == "cut"
        await soon(lambda: node.flags.dark(node.rooms.registry.rooms[lesson].stage.room) == ALL, "dark")

    async def test_who_comes_now_is_told_which_cut_and_refused(self, node):
        lesson = await node.lesson()
        _, moderator = await node.join(lesson, MODERATOR)
        await node.rooms.moderating.cut(lesson, MODERATOR, "lesson", "advert")
        await soon(lambda: "cut" in moderator.types(), "cut")
        carrier = Carrier()
        with pytest.raises(PeerError) as raised:
            await node.rooms.joining.connect(lesson, claims(), carrier)
        assert (raised.value.code, raised.value.status) == ("lesson_cut", 410)
        assert carrier.last("cut")["reason"] == "advert"
        for media in (node.rooms.joining.watch, node.rooms.joining.publish):
            with pytest.raises(PeerError, match="lesson_cut"):
                await media(lesson, claims(role=Role.INSTRUCTOR), offer(AUDIO))

    async def test_it_is_a_fact_and_so_is_the_restore(self, node):
        lesson = await node.lesson()
        _, moderator = await node.join(lesson, MODERATOR)
        await node.rooms.moderating.cut(lesson, MODERATOR, "picture", "advert")
        await node.rooms.moderating.restore(lesson, MODERATOR, "checked")
        await soon(lambda: moderator.types().count("cut") == 2, "both told")
        await node.until_facts(lesson, ["create", "join", "cut", "restore"])
        assert moderator.last("cut")["active"] is False
        assert (await node.rooms.lessons.one(lesson))["cut"] is None

    async def test_a_removed_person_is_sent_away_and_kept_out(self, node):
        lesson = await node.lesson()
        _, learner = await node.join(lesson, claims())
        _, other = await node.join(lesson, claims("chen"))
        await node.rooms.moderating.cut(lesson, MODERATOR, "person", "insults", "li")
        await soon(lambda: learner.closed, "sent away")
        assert (learner.closed, other.closed) == ((4410, "person_removed"), None)
        with pytest.raises(PeerError, match="person_removed"):
            await node.join(lesson, claims())
        await node.rooms.moderating.restore(lesson, MODERATOR, "apologised")
        await soon(lambda: "li" not in node.rooms.registry.rooms[lesson].state.removed, "let in again")
        await node.join(lesson, claims())

    async def test_a_cut_of_more_people_than_one_append_holds(self, node):
        lesson = await node.lesson()
        people = [claims(f"p{n}") for n in range(1_020)]
        joined = await asyncio.gather(*(node.join(lesson, person) for person in people))
        await node.rooms.moderating.cut(lesson, MODERATOR, "lesson", "advert")
        await soon(lambda: all(carrier.closed for _, carrier in joined), "everybody sent away")
        await node.rooms.moderating.restore(lesson, MODERATOR, "checked")
        await soon(lambda: node.rooms.registry.rooms[lesson].state.state == "waiting", "restored")
        await node.join(lesson, claims("late"))
        facts = await node.facts(lesson)
        assert (facts.count("join"), facts.count("leave"), facts.count("cut")) == (1_021, 1_020, 1)

    async def test_a_lesson_nobody_opened_can_be_cut(self, node):
        lesson = await node.lesson()
        await node.rooms.moderating.cut(lesson, MODERATOR, "lesson", "advert")
        await node.until_facts(lesson, ["create", "cut"])
        with pytest.raises(PeerError, match="lesson_cut"):
            await node.join(lesson, claims())
        _, moderator = await node.join(lesson, MODERATOR)
        assert moderator.heard[0]["cut"]["reason"] == "advert"


class TestCuts:
    """What is left of a cut besides the darkness."""

    async def listed(self, node: Node, lesson: str, *, measured: bool = True) -> list[dict[str, Any]]:
        """The list of cuts, once the newest has its times."""
        async with asyncio.timeout(10):
            while True:
                items = (await node.rooms.moderating.cuts(lesson, None, 50))["items"]
                if items and (items[0]["measured"] is not None or not measured):
                    return items
                await asyncio.sleep(0.002)

    async def test_it_is_measured_listed_and_told_to_those_who_may_cut(self, node):
        lesson = await node.lesson()
        _, moderator = await node.join(lesson, MODERATOR)
        _, learner = await node.join(lesson, claims())
        _, teacher = await node.join(lesson, TEACHER)
        await node.rooms.moderating.cut(lesson, MODERATOR, "lesson", "advert")
        await soon(lambda: "cut_measured" in moderator.types(), "told how long it took")
        told = moderator.last("cut_measured")
        assert (told["level"], told["by"], told["epoch"], told["person"]) == ("lesson", "mo", 1, None)
        assert told["measured"]["viewers"] == 0 and told["measured"]["udp_ms"] is None
        assert 0 <= told["measured"]["dark_ms"] <= told["measured"]["told_ms"]
        assert "cut_measured" not in [*learner.types(), *teacher.types()]
        shown = await node.rooms.lessons.one(lesson)
        assert (shown["cut"]["measured"], shown["cut"]["restore"]) == (told["measured"], None)
        (row,) = await self.listed(node, lesson)
        assert (row["level"], row["by"], row["measured"], row["restored_at"]) == (
            "lesson", "mo", told["measured"], None,
        )  # fmt: skip
        (fact,) = [e for e in await node.store.entries(lesson=lesson) if e.type == "cut_measured"]
        assert fact.data["dark_us"] == round(told["measured"]["dark_ms"] * 1000)
        await node.rooms.moderating.restore(lesson, MODERATOR, "a mistake")
        await soon(lambda: not node.guard.unrecorded(), "recorded")
        facts = ["create", "join", "join", "join", "cut", "leave", "leave", "restore"]
        assert await node.facts(lesson) == facts
        assert (await self.listed(node, lesson))[0]["restored_by"] == "mo"

    @pytest.mark.parametrize(("level", "person"), [("chat", None), ("picture", None), ("person", "li")])
    async def test_every_level_has_its_times(self, node, level, person):
        lesson = await node.lesson()
        await node.join(lesson, claims())
        await node.rooms.moderating.cut(lesson, MODERATOR, level, "advert", person)
        (row,) = await self.listed(node, lesson)
        assert (row["level"], row["person"]) == (level, person)
        assert row["measured"]["dark_ms"] >= 0

    async def test_a_second_person_is_waited_for_in_sight_of_those_who_moderate(self, node):
        lesson = await node.lesson()
        node.guard.two_persons(lesson, True)
        await node.rooms.moderating.cut(lesson, MODERATOR, "pause", "advert")
        _, moderator = await node.join(lesson, MODERATOR)
        _, learner = await node.join(lesson, claims())
        waiting = await node.rooms.moderating.restore(lesson, MODERATOR, "checked")
        assert waiting["state"] == "waiting_for_second"
        await soon(lambda: "restore_asked" in moderator.types(), "asked")
        assert moderator.last("restore_asked")["by"] == "mo" and "restore_asked" not in learner.types()
        assert (await node.rooms.lessons.one(lesson))["cut"]["restore"]["by"] == "mo"
        await node.rooms.moderating.restore(lesson, ADMIN, "checked as well")
        await soon(lambda: "cut" in learner.types(), "restored")
        assert not learner.last("cut")["active"]
        await node.until_facts(lesson, ["create", "cut", "join", "join", "restore_asked", "restore"])
        (fact,) = [e for e in await node.store.entries(lesson=lesson) if e.type == "restore"]
        assert (fact.data["by"], fact.data["first_by"], fact.data["lifted"]) == ("ada", "mo", ["pause"])

    async def test_with_the_database_away_it_is_cut_and_restored_all_the_same_and_recorded_later(self, node):
        lesson = await node.lesson()
        _, learner = await node.join(lesson, claims())
        node.flaky.is_away = True
        await asyncio.sleep(1.1)  # a presence tick waits for the database: the cut must not wait behind it
        await node.rooms.moderating.cut(lesson, MODERATOR, "pause", "advert")
        await soon(lambda: learner.types().count("cut") == 1, "told")
        await node.rooms.moderating.restore(lesson, MODERATOR, "a mistake")
        await soon(lambda: learner.types().count("cut") == 2, "told")
        assert node.guard.unrecorded()
        node.flaky.is_away = False
        await node.until_facts(lesson, ["create", "join", "cut", "restore"])
        await soon(lambda: not node.guard.unrecorded(), "nothing owed")

    async def test_what_a_power_cut_kept_from_the_ledger_is_there_after_the_next_start(self, node):
        lesson = await node.lesson()
        node.flaky.is_away = True
        await node.rooms.moderating.cut(lesson, MODERATOR, "chat", "advert")
        await node.rooms.moderating.restore(lesson, MODERATOR, "a mistake")
        await node.rooms.moderating.cut(lesson, MODERATOR, "lesson", "advert again")
        await node.restarted()
        await node.until_facts(lesson, ["create", "cut", "restore", "cut"])
        assert (await node.store.lessons.one(lesson)).state == "cut"
        await soon(lambda: not node.guard.unrecorded(), "nothing owed")
        rows = await self.listed(node, lesson, measured=False)
        assert [(row["level"], row["restored_by"]) for row in rows] == [("lesson", None), ("chat", "mo")]

    async def test_told_again_after_a_restart_it_is_the_same_cut(self, node):
        """The power went after the row was written, and before the guard's file said so."""
        lesson = await node.lesson()
        await node.rooms.moderating.cut(lesson, MODERATOR, "chat", "advert")
        (row,) = await self.listed(node, lesson)
        await soon(lambda: not node.guard.unrecorded(), "recorded")
        await node.stop()
        files = KillFiles(node.folder / "kills")
        record = files.load()[lesson]
        files.write(record.with_act(cut_act(record.kill.strongest)))
        await node.start()
        await soon(lambda: not node.guard.unrecorded(), "recorded")
        assert await self.listed(node, lesson) == [row]

    async def test_one_of_another_node_is_carried_out_here_and_recorded_there(self, node):
        lesson = await node.lesson()
        _, learner = await node.join(lesson, claims())
        theirs = Kill(lesson).with_cut(Cut(Level.PAUSE, "advert", 1_772_415_000_000, "mod"), "there")
        node.bus.publish(STATE_TOPIC, {"node": "there", "kill": theirs.as_json()})
        await soon(lambda: "cut" in learner.types(), "told")
        assert node.flags.dark(node.rooms.registry.rooms[lesson].stage.room) == ALL
        lifted = theirs.lifted("there")
        node.bus.publish(STATE_TOPIC, {"node": "there", "kill": lifted.as_json()})
        await soon(lambda: not learner.last("cut")["active"], "told")
        assert (await node.rooms.lessons.one(lesson))["cut"] is None
        assert await node.facts(lesson) == ["create", "join"]
        (row,) = await self.listed(node, lesson)
        assert (row["by"], row["node"]) == ("mod", node.guard.node)  # this node's own times

    async def test_a_lease_that_ran_out_is_told(self, node):
        lesson = await node.lesson()
        _, learner = await node.join(lesson, claims())
        for is_lit, code in ((False, "node_cut_off"), (True, "node_back")):
            node.bus.publish(LEASE_TOPIC, {"lit": is_lit})
            await soon(lambda c=code: c in [heard.get("code") for heard in learner.heard], code)

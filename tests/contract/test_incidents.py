"""Incidents, decisions, appeals, mutes, policies and lists: the same answers from SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from liveserver.core.errors import PeerError
from liveserver.store import (
    Appeal,
    ChatLine,
    Decided,
    Fact,
    Incident,
    Lesson,
    Muted,
    Store,
    StoreError,
    Tally,
    Version,
)
from liveserver.store.incidents import Wanted
from tests.contract.raw import Raw

FOUND = Incident(
    id="i1", lesson="l1", at_ms=1_000, until_ms=1_000, kind="chat", category="gambling", score_ppm=912_340,
    action="hide", receipt={"content_sha256": "ab" * 32, "scores_ppm": {"gambling": 912_340}}, salt=b"s" * 16,
    person="p1", name="王小明", text="六合彩 🎰", line="c1", why=("word 六合彩",),
)  # fmt: skip
SEEN = replace(
    FOUND, id="i2", at_ms=2_000, until_ms=2_000, kind="frame", category="porn", action="blank", text="",
    line="", person="", name="", track="screen", evidence="kept",
    lines=({"line": "招嫖", "box": [1, 2, 3, 4], "label": "porn"},),
)  # fmt: skip


def fact(kind: str = "incident") -> Fact:
    return Fact(kind, "l1", 1, {"id": "i1"})


async def add(store: Store, *incidents: Incident) -> None:
    for incident in incidents:
        await store.incidents.add(incident, fact())


async def decide(store: Store, incident: str, outcome: str, at_ms: int = 5_000) -> None:
    await store.incidents.decide(Decided(incident, outcome, "", "mod", at_ms), fact("incident_decided"))


async def ids(store: Store, **wanted: object) -> list[str]:
    cases, _ = await store.incidents.cases(Wanted(**wanted), None, 50)  # type: ignore[arg-type]
    return [case.incident.id for case in cases]


class TestIncidents:
    async def test_are_kept_as_they_were_given_each_with_its_fact(self, store: Store) -> None:
        await add(store, FOUND, SEEN)
        for incident in (FOUND, SEEN):
            case = await store.incidents.case(incident.id)
            assert case is not None
            assert (case.incident, case.state, case.decided, case.appeal) == (incident, "open", None, None)
        assert await store.incidents.case("none") is None
        assert [entry.type for entry in await store.entries()] == ["incident", "incident"]

    async def test_one_of_an_id_that_exists_leaves_neither_row_nor_fact(self, store: Store) -> None:
        await add(store, FOUND)
        with pytest.raises(StoreError):
            await add(store, replace(FOUND, text="another"))
        assert await store.ledger_size() == 1

    async def test_grow_and_never_shrink(self, store: Store) -> None:
        await add(store, FOUND)
        await store.incidents.grow("i1", 2, 950_000, 3_000)
        await store.incidents.grow("i1", 1, 10, 2_500)
        case = await store.incidents.case("i1")
        assert case is not None
        assert (case.incident.count, case.incident.score_ppm, case.incident.until_ms) == (4, 950_000, 3_000)

    async def test_are_listed_newest_first_in_pages(self, store: Store) -> None:
        await add(store, *(replace(FOUND, id=f"i{n}", at_ms=n) for n in (3, 1, 2)))
        first, cursor = await store.incidents.cases(Wanted(), None, 2)
        assert [case.incident.id for case in first] == ["i3", "i2"]
        rest, end = await store.incidents.cases(Wanted(), cursor, 2)
        assert ([case.incident.id for case in rest], end) == (["i1"], None)
        with pytest.raises(PeerError, match="bad_request"):
            await store.incidents.cases(Wanted(), "nonsense", 2)

    async def test_are_narrowed(self, store: Store) -> None:
        await add(store, FOUND, SEEN, replace(FOUND, id="i3", lesson="l2", at_ms=3_000))
        await decide(store, "i1", "confirmed")
        await store.incidents.appeal(Appeal("i2", "a medical picture", "ms-li", 9), fact("incident_appealed"))
        assert await ids(store) == ["i3", "i2", "i1"]
        assert await ids(store, lesson="l1") == ["i2", "i1"]
        assert await ids(store, kind="frame") == ["i2"]
        assert await ids(store, category="gambling", lesson="l1") == ["i1"]
        assert await ids(store, state="open") == ["i3", "i2"]
        assert await ids(store, state="confirmed") == ["i1"]
        assert await ids(store, state="dismissed") == []
        assert await ids(store, appealed=True) == ["i2"]
        assert await ids(store, appealed=False) == ["i3", "i1"]
        assert await store.incidents.waiting("l1") == 1

    async def test_are_found_by_the_chat_lines_they_are_about(self, store: Store) -> None:
        await add(store, FOUND, SEEN)
        found = await store.incidents.of_lines("l1", ["c1", "c2"])
        assert {line: case.incident.id for line, case in found.items()} == {"c1": "i1"}
        assert await store.incidents.of_lines("l1", []) == {}

    async def test_hold_no_text_that_no_database_takes(self, store: Store) -> None:
        with pytest.raises(PeerError, match="bad_message"):
            await add(store, replace(FOUND, text="\0"))


class TestDecisions:
    async def test_the_last_one_counts(self, store: Store) -> None:
        await add(store, FOUND)
        await decide(store, "i1", "confirmed", 10)
        await decide(store, "i1", "dismissed", 9)
        case = await store.incidents.case("i1")
        assert case is not None and case.decided is not None
        assert (case.state, case.decided.outcome, case.decided.at_ms) == ("dismissed", "dismissed", 9)
        assert await ids(store, state="confirmed") == []

    async def test_only_one_may_appeal(self, store: Store) -> None:
        await add(store, FOUND)
        first = Appeal("i1", "it was a quotation", "p1", 7)
        await store.incidents.appeal(first, fact("incident_appealed"))
        with pytest.raises(PeerError) as refused:
            await store.incidents.appeal(replace(first, by="p2"), fact("incident_appealed"))
        assert (refused.value.code, refused.value.status) == ("appealed", 409)
        case = await store.incidents.case("i1")
        assert case is not None and case.appeal == first

    async def test_are_counted_for_precision(self, store: Store) -> None:
        await add(store, FOUND, SEEN, *(replace(FOUND, id=f"j{n}", at_ms=100 + n) for n in range(3)))
        await add(
            store, replace(FOUND, id="old", at_ms=1), replace(SEEN, id="b", kind="blind", until_ms=9_000)
        )
        await decide(store, "i1", "confirmed", 3_000)
        await decide(store, "j0", "dismissed", 1_100)
        await decide(store, "j0", "confirmed", 1_100)
        await decide(store, "j1", "dismissed", 1_100)
        tallies = await store.incidents.tallies("l1", 50)
        assert tallies == [Tally("chat", "gambling", 4, 2, 1), Tally("frame", "porn", 1, 0, 0)]
        assert await store.incidents.tallies("l9", 0) == []
        assert await store.incidents.blindness(None, 0) == (1, 7_000)
        assert await store.incidents.blindness("l9", 0) == (0, 0)
        assert sorted(await store.incidents.decision_times(None, 50)) == [999, 1_000, 2_000]


class TestErasing:
    async def test_takes_words_pictures_and_salts_and_leaves_that_it_happened(self, store: Store) -> None:
        await add(store, FOUND, SEEN, replace(FOUND, id="i3", at_ms=9_000))
        old = await store.incidents.with_words(5_000)
        assert [incident.id for incident in old] == ["i1", "i2"]
        await store.incidents.erase(old, fact("incidents_erased"))
        case = await store.incidents.case("i1")
        assert case is not None
        assert case.incident == replace(
            FOUND, text="", name="", salt=b"", why=(), receipt={"scores_ppm": {"gambling": 912_340}}
        )
        seen = await store.incidents.case("i2")
        assert seen is not None
        assert (seen.incident.evidence, seen.incident.lines, seen.incident.receipt) == (
            "gone",
            (),
            SEEN.receipt,
        )
        assert await store.incidents.with_words(5_000) == []


class TestMutes:
    async def test_outlast_the_process_and_are_replaced(self, store: Store) -> None:
        one = Muted("l1", "p1", "王小明", "gambling", 5, "screening", ("i1", "i2"))
        other = Muted("l1", "p2", "Li", "flooding", 4, "mod")
        for muted in (one, other, replace(one, lesson="l2")):
            await store.incidents.mute(muted)
        await store.incidents.mute(replace(other, reason="again"))
        assert await store.incidents.muted("l1") == [replace(other, reason="again"), one]
        await store.incidents.unmute("l1", "p1")
        await store.incidents.unmute("l1", "nobody")
        assert [muted.person for muted in await store.incidents.muted("l1")] == ["p2"]


class TestChatLines:
    async def test_only_those_that_are_shown_are_the_history(self, store: Store) -> None:
        lines = [ChatLine(f"c{n}", "l1", "p1", "N", "learner", f"line {n}", n, b"s" * 16) for n in range(3)]
        lines[1] = replace(lines[1], state="held")
        await store.append([fact("chat")], lines)
        assert [line.id for line in await store.chat.newest("l1")] == ["c0", "c2"]
        assert [line.id for line in await store.chat.newest("l1", state="held")] == ["c1"]
        await store.chat.set_state("c1", "shown")
        await store.chat.set_state("c2", "removed")
        assert [line.id for line in await store.chat.newest("l1")] == ["c0", "c1"]
        assert await store.chat.line("l1", "c2") == replace(lines[2], state="removed")
        assert await store.chat.line("another", "c2") is None

    async def test_of_all_lessons_are_looked_through_by_age(self, store: Store) -> None:
        lines = [ChatLine(f"c{n}", f"l{n}", "p1", "N", "learner", "x", n, b"s" * 16) for n in range(4)]
        await store.append([fact("chat")], lines)
        assert [line.id for line in await store.chat.recent(1, 2)] == ["c2", "c3"]


class TestVersions:
    async def put(self, store: Store, name: str, body: str) -> Version:
        def said(version: Version) -> Fact:
            return Fact("policy", None, 1, {"version": version.version})

        return await store.rules.policies.add(name, body, 1, 7, "ada", said)

    async def test_count_up_and_stay_readable(self, store: Store) -> None:
        first, second = await self.put(store, "mine", "{}"), await self.put(store, "mine", "[]")
        await self.put(store, "other", "{}")
        assert (first.version, second.version) == (1, 2)
        assert await store.rules.policies.get("mine") == second
        assert await store.rules.policies.get("mine", 1) == first
        assert await store.rules.policies.get("mine", 3) is None
        assert [one.version for one in await store.rules.policies.history("mine")] == [2, 1]
        assert [(one.name, one.version) for one in await store.rules.policies.newest()] == [
            ("mine", 2),
            ("other", 1),
        ]
        assert await store.rules.lexicons.get("mine") is None

    async def test_two_at_once_are_two(self, store: Store) -> None:
        made = await asyncio.gather(*(self.put(store, "mine", f"{n}") for n in range(4)))
        assert sorted(one.version for one in made) == [1, 2, 3, 4]
        facts = [entry.data["version"] for entry in await store.entries()]
        assert facts == [1, 2, 3, 4]

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE policies SET body = 'x'",
            "DELETE FROM policies",
            "INSERT INTO policies (name, version, body, sha256, entries, at_ms, by)"
            " VALUES ('mine', 1, 'x', 'x', 1, 1, 'x')",
        ],
    )
    async def test_cannot_be_rewritten_behind_the_stores_back(
        self, store: Store, raw: Raw, statement: str
    ) -> None:
        made = await self.put(store, "mine", "{}")
        with pytest.raises(Exception, match=r"kept as they are|follows the last one|duplicate key|UNIQUE"):
            await raw.execute(statement)
        assert await store.rules.policies.get("mine") == made


async def test_a_lessons_policy_is_kept_with_it(store: Store) -> None:
    await store.lessons.create(Lesson("l1", "T", "", "waiting", 1, policy="default", policy_version=2))
    await store.lessons.update("l1", policy="strict", policy_version=1)
    lesson = await store.lessons.one("l1")
    assert lesson is not None and (lesson.policy, lesson.policy_version) == ("strict", 1)

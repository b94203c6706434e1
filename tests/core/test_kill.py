"""The cuts of one lesson on several nodes: none is lost, whatever order they hear of them in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveserver.core.events.cut import Cut, Level
from liveserver.core.kill import Kill

NOW, MINUTE = 1_772_415_000_000, 60_000
NODES = ("north", "south", "west")


def cut(level: Level = Level.LESSON, person: str | None = None, reason: str = "advert") -> Cut:
    return Cut(level, reason, NOW, "mod", person=person)


class TestOnOneNode:
    def test_each_cut_and_each_restore_is_an_epoch(self):
        kill = Kill("a").with_cut(cut(), "n").lifted("n").with_cut(cut(Level.CHAT), "n")
        assert (kill.epoch, list(kill.cuts), kill.cuts[Level.CHAT].epoch) == (3, [Level.CHAT], 3)

    def test_a_restore_lifts_every_level_and_every_person(self):
        kill = Kill("a").with_cut(cut(), "n").with_cut(cut(Level.PERSON, "p"), "n")
        assert (set(kill.removed), kill.find(Level.PERSON, "p").epoch) == ({"p"}, 2)
        assert (kill.lifted("n").cuts, kill.lifted("n").removed) == ({}, {})

    def test_each_cut_has_a_name(self):
        kill = Kill("a").with_cut(cut(), "n").with_cut(cut(Level.CHAT), "n")
        assert sorted(kill.standing) == ["a.n:1", "a.n:2"] == sorted(one.id for one in kill.standing.values())

    @pytest.mark.parametrize("weaker", [Level.PAUSE, Level.PICTURE, Level.CHAT])
    def test_the_strongest_is_named(self, weaker):
        kill = Kill("a").with_cut(cut(weaker), "n")
        assert kill.strongest.level is weaker
        assert kill.with_cut(cut(), "n").strongest.level is Level.LESSON
        assert Kill("a").strongest is None


class TestAskedToRestore:
    def asked(self) -> Kill:
        return Kill("a").with_cut(cut(), "n", needs_two=True).with_asked("first", "checked", NOW, MINUTE)

    def test_it_waits_for_a_second_person_until_its_end(self):
        kill = self.asked()
        assert kill.asked_at(NOW + MINUTE - 1).by == "first"
        assert kill.asked_at(NOW + MINUTE) is None

    def test_a_new_cut_makes_it_void(self):
        assert self.asked().with_cut(cut(Level.CHAT), "n").asked is None

    def test_once_nothing_is_cut_one_person_will_do_again(self):
        kill = self.asked().lifted("n")
        assert (kill.asked, kill.needs_two) == (None, False)

    def test_it_reaches_the_other_nodes_but_not_past_a_cut_they_made(self):
        kill = self.asked()
        before = Kill("a").with_cut(cut(), "n", needs_two=True)
        assert before.merged(kill).asked == kill.asked
        assert before.with_cut(cut(Level.CHAT), "south").merged(kill).asked is None


class TestBetweenNodes:
    def test_a_restore_lifts_what_it_has_seen_and_nothing_else(self):
        both = Kill("a").with_cut(cut(Level.CHAT), "north")
        restored, cut_meanwhile = both.lifted("north"), both.with_cut(cut(), "south")
        merged = restored.merged(cut_meanwhile)
        assert list(merged.cuts) == [Level.LESSON]
        assert merged.epoch == 3

    def test_an_old_message_brings_nothing_back(self):
        old = Kill("a").with_cut(cut(), "north")
        assert old.lifted("north").merged(old) == old.lifted("north")

    def test_an_old_restore_lifts_nothing_new(self):
        old = Kill("a").with_cut(cut(), "north").lifted("north")
        new = old.with_cut(cut(Level.PAUSE), "north")
        assert new.merged(old) == new

    def test_two_persons_are_needed_where_one_node_says_so(self):
        ours, theirs = Kill("a").with_cut(cut(), "north"), Kill("a").with_cut(cut(), "south", needs_two=True)
        assert ours.merged(theirs).needs_two and theirs.merged(ours).needs_two


@dataclass
class World:
    """Nodes that act apart, and what a person who sees everything knows to be cut."""

    kills: dict[str, Kill] = field(default_factory=lambda: {node: Kill("a") for node in NODES})
    seen: dict[str, set[str]] = field(default_factory=lambda: {node: set() for node in NODES})
    made: set[str] = field(default_factory=set)
    lifted: set[str] = field(default_factory=set)

    def do(self, act: tuple[str, str, Any]) -> None:
        kind, node, detail = act
        if kind == "cut":
            kill = self.kills[node] = self.kills[node].with_cut(
                cut(detail, "p" if detail is Level.PERSON else None), node
            )
            name = kill.act_of(node)
            self.made.add(name)
            self.seen[node].add(name)
        elif kind == "restore":
            self.kills[node] = self.kills[node].lifted(node)
            self.lifted |= self.seen[node]
        else:
            self.kills[node] = self.kills[node].merged(self.kills[detail])
            self.seen[node] |= self.seen[detail]


ACTS = st.one_of(
    st.tuples(st.just("cut"), st.sampled_from(NODES), st.sampled_from(list(Level))),
    st.tuples(st.just("restore"), st.sampled_from(NODES), st.none()),
    st.tuples(st.just("hear"), st.sampled_from(NODES), st.sampled_from(NODES)),
)


class TestAnyHistory:
    @given(st.lists(ACTS, max_size=30))
    def test_in_the_end_all_know_the_same_and_exactly_what_nobody_who_saw_it_lifted_stands(self, acts):
        world = World()
        for act in acts:
            world.do(act)
        for _ in NODES:
            for node in NODES:
                for other in NODES:
                    world.do(("hear", node, other))
        first, *others = world.kills.values()
        assert {kill.digest() for kill in others} == {first.digest()}
        assert set(first.standing) == world.made - world.lifted

    @given(st.lists(ACTS, max_size=20))
    def test_hearing_twice_or_the_other_way_round_is_the_same(self, acts):
        world = World()
        for act in acts:
            world.do(act)
        a, b, c = world.kills.values()
        assert a.merged(b).digest() == b.merged(a).digest()
        assert a.merged(b).merged(b) == a.merged(b)
        assert a.merged(b).merged(c).digest() == a.merged(b.merged(c)).digest()

    @given(st.lists(ACTS, max_size=20))
    def test_it_travels_as_json(self, acts):
        world = World()
        for act in acts:
            world.do(act)
        for kill in world.kills.values():
            assert Kill.from_json(json.loads(json.dumps(kill.as_json()))) == kill


class TestStrictness:
    whole: Mapping[str, Any] = Kill("a").with_cut(cut(), "n").with_asked("p", "why", NOW, MINUTE).as_json()

    @pytest.mark.parametrize(
        "wrong",
        [
            {"seen": {}},
            {"seen": {"n": -1}},
            {"seen": {"n": True}},
            {"seen": []},
            {"cuts": [7]},
            {"cuts": "none"},
            {"cuts": [{**whole["cuts"][0], "level": "sideways"}]},
            {"cuts": [{**whole["cuts"][0], "level": "person"}]},
            {"cuts": [{**whole["cuts"][0], "person": "p"}]},
            {"cuts": [{**whole["cuts"][0], "id": "a.n:2"}]},
            {"cuts": [{**whole["cuts"][0], "id": "nobody"}]},
            {"cuts": [{**whole["cuts"][0], "epoch": 1.5}]},
            {"cuts": [{**whole["cuts"][0], "reason": "x" * 1001}]},
            {"asked": {"by": "p"}},
            {"asked": 7},
            {"lesson": None},
        ],
    )
    def test_what_no_node_says_is_refused(self, wrong):
        assert Kill.from_json(self.whole).epoch == 1
        with pytest.raises(ValueError, match=r"."):
            Kill.from_json({**self.whole, **wrong})

    @pytest.mark.parametrize("missing", ["lesson", "seen", "cuts", "asked", "needs_two"])
    def test_all_of_it_is_needed(self, missing):
        with pytest.raises(ValueError, match="no kill"):
            Kill.from_json({name: value for name, value in self.whole.items() if name != missing})

"""Who is there, each second, and how many: `core.presence_rules`."""

from __future__ import annotations

from liveserver.core.events.attendance import Receiving, Seen
from liveserver.core.events.lesson import Tick
from liveserver.core.events.telling import Append, Broadcast
from liveserver.core.ledger import DATA_MAX_BYTES, canonical_json
from liveserver.core.room import RoomState
from tests.core.lesson import NOW, facts, joined, lesson, live, member, of


class TestPresence:
    def test_one_tick_a_second_says_who_changed_and_a_digest_of_all(self):
        state = joined(live(), member("wang"))
        state.apply(Seen("c-wang", "hidden"), NOW)
        tick = of(Append, state.apply(Tick(), NOW))[0]
        assert tick.type == "presence"
        assert tick.data["count"] == 1
        assert tick.data["changes"] == [
            {"joined": "wang", "connection": "c-wang"},
            {"person": "wang", "connection": "c-wang", "visibility": "hidden", "at_ms": NOW},
        ]

    def test_who_receives_is_said_with_the_moment_it_began(self):
        state = joined(live(), member("wang"))
        state.apply(Tick(), NOW)
        for on in (True, True, False):
            state.apply(Receiving("c-wang", on, NOW - 3000), NOW)
        state.apply(Receiving("c-nobody", True, NOW), NOW)
        tick = of(Append, state.apply(Tick(), NOW))[0]
        assert tick.data["changes"] == [
            {"person": "wang", "connection": "c-wang", "media": on, "at_ms": NOW - 3000}
            for on in (True, False)
        ]

    def test_a_publisher_that_fell_silent_is_said_to(self):
        state = live()
        state.apply(Receiving("pub", False, NOW - 3000), NOW)
        tick = of(Append, state.apply(Tick(), NOW))[0]
        assert tick.data["changes"] == [{"publisher": "pub", "media": False, "at_ms": NOW - 3000}]

    def test_the_digest_follows_who_is_there_and_not_the_order_they_came(self):
        one = joined(lesson(), member("wang"), member("zhao"))
        other = joined(lesson(), member("zhao"), member("wang"))
        digests = [of(Append, state.apply(Tick(), NOW))[0].data["digest"] for state in (one, other)]
        assert digests[0] == digests[1]
        one.apply(Seen("c-wang", "hidden"), NOW)
        assert of(Append, one.apply(Tick(), NOW))[0].data["digest"] != digests[1]

    def test_a_rush_is_spread_over_facts_that_the_ledger_can_hold(self):
        state = joined(live(), *(member(f"learner-{n}") for n in range(1000)))
        ticks = of(Append, state.apply(Tick(), NOW))
        assert sum(len(tick.data["changes"]) for tick in ticks) == 1000
        assert all(len(canonical_json(tick.data)) < DATA_MAX_BYTES for tick in ticks)

    def test_an_empty_lesson_appends_nothing(self):
        assert facts(lesson().apply(Tick(), NOW)) == []

    def test_the_roster_is_told_only_when_it_changed(self):
        state = joined(lesson(), member("wang"))
        rosters = [
            [b for b in of(Broadcast, state.apply(Tick(), NOW)) if b.message["type"] == "roster"]
            for _ in range(2)
        ]
        assert [len(found) for found in rosters] == [1, 0]

    def test_a_digest_is_made_anew_only_when_somebody_changed(self):
        state = joined(lesson(), member("wang"), member("li"))
        (first,) = [e.data for e in of(Append, state.apply(Tick(), NOW)) if e.type == "presence"]
        (same,) = [e.data for e in of(Append, state.apply(Tick(), NOW)) if e.type == "presence"]
        state.apply(Seen("c-li", "hidden"), NOW)
        (other,) = [e.data for e in of(Append, state.apply(Tick(), NOW)) if e.type == "presence"]
        assert first["digest"] == same["digest"] != other["digest"]


class TestTheNumberOfViewers:
    """10,000 messages a second while 10,000 join would be a tenth of a core for a number."""

    def told(self, state: RoomState, now_ms: int) -> list[int]:
        return [
            one.message["viewers"]
            for one in of(Broadcast, state.apply(Tick(), now_ms))
            if one.message["type"] == "lesson"
        ]

    def test_is_told_each_second_in_a_class_of_hundreds(self):
        state = joined(lesson(), *(member(f"p{number}") for number in range(900)))
        assert self.told(state, NOW) == [900]
        joined(state, member("late"))
        assert self.told(state, NOW + 1000) == [901]

    def test_is_told_less_often_the_more_they_are(self):
        state = joined(lesson(), *(member(f"p{number}") for number in range(3_000)))
        assert self.told(state, NOW) == [3_000]
        joined(state, member("late"))
        assert self.told(state, NOW + 2_999) == []
        assert self.told(state, NOW + 3_000) == [3_001]

    def test_does_not_hold_up_how_the_lesson_stands(self):
        state = joined(lesson(), *(member(f"p{number}") for number in range(3_000)))
        self.told(state, NOW)
        joined(live(state), member("late"))
        assert self.told(state, NOW + 1000) == [3_001]

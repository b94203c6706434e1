"""The rules of a lesson: `RoomState.apply(event, now_ms) -> effects`."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from liveserver.core import events, messages
from liveserver.core.errors import PeerError
from liveserver.core.events.attendance import HoursPlanned, Receiving, Seen
from liveserver.core.events.chat import Said
from liveserver.core.events.cut import Cut, CutMade, Level, Refresh, Restored
from liveserver.core.events.lesson import Ended, Greeted, Joined, Keep, Left, LessonState, Member, Tick
from liveserver.core.events.media import (
    CalledOn,
    ClosePublisher,
    Hold,
    PauseAsked,
    Published,
    Record,
    ShareScreen,
    SourcesChanged,
    Unpublished,
)
from liveserver.core.events.telling import Append, Broadcast, Close, Send, Tell
from liveserver.core.ledger import DATA_MAX_BYTES, canonical_json
from liveserver.core.log_in import SamePerson
from liveserver.core.permissions import Permission, Role
from liveserver.core.presets import frozen
from liveserver.core.room import RoomState

NOW = 1_772_415_000_000


def lesson(**fields: Any) -> RoomState:
    return RoomState(lesson="abc", title="Lathe safety", **fields)


def member(
    person: str, role: Role = Role.LEARNER, connection: str | None = None, transport: str = "websocket"
) -> Member:
    return Member(connection or f"c-{person}", person, person.title(), role, transport, NOW)


def joined(state: RoomState, *members: Member) -> RoomState:
    for one in members:
        state.apply(Joined(one), NOW)
    return state


def live(state: RoomState | None = None) -> RoomState:
    state = state or lesson()
    state.apply(Published("pub", "teacher", "Ms Li", ("audio", "camera")), NOW)
    return state


def cut(level: Level = Level.LESSON, person: str | None = None) -> CutMade:
    return CutMade(Cut(level, "gambling advert", NOW, "mod", 1, person, "n:1"), "n:1", "n")


def said(connection: str, text: str = "hello", ref: str | None = None) -> Said:
    return Said(connection, "line-1", b"s" * 16, messages.Chat(text, ref))


def facts(effects: list[events.Effect]) -> list[str]:
    return [effect.type for effect in effects if isinstance(effect, Append)]


def of(kind: type, effects: list[events.Effect]) -> list[Any]:
    return [effect for effect in effects if isinstance(effect, kind)]


class TestJoining:
    def test_the_fact_stands_before_what_acknowledges_it(self):
        effects = lesson().apply(Joined(member("wang")), NOW)
        assert [type(effect) for effect in effects] == [Append, Send]
        assert effects[0].type == "join"
        assert effects[1].message["type"] == "joined"

    def test_a_webrtc_member_is_greeted_when_its_channel_opens(self):
        state = lesson()
        assert of(Send, state.apply(Joined(member("wang", transport="webrtc")), NOW)) == []
        assert of(Send, state.apply(Greeted("c-wang"), NOW))[0].message["type"] == "joined"

    def test_joined_says_where_things_stand(self):
        state = live()
        joined(state, member("wang"))
        state.apply(said("c-wang"), NOW)
        message = of(Send, state.apply(Joined(member("zhao")), NOW))[0].message
        assert message["lesson"]["state"] == "live"
        assert message["lesson"]["instructor"] == "Ms Li"
        assert [line["text"] for line in message["chat"]] == ["hello"]
        assert message["you"] == {"person": "zhao", "name": "Zhao", "role": "learner", "muted": False}
        assert message["cut"] is None

    def test_a_learners_second_connection_ends_the_first(self):
        state = joined(lesson(), member("wang", connection="first"))
        effects = state.apply(Joined(member("wang", connection="second")), NOW)
        assert facts(effects) == ["leave", "join"]
        assert Close("first", 4409, "replaced") in effects
        assert list(state.members) == ["second"]
        assert state.viewers == 1

    def test_a_learners_second_connection_is_refused_where_that_is_the_policy(self):
        state = joined(lesson(same_person=SamePerson.REFUSE), member("wang", connection="first"))
        for transport in ("websocket", "webrtc"):
            with pytest.raises(PeerError, match="already_here") as refused:
                state.apply(Joined(member("wang", connection="second", transport=transport)), NOW)
            assert (refused.value.status, refused.value.retry_after_s) == (409, 5)
        assert list(state.members) == ["first"]
        state.apply(Left("first", "lost"), NOW)
        assert list(joined(state, member("wang", connection="third")).members) == ["third"]

    def test_that_policy_is_about_learners(self):
        state = lesson(same_person=SamePerson.REFUSE)
        one, two = (member("teacher", Role.INSTRUCTOR, connection) for connection in "ab")
        assert list(joined(state, one, two).members) == ["a", "b"]

    def test_an_instructor_may_have_several_connections(self):
        one = member("teacher", Role.INSTRUCTOR, "a")
        two = member("teacher", Role.INSTRUCTOR, "b")
        assert list(joined(lesson(), one, two).members) == ["a", "b"]

    def test_only_learners_count_as_viewers(self):
        state = joined(lesson(), member("wang"), member("zhao"), member("mod", Role.MODERATOR))
        assert state.viewers == 2

    def test_leaving_twice_is_one_fact(self):
        state = joined(lesson(), member("wang"))
        assert facts(state.apply(Left("c-wang", "left"), NOW)) == ["leave"]
        assert state.apply(Left("c-wang", "lost"), NOW) == []

    @pytest.mark.parametrize("role", [Role.INSTRUCTOR, Role.MODERATOR])
    def test_those_who_may_see_it_get_the_roster_at_once(self, role: Role):
        effects = lesson().apply(Joined(member("someone", role)), NOW)
        assert [effect.message["type"] for effect in of(Send, effects)] == ["joined", "roster"]

    def test_nobody_joins_an_ended_lesson(self):
        state = live()
        state.apply(Ended("teacher"), NOW)
        with pytest.raises(PeerError, match="lesson_ended"):
            state.apply(Joined(member("wang")), NOW)


class TestPublishing:
    def test_the_first_publisher_starts_the_lesson_and_its_recording(self):
        state = lesson()
        effects = state.apply(Published("pub", "teacher", "Ms Li", ("audio", "camera")), NOW)
        assert facts(effects) == ["publish", "hours_policy", "start"]
        assert Record(True) in effects
        assert Keep(LessonState.LIVE, NOW, None, "Ms Li") in effects

    def test_a_publisher_that_comes_back_does_not_start_it_again(self):
        state = live()
        state.apply(Unpublished("pub", "lost"), NOW + 1000)
        effects = state.apply(Published("pub2", "teacher", "Ms Li", ("audio",)), NOW + 2000)
        assert facts(effects) == ["publish"]
        assert state.started_at_ms == NOW
        assert any(b.message.get("code") == "publisher_back" for b in of(Broadcast, effects))

    def test_losing_the_publisher_is_told_and_the_lesson_stays_live(self):
        state = live()
        effects = state.apply(Unpublished("pub", "lost"), NOW)
        assert any(b.message.get("code") == "publisher_lost" for b in of(Broadcast, effects))
        assert state.state is LessonState.LIVE

    def test_the_end_of_a_replaced_publisher_changes_nothing(self):
        state = live()
        state.apply(Published("pub2", "teacher", "Ms Li", ("audio",)), NOW)
        state.apply(Unpublished("pub", "replaced", "session-1"), NOW)
        assert state.publisher == "pub2"

    def test_the_page_that_was_replaced_is_told_by_its_session(self):
        state = live()
        told = of(Broadcast, state.apply(Unpublished("pub", "replaced", "session-1"), NOW))
        assert [one.message["session"] for one in told] == ["session-1"]

    def test_a_publisher_without_our_page_is_shown_by_its_tracks(self):
        state = live()
        assert state.sources.camera and state.sources.microphone and not state.sources.screen

    def test_sharing_the_screen_switches_what_viewers_see(self):
        state = joined(live(), member("teacher", Role.INSTRUCTOR))
        effects = state.apply(SourcesChanged("c-teacher", messages.Sources(screen=True)), NOW)
        assert ShareScreen(True) in effects

    @pytest.mark.parametrize("role", [Role.LEARNER, Role.MODERATOR, Role.ADMIN, Role.INSPECTOR])
    def test_only_the_instructor_says_what_is_on(self, role: Role):
        state = joined(live(), member("someone", role))
        with pytest.raises(PeerError, match="forbidden"):
            state.apply(SourcesChanged("c-someone", messages.Sources(screen=True)), NOW)


class TestPause:
    def test_a_pause_holds_everything_back_and_resuming_lets_it_go(self):
        state = joined(live(), member("teacher", Role.INSTRUCTOR))
        effects = state.apply(PauseAsked("c-teacher", True), NOW)
        assert facts(effects) == ["pause"] and Hold(True) in effects
        assert state.state is LessonState.PAUSED
        assert Hold(False) in state.apply(PauseAsked("c-teacher", False), NOW)

    def test_pausing_twice_is_one_fact(self):
        state = joined(live(), member("teacher", Role.INSTRUCTOR))
        state.apply(PauseAsked("c-teacher", True), NOW)
        assert state.apply(PauseAsked("c-teacher", True), NOW) == []

    def test_a_waiting_lesson_cannot_be_paused(self):
        state = joined(lesson(), member("teacher", Role.INSTRUCTOR))
        assert state.apply(PauseAsked("c-teacher", True), NOW) == []


class TestChat:
    def test_the_ledger_holds_a_commitment_and_not_the_words(self):
        state = joined(lesson(), member("wang"))
        fact = of(Append, state.apply(said("c-wang", "my secret"), NOW))[0]
        assert "my secret" not in str(fact.data)
        assert len(fact.data["commitment"]) == 64
        assert fact.chat.text == "my secret"

    def test_the_author_recognises_the_line_by_its_ref(self):
        state = joined(lesson(), member("wang"))
        line = of(Broadcast, state.apply(said("c-wang", ref="r1"), NOW))[0].message
        assert line["ref"] == "r1"
        assert "ref" not in state.chat.history[-1]

    def test_history_keeps_the_newest_fifty(self):
        state = joined(lesson(), member("wang"))
        for number in range(60):
            state.apply(said("c-wang", f"line {number}"), NOW)
        assert [state.chat.history[0]["text"], state.chat.history[-1]["text"]] == ["line 10", "line 59"]

    @pytest.mark.parametrize("role", [Role.ADMIN, Role.INSPECTOR])
    def test_who_may_not_chat_is_refused(self, role: Role):
        state = joined(lesson(), member("someone", role))
        with pytest.raises(PeerError, match="forbidden"):
            state.apply(said("c-someone"), NOW)


class TestCut:
    def test_a_cut_lesson_sends_learners_and_instructor_away_and_says_why(self):
        state = joined(live(), member("wang"), member("teacher", Role.INSTRUCTOR))
        effects = state.apply(cut(), NOW)
        told = {one.connection: one.message for one in of(Send, effects)}
        assert told["c-wang"] == told["c-teacher"] == {
            "type": "cut", "active": True, "level": "lesson", "reason": "gambling advert", "at_ms": NOW,
        }  # fmt: skip
        assert {close.connection for close in of(Close, effects)} == {"c-wang", "c-teacher"}
        assert ClosePublisher("cut") in effects
        assert Record(False) in effects
        assert state.state is LessonState.CUT

    @pytest.mark.parametrize("event", [cut(), cut(Level.PERSON, "wang"), Ended("teacher")])
    def test_the_word_comes_before_the_door(self, event: events.Event):
        state = joined(live(), member("wang"))
        effects = [e for e in state.apply(event, NOW) if getattr(e, "connection", "") == "c-wang"]
        assert [type(effect) for effect in effects] == [Send, Close]

    def test_the_moderator_stays(self):
        state = joined(live(), member("mod", Role.MODERATOR))
        state.apply(cut(), NOW)
        assert "c-mod" in state.members

    @pytest.mark.parametrize("role", [Role.LEARNER, Role.INSTRUCTOR])
    def test_nobody_comes_back_until_it_is_restored(self, role: Role):
        state = live()
        state.apply(cut(), NOW)
        with pytest.raises(PeerError) as refused:
            state.admit("wang", role)
        assert (refused.value.code, refused.value.status) == ("lesson_cut", 410)
        state.apply(Restored("a mistake", "mod", NOW, 2, ("lesson",), act="n:2"), NOW)
        state.admit("wang", role)

    @pytest.mark.parametrize("level", [Level.CHAT, Level.PICTURE, Level.PAUSE])
    def test_a_lesser_cut_keeps_everyone_and_says_so(self, level: Level):
        state = joined(live(), member("wang"))
        effects = state.apply(cut(level), NOW)
        assert of(Close, effects) == []
        assert state.state is LessonState.LIVE
        assert state.cut.level is level

    def test_a_closed_chat_refuses_messages(self):
        state = joined(live(), member("wang"))
        state.apply(cut(Level.CHAT), NOW)
        with pytest.raises(PeerError, match="chat_off"):
            state.apply(said("c-wang"), NOW)

    def test_removing_a_person_hits_nobody_else(self):
        state = joined(live(), member("wang"), member("zhao"))
        effects = state.apply(cut(Level.PERSON, "wang"), NOW)
        assert {close.connection for close in of(Close, effects)} == {"c-wang"}
        with pytest.raises(PeerError, match="person_removed"):
            state.admit("wang", Role.LEARNER)
        state.admit("zhao", Role.LEARNER)

    def test_cutting_again_changes_nothing_but_the_record(self):
        state = live()
        state.apply(cut(), NOW)
        again = state.apply(cut(), NOW)
        assert facts(again) == ["cut"]
        assert state.state is LessonState.CUT

    def test_a_restored_lesson_waits_for_its_instructor_and_goes_on(self):
        state = live()
        state.apply(cut(), NOW)
        effects = state.apply(Restored("a mistake", "mod", NOW, 2, ("lesson",), act="n:2"), NOW)
        assert facts(effects) == ["restore"] and Refresh() in effects
        assert state.state is LessonState.WAITING
        live(state)
        assert state.state is LessonState.LIVE
        assert state.started_at_ms == NOW

    def test_restoring_what_is_not_cut_is_nothing(self):
        assert live().apply(Restored("why not", "mod", NOW, 2), NOW) == []


class TestEnd:
    def test_the_end_is_kept_told_and_seals_the_recording(self):
        state = joined(live(), member("wang"))
        effects = state.apply(Ended("teacher"), NOW + 5000)
        assert facts(effects) == ["end", "leave"]
        assert Keep(LessonState.ENDED, NOW, NOW + 5000, "Ms Li") in effects
        assert Record(False) in effects
        assert Close("c-wang", 4410, "lesson_ended") in effects

    def test_ending_twice_is_nothing(self):
        state = live()
        state.apply(Ended("teacher"), NOW)
        assert state.apply(Ended("teacher"), NOW) == []


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


class TestWhoIsAsked:
    def test_what_learners_may_not_see_goes_to_the_others_alone(self):
        state = joined(lesson(), member("wang"), member("t", Role.INSTRUCTOR), member("m", Role.MODERATOR))
        assert state.who_may(Permission.SEE_ROSTER) == ["c-t", "c-m"]
        assert state.who_may(Permission.SEE_INCIDENTS) == ["c-m"]
        assert sorted(state.who_may(None)) == ["c-m", "c-t", "c-wang"]

    def test_who_left_is_not_asked(self):
        state = joined(lesson(), member("t", Role.INSTRUCTOR))
        state.apply(Left("c-t", "left"), NOW)
        assert state.who_may(Permission.SEE_ROSTER) == state.who_may(None) == []


class TestThePolicyOfHours:
    def test_is_what_was_planned_last_before_the_start_and_never_changes_after_it(self):
        room = lesson()
        room.apply(HoursPlanned(frozen("fujian", 2_700_000)), NOW)
        effects = room.apply(Published("pub", "teacher", "Ms Li", ("audio",)), NOW)
        (kept,) = (e for e in effects if isinstance(e, Append) and e.type == "hours_policy")
        assert (kept.data["preset"], kept.data["planned_ms"]) == ("fujian", 2_700_000)
        room.apply(HoursPlanned(frozen("default")), NOW)
        assert room.hours_policy.preset == "fujian"


def test_every_event_in_every_state_is_answered_or_refused_by_name():
    every = [
        Joined(member("wang")),
        Greeted("c-wang"),
        Left("c-wang", "left"),
        said("c-wang"),
        Seen("c-wang", "hidden"),
        Receiving("c-wang", True, NOW),
        SourcesChanged("c-wang", messages.Sources()),
        PauseAsked("c-wang", True),
        HoursPlanned(frozen("fujian")),
        Published("pub", "teacher", "Ms Li", ("audio",)),
        Unpublished("pub", "lost"),
        cut(),
        cut(Level.PERSON, "wang"),
        Restored("a mistake", "mod", NOW, 2, ("lesson",), act="n:2"),
        Ended("teacher"),
        Tick(),
    ]
    for state, event in itertools.product(LessonState, every):
        room = joined(lesson(), member("zhao"))
        room.state = state
        try:
            room.apply(event, NOW)
        except PeerError as error:
            assert error.code in ("lesson_cut", "lesson_ended", "forbidden")


class TestCallingOn:
    """Who is called on is told; his media comes before that of others (`liveserver.rooms.seats`)."""

    def test_tells_the_learner_on_every_connection(self):
        state = joined(lesson(), member("teacher", Role.INSTRUCTOR), member("wang"))
        assert state.apply(CalledOn("c-teacher", "wang", True), NOW) == [
            Tell(("c-wang",), {"type": "called_on", "on": True})
        ]
        assert state.called_on == {"wang"}
        assert state.apply(CalledOn("c-teacher", "wang", True), NOW) == []
        state.apply(CalledOn("c-teacher", "wang", False), NOW)
        assert state.called_on == set()

    def test_is_remembered_for_pages_that_are_loaded_anew(self):
        state = joined(lesson(), member("teacher", Role.INSTRUCTOR), member("wang"))
        state.apply(Tick(), NOW)
        state.apply(CalledOn("c-teacher", "wang", True), NOW)
        told = [effect.message for effect in state.apply(Tick(), NOW) if isinstance(effect, Broadcast)]
        assert [message["called_on"] for message in told if message["type"] == "roster"] == [["wang"]]
        again = [effect.message for effect in state.apply(Greeted("c-wang"), NOW) if isinstance(effect, Send)]
        assert {"type": "called_on", "on": True} in again
        greeting = [e.message for e in state.apply(Greeted("c-teacher"), NOW) if isinstance(e, Send)]
        assert next(m for m in greeting if m["type"] == "roster")["called_on"] == ["wang"]

    def test_is_the_instructors_alone_and_of_somebody_who_is_there(self):
        state = joined(lesson(), member("teacher", Role.INSTRUCTOR), member("wang"), member("li"))
        for connection, person, code in (
            ("c-li", "wang", "forbidden"),
            ("c-teacher", "zhao", "unknown_person"),
        ):
            with pytest.raises(PeerError) as refusal:
                state.apply(CalledOn(connection, person, True), NOW)
            assert refusal.value.code == code

    def test_has_a_bound_that_counts_those_who_are_there(self):
        names = [f"learner{n}" for n in range(12)]
        state = joined(lesson(), member("teacher", Role.INSTRUCTOR), *map(member, names))
        for name in names[:10]:
            state.apply(CalledOn("c-teacher", name, True), NOW)
        with pytest.raises(PeerError) as refusal:
            state.apply(CalledOn("c-teacher", names[10], True), NOW)
        assert refusal.value.code == "busy"
        state.apply(Left("c-learner0", "left"), NOW)
        assert state.apply(CalledOn("c-teacher", names[10], True), NOW)

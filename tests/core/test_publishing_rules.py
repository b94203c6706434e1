"""What the instructor sends, holds back and asks for: `core.publishing_rules`."""

from __future__ import annotations

import pytest

from liveserver.core import messages
from liveserver.core.errors import PeerError
from liveserver.core.events.lesson import Greeted, Keep, Left, LessonState, Tick
from liveserver.core.events.media import (
    CalledOn,
    Hold,
    PauseAsked,
    Published,
    Record,
    ShareScreen,
    SourcesChanged,
    Unpublished,
)
from liveserver.core.events.telling import Broadcast, Send, Tell
from liveserver.core.permissions import Role
from tests.core.lesson import NOW, facts, joined, lesson, live, member, of


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

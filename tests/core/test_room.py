"""A lesson as a whole: `RoomState.apply(event, now_ms) -> effects`."""

from __future__ import annotations

import itertools

from liveserver.core import messages
from liveserver.core.errors import PeerError
from liveserver.core.events.attendance import HoursPlanned, Receiving, Seen
from liveserver.core.events.cut import Level, Restored
from liveserver.core.events.lesson import Ended, Greeted, Joined, Keep, Left, LessonState, Tick
from liveserver.core.events.media import (
    PauseAsked,
    Published,
    Record,
    SourcesChanged,
    Unpublished,
)
from liveserver.core.events.telling import Append, Close
from liveserver.core.permissions import Permission, Role
from liveserver.core.presets import frozen
from tests.core.lesson import NOW, cut, facts, joined, lesson, live, member, said


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

"""What a cut and a restore do to a lesson: `core.cut_rules`."""

from __future__ import annotations

import pytest

from liveserver.core import events
from liveserver.core.errors import PeerError
from liveserver.core.events.cut import Level, Refresh, Restored
from liveserver.core.events.lesson import Ended, LessonState
from liveserver.core.events.media import (
    ClosePublisher,
    Record,
)
from liveserver.core.events.telling import Close, Send
from liveserver.core.permissions import Role
from tests.core.lesson import NOW, cut, facts, joined, live, member, of, said


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

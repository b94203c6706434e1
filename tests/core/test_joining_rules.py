"""Who comes in, who goes, and what he is told: `core.joining_rules`."""

from __future__ import annotations

import pytest

from liveserver.core.errors import PeerError
from liveserver.core.events.lesson import Ended, Greeted, Joined, Left
from liveserver.core.events.telling import Append, Close, Send
from liveserver.core.log_in import SamePerson
from liveserver.core.permissions import Role
from tests.core.lesson import NOW, facts, joined, lesson, live, member, of, said


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

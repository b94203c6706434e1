"""What is shown of the chat, what waits for a person, and who is muted."""

from __future__ import annotations

from typing import Any

import pytest

from liveserver.config.sections import SocketConfig
from liveserver.core import events, messages
from liveserver.core.chat import HELD_MAX, SCREENING, STRIKES_WITHIN_MS
from liveserver.core.errors import PeerError
from liveserver.core.events.chat import KeepLine, KeepMute, LineJudged, LineState, MuteAsked, Said
from liveserver.core.events.lesson import Joined
from liveserver.core.events.screening import IncidentSeen, Report, SightChanged
from liveserver.core.events.telling import Append, Broadcast, Send
from liveserver.core.permissions import Permission, Role
from liveserver.core.room import RoomState
from liveserver.core.screening import Action, Category, Decision, Finding, Kind, Receipt, Verdict
from tests.core.lesson import NOW, facts, joined, lesson, member, of


def verdict(action: Action, incident: str = "i1", mute_after: int = 3) -> Verdict:
    finding = Finding(Kind.CHAT, NOW, {"gambling": 0.91234}, {}, "ab" * 32, why=("六合彩",))
    return Verdict(
        incident, Receipt(finding, Decision(action, Category.GAMBLING, 0.91234, 0.5), "p", 1), mute_after
    )


def say(
    state: RoomState,
    text: str,
    action: Action | None = None,
    *,
    by: str = "wang",
    incident: str = "i1",
    at_ms: int = NOW,
    ref: str | None = None,
    mute_after: int = 3,
) -> list[events.Effect]:
    found = verdict(action, incident, mute_after) if action else None
    return state.apply(Said(f"c-{by}", f"line-{text}", b"s" * 16, messages.Chat(text, ref), found), at_ms)


def shown(effects: list[events.Effect], to: Permission | None = None) -> list[messages.Json]:
    return [effect.message for effect in of(Broadcast, effects) if effect.to is to]


def sent(effects: list[events.Effect], connection: str = "c-wang") -> list[messages.Json]:
    return [effect.message for effect in of(Send, effects) if effect.connection == connection]


def line(state: RoomState, text: str) -> messages.Json:
    held = state.chat.held[f"line-{text}"].message
    return {key: held[key] for key in ("id", "from", "text", "at_ms")}


def judged(
    what: messages.Json, show: bool, was: LineState = LineState.HELD, incident: str = "i1"
) -> LineJudged:
    return LineJudged(what, was, show, "mod", incident)


@pytest.fixture
def state() -> RoomState:
    return joined(lesson(), member("wang"), member("zhao"), member("mod", Role.MODERATOR))


class TestWhatIsFoundHarmless:
    def test_a_line_without_a_verdict_is_shown(self, state: RoomState) -> None:
        effects = say(state, "hello")
        assert [m["text"] for m in shown(effects)] == ["hello"]
        assert of(Report, effects) == []

    def test_one_that_is_only_noted_is_shown_and_goes_on_record(self, state: RoomState) -> None:
        effects = say(state, "hello", Action.LOG)
        assert [m["text"] for m in shown(effects)] == ["hello"]
        assert sent(effects) == []
        assert [report.action for report in of(Report, effects)] == [Action.LOG]

    def test_a_warning_shows_the_line_and_tells_its_author(self, state: RoomState) -> None:
        effects = say(state, "hello", Action.WARN, ref="r1")
        assert [m["text"] for m in shown(effects)] == ["hello"]
        (notice,) = sent(effects)
        assert (notice["code"], notice["category"], notice["ref"]) == ("chat_warned", "gambling", "r1")

    def test_who_says_again_what_he_was_warned_of_has_to_wait(self, state: RoomState) -> None:
        say(state, "rude", Action.WARN, incident="i1")
        event = Said("c-wang", "again", b"s" * 16, messages.Chat("rude", None), verdict(Action.WARN, "i2"))
        effects = state.apply(event, NOW + 1)
        assert sent(effects)[0]["code"] == "chat_held"
        assert [report.action for report in of(Report, effects)] == [Action.HIDE]
        assert len(shown(say(state, "rude", Action.WARN, by="zhao", incident="i3"))) == 1

    def test_what_a_moderator_says_waits_for_nobody(self, state: RoomState) -> None:
        effects = say(state, "look: 六合彩", Action.MUTE, by="mod")
        assert len(shown(effects)) == 1
        assert [report.action for report in of(Report, effects)] == [Action.LOG]
        assert not state.chat.mutes


class TestHeld:
    def test_only_its_author_and_the_moderators_know_of_it(self, state: RoomState) -> None:
        effects = say(state, "ad", Action.HIDE, ref="r1")
        assert shown(effects) == []
        (notice,) = sent(effects)
        assert notice | {"detail": ""} == {
            "type": "notice", "code": "chat_held", "detail": "", "id": "line-ad", "text": "ad",
            "at_ms": NOW, "incident": "i1", "ref": "r1",
        }  # fmt: skip
        (held,) = shown(effects, Permission.SEE_INCIDENTS)
        assert (held["type"], held["id"], held["text"], held["from"]["person"]) == (
            "held",
            "line-ad",
            "ad",
            "wang",
        )
        assert (held["category"], held["score"], held["why"]) == ("gambling", 0.912, ["六合彩"])
        assert list(state.chat.history) == []

    def test_the_fact_stands_first_and_holds_no_words(self, state: RoomState) -> None:
        effects = say(state, "ad", Action.HIDE)
        fact = effects[0]
        assert isinstance(fact, Append) and fact.chat is not None
        assert (fact.type, fact.data["held"], fact.chat.state) == ("chat", "i1", LineState.HELD)
        assert "text" not in fact.data

    def test_the_same_line_again_is_not_another_one(self, state: RoomState) -> None:
        say(state, "ad", Action.HIDE, incident="i1")
        effects = state.apply(
            Said("c-wang", "other-id", b"s" * 16, messages.Chat("ad", "r2"), verdict(Action.HIDE, "i2")), NOW
        )
        assert facts(effects) == [] and shown(effects, Permission.SEE_INCIDENTS) == []
        assert sent(effects)[0]["id"] == "line-ad" and sent(effects)[0]["ref"] == "r2"
        (report,) = of(Report, effects)
        assert (report.line, report.verdict.incident) == (None, "i1")

    def test_the_same_words_of_another_person_are(self, state: RoomState) -> None:
        say(state, "ad", Action.HIDE)
        event = Said("c-zhao", "zhaos", b"s" * 16, messages.Chat("ad", None), verdict(Action.HIDE, "i2"))
        assert facts(state.apply(event, NOW)) == ["chat"]
        assert list(state.chat.held) == ["line-ad", "zhaos"]

    def test_what_moderators_who_join_are_told_is_bounded(self, state: RoomState) -> None:
        for number in range(HELD_MAX + 5):
            say(state, f"ad {number}", Action.HIDE, mute_after=0)
        assert len(state.chat.held) == HELD_MAX
        told = of(Send, state.apply(Joined(member("mod2", Role.MODERATOR)), NOW))[0].message
        assert told["held"][-1]["text"] == f"ad {HELD_MAX + 4}"

    def test_nor_is_their_greeting_more_than_a_slow_pages_queue_takes(self, state: RoomState) -> None:
        for number in range(HELD_MAX):
            text = f"{number} " + "字" * 490
            for name, found in (("held", verdict(Action.HIDE, mute_after=0)), ("said", None)):
                line = messages.Chat(text, None)
                state.apply(Said("c-wang", f"{name}{number}", b"s" * 16, line, found), NOW)
            state.apply(IncidentSeen(INCIDENT | {"id": f"i{number}", "text": text}), NOW)
            state.apply(MuteAsked(f"p{number}", True, "mod", "字" * 200, "字" * 60), NOW)
        told = of(Send, state.apply(Joined(member("mod2", Role.MODERATOR)), NOW))[0].message
        assert len(messages.dumps(told).encode()) < SocketConfig().queue_size.bytes * 0.8
        assert told["held"][-1]["text"].startswith(f"{HELD_MAX - 1} ")
        assert min(len(told[name]) for name in ("held", "muted", "incidents")) > 10

    def test_learners_who_join_are_told_nothing_of_it(self, state: RoomState) -> None:
        say(state, "ad", Action.HIDE)
        told = of(Send, state.apply(Joined(member("li")), NOW))[0].message
        assert told["chat"] == []
        assert not {"held", "muted", "incidents"} & set(told)


class TestJudged:
    def test_a_released_line_is_shown_to_all_where_it_belongs(self, state: RoomState) -> None:
        say(state, "ad", Action.HIDE, ref="r1")
        say(state, "later", at_ms=NOW + 5)
        effects = state.apply(judged(line(state, "ad"), True), NOW + 9)
        assert facts(effects) == ["chat_released"]
        assert KeepLine("line-ad", LineState.SHOWN) in effects
        (message,) = shown(effects)
        assert (message["type"], message["id"], message["at_ms"], message["ref"]) == (
            "chat",
            "line-ad",
            NOW,
            "r1",
        )
        assert [m["text"] for m in state.chat.history] == ["ad", "later"]
        assert state.chat.held == {}

    def test_a_refused_line_was_never_seen_so_only_those_who_know_it_are_told(self, state: RoomState) -> None:
        say(state, "ad", Action.HIDE)
        effects = state.apply(judged(line(state, "ad"), False), NOW)
        assert facts(effects) == ["chat_removed"]
        assert KeepLine("line-ad", LineState.REMOVED) in effects
        told = {"type": "chat_removed", "id": "line-ad"}
        assert shown(effects) == []
        assert shown(effects, Permission.SEE_INCIDENTS) == [told] and sent(effects) == [told]

    def test_a_line_that_was_shown_is_taken_away_from_all(self, state: RoomState) -> None:
        say(state, "rude", Action.WARN)
        what = {key: state.chat.history[0][key] for key in ("id", "from", "text", "at_ms")}
        effects = state.apply(judged(what, False, LineState.SHOWN), NOW)
        assert shown(effects) == [{"type": "chat_removed", "id": "line-rude"}]
        assert list(state.chat.history) == []

    def test_twice_the_same_is_once_even_if_the_store_was_read_before(self, state: RoomState) -> None:
        say(state, "ad", Action.HIDE)
        what = line(state, "ad")
        state.apply(judged(what, True), NOW)
        assert state.apply(judged(what, True), NOW) == []

    def test_a_later_decision_replaces_an_earlier_one(self, state: RoomState) -> None:
        say(state, "ad", Action.HIDE)
        what = line(state, "ad")
        state.apply(judged(what, False), NOW)
        assert shown(state.apply(judged(what, True), NOW))[0]["text"] == "ad"
        assert shown(state.apply(judged(what, False), NOW)) == [{"type": "chat_removed", "id": "line-ad"}]


class TestMuted:
    def held_three_times(self, state: RoomState, **more: Any) -> list[events.Effect]:
        for number in (1, 2):
            say(state, f"ad {number}", Action.HIDE, incident=f"i{number}", **more)
        return say(state, "ad 3", Action.HIDE, incident="i3", **more)

    def test_too_many_held_lines_take_the_chat_from_their_author(self, state: RoomState) -> None:
        effects = self.held_three_times(state)
        assert facts(effects) == ["chat", "mute"]
        (kept,) = of(KeepMute, effects)
        assert (kept.on, kept.mute.by, kept.mute.incidents) == (True, SCREENING, ("i1", "i2", "i3"))
        told = sent(effects)[-1]
        assert (told["type"], told["person"], told["active"], told["reason"]) == (
            "muted",
            "wang",
            True,
            "gambling",
        )
        assert shown(effects, Permission.SEE_INCIDENTS)[-1] == told
        with pytest.raises(PeerError) as refused:
            say(state, "hello")
        assert (refused.value.code, refused.value.status) == ("chat_muted", 403)

    def test_the_same_line_said_again_counts_as_well(self, state: RoomState) -> None:
        for _ in range(3):
            say(state, "ad", Action.HIDE)
        assert state.chat.mutes["wang"].incidents == ("i1",)

    def test_lines_of_long_ago_do_not_count(self, state: RoomState) -> None:
        say(state, "ad 1", Action.HIDE)
        say(state, "ad 2", Action.HIDE, at_ms=NOW + 1)
        say(state, "ad 3", Action.HIDE, at_ms=NOW + STRIKES_WITHIN_MS)
        assert not state.chat.mutes

    def test_a_policy_may_never_mute_by_itself(self, state: RoomState) -> None:
        self.held_three_times(state, mute_after=0)
        assert not state.chat.mutes

    def test_the_action_mute_does_it_at_once(self, state: RoomState) -> None:
        effects = say(state, "ad", Action.MUTE, mute_after=0)
        assert facts(effects) == ["chat", "mute"]
        assert state.chat.mutes["wang"].incidents == ("i1",)

    def test_a_dismissed_incident_lifts_the_mute_it_led_to(self, state: RoomState) -> None:
        self.held_three_times(state)
        effects = state.apply(judged(line(state, "ad 2"), True, incident="i2"), NOW)
        assert facts(effects) == ["chat_released", "unmute"]
        assert sent(effects)[-1]["active"] is False
        assert facts(say(state, "hello")) == ["chat"]

    def test_another_incidents_dismissal_does_not(self, state: RoomState) -> None:
        say(state, "earlier", Action.HIDE, incident="i0", at_ms=NOW - STRIKES_WITHIN_MS)
        self.held_three_times(state)
        state.apply(judged(line(state, "earlier"), True, incident="i0"), NOW)
        assert "wang" in state.chat.mutes

    def test_a_line_found_harmless_no_longer_counts(self, state: RoomState) -> None:
        say(state, "ad 1", Action.HIDE, incident="i1")
        state.apply(judged(line(state, "ad 1"), True, incident="i1"), NOW)
        say(state, "ad 2", Action.HIDE, incident="i2")
        say(state, "ad 3", Action.HIDE, incident="i3")
        assert not state.chat.mutes

    def test_a_moderator_mutes_and_gives_back(self, state: RoomState) -> None:
        effects = state.apply(MuteAsked("wang", True, "mod", "flooding"), NOW)
        assert facts(effects) == ["mute"]
        assert state.chat.mutes["wang"].name == "Wang"
        assert state.apply(MuteAsked("wang", True, "mod", "again"), NOW) == []
        assert facts(state.apply(MuteAsked("wang", False, "mod"), NOW)) == ["unmute"]
        assert state.apply(MuteAsked("wang", False, "mod"), NOW) == []

    def test_who_comes_back_is_told_of_it(self, state: RoomState) -> None:
        state.apply(MuteAsked("wang", True, "mod", "flooding"), NOW)
        told = of(Send, state.apply(Joined(member("wang", connection="again")), NOW))
        joined_message = next(one.message for one in told if one.message["type"] == "joined")
        assert joined_message["you"]["muted"] is True


INCIDENT = {
    "id": "i7", "lesson": "abc", "at_ms": NOW, "kind": "frame", "category": "porn", "score": 0.9, "count": 1,
    "action": "blank", "state": "open", "track": "screen", "text": "words", "person": "teacher",
    "name": "Ms Li", "evidence": True,
}  # fmt: skip


class TestIncidents:
    def test_moderators_see_all_of_it_the_instructor_no_evidence(self, state: RoomState) -> None:
        effects = state.apply(IncidentSeen(INCIDENT), NOW)
        assert shown(effects, Permission.SEE_INCIDENTS) == [{"type": "incident"} | INCIDENT]
        lesser, warning = shown(effects, Permission.PUBLISH)
        assert not {"text", "person", "evidence"} & set(lesser)
        assert warning == {
            "type": "warning", "category": "porn", "what": "frame", "at_ms": NOW, "incident": "i7",
        }  # fmt: skip

    def test_one_that_changed_warns_nobody_again(self, state: RoomState) -> None:
        state.apply(IncidentSeen(INCIDENT), NOW)
        effects = state.apply(IncidentSeen(INCIDENT | {"state": "dismissed"}), NOW)
        assert [message["type"] for message in shown(effects, Permission.PUBLISH)] == ["incident"]

    def test_what_learners_write_is_no_warning_to_the_instructor(self, state: RoomState) -> None:
        effects = state.apply(IncidentSeen(INCIDENT | {"kind": "chat", "action": "hide"}), NOW)
        assert [message["type"] for message in shown(effects, Permission.PUBLISH)] == ["incident"]

    def test_who_joins_later_is_told_the_newest(self, state: RoomState) -> None:
        for number in range(60):
            state.apply(IncidentSeen(INCIDENT | {"id": f"i{number}"}), NOW)
        told = of(Send, state.apply(Joined(member("mod2", Role.MODERATOR)), NOW))[0].message
        assert [told["incidents"][0]["id"], told["incidents"][-1]["id"], len(told["incidents"])] == [
            "i10",
            "i59",
            50,
        ]
        told = of(Send, state.apply(Joined(member("ms-li", Role.INSTRUCTOR)), NOW))[0].message
        assert "text" not in told["incidents"][0] and "held" not in told


class TestHowWellItIsSeen:
    def test_everybody_is_told_how_late_they_see_and_when_the_picture_is_held_back(self) -> None:
        state = joined(lesson(), member("wang"))
        effects = state.apply(SightChanged(1500, held_back=True), NOW)
        told = {"delay_ms": 1500, "held_back": True}
        assert effects == [Broadcast({"type": "screening"} | told)]
        assert state.apply(SightChanged(1500, held_back=True), NOW) == []
        greeting = of(Send, state.apply(Joined(member("zhao")), NOW))[0].message
        assert greeting["screening"] == told

"""Seats for WebRTC: who gets one, who is sent to LL-HLS, who is invited when one is free."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveserver.core.errors import PeerError
from liveserver.rooms.seats import INVITED_AT_ONCE, KEPT, Seats, Taken

ANNA, BEN = ("lesson", "anna"), ("lesson", "ben")


def taken(node: int, lesson: int = 0, limit: int = 1000) -> Taken:
    return Taken(node, lesson, limit)


def refused(seats: Seats, learner: tuple[str, str], seen: Taken) -> str:
    with pytest.raises(PeerError) as refusal:
        seats.check(learner, seen)
    assert refusal.value.status == 503
    assert refusal.value.retry_after_s
    return refusal.value.code


class TestASeat:
    def test_is_given_while_there_is_one(self) -> None:
        seats = Seats(2, lambda _: False)
        seats.check(ANNA, taken(1))
        assert refused(seats, BEN, taken(2)) == "webrtc_full"

    def test_is_refused_where_the_lesson_has_all_of_its_own(self) -> None:
        assert refused(Seats(100, lambda _: False), ANNA, taken(9, 5, 5)) == "webrtc_full"

    def test_none_at_all_sends_everybody_to_the_wide_tier(self) -> None:
        assert refused(Seats(0, lambda _: False), ANNA, taken(0)) == "webrtc_full"

    def test_is_kept_for_who_is_called_on(self) -> None:
        seats = Seats(2, lambda learner: learner == ANNA)
        refused(seats, BEN, taken(2))
        seats.check(ANNA, taken(2 + KEPT - 1))
        refused(seats, ANNA, taken(2 + KEPT))


class TestAnInvitation:
    def test_comes_to_who_was_turned_away_first(self) -> None:
        seats = Seats(2, lambda _: False)
        for learner in (ANNA, BEN):
            refused(seats, learner, taken(2))
        assert list(seats.invited((), lambda _: taken(2), 0)) == []
        assert list(seats.invited((), lambda _: taken(1), 0)) == [ANNA]

    def test_keeps_the_seat_for_a_while(self) -> None:
        seats = Seats(2, lambda _: False)
        for learner in (ANNA, BEN):
            refused(seats, learner, taken(2))
        assert list(seats.invited((), lambda _: taken(1), 0)) == [ANNA]
        assert list(seats.invited((), lambda _: taken(1), 10**9)) == []
        refused(seats, ("lesson", "carl"), taken(1))
        seats.check(ANNA, taken(1))
        assert list(seats.invited((), lambda _: taken(1), 20 * 10**9)) == [BEN]

    def test_comes_first_to_who_is_called_on_whatever_kept_him_there(self) -> None:
        called: set[tuple[str, str]] = set()
        seats = Seats(2, called.__contains__)
        refused(seats, ANNA, taken(2))
        called.add(BEN)
        assert list(seats.invited([BEN], lambda _: taken(2), 0)) == [BEN]
        assert list(seats.invited([BEN], lambda _: taken(2), 1)) == [], "he is on his way"

    def test_is_not_for_a_lesson_that_is_gone(self) -> None:
        seats = Seats(0, lambda _: False)
        refused(seats, ANNA, taken(0))
        assert list(seats.invited((), lambda _: None, 0)) == []
        assert len(seats) == 0

    @settings(deadline=None)
    @given(st.integers(0, 200), st.integers(0, 60), st.integers(0, 60))
    def test_is_never_for_more_than_there_are_seats(self, waiting: int, limit: int, used: int) -> None:
        seats = Seats(limit, lambda _: False)
        for number in range(waiting):
            refused(seats, ("lesson", str(number)), taken(limit))
        invited = 0
        for second in range(4):
            came = seats.invited((), lambda _: taken(used), second)
            assert len(came) <= INVITED_AT_ONCE
            invited += len(came)
        assert invited <= max(0, limit - used)

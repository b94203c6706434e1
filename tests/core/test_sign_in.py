"""Attempts to sign in, and what a password must be."""

from __future__ import annotations

import pytest

from liveserver.core.sign_in import AddressRate, Attempts, LockOut, Weak, charge, folded_name, weakness

RULE = LockOut(allowed=5, window_ms=900_000, lock_ms=600_000)
NOW = 1_800_000_000_000


def after(count: int, now_ms: int = NOW) -> Attempts:
    """What is remembered of `count` attempts side by side."""
    attempts = Attempts()
    for _ in range(count):
        attempts = charge(RULE, attempts, now_ms).attempts
    return attempts


class TestLockOut:
    def test_five_are_looked_at_and_the_sixth_locks(self) -> None:
        attempts, allowed = Attempts(), []
        for _ in range(7):
            charged = charge(RULE, attempts, NOW)
            attempts = charged.attempts
            allowed.append((charged.allowed, charged.locked_now))
        assert allowed == [(True, False)] * 5 + [(False, True), (False, False)]

    def test_says_how_long_it_lasts_rounded_up(self) -> None:
        charged = charge(RULE, after(6), NOW + 500)
        assert (charged.allowed, charged.retry_after_s) == (False, 600)

    def test_is_not_made_longer_by_knocking(self) -> None:
        locked = after(6)
        assert charge(RULE, locked, NOW + 599_999).attempts == locked

    def test_is_over_at_its_time_and_counts_from_the_beginning(self) -> None:
        charged = charge(RULE, after(6), NOW + 600_000)
        assert charged.allowed
        assert charged.attempts == Attempts(1, NOW + 600_000)

    def test_attempts_of_long_ago_do_not_count(self) -> None:
        assert charge(RULE, after(5), NOW + 900_000).attempts.count == 1
        assert charge(RULE, after(5), NOW + 899_999).locked_now

    def test_a_clock_that_goes_back_neither_locks_nor_opens(self) -> None:
        assert charge(RULE, after(3), NOW - 5).allowed
        assert not charge(RULE, after(6), NOW - 3_600_000).allowed


class TestAddressRate:
    def test_is_a_bucket_of_failures(self) -> None:
        rate = AddressRate(per_minute=60, burst=3)
        assert [rate.allows("a", 0) for _ in range(4)] == [True, True, True, False]
        assert rate.allows("b", 0)
        assert rate.allows("a", 1000)
        assert not rate.allows("a", 1000)

    def test_success_is_not_counted(self) -> None:
        rate = AddressRate(per_minute=1, burst=2)
        for _ in range(100):
            assert rate.allows("school", 0)
            rate.forgive("school")

    def test_knows_a_bounded_number_of_addresses(self) -> None:
        rate = AddressRate(per_minute=1, burst=1, most=10)
        for number in range(1000):
            rate.allows(str(number), 0)
        assert len(rate._buckets) == 10


class TestASignInName:
    @pytest.mark.parametrize("name", ["Wang.Wei", "WANG.WEI", " wang.wei ", "ｗａｎｇ．ｗｅｉ"])
    def test_is_the_same_whatever_its_case_and_width(self, name: str) -> None:
        assert folded_name(name) == "wang.wei"

    @pytest.mark.parametrize("name", ["", "  ", "a b", "a\x00", "a\u200bb", "x" * 65])
    def test_has_no_spaces_nor_what_cannot_be_seen(self, name: str) -> None:
        with pytest.raises(ValueError, match="sign-in name"):
            folded_name(name)


class TestAPassword:
    @pytest.mark.parametrize(
        ("password", "weak"),
        [
            ("Ab1!efghi", Weak.SHORT),
            ("Ab1!" * 33, Weak.LONG),
            ("Aa1Aa1Aa1Aa1", Weak.REPEATED),
            ("abcdefghijkl", Weak.PLAIN),
            ("abcdefgh1234", Weak.PLAIN),
            ("my-Zhaoli-2026", Weak.NAMED),
            ("Passw0rd12345!", Weak.KNOWN),
            ("Admin@12345678", Weak.KNOWN),
            ("焊接-Lesson-7", None),
            ("correct Horse battery 9", None),
        ],
    )
    def test_is_taken_or_the_reason_is_named(self, password: str, weak: Weak | None) -> None:
        assert weakness(password, "zhaoli") is weak

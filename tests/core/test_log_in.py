"""Stays after signing in: handles, times, and what keeps a role from somebody."""

from __future__ import annotations

from dataclasses import replace

from liveserver.core.log_in import (
    GRACE_MS,
    Ended,
    Lengths,
    Method,
    Need,
    Stay,
    digest,
    exchange,
    needs,
    over,
)
from liveserver.core.permissions import Role

NOW = 1_800_000_000_000
MINUTE = 60_000
LENGTHS = Lengths(idle_ms=30 * MINUTE, longest_ms=720 * MINUTE)
STAY = Stay(digest("new"), digest("old"), NOW, NOW, NOW)


class TestAHandle:
    def test_is_exchanged_for_another(self) -> None:
        assert exchange(STAY, "new", LENGTHS, NOW + MINUTE) is True

    def test_the_one_before_serves_a_second_tab_for_a_moment(self) -> None:
        assert exchange(STAY, "old", LENGTHS, NOW + GRACE_MS - 1) is False

    def test_a_copy_used_later_ends_the_stay(self) -> None:
        assert exchange(STAY, "old", LENGTHS, NOW + GRACE_MS) is Ended.COPIED

    def test_one_that_never_was_ends_the_stay(self) -> None:
        assert exchange(STAY, "guess", LENGTHS, NOW) is Ended.COPIED
        assert exchange(replace(STAY, before=b""), "", LENGTHS, NOW) is Ended.COPIED


class TestAStay:
    def test_is_over_after_half_an_hour_without_a_sign_of_life(self) -> None:
        assert over(STAY, LENGTHS, NOW + 30 * MINUTE - 1) is None
        assert over(STAY, LENGTHS, NOW + 31 * MINUTE) is Ended.IDLE
        assert exchange(STAY, "new", LENGTHS, NOW + 31 * MINUTE) is Ended.IDLE

    def test_is_over_after_its_longest_time_however_lively(self) -> None:
        lively = replace(STAY, seen_at_ms=NOW + 719 * MINUTE)
        assert over(lively, LENGTHS, NOW + 720 * MINUTE) is Ended.EXPIRED

    def test_is_not_ended_by_a_clock_that_goes_back(self) -> None:
        assert over(STAY, LENGTHS, NOW - 90 * MINUTE) is None


class TestAnAdministratorsRole:
    @staticmethod
    def missing(method: Method, passkeys: int, forced: bool = False, age: int = 0, most: int = 0):
        return needs(Role.SYSTEM, method, passkeys=passkeys, forced=forced, password_age_ms=age, most_ms=most)

    def test_takes_the_passkey_as_soon_as_there_is_one(self) -> None:
        assert self.missing(Method.PASSWORD, 0) == ()
        assert self.missing(Method.PASSWORD, 1) == (Need.PASSKEY,)
        assert self.missing(Method.PASSKEY, 1) == ()

    def test_takes_a_passkey_always_where_that_is_the_rule(self) -> None:
        assert self.missing(Method.PASSWORD, 1, forced=True) == (Need.PASSKEY,)
        assert self.missing(Method.PASSKEY, 1, forced=True) == ()

    def test_takes_an_administrators_code_for_the_first_one_where_that_is_the_rule(self) -> None:
        for method in (Method.PASSWORD, Method.OIDC):
            assert self.missing(method, 0, forced=True) == (Need.PASSKEY, Need.CODE)
            assert self.missing(method, 1, forced=True) == (Need.PASSKEY,)
        assert self.missing(Method.OIDC, 0) == (Need.PASSKEY,)

    def test_is_had_by_the_link_of_the_first_start_until_there_is_a_passkey(self) -> None:
        assert self.missing(Method.SETUP, 0, forced=True) == ()
        assert self.missing(Method.SETUP, 1, forced=True) == (Need.PASSKEY,)

    def test_is_never_had_by_an_identity_provider_alone(self) -> None:
        assert self.missing(Method.OIDC, 0) == (Need.PASSKEY,)

    def test_takes_a_password_that_is_not_too_old(self) -> None:
        assert self.missing(Method.PASSWORD, 0, age=90, most=90) == (Need.PASSWORD,)
        assert self.missing(Method.PASSWORD, 0, age=89, most=90) == ()

    def test_needs_nothing_where_there_is_none(self) -> None:
        assert needs(None, Method.OIDC, passkeys=0, forced=True, password_age_ms=9, most_ms=1) == ()

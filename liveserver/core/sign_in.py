"""Who may try to sign in, when, and with what kind of password (MLPS 8.1.4.1 a, b; REL-A6).

An attempt is charged before the password is looked at and forgiven when it was right, so attempts made side
by side are not more than attempts made one after the other. Names nobody has are charged alike: what is
answered, and what it costs to answer it, does not say whether a name exists. Time is an argument,
milliseconds of the server's wall clock: a lock outlives a restart.
"""

from __future__ import annotations

import unicodedata
from collections import OrderedDict
from dataclasses import dataclass
from enum import StrEnum

NAME_MOST = 64
PASSWORD_LEAST = 10
PASSWORD_MOST = 128
_KINDS_LEAST = 3
_DIFFERENT_LEAST = 5
_OWN_NAME_LEAST = 3


@dataclass(frozen=True, slots=True)
class LockOut:
    """`allowed` wrong passwords within `window_ms`; the next one locks the name for `lock_ms`."""

    allowed: int = 5
    window_ms: int = 900_000
    lock_ms: int = 900_000


@dataclass(frozen=True, slots=True)
class Attempts:
    """Attempts on one name that were not forgiven."""

    count: int = 0
    since_ms: int = 0
    locked_until_ms: int = 0


@dataclass(frozen=True, slots=True)
class Charged:
    """What an attempt does: whether the password is looked at, and what is remembered."""

    allowed: bool
    attempts: Attempts
    locked_now: bool = False
    retry_after_s: int = 0


def charge(rule: LockOut, before: Attempts, now_ms: int) -> Charged:
    """One more attempt. While a name is locked the right password is refused as well."""
    if before.locked_until_ms > now_ms:
        return Charged(False, before, retry_after_s=-((now_ms - before.locked_until_ms) // 1000))
    if now_ms - before.since_ms >= rule.window_ms or before.locked_until_ms or before.since_ms > now_ms:
        before = Attempts(0, now_ms)  # long ago, a lock that is over, or a clock that went back
    if before.count < rule.allowed:
        return Charged(True, Attempts(before.count + 1, before.since_ms))
    locked = Attempts(before.count + 1, before.since_ms, now_ms + rule.lock_ms)
    return Charged(False, locked, locked_now=True, retry_after_s=-(-rule.lock_ms // 1000))


class AddressRate:
    """How often one client's address may try: a bucket of `burst` that fills by `per_minute`.

    At most `most` addresses are remembered; the one that was heard of longest ago is forgotten first.
    """

    def __init__(self, per_minute: int, burst: int, most: int = 10_000):
        self._per_ms = per_minute / 60_000
        self._burst = burst
        self._most = most
        self._buckets: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def allows(self, address: str, now_ms: int) -> bool:
        """Count one attempt; False when it is one too many. `now_ms`: of a clock that never jumps."""
        left, at_ms = self._buckets.pop(address, (float(self._burst), now_ms))
        left = min(float(self._burst), left + (now_ms - at_ms) * self._per_ms)
        allowed = left >= 1
        self._buckets[address] = (left - 1 if allowed else left, now_ms)
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        return allowed

    def forgive(self, address: str) -> None:
        """The attempt counted last succeeded: a school behind one address is not slowed by its size."""
        if address in self._buckets:
            left, at_ms = self._buckets[address]
            self._buckets[address] = (min(float(self._burst), left + 1), at_ms)


def folded_name(name: str) -> str:
    """A sign-in name as it is compared: without case and width (NFKC), or ValueError for what is none."""
    folded = unicodedata.normalize("NFKC", name).strip().casefold()
    if not 1 <= len(folded) <= NAME_MOST:
        raise ValueError(f"a sign-in name has 1 to {NAME_MOST} characters")
    if any(unicodedata.category(letter)[0] in "CZ" for letter in folded):
        raise ValueError("a sign-in name has no spaces and no control characters")
    return folded


class Weak(StrEnum):
    """Why a password is not taken."""

    SHORT = "short"
    LONG = "long"
    PLAIN = "plain"
    """Fewer than three of: small letters, capitals, digits, others."""
    REPEATED = "repeated"
    """Fewer than five different characters."""
    NAMED = "named"
    """It holds the sign-in name."""
    KNOWN = "known"
    """It is, with its digits and signs taken away, one of the words everybody tries first."""


_TRIED_FIRST = frozenset(
    """
    password passwort passw woaini qwerty qwertyuiop asdfgh asdfghjkl zxcvbn zxcvbnm admin administrator
    welcome letmein iloveyou monkey dragon abc abcd abcdef test login lectern liveserver huawei shouji
    beijing shanghai zhongguo
    """.split()  # noqa: SIM905 - read easier so
)


def weakness(password: str, name: str) -> Weak | None:
    """Why `password` is not taken for the account of that sign-in name; None when it is."""
    if len(password) < PASSWORD_LEAST:
        return Weak.SHORT
    if len(password) > PASSWORD_MOST:
        return Weak.LONG
    if len(set(password)) < _DIFFERENT_LEAST:
        return Weak.REPEATED
    kinds = {
        "lower"
        if letter.islower()
        else "upper"
        if letter.isupper()
        else "digit"
        if letter.isdigit()
        else "other"
        for letter in password
    }
    if len(kinds) < _KINDS_LEAST:
        return Weak.PLAIN
    lower = password.casefold()
    if len(name) >= _OWN_NAME_LEAST and folded_name(name) in lower:
        return Weak.NAMED
    words = {"".join(filter(str.isalpha, lower.replace("0", "o").replace("@", at))) for at in ("", "a")}
    return Weak.KNOWN if words & _TRIED_FIRST else None

"""Which tokens are void before their time: of whom was signed out, shut out, or erased.

A revocation voids what one person was issued until then (everything, or what is for one class, or for one
role), every token of one stay, or one token. It is asked about at each request: some look-ups in memory. A
token is dated in whole seconds, and the clocks of nodes differ by some: a revocation voids what is dated a
little later as well, and what is issued after it is dated after that (`dated`).

What is known is bounded. Where too much is, the oldest goes, and whatever was issued before it, to whomever,
is void: who was shut out does not come back that way. Time is an argument.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

MOST = 100_000
"""Revocations that are known at once; some 30 MB."""
_CLOCKS_S = 25
"""How far a node may be ahead that has not heard yet; and this one, should its clock go back."""
_AHEAD_S = 34
"""A token is dated at most so far ahead of the clock: a node that is as far behind takes it all the same, for
60 s are tolerated of it (`tokens.SKEW_S`)."""


class Of(StrEnum):
    """What a revocation is about."""

    PERSON = "person"
    STAY = "stay"
    """What one signing in brought, on one browser."""
    TOKEN = "token"  # noqa: S105 - a word


@dataclass(frozen=True, slots=True)
class Revocation:
    """`key`: the person's, stay's or token's id. `training_class`: only tokens for its lessons; `role`: only
    tokens of that role. Empty: whichever.

    `issued_until_s`: of a person what was issued so far is void; 0 once the person is let in again. `spared`:
    a stay whose tokens stay good. `at_ms`: a later one takes an earlier one's place. Nothing that it voids
    lives beyond `until_ms`.
    """

    of: Of
    key: str
    training_class: str
    issued_until_s: int
    spared: str
    at_ms: int
    until_ms: int
    role: str = ""


class Dated(Protocol):
    """A token, as far as it can be revoked."""

    @property
    def person(self) -> str: ...

    @property
    def role(self) -> str: ...

    @property
    def training_class(self) -> str: ...

    @property
    def stay(self) -> str: ...

    @property
    def token_id(self) -> str: ...

    @property
    def issued_at_s(self) -> int: ...


_Key = tuple[Of, str, str, str]


def _key_of(one: Revocation) -> _Key:
    return one.of, one.key, one.training_class, one.role


class Revoked:
    """Everything that is known. Read by any thread, changed by one."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._known: dict[_Key, Revocation] = {}
        self._latest_s: dict[str, int] = {}  # of each person: the last date that is void
        self._floor_s = -1

    def __len__(self) -> int:
        return len(self._known)

    def add(self, one: Revocation) -> bool:
        """Whether that was news."""
        key = _key_of(one)
        before = self._known.get(key)
        if before is not None and (before.at_ms, before.issued_until_s) >= (one.at_ms, one.issued_until_s):
            return False
        self._known.pop(key, None)
        self._known[key] = one
        if one.of is Of.PERSON:
            self._latest_s[one.key] = max(self._latest_s.get(one.key, -1), one.issued_until_s)
        if len(self._known) > self._most:
            self._drop_oldest()
        return True

    def forget(self, now_ms: int) -> None:
        """What nothing can be void by any more."""
        self._keep([one for one in self._known.values() if one.until_ms >= now_ms])

    def voids(self, token: Dated) -> bool:
        """Whether the token is void, however long it says it is good."""
        issued_s = token.issued_at_s
        if issued_s <= self._floor_s:
            return True
        known = self._known
        if not known:
            return False
        if (Of.TOKEN, token.token_id, "", "") in known or (Of.STAY, token.stay, "", "") in known:
            return True
        if issued_s > self._latest_s.get(token.person, -1):
            return False
        classes = ("", token.training_class) if token.training_class else ("",)
        return any(self._void_for(token, of, role) for of in classes for role in ("", token.role))

    def shuts_out(self, person: str, training_class: str, role: str = "") -> bool:
        """Whether anything of a person is void for the lessons of this class alone, in this role alone."""
        one = self._known.get((Of.PERSON, person, training_class, role))
        return one is not None and one.issued_until_s > 0

    def after(self, one: Revocation) -> Revocation:
        """`one`, made now, as the latest of its key: also where the clock went back, or another node's is
        ahead."""
        before = self._known.get(_key_of(one))
        if before is None or one.at_ms > before.at_ms:
            return one
        return replace(one, at_ms=before.at_ms + 1)

    def dated(self, person: str, now_s: int) -> int:
        """The date of a token that is issued now: after everything of the person that is void."""
        after_s = 1 + max(self._latest_s.get(person, -1), self._floor_s)
        return after_s if now_s < after_s <= now_s + _AHEAD_S else now_s

    def until(self, person: str, now_s: int) -> int:
        """Up to which date a revocation voids that is made now: the last one any token may have."""
        return max(self.dated(person, now_s), now_s + _CLOCKS_S)

    def _void_for(self, token: Dated, training_class: str, role: str) -> bool:
        one = self._known.get((Of.PERSON, token.person, training_class, role))
        if one is None or token.issued_at_s > one.issued_until_s:
            return False
        return one.spared == "" or token.stay != one.spared

    def _drop_oldest(self) -> None:
        ordered = sorted(self._known.values(), key=lambda one: one.at_ms)
        gone = ordered[: max(1, self._most // 8)]
        self._floor_s = max(self._floor_s, *(_last_date(one) for one in gone))
        self._keep(ordered[len(gone) :])

    def _keep(self, kept: list[Revocation]) -> None:
        latest_s: dict[str, int] = {}
        for one in kept:
            if one.of is Of.PERSON:
                latest_s[one.key] = max(latest_s.get(one.key, -1), one.issued_until_s)
        self._latest_s = latest_s
        self._known = {_key_of(one): one for one in kept}


def _last_date(one: Revocation) -> int:
    """The last date of what it voids; of a stay or a token, which say none, that of what came just before."""
    return one.issued_until_s if one.of is Of.PERSON else one.at_ms // 1000 + _CLOCKS_S

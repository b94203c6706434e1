"""A person's stay after signing in: how long it lasts, what it may do, and whether its handle is the right
one.

The page holds a short access token; beside it the browser keeps a handle (in a cookie no script can read)
that is exchanged for the next token and changes each time. A handle that was exchanged already is somebody's
copy: the stay ends then (RFC 9700 2.2.2), but for a moment in which two tabs, or an answer that got lost, may
ask with the one before. Time is an argument, milliseconds of the server's wall clock.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from enum import StrEnum

from liveserver.core.permissions import Role

GRACE_MS = 30_000
"""How long the handle before the newest is taken as well: a request's time-out, and then some."""


class Method(StrEnum):
    """How somebody signed in."""

    PASSWORD = "password"  # noqa: S105 - a word
    PASSKEY = "passkey"
    OIDC = "oidc"
    SETUP = "setup"
    """By the one-time link of the first start, which sets the password."""


class Ended(StrEnum):
    """Why a stay is over."""

    SIGNED_OUT = "signed_out"
    IDLE = "idle"
    EXPIRED = "expired"
    COPIED = "copied"
    """A handle was used that had been exchanged before."""
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - a word
    CLOSED = "closed"
    """The account was closed, or its role changed."""
    REPLACED = "replaced"
    """The same browser signed in anew."""


class Need(StrEnum):
    """What keeps a role from somebody who is signed in."""

    PASSKEY = "passkey"
    """A second factor: sign in with a passkey, or register one first."""
    CODE = "code"
    """Nobody vouched for a passkey yet: the first one takes an administrator's code (`core.passkey_code`)."""
    PASSWORD = "password"  # noqa: S105 - a word
    """The password is too old and has to be changed."""
    SEPARATE = "separate"
    """There are three administrators now: all in one hand is over."""


class SamePerson(StrEnum):
    """What happens when somebody who is in a lesson comes to it a second time (REQ-A4)."""

    TAKEOVER = "takeover"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Lengths:
    """How long a stay may be idle, and how long it may last at most."""

    idle_ms: int
    longest_ms: int


@dataclass(frozen=True, slots=True)
class Stay:
    """What decides about a handle: SHA-256 of the newest and of the one before, and the times."""

    handle: bytes
    before: bytes
    exchanged_at_ms: int
    began_at_ms: int
    seen_at_ms: int


def digest(handle: str) -> bytes:
    """What is kept of a handle, 32 bytes. It has 256 random bits, so it needs no salt."""
    return hashlib.sha256(handle.encode()).digest()


def over(stay: Stay, lengths: Lengths, now_ms: int) -> Ended | None:
    """Why the stay is over by its times; None while it goes on. A clock that went back ends nothing."""
    if now_ms - stay.began_at_ms >= lengths.longest_ms:
        return Ended.EXPIRED
    return Ended.IDLE if now_ms - stay.seen_at_ms >= lengths.idle_ms else None


def exchange(stay: Stay, handle: str, lengths: Lengths, now_ms: int) -> Ended | bool:
    """Why the stay ends, else whether the handle is the newest and is to be replaced by another."""
    ended = over(stay, lengths, now_ms)
    if ended is not None:
        return ended
    given = digest(handle)
    if hmac.compare_digest(given, stay.handle):
        return True
    recent = 0 <= now_ms - stay.exchanged_at_ms < GRACE_MS
    if recent and hmac.compare_digest(given, stay.before):
        return False
    return Ended.COPIED


def needs(
    role: Role | None,
    method: Method,
    *,
    passkeys: int,
    forced: bool,
    password_age_ms: int,
    most_ms: int,
) -> tuple[Need, ...]:
    """What is missing before a session acts in `role`; nothing where there is no such role.

    `passkeys`: how many the account has: who has one signs in with it. `forced`: whether the role takes one
    anyway (MLPS 8.1.4.1 d), but for whoever came by the one-time link of the first start: there was none to
    come with. `most_ms`: how old a password may be, 0 for ever.
    """
    if role is None:
        return ()
    missing = []
    second = passkeys > 0 or (forced and method is not Method.SETUP)
    if method is Method.OIDC or (second and method is not Method.PASSKEY):
        missing.append(Need.PASSKEY)
        if forced and not passkeys:
            missing.append(Need.CODE)
    if method is Method.PASSWORD and most_ms and password_age_ms >= most_ms:
        missing.append(Need.PASSWORD)
    return tuple(missing)

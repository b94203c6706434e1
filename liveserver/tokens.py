"""Access tokens and signed links: JWT (RFC 7519) under HS256 with one key per installation.

Two families that can never stand in for each other, told apart by their audience: an access token says
who somebody is in which lesson; a link names one thing (a recording, the first set-up) for a short time.
The algorithm is pinned and the token's own header never chooses it (RFC 8725 3.1). The clock is an
argument everywhere; 60 s of skew are tolerated and not more (RELIABILITY G9). What was taken back before its
time is void at once (`core.revocation`).
"""

from __future__ import annotations

import hmac
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt

from liveserver import keys
from liveserver.core.errors import PeerError
from liveserver.core.permissions import Role
from liveserver.core.revocation import Revoked
from liveserver.verified import Verified

TOKEN_MAX_CHARS = 2048
SKEW_S = 60
ALL_LESSONS = "*"

_ALGORITHM = "HS256"
_ISSUER = "liveserver"
_ACCESS_AUDIENCE = "liveserver/access"
_LINK_AUDIENCE = "liveserver/link/"


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified access token says of its bearer."""

    person: str
    name: str
    role: Role
    lesson: str
    """A lesson's id, or `*` for every lesson."""
    expires_at_s: int
    token_id: str
    issued_at_s: int = 0
    stay: str = ""
    """The stay it was given to, of who signed in."""
    training_class: str = ""
    """Whose lesson it is for, if it is a class's."""

    def covers(self, lesson: str) -> bool:
        """Whether the token is good for `lesson`."""
        return self.lesson in (ALL_LESSONS, lesson)


@dataclass(frozen=True, slots=True)
class Link:
    """What a verified link names, and for whom it was made, if that was said: name, person and role.

    `token_id` lets the store refuse a second use.
    """

    subject: str
    expires_at_s: int
    token_id: str
    name: str = ""
    person: str = ""
    role: str = ""


@dataclass(frozen=True, slots=True)
class _MadeFor:
    """A link that was made for somebody, as something that can be revoked."""

    person: str
    token_id: str
    issued_at_s: int
    role: str
    stay: str = ""
    training_class: str = ""


class Tokens:
    """Issues and verifies everything signed with the installation's key.

    `revoked`: what is void before its time; another part fills it (`revocations`).
    """

    def __init__(self, key: bytes):
        if len(key) < keys.KEY_BYTES:
            raise ValueError(f"a token key has at least {keys.KEY_BYTES} bytes")
        self._key = key
        self.revoked = Revoked()
        self._verified: Verified[Claims] = Verified()

    @classmethod
    def load_or_create(cls, path: Path) -> Tokens:
        """Read the key at `path`; the first time, make 32 random bytes there with mode 0600.

        Raises ValueError if the file is no key or can be read by others, OSError if it cannot be used.
        """
        return cls(keys.load_or_create(path))

    def derive(self, purpose: str) -> bytes:
        """Another key of the installation, 32 bytes: from it nobody comes back to this one."""
        return hmac.digest(self._key, f"liveserver/{purpose}".encode(), "sha256")

    def issue(
        self,
        *,
        person: str,
        name: str,
        role: Role,
        lesson: str,
        now_s: int,
        ttl_s: int,
        stay: str = "",
        training_class: str = "",
        dated_s: int | None = None,
    ) -> str:
        """A token for `person` in `lesson` from `now_s` for `ttl_s` seconds.

        `dated_s`: as `revoked.dated` had it when it was looked up what the token is for, so that what was
        taken back since voids it.

        Raises ValueError when it would pass 2,048 characters (a name of some 150 Chinese characters).
        """
        own = {"sub": person, "name": name, "role": role.value, "lesson": lesson}
        more = {"sid": stay, "class": training_class}
        own |= {claim: value for claim, value in more.items() if value}
        return self._sign(_ACCESS_AUDIENCE, own, now_s, ttl_s, person, dated_s)

    def verify(self, token: str | None, now_s: int, *, once: bool = False) -> Claims:
        """The token's claims; PeerError `token_missing`, `token_invalid`, `token_expired` or `session_ended`
        (all 401). A signature is checked once (`Verified`), whether the token stands each time.

        `once`: nobody will ask again, so nothing is remembered."""
        claims = self._verified.get(token) if token and token.isascii() else None
        if claims is None:
            claims = self._read(token, now_s)
            if not once:
                self._verified.keep(token or "", claims)
        self.require_standing(claims, now_s)
        return claims

    def id_of(self, token: str, now_s: int) -> str:
        """The id of an access token, void or not. Raises PeerError `bad_request`: it is none, or over."""
        try:
            return self._read(token, now_s).token_id
        except PeerError as error:
            raise PeerError("bad_request", error.detail) from error

    def _read(self, token: str | None, now_s: int) -> Claims:
        payload = self._open(_ACCESS_AUDIENCE, token, now_s)
        try:
            role = Role(_text(payload, "role"))
        except ValueError as error:
            raise _invalid("unknown role") from error
        return Claims(
            person=_text(payload, "sub"),
            name=_text(payload, "name"),
            role=role,
            lesson=sys.intern(_text(payload, "lesson")),  # one text for a class of 10,000
            expires_at_s=_whole(payload, "exp"),
            token_id=_text(payload, "jti"),
            issued_at_s=_whole(payload, "iat"),
            stay=_text(payload, "sid") if "sid" in payload else "",
            training_class=sys.intern(_text(payload, "class")) if "class" in payload else "",
        )

    def require_standing(self, claims: Claims, now_s: int) -> None:
        """Pass, or raise PeerError `token_expired`, `session_ended` (401), for a token that was verified.

        A few look-ups in memory, from any thread: for those who remember whose token it is.
        """
        if now_s > claims.expires_at_s + SKEW_S:
            raise _expired()
        if self.revoked.voids(claims):
            raise session_ended()

    def sign_link(
        self,
        kind: str,
        subject: str,
        now_s: int,
        ttl_s: int,
        name: str = "",
        person: str = "",
        role: str = "",
    ) -> str:
        """A link of `kind` ("recording", "setup") to `subject`, made for somebody; good for nothing else."""
        made_for = {"name": name, "for": person, "role": role}
        own = {"sub": subject, **{claim: value for claim, value in made_for.items() if value}}
        return self._sign(_LINK_AUDIENCE + kind, own, now_s, ttl_s, person)

    def verify_link(self, kind: str, token: str | None, now_s: int) -> Link:
        """What a link of `kind` names; raises as `verify` does."""
        payload = self._open(_LINK_AUDIENCE + kind, token, now_s)
        name, person, role = (_text(payload, c) if c in payload else "" for c in ("name", "for", "role"))
        link = Link(_text(payload, "sub"), _whole(payload, "exp"), _text(payload, "jti"), name, person, role)
        if person and self.revoked.voids(_MadeFor(person, link.token_id, _whole(payload, "iat"), role)):
            raise session_ended()
        return link

    def _sign(
        self,
        audience: str,
        own: Mapping[str, str],
        now_s: int,
        ttl_s: int,
        person: str,
        dated_s: int | None = None,
    ) -> str:
        if dated_s is None:
            dated_s = self.revoked.dated(person, now_s) if person else now_s
        payload = {
            "iss": _ISSUER,
            "aud": audience,
            **own,
            "iat": dated_s,
            "exp": now_s + ttl_s,
            "jti": secrets.token_urlsafe(12),
        }
        token = jwt.encode(payload, self._key, algorithm=_ALGORITHM)
        if len(token) > TOKEN_MAX_CHARS:
            raise ValueError(f"the token would have {len(token)} characters of {TOKEN_MAX_CHARS}")
        return token

    def _open(self, audience: str, token: str | None, now_s: int) -> dict[str, Any]:
        if not token:
            raise PeerError("token_missing", "a token is needed", status=401)
        if len(token) > TOKEN_MAX_CHARS or not token.isascii():
            raise _invalid("too long, or not ASCII")
        try:
            payload: dict[str, Any] = jwt.decode(
                token,
                self._key,
                algorithms=[_ALGORITHM],
                audience=audience,
                issuer=_ISSUER,
                # The times are checked below, with the caller's clock.
                options={
                    "require": ["iss", "aud", "sub", "iat", "exp", "jti"],
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                    "strict_aud": True,
                },
            )
        except (jwt.PyJWTError, RecursionError) as error:
            # RecursionError: a header of nested brackets is parsed before its signature is checked.
            raise _invalid("not one of ours") from error
        if _whole(payload, "iat") > now_s + SKEW_S:
            raise _invalid("issued in the future")
        if now_s > _whole(payload, "exp") + SKEW_S:
            raise _expired()
        return payload


def session_ended() -> PeerError:
    """What a token is refused by that was taken back."""
    return PeerError("session_ended", "this access was taken back: sign in again", status=401)


def _expired() -> PeerError:
    return PeerError("token_expired", "the token has expired", status=401)


def _text(payload: Mapping[str, Any], claim: str) -> str:
    value = payload.get(claim)
    if not isinstance(value, str):
        raise _invalid(f"claim {claim} is not a string")
    return value


def _whole(payload: Mapping[str, Any], claim: str) -> int:
    value = payload.get(claim)
    if not isinstance(value, int) or isinstance(value, bool):
        raise _invalid(f"claim {claim} is not a whole number")
    return value


def _invalid(why: str) -> PeerError:
    return PeerError("token_invalid", f"the token is not valid: {why}", status=401)

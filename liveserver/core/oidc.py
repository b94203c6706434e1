"""What an ID token must say before somebody is signed in by it (OpenID Connect Core 1.0, 3.1.3.7).

Its signature has been checked by then. Time is an argument.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from liveserver.core.errors import PeerError

SKEW_S = 60
_AGE_MOST_S = 600
"""How long ago a token may have been issued: it comes straight from the provider."""
SUBJECT_MOST = 255


@dataclass(frozen=True, slots=True)
class Expected:
    """What was asked for, and of whom."""

    issuer: str
    client_id: str
    nonce: str
    claim: str
    """The claim whose value is a sign-in name here."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom the provider vouches for."""

    subject: str
    name: str
    """Value of the claim, "" where it cannot be used."""


def identity(claims: Mapping[str, Any], expected: Expected, now_s: int) -> Identity:
    """Raises PeerError `oidc_refused` (401) that says what is wrong with the claims."""
    if claims.get("iss") != expected.issuer:
        raise refused("iss")
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    party = claims.get("azp")
    if expected.client_id not in audiences or (len(audiences) > 1 and party is None):
        raise refused("aud")
    if party is not None and party != expected.client_id:
        raise refused("azp")
    expires, issued = _seconds(claims, "exp"), _seconds(claims, "iat")
    if now_s > expires + SKEW_S:
        raise refused("exp")
    if not now_s - _AGE_MOST_S - SKEW_S <= issued <= now_s + SKEW_S:
        raise refused("iat")
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode(), expected.nonce.encode()):
        raise refused("nonce")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= SUBJECT_MOST:
        raise refused("sub")
    return Identity(subject, _name(claims, expected.claim))


def claimed(claims: object, subject: str, claim: str) -> str:
    """The claim's value in an answer of userinfo; PeerError `oidc_refused` when it is about somebody else."""
    if not isinstance(claims, dict) or claims.get("sub") != subject:
        raise refused("userinfo")
    return _name(claims, claim)


def challenge(verifier: str) -> str:
    """The S256 challenge of a PKCE verifier (RFC 7636 4.2).

    >>> challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
    'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM'
    """
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def endpoints(document: object, issuer: str, names: Sequence[str]) -> dict[str, str]:
    """The named addresses of a provider's metadata (OpenID Connect Discovery 1.0, 4.3).

    Raises PeerError `oidc_unavailable` (503) when it is another's, lacks one, or leads out of TLS.
    """
    if not isinstance(document, dict) or document.get("issuer") != issuer:
        raise unavailable("the provider's metadata name another issuer")
    found = {}
    for name in names:
        address = document.get(name)
        if not isinstance(address, str) or not address.startswith(("https://", "http://")):
            raise unavailable(f"the provider's metadata have no {name}")
        if issuer.startswith("https://") and not address.startswith("https://"):
            raise unavailable(f"the provider's {name} is not behind TLS")
        found[name] = address
    return found


def _name(claims: Mapping[str, Any], claim: str) -> str:
    """An address nobody has verified names nobody (5.7 of the specification)."""
    value = claims.get(claim)
    if not isinstance(value, str) or (claim == "email" and claims.get("email_verified") is not True):
        return ""
    return value


def _seconds(claims: Mapping[str, Any], name: str) -> int:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e12:
        raise refused(name)
    return int(value)


def refused(what: str) -> PeerError:
    return PeerError("oidc_refused", f"the identity provider's answer is not valid: {what}", status=401)


def unavailable(why: str) -> PeerError:
    return PeerError("oidc_unavailable", why, status=503, retry_after_s=30)

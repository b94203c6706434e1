"""Tokens that would be accepted but for one thing each: more than forty kinds (REL-A2)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from liveserver.tokens import SKEW_S, TOKEN_MAX_CHARS

HOUR = 3600


def part(value: object) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def flipped(token: str, segment: int) -> str:
    parts = token.split(".")
    data = bytearray(base64.urlsafe_b64decode(parts[segment] + "=="))
    data[len(data) // 2] ^= 1
    parts[segment] = part(bytes(data))
    return ".".join(parts)


@dataclass(frozen=True)
class Forger:
    """Who knows how tokens are made; `key` is the installation's, `now` in seconds."""

    key: bytes
    now: int

    def good(self, **changes: Any) -> dict[str, Any]:
        """The payload of a token that would be accepted, but for `changes` (None leaves a claim out)."""
        payload = {
            "iss": "liveserver",
            "aud": "liveserver/access",
            "sub": "p1",
            "name": "Li",
            "role": "admin",
            "lesson": "*",
            "iat": self.now,
            "exp": self.now + HOUR,
            "jti": "one",
        }
        payload.update(changes)
        return {claim: value for claim, value in payload.items() if value is not None}

    def signed(
        self, header: object, payload: object, key: bytes | None = None, digest: str = "sha256"
    ) -> str:
        """Any header over any payload with a signature that is right for `key` and `digest`."""
        body = f"{part(header)}.{part(payload)}"
        return f"{body}.{part(hmac.digest(self.key if key is None else key, body.encode(), digest))}"

    def hs256(self, **changes: Any) -> str:
        return self.signed({"alg": "HS256", "typ": "JWT"}, self.good(**changes))

    def by_other_algorithm(self, algorithm: str, key: Any) -> str:
        return jwt.encode(self.good(), key, algorithm=algorithm)

    def embedded_key(self) -> str:
        """CVE-2018-0114: the token brings the key that verifies it."""
        private = ed25519.Ed25519PrivateKey.generate()
        public = private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        header = {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": part(public)}}
        return jwt.encode(self.good(), private, algorithm="EdDSA", headers=header)

    def forged(self) -> dict[str, str]:
        """By what is wrong with each."""
        accepted = self.hs256()
        return {
            "alg none without signature": f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(self.good())}.",
            "alg None in capitals": f"{part({'alg': 'NONE'})}.{part(self.good())}.",
            "alg none with our signature": self.signed({"alg": "none"}, self.good()),
            "alg missing": self.signed({"typ": "JWT"}, self.good()),
            "alg empty": self.signed({"alg": ""}, self.good()),
            "alg a list": self.signed({"alg": ["HS256"]}, self.good()),
            "alg in lower case": self.signed({"alg": "hs256"}, self.good()),
            "HS384 with our key": self.signed({"alg": "HS384"}, self.good(), digest="sha384"),
            "HS512 with our key": self.signed({"alg": "HS512"}, self.good(), digest="sha512"),
            "HS512 said, HS256 done": self.signed({"alg": "HS512"}, self.good()),
            "RS256 by a key of its own": self.by_other_algorithm(
                "RS256", rsa.generate_private_key(public_exponent=65537, key_size=2048)
            ),
            "ES256 by a key of its own": self.by_other_algorithm(
                "ES256", ec.generate_private_key(ec.SECP256R1())
            ),
            "EdDSA by a key of its own": self.by_other_algorithm(
                "EdDSA", ed25519.Ed25519PrivateKey.generate()
            ),
            "a key embedded in the header": self.embedded_key(),
            "another key": self.signed({"alg": "HS256"}, self.good(), bytes(reversed(self.key))),
            "an empty key": self.signed({"alg": "HS256"}, self.good(), b""),
            "the key's hash as key": self.signed(
                {"alg": "HS256"}, self.good(), hashlib.sha256(self.key).digest()
            ),
            "another key named by kid": self.signed(
                {"alg": "HS256", "kid": "../../dev/null"}, self.good(), b"\0" * 32
            ),
            "an unknown critical extension": self.signed(
                {"alg": "HS256", "crit": ["exp"], "exp": 1}, self.good()
            ),
            "the header flipped by one bit": flipped(accepted, 0),
            "the payload flipped by one bit": flipped(accepted, 1),
            "the signature flipped by one bit": flipped(accepted, 2),
            "the signature cut short": accepted[:-8],
            "no signature": accepted.rpartition(".")[0] + ".",
            "two parts": accepted.rpartition(".")[0],
            "four parts": accepted + ".x",
            "the payload of another token": ".".join(
                (accepted.split(".")[0], self.hs256(sub="p2").split(".")[1], accepted.split(".")[2])
            ),
            "a role raised after signing": ".".join(
                (accepted.split(".")[0], part(self.good(role="instructor")), accepted.split(".")[2])
            ),
            "another issuer": self.hs256(iss="elsewhere"),
            "no issuer": self.hs256(iss=None),
            "another audience": self.hs256(aud="liveserver/link/recording"),
            "no audience": self.hs256(aud=None),
            "several audiences": self.hs256(aud=["liveserver/access", "liveserver/link/recording"]),
            "no expiry": self.hs256(exp=None),
            "an expiry that is text": self.hs256(exp="never"),
            "an expiry that is true": self.hs256(exp=True),
            "an expiry that is a fraction": self.hs256(exp=self.now + 0.5),
            "no time of issue": self.hs256(iat=None),
            "issued in the future": self.hs256(iat=self.now + SKEW_S + 1),
            "no token id": self.hs256(jti=None),
            "a person that is a number": self.hs256(sub=7),
            "no role": self.hs256(role=None),
            "an unknown role": self.hs256(role="root"),
            "a lesson that is a list": self.hs256(lesson=["*"]),
            "a payload that is no object": self.signed({"alg": "HS256"}, ["admin"]),
            "a payload that is no JSON": self.signed({"alg": "HS256"}, b"\xff\xfe"),
            "a header of nested brackets": f"{part(b'[' * 1400)}.e30.x",
            "a header with a huge number": f"{part(b'9' * 1400)}.e30.x",
            "longer than 2,048 characters": self.hs256(name="x" * TOKEN_MAX_CHARS),
            "a byte that is no ASCII": accepted[:-1] + "\udcff",
            "no JWT at all": "let-me-in",
            "with the word Bearer": "Bearer " + accepted,
        }

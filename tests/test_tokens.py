"""Access tokens and links: what is issued is accepted, everything else is refused (RELIABILITY A2)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from liveserver.core.errors import PeerError
from liveserver.core.permissions import Role
from liveserver.tokens import SKEW_S, TOKEN_MAX_CHARS, Claims, Tokens

KEY = bytes(range(32))
OTHER_KEY = bytes(range(1, 33))
NOW = 1_800_000_000
HOUR = 3600


def good(**changes: Any) -> dict[str, Any]:
    """The payload of a token that would be accepted, but for `changes` (None leaves a claim out)."""
    payload = {
        "iss": "liveserver",
        "aud": "liveserver/access",
        "sub": "p1",
        "name": "Li",
        "role": "admin",
        "lesson": "*",
        "iat": NOW,
        "exp": NOW + HOUR,
        "jti": "one",
    }
    payload.update(changes)
    return {claim: value for claim, value in payload.items() if value is not None}


def part(value: object) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(header: object, payload: object, key: bytes = KEY, digest: str = "sha256") -> str:
    """Any header over any payload with a signature that is right for `key` and `digest`."""
    body = f"{part(header)}.{part(payload)}"
    return f"{body}.{part(hmac.digest(key, body.encode(), digest))}"


def hs256(**changes: Any) -> str:
    return signed({"alg": "HS256", "typ": "JWT"}, good(**changes))


def by_other_algorithm(algorithm: str, key: Any) -> str:
    return jwt.encode(good(), key, algorithm=algorithm)


def embedded_key() -> str:
    """CVE-2018-0114: the token brings the key that verifies it."""
    private = ed25519.Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    header = {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": part(public)}}
    return jwt.encode(good(), private, algorithm="EdDSA", headers=header)


def flipped(token: str, segment: int) -> str:
    parts = token.split(".")
    data = bytearray(base64.urlsafe_b64decode(parts[segment] + "=="))
    data[len(data) // 2] ^= 1
    parts[segment] = part(bytes(data))
    return ".".join(parts)


ACCEPTED = hs256()

FORGED: dict[str, Callable[[], str]] = {
    "alg none without signature": lambda: f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(good())}.",
    "alg None in capitals": lambda: f"{part({'alg': 'NONE'})}.{part(good())}.",
    "alg none with our signature": lambda: signed({"alg": "none"}, good()),
    "alg missing": lambda: signed({"typ": "JWT"}, good()),
    "alg empty": lambda: signed({"alg": ""}, good()),
    "alg a list": lambda: signed({"alg": ["HS256"]}, good()),
    "alg in lower case": lambda: signed({"alg": "hs256"}, good()),
    "HS384 with our key": lambda: signed({"alg": "HS384"}, good(), digest="sha384"),
    "HS512 with our key": lambda: signed({"alg": "HS512"}, good(), digest="sha512"),
    "HS512 said, HS256 done": lambda: signed({"alg": "HS512"}, good()),
    "RS256 by a key of its own": lambda: by_other_algorithm(
        "RS256", rsa.generate_private_key(public_exponent=65537, key_size=2048)
    ),
    "ES256 by a key of its own": lambda: by_other_algorithm("ES256", ec.generate_private_key(ec.SECP256R1())),
    "EdDSA by a key of its own": lambda: by_other_algorithm("EdDSA", ed25519.Ed25519PrivateKey.generate()),
    "a key embedded in the header": embedded_key,
    "another key": lambda: signed({"alg": "HS256"}, good(), OTHER_KEY),
    "an empty key": lambda: signed({"alg": "HS256"}, good(), b""),
    "the key's hash as key": lambda: signed({"alg": "HS256"}, good(), hashlib.sha256(KEY).digest()),
    "another key named by kid": lambda: signed({"alg": "HS256", "kid": "../../dev/null"}, good(), b"\0" * 32),
    "an unknown critical extension": lambda: signed({"alg": "HS256", "crit": ["exp"], "exp": 1}, good()),
    "the header flipped by one bit": lambda: flipped(ACCEPTED, 0),
    "the payload flipped by one bit": lambda: flipped(ACCEPTED, 1),
    "the signature flipped by one bit": lambda: flipped(ACCEPTED, 2),
    "the signature cut short": lambda: ACCEPTED[:-8],
    "no signature": lambda: ACCEPTED.rpartition(".")[0] + ".",
    "two parts": lambda: ACCEPTED.rpartition(".")[0],
    "four parts": lambda: ACCEPTED + ".x",
    "the payload of another token": lambda: ".".join(
        (ACCEPTED.split(".")[0], hs256(sub="p2").split(".")[1], ACCEPTED.split(".")[2])
    ),
    "a role raised after signing": lambda: ".".join(
        (ACCEPTED.split(".")[0], part(good(role="instructor")), ACCEPTED.split(".")[2])
    ),
    "another issuer": lambda: hs256(iss="elsewhere"),
    "no issuer": lambda: hs256(iss=None),
    "another audience": lambda: hs256(aud="liveserver/link/recording"),
    "no audience": lambda: hs256(aud=None),
    "several audiences": lambda: hs256(aud=["liveserver/access", "liveserver/link/recording"]),
    "no expiry": lambda: hs256(exp=None),
    "an expiry that is text": lambda: hs256(exp="never"),
    "an expiry that is true": lambda: hs256(exp=True),
    "an expiry that is a fraction": lambda: hs256(exp=NOW + 0.5),
    "no time of issue": lambda: hs256(iat=None),
    "issued in the future": lambda: hs256(iat=NOW + SKEW_S + 1),
    "no token id": lambda: hs256(jti=None),
    "a person that is a number": lambda: hs256(sub=7),
    "no role": lambda: hs256(role=None),
    "an unknown role": lambda: hs256(role="root"),
    "a lesson that is a list": lambda: hs256(lesson=["*"]),
    "a payload that is no object": lambda: signed({"alg": "HS256"}, ["admin"]),
    "a payload that is no JSON": lambda: signed({"alg": "HS256"}, b"\xff\xfe"),
    "a header of nested brackets": lambda: f"{part(b'[' * 1400)}.e30.x",
    "a header with a huge number": lambda: f"{part(b'9' * 1400)}.e30.x",
    "longer than 2,048 characters": lambda: hs256(name="x" * TOKEN_MAX_CHARS),
    "a byte that is no ASCII": lambda: ACCEPTED[:-1] + "\udcff",
    "no JWT at all": lambda: "let-me-in",
    "with the word Bearer": lambda: "Bearer " + ACCEPTED,
}


class TestAnAccessToken:
    tokens = Tokens(KEY)

    def test_gives_back_what_it_was_issued_for(self) -> None:
        token = self.tokens.issue(
            person="p1", name="王小明", role=Role.LEARNER, lesson="l1", now_s=NOW, ttl_s=HOUR
        )
        claims = self.tokens.verify(token, NOW)
        assert claims == Claims("p1", "王小明", Role.LEARNER, "l1", NOW + HOUR, claims.token_id)

    def test_is_never_issued_twice_with_one_id(self) -> None:
        issued = [
            self.tokens.issue(person="p", name="n", role=Role.ADMIN, lesson="*", now_s=NOW, ttl_s=HOUR)
            for _ in range(100)
        ]
        assert len({self.tokens.verify(token, NOW).token_id for token in issued}) == 100

    def test_covers_its_lesson_or_all(self) -> None:
        one = self.tokens.verify(hs256(lesson="l1"), NOW)
        assert one.covers("l1")
        assert not one.covers("l2")
        assert not one.covers("*")
        assert self.tokens.verify(hs256(lesson="*"), NOW).covers("l2")

    def test_is_good_until_sixty_seconds_past_its_expiry_and_not_longer(self) -> None:
        token = hs256(exp=NOW)
        assert self.tokens.verify(token, NOW + SKEW_S)
        for late in (NOW + SKEW_S + 1, NOW + HOUR, NOW + 10**9):
            with pytest.raises(PeerError) as refused:
                self.tokens.verify(token, late)
            assert (refused.value.code, refused.value.status) == ("token_expired", 401)

    @pytest.mark.parametrize("nothing", [None, ""])
    def test_missing_is_said_so(self, nothing: str | None) -> None:
        with pytest.raises(PeerError) as refused:
            self.tokens.verify(nothing, NOW)
        assert (refused.value.code, refused.value.status) == ("token_missing", 401)

    def test_is_not_issued_longer_than_it_would_be_accepted(self) -> None:
        with pytest.raises(ValueError, match="2048"):
            self.tokens.issue(person="p", name="x" * 2048, role=Role.ADMIN, lesson="*", now_s=NOW, ttl_s=HOUR)


class TestForgedTokens:
    tokens = Tokens(KEY)

    def test_the_pattern_of_the_forgeries_would_be_accepted(self) -> None:
        assert self.tokens.verify(ACCEPTED, NOW).role is Role.ADMIN

    def test_are_more_than_forty_kinds(self) -> None:
        assert len(FORGED) >= 40

    @pytest.mark.parametrize("kind", FORGED)
    def test_are_refused_without_repeating_them(self, kind: str) -> None:
        token = FORGED[kind]()
        with pytest.raises(PeerError) as refused:
            self.tokens.verify(token, NOW)
        assert (refused.value.code, refused.value.status) == ("token_invalid", 401)
        assert token not in str(refused.value)

    @settings(deadline=None)
    @given(st.text(max_size=200) | st.from_regex(r"[\w-]{0,80}\.[\w-]{0,80}\.[\w-]{0,80}", fullmatch=True))
    def test_of_any_text_are_refused_by_name(self, text: str) -> None:
        with pytest.raises(PeerError) as refused:
            self.tokens.verify(text, NOW)
        assert refused.value.code in ("token_missing", "token_invalid")


class TestALink:
    tokens = Tokens(KEY)

    def test_names_its_subject(self) -> None:
        link = self.tokens.verify_link(
            "recording", self.tokens.sign_link("recording", "r1", NOW, 600), NOW + 600
        )
        assert (link.subject, link.expires_at_s) == ("r1", NOW + 600)
        assert link.token_id

    def test_of_one_kind_is_not_good_for_another(self) -> None:
        with pytest.raises(PeerError, match="token_invalid"):
            self.tokens.verify_link("setup", self.tokens.sign_link("recording", "r1", NOW, 600), NOW)

    def test_is_no_access_token_and_an_access_token_no_link(self) -> None:
        with pytest.raises(PeerError, match="token_invalid"):
            self.tokens.verify(self.tokens.sign_link("recording", "r1", NOW, 600), NOW)
        with pytest.raises(PeerError, match="token_invalid"):
            self.tokens.verify_link("recording", ACCEPTED, NOW)

    def test_expires(self) -> None:
        link = self.tokens.sign_link("recording", "r1", NOW, 600)
        with pytest.raises(PeerError, match="token_expired"):
            self.tokens.verify_link("recording", link, NOW + 600 + SKEW_S + 1)


class TestTheKeyFile:
    def test_is_made_once_readable_by_its_owner_alone(self, tmp_path: Path) -> None:
        path = tmp_path / "keys" / "tokens.key"
        token = Tokens.load_or_create(path).issue(
            person="p", name="n", role=Role.ADMIN, lesson="*", now_s=NOW, ttl_s=HOUR
        )
        assert path.stat().st_mode & 0o777 == 0o600
        assert len(path.read_bytes()) == 32
        assert [file.name for file in path.parent.iterdir()] == ["tokens.key"]
        assert Tokens.load_or_create(path).verify(token, NOW).person == "p"

    def test_differs_between_installations(self, tmp_path: Path) -> None:
        Tokens.load_or_create(tmp_path / "a")
        Tokens.load_or_create(tmp_path / "b")
        assert (tmp_path / "a").read_bytes() != (tmp_path / "b").read_bytes()

    def test_that_others_may_read_stops_the_start(self, tmp_path: Path) -> None:
        path = tmp_path / "tokens.key"
        Tokens.load_or_create(path)
        path.chmod(0o644)
        with pytest.raises(ValueError, match="0600"):
            Tokens.load_or_create(path)

    def test_that_is_cut_short_stops_the_start_and_stays(self, tmp_path: Path) -> None:
        path = tmp_path / "tokens.key"
        path.touch(0o600)
        path.write_bytes(b"short")
        with pytest.raises(ValueError, match="5 bytes"):
            Tokens.load_or_create(path)
        assert path.read_bytes() == b"short"

    def test_shorter_than_a_hash_is_no_key(self) -> None:
        with pytest.raises(ValueError, match="32"):
            Tokens(b"secret")

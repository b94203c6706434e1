"""What the log signs: bytes anybody can make again, signatures that fit one thing only, keys in a chain."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from liveserver.core import ed25519, heads
from liveserver.core.heads import Head, HeadError, LogKey, Receipt, Witnessed
from liveserver.core.ledger import Fact

FIRST, SECOND, STRANGER = (Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2, 3))


def public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


def by(key: Ed25519PrivateKey, signed: Any) -> Any:
    return replace(signed, signature=key.sign(heads.signed_bytes(signed.body())).hex())


LOG = heads.key_id(public(FIRST))
HEAD = by(FIRST, Head(LOG, 42, "ab" * 32, 1_772_415_000_123, LOG, None))
KEYS = {LOG: public(FIRST)}


def chain() -> list[LogKey]:
    """The log's first key, and the one it was handed on to."""
    first = by(FIRST, LogKey(LOG, 0, public(FIRST).hex(), 1, LOG, 0))
    first = replace(first, accepted=first.signature)
    second = by(FIRST, LogKey(LOG, 1, public(SECOND).hex(), 2, LOG, 42))
    return [first, replace(second, accepted=SECOND.sign(heads.signed_bytes(second.body())).hex())]


class TestSignatures:
    """RFC 8032 section 7.1."""

    @pytest.mark.parametrize(
        ("key", "message", "signature"),
        [
            (
                "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
                "",
                "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
                "d25bf5f0595bbe24655141438e7a100b",
            ),
            (
                "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
                "af82",
                "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
                "4a7c15e9716ed28dc027beceea1ec40a",
            ),
        ],
    )
    def test_of_the_standard_fit(self, key: str, message: str, signature: str) -> None:
        assert ed25519.verify(bytes.fromhex(key), bytes.fromhex(message), bytes.fromhex(signature))

    def test_of_openssl_fit_and_no_other_does(self) -> None:
        key, message = public(FIRST), b"the head of a log"
        signature = FIRST.sign(message)
        assert ed25519.verify(key, message, signature)
        for place in range(0, 64, 7):
            bent = bytearray(signature)
            bent[place] ^= 1 << place % 8
            assert not ed25519.verify(key, message, bytes(bent))
        assert not ed25519.verify(key, message + b".", signature)
        assert not ed25519.verify(public(SECOND), message, signature)

    def test_have_one_form_only(self) -> None:
        """The same scalar plus the group's order is refused (RFC 8032 8.4)."""
        signature = FIRST.sign(b"x")
        scalar = int.from_bytes(signature[32:], "little") + 2**252 + 27742317777372353535851937790883648493
        assert not ed25519.verify(public(FIRST), b"x", signature[:32] + scalar.to_bytes(32, "little"))

    @pytest.mark.parametrize("key", [b"", b"\xff" * 32, b"\x02" + bytes(31), bytes(31)])
    def test_under_something_that_is_no_key_do_not_fit(self, key: bytes) -> None:
        assert not ed25519.verify(key, b"x", FIRST.sign(b"x"))


class TestHead:
    def test_is_signed_over_its_canonical_json(self) -> None:
        assert (
            heads.signed_bytes(HEAD.document())
            == (
                f'{{"at_ms":1772415000123,"key":"{LOG}","log":"{LOG}","previous":null,"root":"{"ab" * 32}",'
                '"size":42,"type":"liveserver/head/1"}'
            ).encode()
        )

    def test_comes_back_from_its_document(self) -> None:
        assert Head.read(json.loads(json.dumps(HEAD.document()))) == HEAD
        heads.check(HEAD, KEYS, LOG)

    def test_changed_in_any_member_does_not_fit(self) -> None:
        changes: dict[str, Any] = {
            "size": 41,
            "root": "ac" * 32,
            "at_ms": HEAD.at_ms - 1,
            "previous": "00" * 32,
            "log": "01" * 32,
        }
        for name, value in changes.items():
            with pytest.raises(HeadError, match="signature"):
                heads.check(replace(HEAD, **{name: value}), KEYS)

    def test_of_a_stranger_or_of_another_log_is_refused(self) -> None:
        stranger = heads.key_id(public(STRANGER))
        with pytest.raises(HeadError, match="key"):
            heads.check(by(STRANGER, replace(HEAD, key=stranger)), KEYS)
        with pytest.raises(HeadError, match="another log"):
            heads.check(HEAD, KEYS, "00" * 32)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("type", "liveserver/receipt/1"),
            ("size", "42"),
            ("size", True),
            ("size", -1),
            ("size", 2**53),
            ("root", "AB" * 32),
            ("root", None),
            ("signature", "ab"),
            ("previous", 0),
        ],
    )
    def test_malformed_is_refused_by_the_members_name(self, name: str, value: object) -> None:
        with pytest.raises(HeadError, match=name):
            Head.read(HEAD.document() | {name: value})

    def test_with_two_faces_is_a_contradiction(self) -> None:
        """REL-E4: two heads of one size, both signed, with different roots."""
        other = by(FIRST, replace(HEAD, root="cd" * 32))
        heads.check(other, KEYS, LOG)
        assert heads.contradict(HEAD, other)
        assert not heads.contradict(HEAD, by(FIRST, replace(HEAD, size=43)))


class TestOtherThingsSigned:
    def test_come_back_from_their_documents(self) -> None:
        fact = heads.fact_hash(Fact("join", "l1", 5, {"person": "p1"}))
        accepted = by(FIRST, Receipt(LOG, fact, 6, LOG))
        kept = by(FIRST, Receipt(LOG, fact, 6, LOG, 41, "cd" * 32))
        seen = by(FIRST, Witnessed(LOG, 42, HEAD.root, HEAD.hash(), 7, LOG))
        for signed in (accepted, kept, seen):
            assert type(signed).read(signed.document()) == signed
            heads.check(signed, KEYS, LOG)

    def test_a_receipt_names_what_an_entry_has_but_for_its_place(self) -> None:
        assert heads.fact_hash(Fact("join", "l1", 5, {"b": 1, "a": 2})) == heads.fact_hash(
            Fact("join", "l1", 5, {"a": 2, "b": 1})
        )
        assert heads.fact_hash(Fact("join", "l1", 5, {})) != heads.fact_hash(Fact("join", "l1", 6, {}))


class TestKeys:
    def test_follow_from_the_logs_name_to_the_key_of_today(self) -> None:
        assert heads.follow(LOG, chain()) == {
            LOG: public(FIRST),
            heads.key_id(public(SECOND)): public(SECOND),
        }

    def test_not_handed_over_by_the_one_before_are_refused(self) -> None:
        first, second = chain()
        with pytest.raises(HeadError, match="key 1: a signature"):
            heads.follow(LOG, [first, by(STRANGER, second)])
        with pytest.raises(HeadError, match="key 1: a signature"):
            heads.follow(LOG, [first, replace(second, accepted=second.signature)])
        with pytest.raises(HeadError, match="key 0: it does not follow"):
            heads.follow(LOG, [second])
        with pytest.raises(HeadError, match="named by"):
            heads.follow("00" * 32, [replace(first, log="00" * 32, key="00" * 32)])

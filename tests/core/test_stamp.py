"""Time stamps of a real authority (openssl's), checked by the standard library alone."""

from __future__ import annotations

import base64
import json
import os
import random
import subprocess
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from liveserver.core import der, stamp
from liveserver.core.der import DerError
from liveserver.core.stamp import Stamp, StampError
from tests.authority import KEYS, Authority

DIGEST = "5a" * 32
FULL = os.environ.get("RELIABILITY") == "full"


@pytest.fixture(scope="module", params=[*((key, "sha256") for key in KEYS), ("rsa", "sha512")])
def answer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    key, digest = request.param
    authority = Authority(tmp_path_factory.mktemp(key) / "tsa", key, digest)
    found = authority.stamp(DIGEST)
    assert "OK" in authority.verify(DIGEST, found)
    return found


PAGE = (Path(__file__).parents[2] / "web/static/lib/bundle/stamp.js").as_uri()
PAGE_CHECK = """
import { readFileSync } from 'node:fs';
const { checkStamp } = await import(process.argv[1]);
const lacking = process.argv[2] === 'lacking';
if (lacking) crypto.subtle.importKey = async () => { throw new DOMException('', 'NotSupportedError'); };
const found = [];
for (const text of JSON.parse(readFileSync(0, 'utf8'))) {
  try {
    found.push(await checkStamp(new Uint8Array(Buffer.from(text, 'base64')), new Uint8Array(32).fill(0x5a)));
  } catch (problem) {
    if (!problem.code) throw problem;
    found.push(problem.code);
  }
}
console.log(JSON.stringify(found));
"""


def checked(answer: bytes) -> Stamp:
    return stamp.check(answer, bytes.fromhex(DIGEST))


class TestAStamp:
    def test_says_when_by_whom_and_under_which_number(self, answer: bytes) -> None:
        found = checked(answer)
        assert (found.serial, found.authority) == (2, "Test TSA")
        assert len(found.certificate) == 64

    def test_of_something_else_is_refused(self, answer: bytes) -> None:
        with pytest.raises(StampError, match="something else"):
            stamp.check(answer, bytes(32))

    def test_any_byte_of_which_is_changed_says_nothing_else(self, answer: bytes) -> None:
        """What is not signed, such as the signer's name beside the signed one, says nothing."""
        original, passed = checked(answer), 0
        every = range(len(answer))
        places = every if FULL else random.Random(5).sample(every, 250)
        for at in places:
            changed = answer[:at] + bytes([answer[at] ^ (1 << at % 8)]) + answer[at + 1 :]
            try:
                found = checked(changed)
            except StampError:
                continue
            assert found == original, at
            passed += 1
        assert passed < len(places) // 6

    def test_cut_short_or_grown_is_refused(self, answer: bytes) -> None:
        for forged in (
            b"",
            answer[:-1],
            answer + b"\0",
            answer[: len(answer) // 2],
            b"\x30\x84" + answer[2:],
        ):
            with pytest.raises(StampError):
                checked(forged)

    def test_that_is_noise_is_refused_by_name_whatever_it_is(self, answer: bytes) -> None:
        chance = random.Random(7)
        for _ in range(300):
            forged = bytearray(answer)
            for _ in range(chance.randrange(1, 12)):
                forged[chance.randrange(len(forged))] = chance.randrange(256)
            try:
                checked(bytes(forged))
            except StampError:
                continue
        with pytest.raises(StampError, match="too long"):
            checked(bytes(stamp.TOKEN_MAX_BYTES + 1))


def flipped(answer: bytes, at: int) -> bytes:
    return answer[:at] + bytes([answer[at] ^ (1 << at % 8)]) + answer[at + 1 :]


def by_the_page(answers: Sequence[bytes], *, lacking: bool = False) -> list[Any]:
    """What the inspector's page finds of each: the stamp, or the code of why it does not hold."""
    given = json.dumps([base64.b64encode(answer).decode() for answer in answers])
    command = ["node", "--input-type=module", "-e", PAGE_CHECK, PAGE, "lacking" if lacking else "all"]
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: list[Any] = json.loads(done.stdout)
    return found


def by_the_command(answer: bytes) -> Any:
    """The same of the command line's checker."""
    try:
        found = checked(answer)
    except StampError as error:
        return error.code
    return {
        "atMs": found.at_ms,
        "serial": str(found.serial),
        "certificate": found.certificate,
        "authority": found.authority,
        "checked": True,
    }


class TestThePagesChecker:
    """web/static/lib/bundle/stamp.js: another program, by WebCrypto, with the same verdicts."""

    def test_finds_the_same_stamp(self, answer: bytes) -> None:
        (found,) = by_the_page([answer])
        assert found == by_the_command(answer)
        assert found["checked"] is True

    def test_says_the_same_of_one_any_byte_of_which_is_changed(self, answer: bytes) -> None:
        chance, every = random.Random(11), range(len(answer))
        forged = [flipped(answer, at) for at in (every if FULL else chance.sample(every, 300))]
        for _ in range(200):
            noise = bytearray(answer)
            for _ in range(chance.randrange(1, 12)):
                noise[chance.randrange(len(noise))] = chance.randrange(256)
            forged.append(bytes(noise))
        forged += [b"", answer[:-1], answer + b"\0", answer[:-9], b"\x30\x84" + answer[2:], bytes(70_000)]
        expected = [by_the_command(one) for one in forged]
        assert by_the_page(forged) == expected
        told = {one for one in expected if isinstance(one, str)}
        assert {"form", "certificate", "signature"} <= told

    def test_says_the_same_of_the_signature_s_last_bytes(self, answer: bytes) -> None:
        forged = [flipped(answer, len(answer) - 1 - back) for back in range(24)]
        found = by_the_page(forged)
        assert found == [by_the_command(one) for one in forged]
        assert set(found) <= {"signature", "form"}

    def test_of_a_browser_that_lacks_the_algorithm_says_that_it_is_not_checked(self, answer: bytes) -> None:
        (found,) = by_the_page([answer], lacking=True)
        assert found == by_the_command(answer) | {"checked": False}


def judged(answer: bytes) -> Any:
    """Alike by both checkers."""
    found = by_the_command(answer)
    assert by_the_page([answer]) == [found]
    return found


@pytest.fixture(scope="module")
def by_ec(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("by-ec") / "tsa", "p256", names="sha1")


@pytest.fixture(scope="module")
def by_rsa(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("by-rsa") / "tsa")


class TestACertificate:
    def test_without_a_day_of_expiry_is_valid(self, by_ec: Authority) -> None:
        """RFC 5280 4.1.2.5: 99991231235959Z."""
        by_ec.certify(end=datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC))
        assert judged(by_ec.stamp(DIGEST))["authority"] == "Test TSA"

    @pytest.mark.parametrize(("begin", "end"), [(2020, 9999), (2090, 2091), (2020, 2021)])
    def test_of_another_time_is_not(self, by_ec: Authority, begin: int, end: int) -> None:
        """Another moment of the year 9999 is no time that a certificate has."""
        times = datetime(begin, 1, 1, tzinfo=UTC), datetime(end, 12, 31, 23, 59, 58, tzinfo=UTC)
        by_ec.certify(begin=times[0], end=times[1])
        assert judged(by_ec.stamp(DIGEST)) == ("form" if end == 9999 else "validity")

    def test_named_by_sha_1_is_found(self, by_ec: Authority) -> None:
        by_ec.certify()
        assert judged(by_ec.stamp(DIGEST))["checked"] is True

    @pytest.mark.parametrize(
        ("old", "new", "code"),
        [
            (der.oid("1.3.6.1.5.5.7.3.8"), der.oid("1.3.6.1.5.5.7.3.3"), "use"),
            (b"\x01\x01\xff\x04\x0c", b"\x01\x01\x00\x04\x0c", "use"),
            (b"Test TSA", b"Test\xe2\x80\xa8A", None),
        ],
        ids=["of another use", "of a use that may be overlooked", "of a name that cannot be printed"],
    )
    def test_of_an_authority_that_signs_anything(
        self, by_rsa: Authority, old: bytes, new: bytes, code: str | None
    ) -> None:
        found = judged(resigned(by_rsa, by_rsa.stamp(DIGEST), old, new))
        assert found == code or found["authority"] == "Test?A"


def resigned(authority: Authority, answer: bytes, old: bytes, new: bytes) -> bytes:
    """The certificate with something else in it, named and signed by the authority's RSA key."""
    pem = x509.load_pem_x509_certificate((authority.folder / "tsa.pem").read_bytes())
    own = pem.public_bytes(serialization.Encoding.DER)
    assert own.count(old) and len(old) == len(new)
    other = new.join(own.rsplit(old, 1))
    forged = answer.replace(own, other).replace(sha256(own).digest(), sha256(other).digest())
    key = serialization.load_pem_private_key((authority.folder / "tsa.key").read_bytes(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    attributes = b"\x31" + signed_attributes(forged)[1:]
    return forged[: -key.key_size // 8] + key.sign(attributes, padding.PKCS1v15(), hashes.SHA256())


def signed_attributes(answer: bytes) -> bytes:
    """TimeStampResp → ContentInfo → SignedData → SignerInfo (RFC 5652): each the last of what it is in."""
    info = list(each(list(each(der.whole(answer, der.SEQUENCE)))[-1]))[-1]
    signers = list(each(der.whole(info.content, der.SEQUENCE)))[-1]
    (signer,) = each(signers)
    return next(one.whole for one in each(signer) if one.tag == der.inner(0))


def each(value: der.Value) -> Iterator[der.Value]:
    fields = value.fields()
    while fields.more():
        yield fields.any()


class TestAWayOfSigning:
    def test_that_neither_checker_knows_is_refused(self, by_rsa: Authority) -> None:
        """RSASSA-PSS's name where rsaEncryption's is: it is not signed itself."""
        answer = by_rsa.stamp(DIGEST)
        at = answer.rindex(der.oid("1.2.840.113549.1.1.1")) + 8
        assert judged(answer[:at] + b"\x0a" + answer[at + 1 :]) == "unknown"


class TestDer:
    @pytest.mark.parametrize(
        "text",
        [
            "",
            "30",
            "3080",
            "308100",
            "30820001ff",
            "30810100",
            "3f0100",
            "3002",
            "0201",
            "30847fffffff",
            "3000ff",
        ],
    )
    def test_in_another_form_than_the_one_is_refused(self, text: str) -> None:
        with pytest.raises(DerError):
            der.whole(bytes.fromhex(text), der.SEQUENCE)

    @pytest.mark.parametrize(
        ("text", "number"),
        [("020100", 0), ("0201ff", -1), ("02020080", 128), ("020200", None), ("02020001", None)],
    )
    def test_whole_numbers_have_their_shortest_form(self, text: str, number: int | None) -> None:
        try:
            assert der.whole(bytes.fromhex(text), der.INTEGER).integer() == number
        except DerError:
            assert number is None

    @pytest.mark.parametrize(
        ("tag", "text", "ms"),
        [
            (der.TIME, "20260302010005.25Z", 1_772_413_205_250),
            (der.TIME, "20260302010005Z", 1_772_413_205_000),
            (der.UTC_TIME, "260302010005Z", 1_772_413_205_000),
            (der.UTC_TIME, "20260302010005Z", None),
            (der.TIME, "260302010005Z", None),
            (der.TIME, "20261302010005Z", None),
            (der.TIME, "20260302010005+0800", None),
        ],
    )
    def test_times_are_in_utc_and_have_seconds(self, tag: int, text: str, ms: int | None) -> None:
        try:
            assert der.Value(tag, text.encode(), b"").time_ms() == ms
        except DerError:
            assert ms is None

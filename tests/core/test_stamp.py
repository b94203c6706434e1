"""Time stamps of a real authority (openssl's), checked by the standard library alone."""

from __future__ import annotations

import os
import random

import pytest

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

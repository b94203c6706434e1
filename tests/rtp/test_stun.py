"""RFC 8489, with the published vectors of RFC 5769; aioice stands in as the other implementation."""

from __future__ import annotations

import contextlib

import aioice.stun
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveserver.core.errors import PeerError
from liveserver.rtp import stun

PASSWORD = b"VOkJxbRl1RmTxUk/WvJxBt"
TRANSACTION = bytes.fromhex("b7e7a701bc34d686fa87dfae")
SAMPLE_REQUEST = bytes.fromhex(
    "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74"
    "002400046e0001ff80290008932ff9b151263b36000600096576746a3a68367659202020"
    "000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf"
)
SAMPLE_IPV4_RESPONSE = bytes.fromhex(
    "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220"
    "002000080001a147e112a643000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96"
)
SAMPLE_IPV6_RESPONSE = bytes.fromhex(
    "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220"
    "002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d900080014a382954e4be67bf11784c97c8292c275bfe3ed41"
    "80280004c8fb0b4c"
)


def theirs(message: aioice.stun.Message, key: bytes) -> bytes:
    """MESSAGE-INTEGRITY as the other implementation makes it for the same message."""
    copy = aioice.stun.Message(
        message.message_method, message.message_class, message.transaction_id, dict(message.attributes)
    )
    copy.add_message_integrity(key)
    return copy.attributes["MESSAGE-INTEGRITY"]


class TestPublishedVectors:
    def test_the_sample_request(self):
        message = stun.parse(SAMPLE_REQUEST)
        assert message.is_binding_request
        assert (message.transaction_id, message.username) == (TRANSACTION, "evtj:h6vY")
        assert (message.priority, message.ice_controlled) == (0x6E0001FF, 0x932FF9B151263B36)
        assert message.ice_controlling is None and not message.use_candidate
        assert message.fingerprint and message.verify_integrity(PASSWORD)

    @pytest.mark.parametrize(
        ("data", "mapped"),
        [
            (SAMPLE_IPV4_RESPONSE, ("192.0.2.1", 32853)),
            (SAMPLE_IPV6_RESPONSE, ("2001:db8:1234:5678:11:2233:4455:6677", 32853)),
        ],
    )
    def test_the_sample_responses(self, data, mapped):
        message = stun.parse(data)
        assert (message.cls, message.mapped) == (stun.Class.SUCCESS, mapped)
        assert not message.is_binding_request
        assert message.fingerprint and message.verify_integrity(PASSWORD)


class TestIntegrity:
    def test_another_password_does_not_verify(self):
        assert not stun.parse(SAMPLE_REQUEST).verify_integrity(b"other")

    def test_a_message_without_integrity_does_not_verify(self):
        bare = bytes.fromhex("000100002112a442") + TRANSACTION
        assert not stun.parse(bare).verify_integrity(b"")

    def test_any_changed_octet_is_refused_or_does_not_verify(self):
        request = stun.binding_request(TRANSACTION, "a:b", PASSWORD)
        for position in range(len(request) - 8):  # the fingerprint behind it is covered by nothing
            changed = request[:position] + bytes((request[position] ^ 1,)) + request[position + 1 :]
            with contextlib.suppress(PeerError):
                assert not stun.parse(changed).verify_integrity(PASSWORD)

    def test_what_follows_integrity_is_not_believed(self):
        body = stun.binding_request(TRANSACTION, "a:b", PASSWORD)[:-8] + bytes.fromhex("00250000")
        forged = body[:2] + (len(body) - 20).to_bytes(2) + body[4:]
        message = stun.parse(forged)
        assert message.verify_integrity(PASSWORD) and not message.use_candidate


class TestAnswers:
    @pytest.mark.parametrize(
        ("host", "told"), [("192.0.2.7", None), ("2001:db8::1", None), ("::ffff:192.0.2.7", "192.0.2.7")]
    )
    def test_tells_where_the_check_came_from(self, host, told):
        answer = stun.parse(stun.binding_success(TRANSACTION, (host, 40000), PASSWORD))
        assert (answer.cls, answer.transaction_id) == (stun.Class.SUCCESS, TRANSACTION)
        assert answer.mapped == (told or host, 40000)
        assert answer.fingerprint and answer.verify_integrity(PASSWORD)

    def test_another_implementation_reads_them(self):
        data = stun.binding_success(TRANSACTION, ("2001:db8::1", 40000), PASSWORD)
        message = aioice.stun.parse_message(data)
        assert message.attributes["XOR-MAPPED-ADDRESS"] == ("2001:db8::1", 40000)
        assert message.attributes["MESSAGE-INTEGRITY"] == theirs(message, PASSWORD)

    def test_requests_of_another_implementation_are_read(self):
        request = aioice.stun.Message(aioice.stun.Method.BINDING, aioice.stun.Class.REQUEST)
        request.attributes |= {
            "USERNAME": "us:them",
            "PRIORITY": 7,
            "USE-CANDIDATE": None,
            "ICE-CONTROLLING": 9,
        }
        request.add_message_integrity(PASSWORD)
        message = stun.parse(bytes(request))
        assert (message.username, message.priority, message.ice_controlling) == ("us:them", 7, 9)
        assert message.use_candidate and message.fingerprint and message.verify_integrity(PASSWORD)

    def test_our_requests_are_read_by_another_implementation(self):
        data = stun.binding_request(TRANSACTION, "us:them", PASSWORD, priority=7, use_candidate=True)
        message = aioice.stun.parse_message(data)
        assert message.attributes["USERNAME"] == "us:them" and "USE-CANDIDATE" in message.attributes
        assert message.attributes["MESSAGE-INTEGRITY"] == theirs(message, PASSWORD)


class TestRefusals:
    def attributes(self, *hexes: str) -> bytes:
        body = b"".join(bytes.fromhex(text) for text in hexes)
        return b"\x00\x01" + len(body).to_bytes(2) + b"\x21\x12\xa4\x42" + TRANSACTION + body

    @pytest.mark.parametrize(
        "hexes",
        [
            ["00060009 61626364"],  # longer than the message
            ["0024000200010000"],  # priority of two octets
            ["00080004 00000000"],  # integrity of four octets
            ["00200004 00010000"],  # address without an address
            ["00200008 00030000 00000000"],  # family 3
            ["80280004 00000000"],  # wrong fingerprint
            ["80300000"] * 21,
        ],
    )
    def test_attributes_that_do_not_hold(self, hexes):
        with pytest.raises(PeerError) as refused:
            stun.parse(self.attributes(*hexes))
        assert refused.value.code == "stun_malformed"

    def test_twenty_attributes_are_taken(self):
        assert stun.parse(self.attributes(*["80300000"] * 20)).username is None

    @pytest.mark.parametrize(
        "data", [b"", b"\x00", bytes(20), SAMPLE_REQUEST[:-1], SAMPLE_REQUEST + bytes(4)]
    )
    def test_what_is_no_stun_message(self, data):
        with pytest.raises(PeerError):
            stun.parse(data)

    def test_telling_stun_from_other_datagrams(self):
        assert stun.is_stun(SAMPLE_REQUEST)
        assert not any(stun.is_stun(data) for data in (b"", bytes(20), b"\x80" + SAMPLE_REQUEST[1:]))


class TestHostileInput:
    def test_the_corpus_parses_or_is_refused(self, corpus):
        for data in corpus("stun"):
            with contextlib.suppress(PeerError):
                stun.parse(data).verify_integrity(PASSWORD)

    @given(st.binary(max_size=64).map(lambda body: body[: len(body) // 4 * 4]), st.integers(0, 0x3FFF))
    def test_any_attributes_parse_or_are_refused(self, body, kind):
        data = kind.to_bytes(2) + len(body).to_bytes(2) + b"\x21\x12\xa4\x42" + TRANSACTION + body
        with contextlib.suppress(PeerError):
            stun.parse(data).verify_integrity(PASSWORD)

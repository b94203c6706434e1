"""RFC 3550 §5.1, RFC 8285, RFC 5761."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveserver.core.errors import PeerError
from liveserver.rtp import header

WORDS = st.integers(0, 2**32 - 1)


def packet(**fields) -> bytes:
    return header.build(**{"payload_type": 96, "sequence": 1, "timestamp": 2, "ssrc": 3, **fields})


class TestParsing:
    def test_reads_every_field_of_the_fixed_header(self):
        found = header.parse(bytes.fromhex("80e00102a1b2c3d4deadbeef") + b"media")
        assert (found.marker, found.payload_type, found.sequence) == (True, 96, 0x0102)
        assert (found.timestamp, found.ssrc, found.payload) == (0xA1B2C3D4, 0xDEADBEEF, b"media")

    def test_payload_starts_after_csrcs_and_extensions(self):
        found = header.parse(packet(csrcs=(7, 8), extensions={1: b"mid"}, payload=b"media"))
        assert found.payload_offset == 12 + 8 + 8
        assert found.payload == b"media"

    def test_padding_is_no_payload(self):
        found = header.parse(packet(payload=b"media", padding=7))
        assert (found.payload, found.padding) == (b"media", 7)

    def test_a_packet_of_padding_alone_has_an_empty_payload(self):
        assert header.parse(packet(padding=255)).payload == b""

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"\x80",
            bytes(11),
            bytes(12),  # version 0
            b"\x40" + bytes(11),
            b"\x81" + bytes(11),  # one CSRC, none there
            b"\x90" + bytes(11),  # extension bit, nothing there
            b"\x90" + bytes(11) + b"\xbe\xde\x00\x02" + bytes(4),  # extension of two words, one there
            b"\xa0" + bytes(11),  # padding bit without a payload
            b"\xa0" + bytes(11) + b"\x00",  # padding of nothing
            b"\xa0" + bytes(11) + b"\x02",  # padding longer than the payload
        ],
    )
    def test_refuses_by_name_what_does_not_add_up(self, data):
        with pytest.raises(PeerError) as refused:
            header.parse(data)
        assert refused.value.code == "rtp_malformed"


class TestExtensions:
    def test_one_byte_elements_are_found_by_id(self):
        found = header.parse(packet(extensions={1: b"0", 4: b"\x12\x34", 14: bytes(16)}))
        assert found.data[12:14] == b"\xbe\xde"
        assert (found.extension(1), found.extension(4), found.extension(14)) == (b"0", b"\x12\x34", bytes(16))
        assert found.extension(2) is None

    def test_two_byte_elements_are_found_by_id(self):
        found = header.parse(packet(extensions={1: b"", 200: bytes(17)}))
        assert found.data[12:14] == b"\x10\x00"
        assert (found.extension(1), found.extension(200), found.extension(5)) == (b"", bytes(17), None)

    def test_padding_octets_between_elements_are_passed_over(self):
        block = bytes.fromhex("bede0002 00 10aa 0000 20bb 00")
        found = header.parse(b"\x90" + packet()[1:] + block)
        assert (found.extension(1), found.extension(2)) == (b"\xaa", b"\xbb")

    def test_id_15_ends_the_list(self):
        found = header.parse(b"\x90" + packet()[1:] + bytes.fromhex("bede0001 f0 10aa 00"))
        assert found.extension(1) is None

    def test_a_truncated_element_is_absent(self):
        found = header.parse(b"\x90" + packet()[1:] + bytes.fromhex("bede0001 1faabbcc"))
        assert found.extension(1) is None

    def test_an_unknown_profile_has_no_elements(self):
        found = header.parse(b"\x90" + packet()[1:] + bytes.fromhex("cafe0001 10aabbcc"))
        assert found.extension(1) is None

    def test_no_extension_has_no_elements(self):
        assert header.parse(packet()).extension(1) is None


class TestTellingRtcp:
    @pytest.mark.parametrize("second", [200, 201, 205, 206, 192, 223])
    def test_rtcp_packet_types(self, second):
        assert header.is_rtcp(bytes((0x80, second)))

    @pytest.mark.parametrize("second", [96, 127, 96 | 0x80, 63, 191, 224, 0])
    def test_rtp_payload_types_with_and_without_marker(self, second):
        assert not header.is_rtcp(bytes((0x80, second)))

    def test_too_short_to_tell(self):
        assert not header.is_rtcp(b"") and not header.is_rtcp(b"\x80")


class TestRoundTrip:
    @given(
        payload_type=st.integers(0, 127),
        sequence=st.integers(0, 65535),
        timestamp=WORDS,
        ssrc=WORDS,
        payload=st.binary(max_size=64),
        marker=st.booleans(),
        csrcs=st.lists(WORDS, max_size=15),
        extensions=st.dictionaries(st.integers(1, 255), st.binary(max_size=40), max_size=6),
        padding=st.integers(0, 255),
    )
    def test_what_is_built_is_read(self, extensions, csrcs, **fields):
        found = header.parse(header.build(extensions=extensions, csrcs=csrcs, **fields))
        assert {name: getattr(found, name) for name in fields} == fields
        assert {key: found.extension(key) for key in extensions} == extensions


class TestHostileInput:
    def test_the_corpus_parses_or_is_refused(self, corpus):
        for data in corpus("rtp"):
            examine(data)

    @given(st.binary(max_size=80))
    def test_any_octets_parse_or_are_refused(self, data):
        examine(data)
        examine(b"\x90" + data)


def examine(data: bytes) -> None:
    with contextlib.suppress(PeerError):
        found = header.parse(data)
        assert len(found.payload) + found.payload_offset + found.padding == len(data)
        for identifier in (1, 3, 14, 200):
            found.extension(identifier)

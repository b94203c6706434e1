"""RFC 3550 §6, RFC 4585 §6, RFC 5104 §4.3.1, REMB."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveserver.core.errors import PeerError
from liveserver.rtp import rtcp

U8, U16, U32 = (st.integers(0, 2**bits - 1) for bits in (8, 16, 32))
SSRCS = st.lists(U32, max_size=31).map(tuple)
NAMES = st.text(max_size=60)
BLOCKS = st.builds(rtcp.ReportBlock, U32, U8, st.integers(-(2**23), 2**23 - 1), U32, U32, U32, U32)
REPORTS = st.lists(BLOCKS, max_size=31).map(tuple)
PACKETS = st.one_of(
    st.builds(rtcp.SenderReport, U32, st.integers(0, 2**64 - 1), U32, U32, U32, REPORTS),
    st.builds(rtcp.ReceiverReport, U32, REPORTS),
    st.builds(rtcp.SourceDescription, st.dictionaries(U32, NAMES, max_size=31)),
    st.builds(rtcp.Bye, SSRCS, NAMES),
    st.builds(rtcp.PictureLoss, U32, U32),
    st.builds(rtcp.FullIntraRequest, U32, st.lists(st.tuples(U32, U8), max_size=20).map(tuple)),
    st.builds(rtcp.Remb, U32, st.integers(0, 2**18 - 1), SSRCS),
)


class TestCompound:
    def test_sender_report_with_description_and_bye(self):
        packets = [
            rtcp.SenderReport(1, 0xE9300000_80000000, 90000, 10, 1000),
            rtcp.SourceDescription({1: "lesson"}),
            rtcp.Bye((1,), "over"),
        ]
        assert rtcp.parse(rtcp.build(packets)) == packets

    def test_types_it_does_not_know_are_skipped(self):
        app = bytes.fromhex("80cc0002 00000001 41414141")
        xr = bytes.fromhex("80cf0001 00000001")
        transport_cc = bytes.fromhex("8fcd0002 00000001 00000002")
        assert rtcp.parse(app + xr + transport_cc + rtcp.PictureLoss(1, 2).build()) == [
            rtcp.PictureLoss(1, 2)
        ]

    def test_reduced_size_feedback_needs_no_report_before_it(self):
        assert rtcp.parse(rtcp.PictureLoss(1, 2).build()) == [rtcp.PictureLoss(1, 2)]

    def test_each_chunk_names_one_source(self):
        one = bytes.fromhex("00000001 0103616263 000000")
        two = bytes.fromhex("00000002 02017a 010178 0000")
        assert rtcp.parse(bytes.fromhex("82ca0006") + one + two) == [
            rtcp.SourceDescription({1: "abc", 2: "x"})
        ]

    def test_the_last_packet_may_be_padded(self):
        assert rtcp.parse(bytes.fromhex("a1cb0002 00000007 00000004")) == [rtcp.Bye((7,))]

    def test_lost_packets_may_be_negative(self):
        report = rtcp.ReceiverReport(1, (rtcp.ReportBlock(2, 255, -3, 70000, 12, 5, 6),))
        assert rtcp.parse(report.build()) == [report]


class TestNack:
    def test_runs_of_seventeen_share_one_entry(self):
        nack = rtcp.Nack(1, 2, tuple(range(100, 117)))
        assert nack.build() == bytes.fromhex("81cd0003 00000001 00000002 0064ffff")
        assert rtcp.parse(nack.build()) == [nack]

    def test_runs_go_across_the_wrap(self):
        nack = rtcp.Nack(1, 2, (65534, 65535, 0, 3))
        assert len(nack.build()) == 16
        assert rtcp.parse(nack.build()) == [nack]

    def test_at_most_1024_are_read(self):
        body = bytes(8) + b"".join(n.to_bytes(2) + b"\xff\xff" for n in range(0, 65535 - 17, 17))[:1400]
        data = b"\x81\xcd" + (len(body) // 4).to_bytes(2) + body
        (nack,) = rtcp.parse(data)
        assert isinstance(nack, rtcp.Nack) and len(nack.sequences) == rtcp.MAX_NACKED

    @given(st.sets(U16, max_size=200))
    def test_every_sequence_asked_for_is_read(self, wanted):
        nack = rtcp.Nack(1, 2, tuple(sorted(wanted)))
        (found,) = rtcp.parse(nack.build())
        assert isinstance(found, rtcp.Nack) and found.sequences == nack.sequences


class TestRemb:
    def test_rate_is_rounded_down_to_eighteen_bits(self):
        (found,) = rtcp.parse(rtcp.Remb(1, 2_500_001, (7, 8)).build())
        assert found == rtcp.Remb(1, 2_500_000, (7, 8))

    def test_other_application_feedback_is_skipped(self):
        assert rtcp.parse(bytes.fromhex("8fce0003 00000001 00000000 4c4f5353")) == []


class TestRefusals:
    @pytest.mark.parametrize(
        "data",
        [
            "",
            "80c9",
            "00c90001 00000001",  # version 0
            "80c90002 00000001",  # length past the end
            "81c90001 00000001",  # one report block, none there
            "80c80001 00000001",  # sender report without sender info
            "81cb0000",  # bye to one source, none there
            "81cb0002 00000001 09616263",  # reason longer than the packet
            "81ca0001 00000001",  # chunk without its items
            "81ca0002 00000001 01ff6162",  # item longer than the chunk
            "81cd0001 00000001",  # feedback without media source
            "8fce0003 00000001 00000000 52454d42",  # REMB without a rate
            "8fce0004 00000001 00000000 52454d42 02000000",  # REMB with two sources, none there
            "a0cb0000",  # padding of nothing
            "a1cb0002 00000007 00000005",  # padding that is no multiple of four
            "a1cb0002 00000007 0000000c",  # padding longer than the packet
            "a1cb0002 00000007 00000004 80c90001 00000001",  # padding before the last packet
        ],
    )
    def test_refuses_by_name(self, data):
        with pytest.raises(PeerError) as refused:
            rtcp.parse(bytes.fromhex(data))
        assert refused.value.code == "rtcp_malformed"


class TestRoundTrip:
    @given(st.lists(PACKETS, min_size=1, max_size=4))
    def test_what_is_built_is_read(self, packets):
        assert rtcp.parse(rtcp.build(packets)) == packets


class TestHostileInput:
    def test_the_corpus_parses_or_is_refused(self, corpus):
        for data in corpus("rtcp"):
            with contextlib.suppress(PeerError):
                rtcp.parse(data)

    @given(U8, st.integers(199, 208), st.binary(max_size=60))
    def test_any_octets_parse_or_are_refused(self, first, kind, body):
        data = bytes((0x80 | first, kind)) + (len(body) // 4).to_bytes(2) + body
        with contextlib.suppress(PeerError):
            rtcp.parse(data)

"""RFC 6184, RFC 7741: frames in order, whole, or not at all. aiortc packs what libx264 and libvpx encoded."""

from __future__ import annotations

import fractions
import random

import av
import pytest
from aiortc.codecs.h264 import H264Encoder
from aiortc.codecs.vpx import Vp8Encoder
from hypothesis import given, settings
from hypothesis import strategies as st

from liveserver.rtp import depacketize, header
from liveserver.rtp.depacketize import Depacketizer, Frame

MS = 1_000_000
SPS, PPS, IDR, SLICE, AUD = b"\x67sps", b"\x68pps", b"\x65" + bytes(3), b"\x41slice", b"\x09\x10"
PACKERS = {"h264": (H264Encoder, "libx264"), "vp8": (Vp8Encoder, "libvpx")}


def packet(number: int, payload: bytes, timestamp: int, marker: bool = False) -> header.Packet:
    return header.parse(
        header.build(
            payload_type=102,
            sequence=number & 0xFFFF,
            timestamp=timestamp & 0xFFFFFFFF,
            ssrc=7,
            payload=payload,
            marker=marker,
        )
    )


def stap(*units: bytes) -> bytes:
    return b"\x78" + b"".join(len(unit).to_bytes(2) + unit for unit in units)


def annex_b(*units: bytes) -> bytes:
    return b"".join(b"\0\0\0\1" + unit for unit in units)


def frames_of(codec: str, *packets: header.Packet, gap_ns: int = MS) -> list[Frame]:
    """What comes out when one packet arrives each `gap_ns`."""
    depacketizer = Depacketizer(codec)
    frames = [frame for n, one in enumerate(packets) for frame in depacketizer.push(one, n * gap_ns)]
    return frames + depacketizer.flush()


def timestamps(frames: list[Frame]) -> list[int]:
    return [frame.timestamp for frame in frames]


class TestH264:
    def test_single_units_of_one_timestamp_make_an_access_unit(self):
        (frame,) = frames_of("h264", packet(1, SPS, 9), packet(2, PPS, 9), packet(3, IDR, 9, True))
        assert frame == Frame(annex_b(SPS, PPS, IDR), 9, True, 0, 0)

    def test_aggregated_units_are_taken_apart(self):
        (frame,) = frames_of("h264", packet(1, stap(AUD, SPS, PPS, IDR), 9, True))
        assert frame.data == annex_b(AUD, SPS, PPS, IDR)

    def test_pieces_are_put_together(self):
        pieces = [b"\x7c\x85ab", b"\x7c\x05cd", b"\x7c\x45ef"]
        packets = [packet(2 + n, piece, 9, n == 2) for n, piece in enumerate(pieces)]
        (frame,) = frames_of("h264", packet(1, stap(SPS, PPS), 9), *packets)
        assert frame.data == annex_b(SPS, PPS, b"\x65abcdef")

    def test_a_frame_ends_where_the_next_timestamp_begins_too(self):
        frames = frames_of(
            "h264", packet(1, stap(SPS, PPS, IDR), 9), packet(2, SLICE, 10), packet(3, SLICE, 11, True)
        )
        assert [frame.keyframe for frame in frames] == [True, False, False]

    def test_nothing_before_the_first_keyframe(self):
        frames = frames_of("h264", packet(1, SLICE, 8, True), packet(2, stap(SPS, PPS, IDR), 9, True))
        assert timestamps(frames) == [9]

    def test_parameter_sets_sent_apart_join_the_picture_that_lacks_them(self):
        frames = frames_of(
            "h264", packet(1, stap(SPS, PPS), 8, True), packet(2, IDR, 9, True), packet(3, IDR, 10, True)
        )
        assert [frame.data for frame in frames] == [annex_b(SPS, PPS, IDR)] * 2

    def test_a_picture_without_any_parameter_sets_is_no_keyframe(self):
        assert frames_of("h264", packet(1, IDR, 9, True), packet(2, SLICE, 10, True)) == []

    def test_new_parameter_sets_in_mid_stream_replace_the_old(self):
        new = b"\x67new"
        frames = frames_of(
            "h264",
            packet(1, stap(SPS, PPS, IDR), 9, True),
            packet(2, stap(new, PPS, IDR), 10, True),
            packet(3, IDR, 11, True),
        )
        assert frames[2].data == annex_b(new, PPS, IDR)

    @pytest.mark.parametrize(
        "bad",
        [
            b"\x7c\x05middle without a start",
            b"\x7c\x85",  # a piece of nothing
            b"\x78\x00\x09short",  # aggregated unit longer than the packet
            b"\x78\x00\x00",  # aggregated unit of nothing
            b"\x79\x00\x01\x41",  # STAP-B
            b"\x40",  # type 0
            b"\xc1forbidden bit",
            stap(stap(SLICE)),
        ],
    )
    def test_a_malformed_packet_counts_as_lost(self, bad):
        frames = frames_of(
            "h264",
            packet(1, stap(SPS, PPS, IDR), 9, True),
            packet(2, bad, 10, True),
            packet(3, SLICE, 11, True),
            packet(4, stap(SPS, PPS, IDR), 12, True),
        )
        assert [(frame.timestamp, frame.lost_before) for frame in frames] == [(9, 0), (12, 1)]


class TestVp8:
    def test_payloads_without_descriptors_make_a_frame(self):
        frames = frames_of(
            "vp8",
            packet(1, b"\x90\x80\x11\x00key", 9),
            packet(2, b"\x80\x80\x11rest", 9, True),
            packet(3, b"\x10\x01delta", 10, True),
        )
        assert [frame.data for frame in frames] == [b"\x00keyrest", b"\x01delta"]
        assert [frame.keyframe for frame in frames] == [True, False]

    def test_a_frame_without_its_beginning_is_dropped(self):
        frames = frames_of("vp8", packet(1, b"\x00\x00key", 9, True), packet(2, b"\x10\x00key", 10, True))
        assert timestamps(frames) == [10]


class TestOpus:
    def test_each_packet_is_a_frame(self):
        frames = frames_of("opus", packet(1, b"a", 960, True), packet(2, b"b", 1920), packet(4, b"d", 3840))
        assert [(frame.data, frame.lost_before) for frame in frames] == [(b"a", 0), (b"b", 0), (b"d", 1)]
        assert all(frame.keyframe for frame in frames)

    def test_probes_without_payload_are_no_frames_and_no_loss(self):
        frames = frames_of("opus", packet(1, b"a", 960), packet(2, b"", 960), packet(3, b"c", 1920))
        assert [(frame.data, frame.lost_before) for frame in frames] == [(b"a", 0), (b"c", 0)]


def lesson(count: int, keyframe_every: int = 10, first: int = 0) -> list[header.Packet]:
    """Frames of two packets each, timestamps 0, 1, 2, ..."""
    packets = []
    for n in range(count):
        head = stap(SPS, PPS, b"\x65a") if n % keyframe_every == 0 else b"\x41a"
        packets += [packet(first + 2 * n, head, n), packet(first + 2 * n + 1, b"\x41b", n, True)]
    return packets


class TestOrder:
    def test_packets_overtaken_on_the_path_are_put_back(self):
        packets = lesson(100, first=65500)
        shuffled = packets[:2]
        for start in range(2, 200, 22):
            shuffled += random.Random(start).sample(
                packets[start : start + 22], len(packets[start : start + 22])
            )
        assert timestamps(frames_of("h264", *shuffled)) == list(range(100))

    def test_duplicates_are_used_once(self):
        packets = lesson(10)
        assert timestamps(frames_of("h264", *(one for one in packets for _ in range(2)))) == list(range(10))

    def test_a_packet_sent_again_is_waited_for_400_ms(self):
        packets = lesson(30)
        late = packets.pop(21)  # 18 packets, 360 ms, later
        frames = frames_of("h264", *packets[:39], late, *packets[39:], gap_ns=20 * MS)
        assert timestamps(frames) == list(range(30)) and not any(frame.lost_before for frame in frames)

    def test_no_longer_than_that(self):
        depacketizer, packets = Depacketizer("h264"), lesson(30)
        late = packets.pop(11)
        frames = [f for n, one in enumerate(packets[:40]) for f in depacketizer.push(one, n * 20 * MS)]
        assert (timestamps(frames), frames[5].lost_before) == ([0, 1, 2, 3, 4, *range(10, 20)], 1)
        assert depacketizer.push(late, 800 * MS) == [] and depacketizer.late == 1

    def test_nor_for_more_than_256_packets(self):
        packets = lesson(200)
        del packets[11]
        depacketizer = Depacketizer("h264")
        frames = [frame for one in packets[: 11 + 256] for frame in depacketizer.push(one, 0)]
        assert timestamps(frames) == [0, 1, 2, 3, 4]
        assert timestamps(depacketizer.push(packets[11 + 256], 0))[0] == 10

    def test_a_recording_waits_for_1600_ms_and_2048_packets(self):
        packets = lesson(1200)
        late = packets.pop(11)
        patient = Depacketizer("h264", depacketize.RECORD_WAIT_NS, depacketize.RECORD_WAITING)
        frames = [f for n, one in enumerate(packets[:90]) for f in patient.push(one, n * 20 * MS)]
        assert len(frames) == 5
        assert len(patient.push(late, 1790 * MS)) == 40
        del packets[200]
        frames = [frame for one in packets[90 : 200 + 2049] for frame in patient.push(one, 1800 * MS)]
        assert len(frames) > 900 and frames[55].lost_before == 1

    def test_arrival_is_the_first_packet_s(self):
        packets = lesson(3)
        frames = frames_of("h264", packets[0], packets[1], packets[3], packets[2], packets[4], packets[5])
        assert [frame.arrival_ns // MS for frame in frames] == [0, 2, 4]

    def test_a_stray_from_far_away_is_ignored(self):
        packets = lesson(10)
        packets.insert(5, packet(30000, SLICE, 77))
        assert timestamps(frames_of("h264", *packets)) == list(range(10))

    def test_a_sender_that_numbers_anew_is_followed_from_its_next_keyframe(self):
        frames = frames_of("h264", *lesson(10), *lesson(20, first=40000))
        assert timestamps(frames) == [*range(10), *range(10, 20)]
        assert frames[10].lost_before == 1
        frames = frames_of("h264", *lesson(10, first=40000), *lesson(20))
        assert timestamps(frames) == [*range(10), *range(10, 20)]


class TestLoss:
    def test_after_a_loss_nothing_until_the_next_whole_keyframe(self):
        packets = lesson(30)
        del packets[6]
        frames = frames_of("h264", *packets, gap_ns=20 * MS)
        assert timestamps(frames) == [0, 1, 2, *range(10, 30)]
        assert [frame.lost_before for frame in frames if frame.lost_before] == [1]

    @pytest.mark.parametrize("codec", ["h264", "vp8"])
    @pytest.mark.parametrize("gone", [20, 21])
    def test_a_keyframe_that_misses_its_head_or_tail_does_not_count(self, codec, gone):
        packets = lesson(40) if codec == "h264" else vp8_lesson(40)
        del packets[gone]
        assert timestamps(frames_of(codec, *packets, gap_ns=20 * MS)) == [*range(10), *range(20, 40)]

    @pytest.mark.parametrize("codec", ["h264", "vp8"])
    def test_after_a_whole_frame_is_lost_nothing_either(self, codec):
        packets = lesson(30) if codec == "h264" else vp8_lesson(30)
        del packets[6:8]
        frames = frames_of(codec, *packets, gap_ns=20 * MS)
        assert timestamps(frames) == [0, 1, 2, *range(10, 30)] and frames[3].lost_before == 2

    def test_a_frame_that_misses_its_middle_is_dropped(self):
        whole = [packet(1, stap(SPS, PPS, IDR), 9, True)]
        key = [packet(2, stap(SPS, PPS, IDR), 10), packet(3, IDR, 10), packet(4, IDR, 10, True)]
        assert timestamps(frames_of("h264", *whole, key[0], key[2])) == [9]

    def test_an_idr_picture_that_may_miss_its_first_slice_is_dropped(self):
        whole = [packet(1, stap(SPS, PPS, IDR), 9, True)]
        key = [packet(2, stap(SPS, PPS, IDR), 10), packet(3, IDR, 10, True)]
        assert timestamps(frames_of("h264", *whole, key[1])) == [9]

    def test_a_loss_right_before_a_keyframe_does_not_hurt_it(self):
        packets = lesson(20)
        del packets[19]
        assert timestamps(frames_of("h264", *packets, gap_ns=20 * MS)) == [*range(9), *range(10, 20)]

    def test_an_unfinished_frame_is_dropped_at_the_end(self):
        assert timestamps(frames_of("h264", *lesson(10)[:-1])) == list(range(9))

    @settings(max_examples=50)
    @given(st.sets(st.integers(2, 199), max_size=30), st.randoms(use_true_random=False))
    def test_what_comes_out_is_whole_in_order_and_counts_every_loss(self, gone, rng):
        packets = [one for n, one in enumerate(lesson(100)) if n not in gone]
        order = sorted(range(len(packets)), key=lambda n: (n + rng.uniform(0, 8)) if n else -1)
        frames = frames_of("h264", *(packets[n] for n in order))
        assert timestamps(frames) == sorted(set(timestamps(frames)))
        assert (
            not {2 * n for n in timestamps(frames)} & gone
            and not {2 * n + 1 for n in timestamps(frames)} & gone
        )
        last = max((2 * n + 1 for n in timestamps(frames)), default=-1)
        assert sum(frame.lost_before for frame in frames) == len([n for n in gone if n < last])


def vp8_lesson(count: int) -> list[header.Packet]:
    packets = []
    for n in range(count):
        head = b"\x10\x00" if n % 10 == 0 else b"\x10\x01"
        packets += [packet(2 * n, head, n), packet(2 * n + 1, b"\x00rest", n, True)]
    return packets


class TestBounds:
    def test_a_frame_beyond_2_megabytes_is_dropped(self):
        packets = [packet(n, SLICE + bytes(1400), 1) for n in range(1, 1600)]
        frames = frames_of(
            "h264", packet(0, stap(SPS, PPS, IDR), 0, True), *packets, packet(1600, SLICE, 1, True)
        )
        assert timestamps(frames) == [0]

    def test_a_frame_of_too_many_parts_is_dropped(self):
        tiny = stap(*[b"\x41"] * 400)
        packets = [packet(n, tiny, 1) for n in range(1, 20)]
        depacketizer = Depacketizer("h264")
        for one in [packet(0, stap(SPS, PPS, IDR), 0, True), *packets]:
            depacketizer.push(one, 0)
        assert len(depacketizer._assembly._parts) <= depacketize.MAX_FRAME_PARTS
        assert depacketizer.push(packet(20, SLICE, 1, True), 0) == []


@pytest.mark.parametrize("codec", ["h264", "vp8"])
class TestRealEncoders:
    def encoded(self, codec: str) -> list[av.Packet]:
        context = av.CodecContext.create(PACKERS[codec][1], "w")
        context.width, context.height, context.pix_fmt = 320, 240, "yuv420p"
        context.time_base, context.framerate = fractions.Fraction(1, 25), fractions.Fraction(25)
        context.gop_size, context.bit_rate = 8, 2_000_000
        context.options = (
            {"tune": "zerolatency"} if codec == "h264" else {"deadline": "realtime", "lag-in-frames": "0"}
        )
        packets = []
        for n in range(24):
            picture = av.VideoFrame(320, 240, "yuv420p")
            for plane in picture.planes:
                plane.update(random.Random(n).randbytes(plane.buffer_size))
            picture.pts = n
            packets += context.encode(picture)
        return packets + context.encode(None)

    def test_what_was_packed_comes_out_to_the_bit(self, codec):
        packer, originals, packets = PACKERS[codec][0](), self.encoded(codec), []
        for original in originals:
            payloads, timestamp = packer.pack(original)
            for n, payload in enumerate(payloads):
                packets.append(packet(65500 + len(packets), payload, timestamp, n == len(payloads) - 1))
        assert len(packets) > 5 * len(originals)
        frames = frames_of(codec, *packets)
        assert [frame.keyframe for frame in frames] == [original.is_keyframe for original in originals]
        for frame, original in zip(frames, originals, strict=True):
            assert normalised(codec, frame.data) == normalised(codec, bytes(original))
        decoder = av.CodecContext.create(codec, "r")
        pictures = [p for frame in frames for p in decoder.decode(av.Packet(frame.data))] + decoder.decode(
            None
        )
        assert len(pictures) == len(originals)


def normalised(codec: str, data: bytes) -> bytes:
    """Start codes may be three or four octets."""
    return data.replace(b"\0\0\0\1", b"\0\0\1") if codec == "h264" else data


class TestHostileInput:
    def test_the_corpus_makes_frames_or_none(self, corpus):
        for codec in ("h264", "vp8", "opus"):
            depacketizer = Depacketizer(codec)
            for n, data in enumerate(corpus("h264") + corpus("rtp")):
                depacketizer.push(packet(n, data, n // 2, n % 2 == 1), n * MS)
            depacketizer.flush()

    @given(
        st.lists(st.tuples(st.integers(0, 65535), st.binary(max_size=12), st.integers(0, 3), st.booleans()))
    )
    def test_any_packets_make_frames_or_none(self, packets):
        for codec in ("h264", "vp8", "opus"):
            frames_of(codec, *(packet(*one) for one in packets))

"""A publisher's packets find their track, and the feedback that keeps the tracks whole goes back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from liveserver.rtp import header, rtcp
from liveserver.sfu.publisher import MAX_SSRCS
from liveserver.sfu.source_clock import ntp_from_ns
from tests.sfu.hall import Hall, Seat
from tests.sfu.peers import KEYFRAME, Sender, Studio
from tests.sfu.sdp import AUDIO, VIDEO, offer

NAMED = "a=ssrc-group:FID 11 12\r\na=ssrc:11 cname:x\r\na=ssrc:12 cname:x\r\n"
H264, H264_RTX, OPUS = 104, 105, 111


@pytest.fixture
def studio(hall: Hall, certificate) -> Iterator[Studio]:
    made = Studio(hall, certificate)
    yield made
    made.close()


@pytest.fixture
def publisher(studio: Studio):
    return studio.publisher(offer(AUDIO, VIDEO, VIDEO))[0]


def received(publisher) -> dict[str, int]:
    return {uplink.track: uplink.packets_received for uplink in publisher.uplinks}


class TestWhichTrack:
    def test_the_first_video_is_the_camera_the_second_the_screen(self, publisher):
        assert [(u.track, u.mid, u.codec) for u in publisher.uplinks] == [
            ("audio", "0", "opus"),
            ("camera", "1", "h264"),
            ("screen", "2", "h264"),
        ]

    def test_more_m_lines_than_tracks_are_left_alone(self, studio):
        publisher, _ = studio.publisher(offer(AUDIO, AUDIO, VIDEO, VIDEO, VIDEO))
        assert [u.track for u in publisher.uplinks] == ["audio", "camera", "screen"]

    def test_by_the_source_the_offer_named(self, studio, hall):
        publisher, _ = studio.publisher(offer(VIDEO + NAMED, VIDEO))
        Sender(publisher, hall, ssrc=11, payload_type=H264).send()
        assert received(publisher) == {"camera": 1, "screen": 0}

    def test_by_the_mid_of_its_first_packet(self, publisher, hall):
        screen = Sender(publisher, hall, ssrc=5, payload_type=H264, mid=b"2")
        screen.send()
        screen.mid = None
        screen.send()
        assert received(publisher) == {"audio": 0, "camera": 0, "screen": 2}

    def test_by_the_payload_type_when_one_track_has_it(self, publisher, hall):
        Sender(publisher, hall, ssrc=5, payload_type=OPUS).send()
        assert received(publisher)["audio"] == 1

    def test_two_tracks_with_one_payload_type_and_no_mid_are_not_guessed(self, publisher, hall, studio):
        Sender(publisher, hall, ssrc=5, payload_type=H264).send()
        assert set(received(publisher).values()) == {0}
        assert studio.front.counters["unknown_ssrc"] == 1

    @pytest.mark.parametrize("mid", [b"9", b"", b"11"])
    def test_a_mid_nobody_agreed_on_belongs_nowhere(self, publisher, hall, mid):
        Sender(publisher, hall, ssrc=5, payload_type=OPUS, mid=mid or b"?").send()
        assert received(publisher)["audio"] == 0

    def test_a_payload_type_that_was_not_agreed_is_dropped(self, studio, hall):
        publisher, _ = studio.publisher(offer(VIDEO + NAMED))
        Sender(publisher, hall, ssrc=11, payload_type=96).send()
        assert received(publisher) == {"camera": 0}
        assert studio.front.counters["unknown_payload_type"] == 1

    def test_ten_thousand_sources_are_not_remembered(self, publisher, hall):
        sender = Sender(publisher, hall, ssrc=0, payload_type=OPUS)
        for ssrc in range(10_000):
            publisher.receive_rtp(sender.packet(ssrc=ssrc), hall.clock.now_ns)
        assert len(publisher._by_ssrc) <= MAX_SSRCS


class TestTwoSourcesAtOnce:
    """A client that sends two encodings of one track must not make it flap."""

    def test_the_one_that_is_heard_stays(self, studio, hall):
        publisher, ear = studio.publisher(offer(VIDEO))
        (camera,) = publisher.uplinks
        one = Sender(publisher, hall, ssrc=1, payload_type=H264)
        other = Sender(publisher, hall, ssrc=2, payload_type=H264)
        for _ in range(50):
            one.send()
            other.send()
            hall.clock.advance(20)
        assert (camera.ssrc, camera.packets_received) == (1, 50)
        reports = [p for p in ear.look() if isinstance(p, rtcp.ReceiverReport)]
        assert len(reports) == 1

    def test_another_takes_over_once_it_is_silent(self, studio, hall):
        publisher, _ = studio.publisher(offer(VIDEO))
        (camera,) = publisher.uplinks
        Sender(publisher, hall, ssrc=1, payload_type=H264).send()
        hall.clock.advance(1000)
        Sender(publisher, hall, ssrc=2, payload_type=H264).send()
        assert camera.ssrc == 2


class TestRepairUpstream:
    @pytest.fixture
    def camera(self, studio, hall) -> Sender:
        publisher, ear = studio.publisher(offer(VIDEO + NAMED))
        sender = Sender(publisher, hall, ssrc=11, payload_type=H264)
        sender.ear = ear
        sender.send(KEYFRAME)
        publisher.ask(hall.clock.now_ns)
        ear.look()
        return sender

    def asked(self, camera: Sender, kind: type) -> list:
        camera.peer.ask(camera.hall.clock.now_ns)
        return [packet for packet in camera.ear.look() if isinstance(packet, kind)]

    def test_what_is_missing_is_asked_for_after_a_moment(self, camera, hall):
        lost = camera.packet()
        camera.send()
        assert self.asked(camera, rtcp.Nack) == []
        hall.clock.advance(20)
        (nack,) = self.asked(camera, rtcp.Nack)
        assert (nack.media_ssrc, nack.sequences) == (11, (header.parse(lost).sequence,))

    def test_a_retransmission_takes_its_place(self, camera, hall):
        lost = header.parse(camera.packet(b"\x41lost"))
        camera.send()
        rtx = header.build(
            payload_type=H264_RTX,
            sequence=1,
            timestamp=lost.timestamp,
            ssrc=12,
            marker=True,
            payload=lost.sequence.to_bytes(2) + bytes(lost.payload),
        )
        camera.receive(rtx)
        (uplink,) = camera.peer.uplinks
        found = uplink.cache.get(lost.sequence)
        assert (found.payload, found.timestamp, found.ssrc, found.marker) == (
            b"\x41lost",
            lost.timestamp,
            11,
            True,
        )
        assert uplink.counters["repaired"] == 1
        hall.clock.advance(50)
        assert self.asked(camera, rtcp.Nack) == []
        camera.receive(rtx)
        assert uplink.packets_received == 3

    @pytest.mark.parametrize("payload", [b"", b"\x00", b"\x03\xe9"])
    def test_bandwidth_probes_by_rtx_are_no_packets(self, camera, payload):
        before = camera.peer.uplinks[0].packets_received
        camera.receive(header.build(payload_type=H264_RTX, sequence=1, timestamp=1, ssrc=12, payload=payload))
        assert camera.peer.uplinks[0].packets_received == before

    def test_probes_before_any_media_are_dropped(self, studio, hall):
        publisher, _ = studio.publisher(offer(VIDEO + NAMED))
        probe = header.build(payload_type=H264_RTX, sequence=1, timestamp=1, ssrc=12, payload=bytes(200))
        publisher.receive_rtp(probe, hall.clock.now_ns)
        assert received(publisher) == {"camera": 0}

    def test_a_packet_that_came_twice_counts_once(self, camera):
        camera.receive(camera.send())
        assert camera.peer.uplinks[0].counters["duplicate"] == 1

    def test_no_request_before_the_handshake_is_over(self, studio, hall):
        publisher, ear = studio.publisher(offer(VIDEO + NAMED), connected=False)
        Sender(publisher, hall, ssrc=11, payload_type=H264).send()
        publisher.ask(hall.clock.now_ns)
        publisher.report(hall.clock.now_ns)
        assert ear.look() == []


class TestKeyframeRequests:
    @pytest.fixture
    def camera(self, studio, hall) -> Sender:
        publisher, ear = studio.publisher(offer(VIDEO + NAMED))
        sender = Sender(publisher, hall, ssrc=11, payload_type=H264)
        sender.ear = ear
        return sender

    def over(self, camera: Sender, seconds: float, *, wanted: bool = False, key_every: int = 0) -> int:
        """How many requests leave in that time at 25 frames a second."""
        hall, found = camera.hall, 0
        for frame in range(int(seconds * 25)):
            camera.send(KEYFRAME if key_every and frame % key_every == 0 else b"\x41")
            for _ in range(2):
                if wanted:
                    camera.peer.uplinks[0].want_keyframe()
                camera.peer.ask(hall.clock.now_ns)
                hall.clock.advance(20)
            found += sum(isinstance(packet, rtcp.PictureLoss) for packet in camera.ear.look())
        return found

    def test_the_first_is_sent_with_the_first_packet(self, camera, hall):
        camera.send()
        camera.peer.ask(hall.clock.now_ns)
        assert any(isinstance(packet, rtcp.PictureLoss) for packet in camera.ear.look())

    def test_it_is_repeated_until_a_keyframe_really_came(self, camera):
        assert 5 <= self.over(camera, 4) <= 9

    def test_never_more_than_two_a_second_whoever_wants_them(self, camera):
        self.over(camera, 0.5, key_every=100)
        assert self.over(camera, 5, wanted=True) <= 10

    def test_a_source_with_keyframes_is_asked_for_none(self, camera):
        self.over(camera, 2, key_every=25)
        assert self.over(camera, 6, key_every=25) == 0

    def test_one_that_is_wanted_after_the_last_came_is_asked_for_at_the_next_chance(self, camera, hall):
        self.over(camera, 1, key_every=25)
        camera.send(KEYFRAME)  # unasked
        camera.peer.uplinks[0].want_keyframe()
        assert self.over(camera, 0.4) == 1

    def test_one_every_two_seconds_from_a_source_that_makes_none_by_itself(self, camera, hall):
        count = 0
        camera.send(KEYFRAME)
        for _ in range(250):  # ten seconds; each request is answered
            camera.send(b"\x41")
            camera.peer.ask(hall.clock.now_ns)
            hall.clock.advance(40)
            if any(isinstance(packet, rtcp.PictureLoss) for packet in camera.ear.look()):
                count += 1
                camera.send(KEYFRAME)
        assert 4 <= count <= 6


class TestReports:
    def test_the_first_packet_is_answered_with_a_bit_rate_at_once(self, studio, hall):
        publisher, ear = studio.publisher(offer(VIDEO + NAMED))
        Sender(publisher, hall, ssrc=11, payload_type=H264).send()
        remb = next(packet for packet in ear.look() if isinstance(packet, rtcp.Remb))
        assert remb.ssrcs == (11,)
        assert remb.bitrate_bps > 1_000_000

    def test_receiver_reports_say_what_was_lost(self, studio, hall):
        publisher, ear = studio.publisher(offer(VIDEO + NAMED))
        sender = Sender(publisher, hall, ssrc=11, payload_type=H264)
        for number in range(100):
            sender.packet() if number % 4 == 1 else sender.send()
        ear.look()
        publisher.report(hall.clock.now_ns)
        report = next(packet for packet in ear.look() if isinstance(packet, rtcp.ReceiverReport))
        (block,) = report.reports
        assert block.ssrc == 11
        assert block.fraction_lost / 256 == pytest.approx(0.25, abs=0.02)
        assert block.highest_sequence & 0xFFFF == sender.sequence

    def test_loss_lowers_the_bit_rate_asked_for(self, studio, hall):
        publisher, ear = studio.publisher(offer(VIDEO + NAMED))
        sender = Sender(publisher, hall, ssrc=11, payload_type=H264)
        rates = []
        for _ in range(5):
            for number in range(50):
                sender.packet() if number % 3 == 1 else sender.send()
            publisher.report(hall.clock.now_ns)
            rates += [packet.bitrate_bps for packet in ear.look() if isinstance(packet, rtcp.Remb)][-1:]
        assert rates == sorted(rates, reverse=True)
        assert rates[-1] < rates[0]

    def test_the_publisher_s_own_report_is_answered_with_its_time(self, studio, hall):
        publisher, ear = studio.publisher(offer(VIDEO + NAMED))
        Sender(publisher, hall, ssrc=11, payload_type=H264).send()
        ntp = ntp_from_ns(hall.clock.wall_ns)
        theirs = rtcp.build([rtcp.SenderReport(11, ntp, 90_000, 1, 1, ()), rtcp.SourceDescription({11: "x"})])
        publisher.receive_rtcp(theirs, hall.clock.now_ns)
        hall.clock.advance(500)
        ear.look()
        publisher.report(hall.clock.now_ns)
        report = next(packet for packet in ear.look() if isinstance(packet, rtcp.ReceiverReport))
        (block,) = report.reports
        assert block.last_sr == ntp >> 16 & 0xFFFFFFFF
        assert block.delay_since_last_sr == pytest.approx(32768, abs=10)


class TestHostility:
    """REL-F2: whatever an authenticated publisher protects with its own keys harms nobody else."""

    @pytest.mark.parametrize("folder", ["rtp", "rtcp", "srtp", "h264", "stun"])
    def test_the_corpora_in_the_clear(self, studio, hall, publisher, corpus, folder):
        for data in corpus(folder).values():
            publisher.receive_rtp(data, hall.clock.now_ns)
            publisher.receive_rtcp(data, hall.clock.now_ns)
            publisher.flush(hall.clock.now_ns)
            publisher.ask(hall.clock.now_ns)

    def test_payloads_of_the_h264_corpus_in_packets_of_the_camera(self, studio, hall, corpus):
        publisher, _ = studio.publisher(offer(VIDEO + NAMED))
        sender = Sender(publisher, hall, ssrc=11, payload_type=H264)
        bodies = list(corpus("h264").values())
        for data in bodies:
            sender.send(data[:1200])
        assert received(publisher) == {"camera": len(bodies)}


class TestEnd:
    async def test_viewers_lose_the_source_and_nothing_is_left(self, studio, hall):
        publisher, _ = studio.publisher(offer(VIDEO + NAMED))
        studio.stage.publish(publisher)
        viewer, _ = studio.viewer(offer(VIDEO, direction="recvonly"))
        assert viewer.videos[0].source is publisher.uplinks[0]
        publisher.close("left")
        await publisher.wait_closed()
        assert studio.stage.publisher is None
        assert viewer.videos[0].source is None
        assert studio.told[publisher].closed_reasons == ["left"]
        publisher.close("again")
        assert studio.told[publisher].closed_reasons == ["left"]
        viewer.close("left")
        await viewer.wait_closed()
        assert studio.front.peers == 0


class TestSoundInPairs:
    """In a very large class a message costs the kernel more than its octets."""

    @pytest.fixture
    def crowd(self, studio, hall, monkeypatch) -> tuple[Sender, Seat]:
        monkeypatch.setattr("liveserver.sfu.uplink.PAIRED_ABOVE", 1)
        publisher, _ = studio.publisher(offer(AUDIO))
        sound = Sender(publisher, hall, ssrc=11, payload_type=OPUS)
        sound.send(b"\xfcsound")
        seats = [hall.seat(kind="audio", ssrc=7000 + n) for n in range(2)]
        for seat in seats:
            seat.downlink.attach(publisher.uplinks[0])
        return sound, seats[0]

    def test_the_first_of_a_pair_waits_for_the_second(self, crowd, hall):
        sound, seat = crowd
        left = []
        for _ in range(4):
            sound.send(b"\xfcsound")
            left.append(len(seat.look()))
            hall.clock.advance(20)
        assert left == [0, 2, 0, 2]

    def test_not_for_long(self, crowd, hall):
        sound, seat = crowd
        sound.send(b"\xfcsound")
        sound.peer.ask(hall.clock.now_ns)
        assert seat.look() == []
        hall.clock.advance(30)
        sound.peer.ask(hall.clock.now_ns)
        assert len(seat.look()) == 1

    def test_a_small_class_does_not_wait(self, studio, hall):
        publisher, _ = studio.publisher(offer(AUDIO))
        sound = Sender(publisher, hall, ssrc=11, payload_type=OPUS)
        sound.send(b"\xfcsound")
        seat = hall.seat(kind="audio")
        seat.downlink.attach(publisher.uplinks[0])
        sound.send(b"\xfcsound")
        assert len(seat.look()) == 1

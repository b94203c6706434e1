"""What only the native fan-out has: OpenSSL behind hand-written prototypes, UDP GSO, a GIL it releases."""

from __future__ import annotations

import inspect
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from liveserver.rtp import fanout, header, srtp
from liveserver.rtp.flags import VIDEO, Flags
from liveserver.rtp.srtp import Profile
from tests.rtp.stage import GCM, LEASE_NS, NOW_NS, ROOM, Stage, source
from tests.rtp.test_srtp import TestPublishedVectors as Published

native = pytest.importorskip(
    "liveserver.rtp._fanout", reason="the native fan-out is not built", exc_type=ImportError
)
CM = Profile.AES128_CM_HMAC_SHA1_80
_SO_NO_CHECK = 11  # <asm-generic/socket.h>: UDP without checksums, which the kernel cannot segment


@pytest.fixture
def stage() -> Iterator[Stage]:
    made = Stage(native.Fanout)
    yield made
    made.close()


class TestPublishedVectors:
    def test_rfc_3711_b2_key_stream(self):
        key = bytes.fromhex("2B7E151628AED2A6ABF7158809CF4F3C")
        salt = bytes.fromhex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD")
        assert native.protect(CM, key, salt, bytes(20), 0, 0, b"", bytes(48))[:-10] == bytes.fromhex(
            "E03EAD0935C95E80E166B16DD92B4EB4D23513162B02D0F72A43A2FE4A5F97AB41E95B3BB0A2E8DD477901E4FCA894C0"
        )

    def test_rfc_3711_b3_key_derivation(self):
        key = bytes.fromhex("E1F97A0D3E018BE0D64FA32C06DE4139")
        salt = bytes.fromhex("0EC675AD498AFEEBB6960B3AABE6")
        assert native.derive(key, salt, 0, 16) == bytes.fromhex("C61E7A93744F39EE10734AFE3FF7A087")
        assert native.derive(key, salt, 2, 14) == bytes.fromhex("30CBBC08863D8C85D49DB34A9AE1")
        assert native.derive(key, salt, 1, 94) == srtp.derive(key, salt, 1, 94)

    def test_rfc_7714_16_1_srtp(self):
        rtp = Published.RTP
        sealed = native.protect(GCM, *Published.RFC_7714, b"", 0x5501A0B2, 0xF17B, rtp[:12], rtp[12:])
        assert sealed == Published.SRTP

    def test_rfc_7714_17_1_srtcp(self):
        rtcp = Published.RTCP
        sealed = native.protect(GCM, *Published.RFC_7714, b"", 0x4D617273, 0x5D4, rtcp[:8], rtcp[8:], True)
        assert sealed == Published.SRTCP

    @pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 1200, 60000])
    def test_aes_cm_with_hmac_sha1_is_the_reference_s(self, size):
        key, salt, authentication = bytes(range(16)), bytes(range(14)), bytes(range(20))
        theirs = srtp.CounterCipher(key, salt, authentication)
        head, payload = bytes(range(128, 144)), os.urandom(size)
        given = (CM, key, salt, authentication, 0xDEADBEEF)
        assert native.protect(*given, 0x1234_5678_9ABC, head, payload) == theirs.protect(
            0xDEADBEEF, 0x1234_5678_9ABC, head, payload
        )
        assert native.protect(*given, 77, head, payload, True) == theirs.protect_rtcp(
            0xDEADBEEF, 77, head + payload
        )


class TestSegmentation:
    SIZES = (900, 900, 900, 300, 1000, 1000, 20, 1100, 7)  # four messages on the wire

    def packets(self, first: int) -> list[bytes]:
        return [source(first + n, payload=bytes(size)) for n, size in enumerate(self.SIZES)]

    def test_packets_of_any_sizes_arrive_as_they_are_and_in_order(self, stage):
        viewers = [stage.row()[0] for _ in range(3)]
        sent = stage.fanout.send(stage.table, self.packets(1), NOW_NS)
        assert sent == 3 * len(self.SIZES)
        for viewer in viewers:
            packets = viewer.received()
            assert [packet.sequence for packet in packets] == list(range(1, 10))
            assert [len(packet.payload) for packet in packets] == list(self.SIZES)

    def test_a_frame_of_more_packets_than_one_message_holds(self, stage):
        viewer, _ = stage.row()
        viewer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        packets = [source(n, payload=bytes(1100)) for n in range(150)]
        assert stage.fanout.send(stage.table, packets, NOW_NS) == 150
        received = viewer.sequences()
        assert received == list(range(len(received))) and len(received) > 100  # small buffers lose the end

    def test_more_viewers_than_one_call_holds(self, stage):
        viewers = [stage.row()[0] for _ in range(150)]
        assert stage.send(1, 2, 3) == 450
        assert all(viewer.sequences() == [1, 2, 3] for viewer in viewers)

    def test_once_refused_by_the_kernel_packets_leave_singly_for_good(self, stage):
        viewer, _ = stage.row()
        if not stage.fanout.segments:
            pytest.skip("this kernel has no UDP GSO")
        stage.socket.setsockopt(socket.SOL_SOCKET, _SO_NO_CHECK, 1)
        assert stage.fanout.send(stage.table, self.packets(1), NOW_NS) == len(self.SIZES)
        assert not stage.fanout.segments and stage.fanout.stats.dropped == 0
        stage.socket.setsockopt(socket.SOL_SOCKET, _SO_NO_CHECK, 0)
        assert stage.fanout.send(stage.table, self.packets(10), NOW_NS) == len(self.SIZES)
        assert not stage.fanout.segments
        assert viewer.sequences() == list(range(1, 19))

    def test_an_address_that_takes_nothing_is_no_reason_to_stop_joining(self, stage):
        _, session = stage.viewer()
        stage.fanout.move_session(session, "255.255.255.255", 9)
        row = stage.fanout.add_row(stage.table, session, 1, 102, 0, 0, 0, b"")
        stage.fanout.set_live(row, True)
        before = stage.fanout.segments
        assert stage.send(1, 2, 3) == 0 and stage.fanout.stats.dropped == 3
        assert stage.fanout.segments == before

    def test_what_no_datagram_can_hold_is_dropped(self, stage):
        viewer, _ = stage.row()
        packets = [source(1), source(2, payload=bytes(65530)), source(3, payload=bytes(65480)), source(4)]
        assert stage.fanout.send(stage.table, packets, NOW_NS) == 2
        assert viewer.sequences() == [1, 4] and stage.fanout.stats.dropped == 2


class TestOneThread:
    """`send` releases the GIL: others run meanwhile. Each try may be over before they get to run."""

    TRIES, ROWS, PACKETS = 50, 200, 100

    @pytest.fixture
    def busy(self, stage) -> Stage:
        for _ in range(self.ROWS):
            stage.row()
        return stage

    def send(self, stage: Stage, attempt: int) -> int:
        first = attempt * self.PACKETS
        packets = [source(first + n, payload=bytes(1100)) for n in range(self.PACKETS)]
        return stage.fanout.send(stage.table, packets, NOW_NS)

    def while_sending(self, stage: Stage, attempt: int, act: Callable[[], None]) -> int:
        """Send from another thread and `act` once a call is refused because of it; how much was sent."""
        sent = []
        sender = threading.Thread(target=lambda: sent.append(self.send(stage, attempt)))
        sender.start()
        while sender.is_alive():
            try:
                stage.fanout.set_live(1, True)
            except RuntimeError:
                act()
                break
        sender.join()
        return sent[0]

    def cut_once_some_left(self, stage: Stage) -> None:
        """A cut before the first packet would be one of a send that never began."""
        before = stage.fanout.stats.sent
        for _ in range(100_000):
            if stage.fanout.stats.sent != before:
                break
        stage.flags.darken(ROOM, VIDEO)

    def test_a_call_during_a_send_is_refused(self, busy):
        refused = threading.Event()
        for attempt in range(self.TRIES):
            self.while_sending(busy, attempt, refused.set)
            if refused.is_set():
                return
        pytest.fail("no call came during a send")

    def test_a_cut_by_another_thread_ends_the_send_under_way(self, busy):
        for attempt in range(self.TRIES):
            sent = self.while_sending(busy, attempt, lambda: self.cut_once_some_left(busy))
            assert busy.send(1) == 0 or not busy.flags.dark(ROOM)
            if 0 < sent < self.ROWS * self.PACKETS:
                return
            busy.flags.darken(ROOM, 0)
        pytest.fail("no cut came during a send")


class TestArguments:
    def test_it_has_the_calls_of_the_reference(self):
        ours = {name for name in vars(fanout.Fanout) if not name.startswith("_")} | {"stats"}
        assert {name for name in dir(native.Fanout) if not name.startswith("_")} == ours | {"segments"}
        for name in ours - {"stats"}:
            theirs = inspect.signature(getattr(native.Fanout, name)).parameters
            assert list(theirs) == list(inspect.signature(getattr(fanout.Fanout, name)).parameters)

    def test_what_is_no_packet_is_a_type_error(self, stage):
        stage.row()
        for wrong in (None, "text", memoryview(source(1)), 7):
            with pytest.raises(TypeError):
                stage.fanout.send(stage.table, [wrong], NOW_NS)
            with pytest.raises(TypeError):
                stage.fanout.post("127.0.0.1", 9, wrong)
        assert stage.send(1) == 1

    def test_a_room_that_the_flags_lack_is_an_index_error(self, stage):
        with pytest.raises(IndexError):
            stage.fanout.add_table(8, VIDEO)

    @pytest.mark.parametrize(
        ("profile", "key", "salt"), [(2, 16, 12), (7, 16, 14), (7, 15, 12), (1, 16, 12), (1, 17, 14)]
    )
    def test_keys_of_the_wrong_size_and_unknown_profiles_are_value_errors(self, stage, profile, key, salt):
        with pytest.raises(ValueError):
            stage.fanout.add_session(profile, bytes(key), bytes(salt), "127.0.0.1", 9)

    def test_ipv6_addresses_with_a_zone_are_taken(self):
        flags = Flags(1)
        flags.renew(0, LEASE_NS)
        try:
            six = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            six.bind(("::1", 0))
        except OSError as error:
            pytest.skip(f"this host has no IPv6: {error}")
        made = native.Fanout(six.fileno(), flags)
        session = made.add_session(GCM, bytes(16), bytes(12), "::1%1", six.getsockname()[1])
        assert made.send_rtcp(session, b"\x80\xcb\x00\x00\x00\x00\x00\x07")
        assert header.is_rtcp(six.recv(100))
        with pytest.raises(OSError):
            made.add_session(GCM, bytes(16), bytes(12), "fe80::1%no-such-device", 9)
        made.close()
        six.close()

    def test_after_close_everything_is_dropped(self, stage):
        viewer, _ = stage.row()
        stage.fanout.close()
        stage.fanout.close()
        assert stage.send(1, 2) == 0 and stage.fanout.stats.dropped == 2 and viewer.datagrams() == []


class TestSelection:
    def ask(self, **environment: str) -> str:
        command = [sys.executable, "-m", "liveserver.rtp.native"]
        return subprocess.run(
            command, env={**os.environ, **environment}, capture_output=True, text=True, check=True
        ).stdout

    def test_the_native_one_is_preferred(self):
        assert self.ask(LIVESERVER_TEST_FANOUT="").startswith("fan-out: native (OpenSSL 3")

    def test_tests_can_ask_for_the_reference(self):
        assert self.ask(LIVESERVER_TEST_FANOUT="python").startswith("fan-out: python")

"""DTLS as the passive side: who is let in, with which keys, and how it ends. The client is OpenSSL itself."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from OpenSSL import SSL

from liveserver.sfu import dtls
from liveserver.sfu.dtls import Certificate, Dtls, SrtpKeys


class Owner:
    """What the owner of a session was told."""

    def __init__(self) -> None:
        self.keys: SrtpKeys | None = None
        self.packets: list[bytes] = []
        self.reasons: list[str] = []

    def secured(self, keys: SrtpKeys) -> None:
        self.keys = keys

    def received(self, data: bytes) -> None:
        self.packets.append(data)

    def ended(self, reason: str) -> None:
        self.reasons.append(reason)


class Client:
    """The active side, and the wire: what it says reaches the server when `talk` or `deliver` is called."""

    def __init__(self, server: Certificate, context: SSL.Context | None = None, *, offered=None):
        self.certificate = Certificate.generate()
        self.owner = Owner()
        self.wire: list[bytes] = []  # from the server
        offered = offered or [("sha-256", self.certificate.fingerprint)]
        self.session = Dtls(server, offered, self.wire.append, self.owner)
        self.ssl = SSL.Connection(context or self.certificate.context)
        self.ssl.set_connect_state()
        self.ssl.set_ciphertext_mtu(1200)

    def say(self) -> bytes:
        """Go on with the handshake; what the client would send now."""
        with contextlib.suppress(SSL.WantReadError):
            self.ssl.do_handshake()
        return self.written()

    def written(self) -> bytes:
        try:
            return self.ssl.bio_read(65536)
        except SSL.WantReadError:
            return b""

    def hear(self) -> list[bytes]:
        """Application data from the server."""
        heard = []
        for datagram in self.wire:
            self.ssl.bio_write(datagram)
            try:
                heard.append(self.ssl.recv(65536))
            except SSL.WantReadError:
                continue
        self.wire.clear()
        return heard

    def shake_hands(self) -> bytes:
        """Up to the server's last flight; returns the client's last one, already delivered."""
        said = b""
        for _ in range(4):
            if said := self.say():
                self.session.receive(said)
                last = said
            for datagram in self.wire:
                self.ssl.bio_write(datagram)
            self.wire.clear()
        return last


@pytest.fixture(scope="module")
def node() -> Certificate:
    return Certificate.generate()


class TestHandshake:
    async def test_both_sides_have_the_same_keys(self, node):
        client = Client(node)
        client.shake_hands()
        keys = client.owner.keys
        assert keys is not None and keys.profile == 7
        material = client.ssl.export_keying_material(b"EXTRACTOR-dtls_srtp", 2 * (16 + 12))
        assert keys.inbound_key + keys.outbound_key + keys.inbound_salt + keys.outbound_salt == material

    async def test_a_client_without_gcm_gets_the_older_profile(self, node):
        old = dtls.Certificate.generate([b"SRTP_AES128_CM_SHA1_80"])
        client = Client(node, old.context, offered=[("sha-256", old.fingerprint)])
        client.shake_hands()
        assert client.owner.keys is not None
        assert (client.owner.keys.profile, len(client.owner.keys.inbound_salt)) == (1, 14)

    async def test_no_datagram_is_larger_than_any_path_takes(self, node):
        client = Client(node)
        client.session.receive(client.say())
        assert client.wire and all(len(datagram) <= dtls.MAX_DATAGRAM_BYTES for datagram in client.wire)

    async def test_a_lost_last_flight_is_sent_again_when_the_client_repeats_its_own(self, node):
        client = Client(node)
        client.session.receive(client.say())
        for datagram in client.wire:
            client.ssl.bio_write(datagram)
        client.wire.clear()
        client.session.receive(client.say())
        assert client.owner.keys is not None
        client.wire.clear()  # lost
        await asyncio.sleep(client.ssl.DTLSv1_get_timeout())  # RFC 6347 4.2.4.1
        client.ssl.DTLSv1_handle_timeout()
        client.session.receive(client.written())
        for datagram in client.wire:
            client.ssl.bio_write(datagram)
        client.ssl.do_handshake()

    async def test_a_flight_without_an_answer_is_repeated_by_the_timer(self, node):
        client = Client(node)
        client.session.receive(client.say())
        assert client.session._repeat is not None
        client.session.close()
        assert client.session._repeat is None

    async def test_data_in_the_datagram_of_the_last_flight_is_heard(self, node):
        client = Client(node)
        client.session.receive(client.say())
        for datagram in client.wire:
            client.ssl.bio_write(datagram)
        client.wire.clear()
        last = client.say()
        client.session.receive(last)
        client.hear()
        client.ssl.do_handshake()
        client.ssl.send(b"one")
        client.ssl.send(b"two")
        client.session.receive(client.written())
        assert client.owner.packets == [b"one", b"two"]


class TestIdentity:
    @pytest.mark.parametrize(
        "offered",
        [
            [("sha-256", ":".join(["00"] * 32))],
            [("sha-256", "nonsense")],
            [("md5", "00")],
            [],
        ],
    )
    async def test_another_certificate_than_the_offers_is_refused(self, node, offered):
        client = Client(node)
        client.session._fingerprints = offered
        client.shake_hands()
        assert client.owner.keys is None
        assert client.owner.reasons[0] == "dtls_failed"

    async def test_every_known_fingerprint_must_be_right(self, node):
        client = Client(node)
        right = ("sha-256", client.certificate.fingerprint)
        client.session._fingerprints = [right, ("sha-512", ":".join(["00"] * 64))]
        client.shake_hands()
        assert client.owner.keys is None

    async def test_case_and_unknown_digests_do_not_matter(self, node):
        client = Client(node)
        client.session._fingerprints = [
            ("SHA-256", client.certificate.fingerprint.lower()),
            ("future-1", "00"),
        ]
        client.shake_hands()
        assert client.owner.keys is not None

    async def test_a_client_without_a_certificate_is_refused(self, node):
        context = SSL.Context(SSL.DTLS_METHOD)
        context.set_tlsext_use_srtp(b"SRTP_AEAD_AES_128_GCM")
        client = Client(node, context)
        client.session.receive(client.say())
        for datagram in client.wire:
            client.ssl.bio_write(datagram)
        client.session.receive(client.say())
        assert client.owner.keys is None
        assert client.owner.reasons == ["dtls_failed"]


class TestSession:
    async def test_packets_go_both_ways(self, node):
        client = Client(node)
        client.shake_hands()
        client.ssl.do_handshake()
        client.ssl.send(b"up")
        client.session.receive(client.written())
        client.session.send(b"down")
        assert client.owner.packets == [b"up"]
        assert client.hear() == [b"down"]

    async def test_garbage_changes_nothing(self, node):
        client = Client(node)
        last = client.shake_hands()
        client.ssl.do_handshake()
        for garbage in (b"\x17", b"\x17" * 40, b"\x16\xfe\xfd" + bytes(60), last[:20], last):
            client.session.receive(garbage)
        client.ssl.send(b"still here")
        client.session.receive(client.written())
        assert client.owner.packets == [b"still here"]
        assert client.owner.reasons == []

    async def test_a_flood_is_dropped_and_the_session_lives_on(self, node, monkeypatch):
        client = Client(node)
        client.shake_hands()
        client.ssl.do_handshake()
        monkeypatch.setattr(dtls, "MAX_DATAGRAMS_A_SECOND", 50)
        for _ in range(200):  # more than two seconds' worth, should a second end meanwhile
            client.ssl.send(b"flood")
            client.session.receive(client.written())
        assert client.session.dropped >= 50
        assert len(client.owner.packets) == 200 - client.session.dropped
        client.session._second = 0  # the next second
        client.ssl.send(b"after")
        client.session.receive(client.written())
        assert client.owner.packets[-1] == b"after"

    async def test_a_client_that_takes_leave_ends_it(self, node):
        client = Client(node)
        client.shake_hands()
        client.ssl.do_handshake()
        client.ssl.shutdown()
        client.session.receive(client.written())
        assert client.owner.reasons == ["left"]

    async def test_the_client_hears_of_our_end_and_nothing_follows(self, node):
        client = Client(node)
        client.shake_hands()
        client.ssl.do_handshake()
        client.session.close()
        with pytest.raises(SSL.ZeroReturnError):
            client.hear()
        with pytest.raises(ConnectionError):
            client.session.send(b"late")
        client.ssl.send(b"late")
        client.session.receive(client.written())
        assert client.owner.packets == []

    async def test_nothing_is_sent_before_the_handshake(self, node):
        with pytest.raises(ConnectionError):
            Client(node).session.send(b"early")

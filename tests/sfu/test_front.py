"""The one UDP port: strangers do nothing, addresses are learnt from checks, media decides where to send."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Iterator

import pytest

from liveserver.rtp import header, rtcp, stun
from liveserver.rtp.flags import Flags
from liveserver.rtp.receiver import MAX_ADDRESSES, MAX_DATAGRAM
from liveserver.rtp.srtp import OutboundKeys, Profile
from liveserver.sfu.answer import IceCredentials
from liveserver.sfu.front import Address, Endpoint, Event, Front, Kind
from tests.sfu.hall import Hall, Timeline

DTLS = bytes([22, 254, 253]) + bytes(50)  # a handshake record, as far as the front looks
RTP = header.build(payload_type=96, sequence=1, timestamp=1, ssrc=1, payload=b"media")
RTCP = rtcp.build([rtcp.ReceiverReport(5, ()), rtcp.Bye((5,))])
KEY, SALT = bytes(range(16)), bytes(range(12))
GCM = Profile.AEAD_AES_128_GCM


class Client:
    """A socket of somebody's; `check` sends a connectivity check as an ICE agent does."""

    def __init__(self, front: Front):
        self._front = front
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.bind(("127.0.0.1", 0))

    @property
    def address(self) -> Address:
        return self.socket.getsockname()

    def send(self, data: bytes) -> None:
        self.socket.sendto(data, ("127.0.0.1", self._front.port))

    def check(self, ice: IceCredentials, *, nominate: bool = False, ufrag: str = "", pwd: str = "") -> bytes:
        transaction = secrets.token_bytes(12)
        username = f"{ufrag or ice.ufrag}:peer"
        self.send(
            stun.binding_request(transaction, username, (pwd or ice.pwd).encode(), use_candidate=nominate)
        )
        return transaction

    def received(self) -> list[bytes]:
        found = []
        while True:
            try:
                found.append(self.socket.recv(2048))
            except BlockingIOError:
                return found


class Port:
    """A front, and clients to talk to it."""

    def __init__(self, hall: Hall) -> None:
        self.clock = hall.clock
        self.front = hall.front
        self.flags = hall.flags
        self._clients: list[Client] = []

    def client(self) -> Client:
        made = Client(self.front)
        self._clients.append(made)
        return made

    def endpoint(self) -> Endpoint:
        return self.front.add(object(), IceCredentials.new())

    def peer(self) -> tuple[Endpoint, Client, OutboundKeys]:
        """A peer whose address is validated and whose keys are there."""
        endpoint, client = self.endpoint(), self.client()
        client.check(endpoint.ice, nominate=True)
        self.front.poll()
        client.received()
        key = secrets.token_bytes(16)
        endpoint.open(GCM, key, SALT, 0, is_viewer=False)
        return endpoint, client, OutboundKeys(GCM, key, SALT)

    def count(self, name: str) -> int:
        return self.front.counters.get(name, 0)

    def close(self) -> None:
        for client in self._clients:
            client.socket.close()


@pytest.fixture
def port(hall: Hall) -> Iterator[Port]:
    made = Port(hall)
    yield made
    made.close()


def protected(keys: OutboundKeys, sequence: int = 1) -> bytes:
    head = header.build(payload_type=96, sequence=sequence, timestamp=1, ssrc=1)
    return keys.rtp.protect(1, sequence, head, b"media")


class TestStrangers:
    @pytest.mark.parametrize("data", [b"", b"\x16", DTLS, RTP, RTCP, b"\xff" * 100, b"\x45" * 100])
    def test_what_comes_from_no_validated_address_ends_here(self, port, data):
        endpoint = port.endpoint()
        stranger = port.client()
        stranger.send(data)
        assert port.front.poll() == []
        assert (stranger.received(), endpoint.selected, endpoint.addresses) == ([], None, [])

    @pytest.mark.parametrize("data", [b"", b"\x00" * (MAX_DATAGRAM + 1), b"\x80" * 65_507])
    def test_empty_and_oversized_datagrams_end_here_even_from_a_peer(self, port, data):
        _, client, _ = port.peer()
        client.send(data)
        assert port.front.poll() == []
        assert port.count("bad_size") == 1

    def test_the_corpora_change_nothing_and_are_not_answered(self, port, corpus):
        endpoint, client, keys = port.peer()
        stranger = port.client()
        for folder in ("rtp", "rtcp", "stun", "dtls", "sctp", "srtp", "mdns"):
            for data in corpus(folder).values():
                stranger.send(data[:65_507])
                assert port.front.poll() == []
        assert stranger.received() == []
        assert (endpoint.selected, endpoint.addresses) == (client.address, [client.address])
        client.send(protected(keys))
        assert [event.kind for event in port.front.poll()] == [Kind.RTP]

    def test_the_corpora_from_a_peer_s_own_address_reach_dtls_at_most(self, port, corpus):
        endpoint, client, keys = port.peer()
        for folder in ("rtp", "rtcp", "stun", "sctp", "srtp", "mdns", "dtls"):
            for data in corpus(folder).values():
                client.send(data[:65_507])
                for event in port.front.poll():
                    assert (event.kind, 19 < data[0] < 64) == (Kind.DTLS, True)
        client.send(protected(keys))
        assert [event.kind for event in port.front.poll()] == [Kind.RTP]
        assert endpoint.selected == client.address

    def test_one_poll_reads_a_bounded_number(self, port):
        stranger = port.client()
        for _ in range(30):
            stranger.send(DTLS)
        port.front.poll(limit=10)
        assert port.count("stranger") == 10

    def test_what_waits_to_be_read_shows_in_the_backlog(self, port):
        assert port.front.backlog == 0
        stranger = port.client()
        for _ in range(50):
            stranger.send(bytes(1000))
        assert 0 < port.front.backlog < 1
        port.front.poll()
        assert port.front.backlog == 0


class TestChecks:
    def test_a_check_with_our_password_is_answered_and_validates_the_address(self, port):
        endpoint, client = port.endpoint(), port.client()
        transaction = client.check(endpoint.ice)
        assert port.front.poll() == []
        (answer,) = map(stun.parse, client.received())
        assert (answer.cls, answer.transaction_id) == (stun.Class.SUCCESS, transaction)
        assert answer.mapped == client.address
        assert answer.verify_integrity(endpoint.ice.pwd.encode())
        assert endpoint.selected == client.address

    @pytest.mark.parametrize("wrong", [{"pwd": "guess"}, {"ufrag": "guess"}])
    def test_another_password_or_ufrag_is_not_even_answered(self, port, wrong):
        endpoint, client = port.endpoint(), port.client()
        client.check(endpoint.ice, **wrong)
        assert (port.front.poll(), client.received(), endpoint.selected) == ([], [], None)

    def test_a_check_without_integrity_is_not_answered(self, port):
        endpoint, client = port.endpoint(), port.client()
        whole = stun.binding_request(bytes(12), f"{endpoint.ice.ufrag}:x", b"?")
        username = whole[20 : 20 + 4 + int.from_bytes(whole[22:24]) + 3 & ~3]
        client.send(whole[:2] + len(username).to_bytes(2) + whole[4:20] + username)
        assert (port.front.poll(), client.received(), endpoint.selected) == ([], [], None)

    def test_answers_and_indications_are_not_answered(self, port):
        endpoint, client = port.endpoint(), port.client()
        client.send(stun.binding_success(bytes(12), ("192.0.2.1", 9), endpoint.ice.pwd.encode()))
        assert (port.front.poll(), client.received()) == ([], [])
        assert port.count("stun_other") == 1

    def test_an_answer_is_no_larger_than_the_check(self, port):
        endpoint, client = port.endpoint(), port.client()
        client.check(endpoint.ice)
        port.front.poll()
        (answer,) = client.received()
        asked = stun.binding_request(bytes(12), f"{endpoint.ice.ufrag}:peer", b"")
        assert len(answer) <= len(asked)

    def test_a_peer_keeps_a_bounded_number_of_addresses_and_the_one_in_use(self, port):
        endpoint, client, keys = port.peer()
        others = [port.client() for _ in range(3 * MAX_ADDRESSES)]
        for other in others:
            other.check(endpoint.ice)
            port.front.poll()
        assert len(endpoint.addresses) == MAX_ADDRESSES
        assert endpoint.selected == client.address
        client.send(protected(keys))
        assert len(port.front.poll()) == 1
        others[0].send(DTLS)
        others[-1].send(protected(keys, 2))
        assert [event.kind for event in port.front.poll()] == [Kind.RTP]
        assert port.count("stranger") == 1

    def test_checks_keep_a_peer_alive(self, port):
        endpoint, client, _ = port.peer()
        port.clock.advance(10_000)
        client.check(endpoint.ice)
        port.front.poll()
        assert endpoint.heard_ns == port.clock.now_ns

    def test_two_peers_behind_one_port_are_told_apart_by_address(self, port):
        one, client, keys = port.peer()
        other, other_client, other_keys = port.peer()
        client.send(protected(keys))
        other_client.send(protected(other_keys))
        assert [event.endpoint for event in port.front.poll()] == [one, other]

    def test_an_address_that_another_peer_validates_is_that_peer_s(self, port):
        one, client, _ = port.peer()
        other = port.endpoint()
        client.check(other.ice)
        port.front.poll()
        assert (one.addresses, other.addresses) == ([], [client.address])
        client.send(DTLS)
        assert [event.endpoint for event in port.front.poll()] == [other]

    def test_a_removed_peer_is_a_stranger(self, port):
        endpoint, client, keys = port.peer()
        port.front.remove(endpoint)
        client.send(protected(keys))
        client.check(endpoint.ice)
        assert (port.front.poll(), client.received(), port.front.peers) == ([], [], 0)


class TestWhereToSend:
    def test_nothing_leaves_before_an_address_is_validated(self, port):
        endpoint = port.endpoint()
        endpoint.send(b"secret")
        assert (endpoint.selected, port.front.fanout.stats.sent) == (None, 0)

    def test_it_is_the_first_validated_address(self, port):
        endpoint, client = port.endpoint(), port.client()
        client.check(endpoint.ice)
        port.front.poll()
        client.received()
        endpoint.send(b"hello")
        assert client.received() == [b"hello"]

    def test_nominating_every_address_in_turn_does_not_flap(self, port):
        endpoint = port.endpoint()
        clients = [port.client() for _ in range(3)]
        for _ in range(20):
            for client in clients:
                client.check(endpoint.ice, nominate=True)
            port.front.poll()
            port.clock.advance(50)
            assert endpoint.selected == clients[0].address

    def test_a_nomination_replaces_an_address_that_fell_silent(self, port):
        endpoint, _, _ = port.peer()
        other = port.client()
        port.clock.advance(2000)
        other.check(endpoint.ice, nominate=True)
        port.front.poll()
        assert endpoint.selected != other.address
        port.clock.advance(1500)
        other.check(endpoint.ice, nominate=True)
        port.front.poll()
        assert endpoint.selected == other.address

    def test_a_check_without_nomination_does_not(self, port):
        endpoint, client, _ = port.peer()
        other = port.client()
        port.clock.advance(60_000)
        other.check(endpoint.ice)
        port.front.poll()
        assert endpoint.selected == client.address

    def test_authenticated_media_moves_it_at_once(self, port):
        endpoint, _, keys = port.peer()
        other = port.client()
        other.check(endpoint.ice)
        port.front.poll()
        other.send(protected(keys))
        assert len(port.front.poll()) == 1
        assert endpoint.selected == other.address

    def test_media_that_fails_authentication_moves_nothing(self, port):
        endpoint, client, keys = port.peer()
        other = port.client()
        other.check(endpoint.ice)
        port.front.poll()
        whole = protected(keys)
        forged = whole[:-1] + bytes((whole[-1] ^ 1,))
        for data in (forged, RTP, RTCP):
            other.send(data)
        assert port.front.poll() == []
        assert endpoint.selected == client.address
        assert port.count("srtp_auth") >= 1

    def test_replayed_media_moves_nothing_wherever_it_comes_from(self, port):
        endpoint, client, keys = port.peer()
        packet = protected(keys)
        client.send(packet)
        assert len(port.front.poll()) == 1
        validated, stranger = port.client(), port.client()
        validated.check(endpoint.ice)
        port.front.poll()
        for sender in (client, validated, stranger):
            sender.send(packet)
        assert port.front.poll() == []
        assert endpoint.selected == client.address
        assert (port.count("srtp_replay"), port.count("stranger")) == (2, 1)


class TestHandshake:
    def test_records_of_a_validated_address_reach_the_peer(self, port):
        endpoint, client = port.endpoint(), port.client()
        client.check(endpoint.ice)
        client.send(DTLS)
        assert port.front.poll() == [Event(Kind.DTLS, endpoint, DTLS)]

    def test_before_the_keys_the_address_that_shakes_hands_is_used(self, port):
        endpoint, first, second = port.endpoint(), port.client(), port.client()
        for client in (first, second):
            client.check(endpoint.ice)
        second.send(DTLS)
        assert len(port.front.poll()) == 1
        assert endpoint.selected == second.address

    def test_after_the_keys_only_the_address_in_use_may_speak_dtls(self, port):
        endpoint, client, _ = port.peer()
        other = port.client()
        other.check(endpoint.ice)
        other.send(DTLS)
        assert port.front.poll() == []
        client.send(DTLS)
        assert len(port.front.poll()) == 1

    def test_media_before_the_keys_is_dropped(self, port):
        endpoint, client = port.endpoint(), port.client()
        client.check(endpoint.ice)
        client.send(RTP)
        assert port.front.poll() == []
        assert port.count("early_srtp") == 1

    def test_events_carry_media_in_the_clear(self, port):
        endpoint, client, keys = port.peer()
        client.send(protected(keys))
        client.send(keys.protect_rtcp(RTCP))
        media, report = port.front.poll()
        assert (media.kind, media.endpoint, media.data[12:]) == (Kind.RTP, endpoint, b"media")
        assert (report.kind, report.data) == (Kind.RTCP, RTCP)


class TestRestart:
    def test_new_credentials_for_the_same_session(self, port):
        endpoint, _, _ = port.peer()
        old, new = endpoint.ice, IceCredentials.new()
        port.front.restart(endpoint, new)
        other = port.client()
        other.check(old)
        port.front.poll()
        assert other.received() == []
        other.check(new, nominate=True)
        port.front.poll()
        assert len(other.received()) == 1
        assert other.address in endpoint.addresses

    def test_the_first_nomination_after_it_is_meant_later_ones_are_like_any(self, port):
        endpoint, _, _ = port.peer()
        port.front.restart(endpoint, IceCredentials.new())
        others = [port.client() for _ in range(2)]
        for other in others:
            other.check(endpoint.ice, nominate=True)
            port.front.poll()
        assert endpoint.selected == others[0].address

    def test_the_old_address_serves_until_media_comes_from_the_new_one(self, port):
        endpoint, client, keys = port.peer()
        port.front.restart(endpoint, IceCredentials.new())
        client.send(protected(keys, 1))
        assert len(port.front.poll()) == 1
        other = port.client()
        other.check(endpoint.ice, nominate=True)
        other.send(protected(keys, 2))
        assert len(port.front.poll()) == 1
        assert endpoint.selected == other.address


class TestAddresses:
    def test_a_port_that_is_taken_says_so(self, port):
        with pytest.raises(OSError, match="in use"):
            Front.bind("127.0.0.1", port.front.port, port.flags, port.clock.monotonic_ns)

    def test_an_ipv6_socket_serves_ipv4_peers_too(self):
        clock = Timeline()
        try:
            front = Front.bind("::", 0, Flags(1), clock.monotonic_ns)
        except OSError as error:
            pytest.skip(f"no IPv6 here: {error}")
        client = Client(front)
        try:
            endpoint = front.add(object(), IceCredentials.new())
            client.check(endpoint.ice, nominate=True)
            front.poll()
            (answer,) = map(stun.parse, client.received())
            assert answer.mapped == client.address
            endpoint.send(b"hello")
            assert client.received() == [b"hello"]
        finally:
            front.close()
            client.socket.close()

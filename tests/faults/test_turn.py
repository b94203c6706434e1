"""A relay for networks that let no UDP through: coturn as deploy/coturn sets it up (REL-G31, F16, N11)."""

from __future__ import annotations

import datetime
import http.client
import re
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

import pytest

from liveserver.turn import Turn
from tests.browser.classroom import Classroom
from tests.drivers import chromium as chromium_driver
from tests.drivers.chromium import Chromium
from tests.drivers.media import pattern_publisher
from tests.drivers.process import until
from tests.drivers.server import Lesson, Server
from tests.faults.network import GROUP, UNDER, dropping
from tests.faults.turn import SECRET, Allocation, Coturn, Refused, can_filter, missing
from tests.http.test_media import OFFER, SDP

# A network where only UDP through the relay works, as far as the page can tell.
RELAY_ONLY = """
window.RTCPeerConnection = class extends window.RTCPeerConnection {
  constructor(options = {}) { super({ ...options, iceTransportPolicy: 'relay' }); }
  setConfiguration(options) {
    const iceServers = options.iceServers.filter(({ urls }) => urls.endsWith('=udp'));
    super.setConfiguration({ ...options, iceServers });
  }
};
"""
USER_QUOTA = 12
DENIED = (
    "0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "127.1.2.3", "169.254.169.254", "172.16.0.1",
    "192.0.0.8", "192.168.1.1", "198.18.0.1", "203.0.113.1", "224.0.0.251", "240.0.0.1", "255.255.255.255",
    "8.8.8.8",
)  # fmt: skip
DENIED_6 = (
    "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.99.0.1", "::ffff:169.254.169.254",
    "64:ff9b::7f00:1", "64:ff9b::a63:1", "2002:7f00:1::", "2002:a63:1::", "2001:0:7f00:1::", "fd00:ec2::254",
    "fc00::1", "fe80::1", "ff02::1", "2001:db8::1", "2606:4700::1",
)  # fmt: skip


@pytest.fixture(scope="module")
def coturn(network: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Coturn]:
    if missing():
        pytest.skip(missing())
    now = datetime.datetime.now(datetime.UTC)
    with Coturn(tmp_path_factory.mktemp("coturn"), network, now) as running:
        yield running


@pytest.fixture(scope="module")
def server(coturn: Coturn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(
        tmp_path_factory.mktemp("server"),
        LIVESERVER_RTC_TURN_URLS=f"{coturn.url('udp')},{coturn.url('tcp')}",
        LIVESERVER_RTC_TURN_SECRET=SECRET,
        LIVESERVER_RTC_TCP="false",  # or a page without UDP would have no need of the relay
    )
    running.start()
    yield running
    running.stop()
    assert running.tracebacks() == []


@pytest.fixture
def on_air(server: Server, lesson: Lesson, tmp_path) -> Iterator[None]:
    url, token = server.whip_url(lesson), lesson.tokens["instructor"]
    with pattern_publisher(tmp_path, url, token, size="320x240") as client:
        client.wait("publishing")
        yield


def asked(server: Server, method: str, path: str, token: str | None = None, **headers: str):
    """Status and Link headers, which may be many."""
    connection = http.client.HTTPConnection(urlsplit(server.base_url).netloc, timeout=10)
    if token:
        headers["Authorization"] = f"Bearer {token}"
    try:
        connection.request(
            method, path, OFFER if method == "POST" else None, {"Content-Type": SDP, **headers}
        )
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.msg.get_all("Link") or []
    finally:
        connection.close()


def credentials(server: Server, lesson: Lesson, token: str) -> tuple[str, str]:
    _, links = asked(server, "OPTIONS", f"/whep/{lesson.id}", token)
    found = re.search(r'username="([^"]+)"; credential="([^"]+)"', links[0])
    assert found is not None, links
    return found[1], found[2]


class TestWhoIsTold:
    def test_a_session_s_answer_names_every_relay_with_credentials(self, server, lesson, coturn):
        """RFC 9725 4.6."""

        def let_in() -> list[str] | None:
            """A node that starts on a busy machine is behind, and says when to come again."""
            status, links = asked(server, "POST", f"/whep/{lesson.id}", lesson.tokens["learner"])
            assert status in (201, 503)
            return links if status == 201 else None

        links = until(let_in, "a session", timeout_s=20)
        assert [link.partition(">")[0][1:] for link in links] == [coturn.url("udp"), coturn.url("tcp")]
        for link in links:
            assert re.fullmatch(
                r'<[^>]+>; rel="ice-server"; username="\d+:[0-9a-f]{24}"; credential="[\w+/=]{28}"; '
                r'credential-type="password"',
                link,
            )

    @pytest.mark.parametrize(("prefix", "role"), [("whip", "instructor"), ("whep", "learner")])
    def test_options_name_them_to_who_brings_a_token(self, server, lesson, prefix, role):
        status, links = asked(server, "OPTIONS", f"/{prefix}/{lesson.id}", lesson.tokens[role])
        assert (status, len(links)) == (204, 2)

    def test_a_preflight_names_none(self, server, lesson):
        headers = {"Origin": "https://other.example", "Access-Control-Request-Method": "POST"}
        assert asked(server, "OPTIONS", f"/whep/{lesson.id}", **headers) == (204, [])

    @pytest.mark.parametrize(("token", "refused"), [("forged", 401), ("learner", 403)])
    def test_nobody_without_the_right_is_told(self, server, lesson, token, refused):
        token = lesson.tokens.get(token, token)
        assert asked(server, "OPTIONS", f"/whip/{lesson.id}", token) == (refused, [])
        assert asked(server, "POST", f"/whip/{lesson.id}", token) == (refused, [])

    def test_the_name_says_nothing_of_the_person_and_is_his_in_this_lesson(self, server, lesson):
        tokens = server.more_tokens(lesson, 2)
        names = [credentials(server, lesson, token)[0].partition(":")[2] for token in [*tokens, tokens[0]]]
        assert names[0] == names[2] != names[1]


class TestWhatTheRelayRefuses:
    def test_other_secrets_and_times_that_have_passed(self, coturn):
        now_s = int(time.time())
        for secret, ttl_s in (("another-secret-of-32-characters..", 60), (SECRET, -60)):
            forged = Turn([coturn.url("udp")], secret, ttl_s).servers("p", "l", now_s + 600, now_s)[0]
            with pytest.raises(Refused) as refusal, Allocation(coturn, forged.username, forged.credential):
                pass
            assert refusal.value.code == 401

    def test_the_thirteenth_allocation_of_one_person_but_not_the_first_of_the_next(
        self, server, lesson, coturn
    ):
        first, second = server.more_tokens(lesson, 2)
        with ExitStack() as held:
            for _ in range(USER_QUOTA):
                # Credentials of different times are one person's all the same.
                held.enter_context(Allocation(coturn, *credentials(server, lesson, first)))
            with (
                pytest.raises(Refused) as refusal,
                Allocation(coturn, *credentials(server, lesson, first)),
            ):
                pass
            assert refusal.value.code == 486
            held.enter_context(Allocation(coturn, *credentials(server, lesson, second)))

    def test_peers_in_any_range_but_the_media_server_s(self, server, lesson, coturn):
        token = server.more_tokens(lesson, 1)[0]
        with Allocation(coturn, *credentials(server, lesson, token)) as allocation:
            allocation.permit(coturn.address)
            for peer in DENIED:
                with pytest.raises(Refused) as refusal:
                    allocation.permit(peer)
                assert refusal.value.code == 403, peer

    def test_peers_of_the_other_family_in_every_notation(self, server, lesson, coturn):
        token = server.more_tokens(lesson, 1)[0]
        with Allocation(coturn, *credentials(server, lesson, token), family=6) as allocation:
            for peer in DENIED_6:
                with pytest.raises(Refused) as refusal:
                    allocation.permit(peer)
                assert refusal.value.code == 403, peer

    def test_nothing_arrives_at_a_denied_address(self, server, lesson, coturn):
        token = server.more_tokens(lesson, 1)[0]
        with (
            Allocation(coturn, *credentials(server, lesson, token)) as allocation,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as canary,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as allowed,
        ):
            canary.bind(("127.0.0.1", 0))
            allowed.bind((coturn.address, 0))
            allowed.settimeout(5)
            allocation.permit(coturn.address)
            for _ in range(20):
                allocation.send("127.0.0.1", canary.getsockname()[1], b"probe")
            # What is sent after it arrives: so would have this.
            allocation.send(coturn.address, allowed.getsockname()[1], b"media")
            assert allowed.recv(100) == b"media"
            canary.setblocking(False)
            with pytest.raises(BlockingIOError):
                canary.recv(100)

    @pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
    def test_tls_is_as_good_as_udp_and_older_tls_is_none(self, server, lesson, coturn):
        token = server.more_tokens(lesson, 1)[0]
        with Allocation(coturn, *credentials(server, lesson, token), tls=True) as allocation:
            assert allocation.sock.version() in ("TLSv1.2", "TLSv1.3")
        old = ssl.create_default_context(cafile=str(coturn.chain))
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
        old.set_ciphers("DEFAULT@SECLEVEL=0")
        # coturn says nothing at all to such a greeting.
        with (
            socket.create_connection((coturn.address, coturn.tls_port), timeout=1) as sock,
            pytest.raises(OSError, match=r"timed out|alert|EOF|reset"),
        ):
            old.wrap_socket(sock, server_hostname=coturn.address)


@contextmanager
def no_udp_for(group: int) -> Iterator[None]:
    """No datagram of a program of `group` leaves it."""
    with dropping("-p", "udp", group=group):
        yield


def pairs(tab) -> list[dict]:
    """The candidate pairs in use, with the transport our side reaches its relay by."""
    return tab.evaluate(
        """async () => {
             const stats = [...(await watch.connections.at(-1).getStats()).values()];
             return stats.filter((s) => s.type === 'candidate-pair' && s.nominated && s.bytesReceived > 0)
               .map((pair) => stats.find((s) => s.id === pair.localCandidateId));
           }"""
    )


class TestALessonThroughIt:
    def test_a_learner_s_page_that_may_only_use_the_relay_gets_a_picture_over_udp(
        self, server, lesson, on_air, chromium
    ):
        classroom = Classroom(server, lesson, chromium)
        learner = classroom.learn(script=RELAY_ONLY)
        learner.wait_moving()
        assert {(one["candidateType"], one["relayProtocol"]) for one in pairs(learner)} == {("relay", "udp")}
        classroom.close()

    def test_an_instructor_s_page_that_may_only_use_the_relay_is_seen(self, server, lesson, chromium):
        classroom = Classroom(server, lesson, chromium)
        teacher = classroom.teach(script=RELAY_ONLY)
        classroom.learn().wait_moving()
        assert {one["candidateType"] for one in pairs(teacher)} == {"relay"}
        classroom.close()

    def test_where_no_udp_passes_it_gets_one_over_tcp(self, server, lesson, on_air, coturn):
        if not can_filter():
            pytest.skip("needs root and iptables to keep UDP from a browser")
        if chromium_driver.program() is None:
            pytest.skip("Chromium is not installed (tests/install-debian.sh)")
        with no_udp_for(GROUP), Chromium(under=UNDER) as walled:
            classroom = Classroom(server, lesson, walled)
            learner = classroom.learn(script=RELAY_ONLY.replace("=udp", "=tcp"))  # ICE-TCP would do too
            learner.wait_moving()
            found = pairs(learner)
            classroom.close()
        assert {(one["candidateType"], one["relayProtocol"]) for one in found} == {("relay", "tcp")}

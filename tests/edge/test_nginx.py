"""nginx in front, as deploy/nginx sets it up (FIG-P8, RELIABILITY G23): each part is asked for once, a cut is
felt within a second, and what else an edge owes."""

from __future__ import annotations

import http.client
import json
import re
import socket
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from urllib.parse import urlsplit

import pytest
from websockets.sync.client import connect

from tests.drivers.media import pattern_publisher
from tests.drivers.process import until
from tests.drivers.server import Lesson, Reply, Server, request
from tests.edge.nginx import NAME, Nginx, Ports
from tests.http.test_media import OFFER, SDP
from tests.http.test_sockets import close_code, join, until_type

CLASS = 8  # learners, each with a token of his own
LISTED = re.compile(r'#EXT-X-PART:.*URI="([^"]+)"')
HINTED = re.compile(r'#EXT-X-PRELOAD-HINT:.*URI="[^"]+/(\d+)\.(\d+)\.m4s')
PARTS_ROUTE = r".*\.\{part}\.m4s"


def get(server: Server, lesson: Lesson, name: str, token: str | None = None) -> Reply:
    query = f"{'&' if '?' in name else '?'}token={token or lesson.tokens['learner']}"
    return request("GET", f"{server.base_url}/hls/{lesson.id}/{name}{query}", timeout_s=20)


def listed(server: Server, lesson: Lesson, rendition: str) -> list[str]:
    """The parts that a playlist lists now, without the token."""
    reply = get(server, lesson, f"{rendition}.m3u8")
    assert reply.status == 200, reply
    return [uri.partition("?")[0] for uri in LISTED.findall(reply.body.decode())]


def asked_of_origin(ports: Ports, route: str, status: int | str = 200) -> int:
    """How often the server itself has answered a route so; `status` is one, or some with `|` between."""
    text = request("GET", f"http://127.0.0.1:{ports.origin}/metrics").body.decode()
    found = re.findall(
        rf'http_requests_total{{method="GET",route="{route}",status="(?:{status})"}} (\S+)', text
    )
    return int(sum(map(float, found)))


class Player:
    """Reloads blocking and fetches every part, over one kept connection, as players do."""

    def __init__(self, edge: Nginx, lesson: Lesson, token: str):
        self._connection = http.client.HTTPSConnection(NAME, edge.port, timeout=20, context=edge.trust)
        self._lesson, self._token = lesson, token
        self.playlists: set[str] = set()
        self.parts: dict[str, bytes] = {}

    def get(self, name: str) -> tuple[int, bytes]:
        self._connection.request("GET", f"/hls/{self._lesson.id}/{name}")
        answer = self._connection.getresponse()
        return answer.status, answer.read()

    def play(self, seconds: float) -> Player:
        name, end_s = "video.m3u8?", time.monotonic() + seconds
        while time.monotonic() < end_s:
            status, body = self.get(f"{name}token={self._token}")
            assert status == 200, (status, body)
            self.playlists.add(name)
            text = body.decode()
            for uri in LISTED.findall(text)[-8:]:
                assert uri.endswith(f"?token={self._token}"), "one's own token, nobody else's"
                path = uri.partition("?")[0]
                if path not in self.parts:
                    status, self.parts[path] = self.get(uri)
                    assert status == 200
            hint = HINTED.search(text)
            assert hint is not None
            name = f"video.m3u8?_HLS_msn={hint[1]}&_HLS_part={hint[2]}&"
        return self


class TestTheConfiguration:
    def test_is_one_that_nginx_takes_without_a_warning(self, edge):
        done = edge.check()
        assert done.returncode == 0, done.stderr
        assert "warn" not in done.stderr

    def test_speaks_tls_1_2_and_1_3_and_http_2(self, edge):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = ssl.create_default_context(cafile=str(edge.chain))
            context.minimum_version = context.maximum_version = version
            context.set_alpn_protocols(["h2", "http/1.1"])
            with (
                socket.create_connection(("127.0.0.1", edge.port), 5) as plain,
                context.wrap_socket(plain, server_hostname=NAME) as wrapped,
            ):
                assert wrapped.selected_alpn_protocol() == "h2"

    def test_answers_no_other_name(self, edge):
        context = ssl.create_default_context(cafile=str(edge.chain))
        context.check_hostname = False
        with socket.create_connection(("127.0.0.1", edge.port), 5) as plain, pytest.raises(ssl.SSLError):
            context.wrap_socket(plain, server_hostname="elsewhere.example")

    def test_sends_plain_http_to_https(self, edge):
        connection = http.client.HTTPConnection(urlsplit(edge.plain_url).netloc, timeout=5)
        connection.request("GET", "/learn/x?token=secret")
        answer = connection.getresponse()
        assert (answer.status, answer.headers["Location"]) == (301, f"https://{NAME}/learn/x")
        connection.close()


class TestPartsForAClass:
    def test_each_is_asked_for_once(self, edge, server, ports, aired):
        tokens = server.more_tokens(aired, CLASS)
        before = asked_of_origin(ports, PARTS_ROUTE), asked_of_origin(ports, r".*\.m3u8")
        with ThreadPoolExecutor(CLASS) as pool:
            players = list(pool.map(lambda token: Player(edge, aired, token).play(5), tokens))
        after = asked_of_origin(ports, PARTS_ROUTE), asked_of_origin(ports, r".*\.m3u8")
        parts = set().union(*(player.parts for player in players))
        playlists = set().union(*(player.playlists for player in players)) - {"video.m3u8?"}
        assert min(len(player.parts) for player in players) >= 10, "each of them plays"
        assert after[0] - before[0] == len(parts)
        # The first one, which is of no moment, may fall into two seconds.
        assert len(playlists) <= after[1] - before[1] <= len(playlists) + 2
        for player in players:
            for path, data in player.parts.items():
                assert data == players[0].parts.get(path, data), "the same bytes for all"

    def test_who_asks_at_the_same_moment_waits_for_the_same_answer(self, edge, server, ports, aired):
        path = listed(server, aired, "audio")[-1]
        together, before = Barrier(CLASS), asked_of_origin(ports, PARTS_ROUTE)

        def ask(token: str) -> bytes:
            together.wait()
            reply = get(server, aired, path, token)
            assert reply.status == 200
            return reply.body

        with ThreadPoolExecutor(CLASS) as pool:
            bodies = set(pool.map(ask, server.more_tokens(aired, CLASS)))
        assert len(bodies) == 1
        assert asked_of_origin(ports, PARTS_ROUTE) - before == 1

    def test_who_asks_for_the_part_that_comes_next_waits_for_it_too(self, edge, server, ports, aired):
        """As iPhones do (the preload hint): the server is asked once, by one of them."""
        together, tokens = Barrier(CLASS), server.more_tokens(aired, CLASS)
        before = asked_of_origin(ports, PARTS_ROUTE, "200|404")
        hint = re.search(
            r'#EXT-X-PRELOAD-HINT:.*URI="([^"?]+)', get(server, aired, "audio.m3u8").body.decode()
        )
        assert hint is not None

        def ask(token: str) -> tuple[int, bytes]:
            together.wait()
            reply = get(server, aired, hint[1], token)
            return reply.status, reply.body

        with ThreadPoolExecutor(CLASS) as pool:
            ((status, _),) = set(pool.map(ask, tokens))
        assert status in (200, 404), "404: its segment ended before it"
        assert asked_of_origin(ports, PARTS_ROUTE, "200|404") - before == 1

    def test_a_token_is_asked_about_once_a_second_at_most(self, edge, server, ports, aired):
        token = server.more_tokens(aired, 1)[0]
        route, before, began_s = r"/hls/{lesson}/access", 0, time.time()
        before = asked_of_origin(ports, route, 204)
        for _ in range(20):
            assert get(server, aired, "index.m3u8", token).status == 200
        seconds = int(time.time()) - int(began_s) + 1
        assert 1 <= asked_of_origin(ports, route, 204) - before <= seconds


class TestWhoMayNot:
    def test_is_refused_by_the_edge_in_the_server_s_words(self, server, aired):
        (path, *_) = listed(server, aired, "video")
        assert get(server, aired, path).status == 200, "it is in the cache"
        other = server.new_lesson().tokens["learner"]
        for name in ("index.m3u8", "video.m3u8", path):
            address = f"{server.base_url}/hls/{aired.id}/{name}"
            for url, status, code in (
                (address, 401, "token_missing"),
                (f"{address}?token={'x' * 40}", 401, "token_invalid"),
                (f"{address}?token=%22%3B", 401, "token_missing"),
                (f"{address}?token={other}", 403, "forbidden"),
            ):
                reply = request("GET", url)
                assert (reply.status, reply.json["code"]) == (status, code), url
        reply = request("GET", f"{server.base_url}/hls/nowhere/index.m3u8?token={server.token('admin')}")
        assert (reply.status, reply.json["code"]) == (404, "unknown_lesson")

    def test_no_field_of_one_client_is_in_what_all_are_told(self, server):
        lesson = server.new_lesson()
        address = f"{server.base_url}/hls/{lesson.id}/index.m3u8?token={lesson.tokens['learner']}"
        body = {"level": "lesson", "reason": "advert"}
        assert server.api("POST", f"/lessons/{lesson.id}/cut", body, role="moderator").status == 200
        until(lambda: request("GET", address).json["code"] == "lesson_cut", "the cut")
        second = int(time.time())
        until(lambda: int(time.time()) > second, "another second, of which nothing is kept yet")
        for headers in ({"LL-Edge": "1", "Range": "bytes=0-1", "Accept-Encoding": "br"}, {}):
            reply = request("GET", address, headers=headers)
            assert (reply.status, reply.headers.get("LL-Refusal")) == (410, None)

    def test_is_told_no_refusal_of_somebody_else(self, edge, server):
        """Who was refused as everybody is, and a moment later for himself, within the second that is kept."""
        lesson = server.new_lesson()
        mine, other = server.more_tokens(lesson, 2)
        address = f"{server.base_url}/hls/{lesson.id}/index.m3u8?token="
        body = {"level": "lesson", "reason": "advert"}
        assert server.api("POST", f"/lessons/{lesson.id}/cut", body, role="moderator").status == 200
        until(lambda: request("GET", address + mine).json["code"] == "lesson_cut", "the cut")
        second = int(time.time())
        until(lambda: int(time.time()) > second, "another second, of which nothing is kept yet")
        kept = edge.folder / "nginx-access"
        assert request("GET", address + mine).json["code"] == "lesson_cut"
        assert server.api("POST", "/revocations", {"token": mine}).status == 200
        for file in kept.rglob("*"):
            if file.is_file() and b"KEY: refused" in file.read_bytes():
                file.unlink()
        told = [request("GET", address + one).json["code"] for one in (mine, other)]
        assert told[1] == "lesson_cut", told

    def test_a_bearer_s_header_will_do(self, server, aired):
        reply = request("GET", f"{server.base_url}/hls/{aired.id}/index.m3u8", token=aired.tokens["learner"])
        assert reply.status == 200
        assert f"?token={aired.tokens['learner']}" in reply.body.decode()

    def test_nothing_that_an_operator_looks_at_is_there(self, server):
        for path in ("/metrics", "/debug/rooms", "/debug/block?seconds=1", "/.access", "/hls/x/access"):
            assert request("GET", f"{server.base_url}{path}").status == 404, path


class TestACut:
    @pytest.mark.parametrize("level", ["lesson", "picture"])
    def test_ends_what_the_edge_gives_out_within_a_second_and_for_good(self, edge, server, tmp_path, level):
        lesson = server.new_lesson()
        url, token = server.whip_url(lesson), lesson.tokens["instructor"]
        with pattern_publisher(tmp_path, url, token, size="320x240") as client:
            client.wait("publishing")
            until(lambda: get(server, lesson, "video.m3u8").status == 200, "something to play")
            learners = server.more_tokens(lesson, 3)
            parts = listed(server, lesson, "video")[-4:]
            for learner in learners:
                assert get(server, lesson, parts[0], learner).status == 200
            body = {"level": level, "reason": "advert"}
            assert server.api("POST", f"/lessons/{lesson.id}/cut", body, role="moderator").status == 200
            cut_s = time.monotonic()
            last_s = cut_s
            while time.monotonic() - cut_s < 2:
                for learner in learners:
                    for name in (parts[0], "video.m3u8"):
                        asked_s = time.monotonic()
                        if get(server, lesson, name, learner).status == 200:
                            last_s = asked_s
                time.sleep(0.02)
            assert last_s - cut_s <= 1, "no part later than 1 s"
            refused = get(server, lesson, "video.m3u8", learners[0])
            assert (refused.status, refused.json["code"]) == (410, "lesson_cut")
            assert get(server, lesson, "audio.m3u8").status == (410 if level == "lesson" else 200)
            restored = {"reason": "it was none"}
            assert server.api("POST", f"/lessons/{lesson.id}/restore", restored).status == 200
            if level == "picture":
                until(lambda: get(server, lesson, "video.m3u8").status == 200, "the picture again")
            for part in parts:
                assert get(server, lesson, part).status in (404, 410, 503), "what was cut never comes back"

    def test_goes_to_the_guard_while_the_server_is_busy(self, server, ports):
        lesson = server.new_lesson()
        with ThreadPoolExecutor(1) as pool:
            block = f"http://127.0.0.1:{ports.origin}/debug/block?seconds=3"
            blocked = pool.submit(request, "POST", block)
            time.sleep(0.3)  # until it has begun; then nothing of the public port answers
            body = {"level": "lesson", "reason": "advert"}
            reply = server.api("POST", f"/lessons/{lesson.id}/cut", body, role="moderator")
            assert (reply.status, blocked.done()) == (200, False)
            assert blocked.result().status == 200


class TestWhatElseGoesThrough:
    def test_a_socket_stays_open_and_carries_messages_both_ways(self, server, aired, edge):
        url = f"wss://{NAME}:{edge.port}/ws/{aired.id}"
        with connect(url, ssl=edge.trust, compression=None, origin=edge.url, close_timeout=1) as ws:
            join(ws, aired.tokens["learner"])
            ws.send(json.dumps({"type": "chat", "text": "good morning"}))
            assert until_type(ws, "chat")["text"] == "good morning"
        with connect(url, ssl=edge.trust, compression=None, close_timeout=1) as ws:
            ws.send(json.dumps({"type": "join", "token": "x"}))
            assert close_code(ws) == 4401

    def test_whep_names_the_edge_s_address(self, server, aired):
        def joined() -> Reply | None:
            token = aired.tokens["learner"]
            reply = request("POST", server.whep_url(aired), token=token, body=OFFER, content_type=SDP)
            assert reply.status in (201, 503), reply  # 503: the machine is busy; come back
            return reply if reply.status == 201 else None

        location = until(joined, "a place").headers["Location"]
        assert location.startswith(f"{server.base_url}/whep/{aired.id}/")
        assert request("DELETE", location, token=aired.tokens["learner"]).status == 200

    def test_pages_and_their_files(self, server, ports):
        page = request("GET", f"{server.base_url}/learn/x")
        assert page.status == 200
        assert page.headers["Strict-Transport-Security"] == "max-age=31536000"
        assert (
            f"connect-src 'self' {server.base_url.replace('http', 'ws', 1)}"
            in page.headers["Content-Security-Policy"]
        )
        file = request("GET", f"{server.base_url}/static/lib/api.js")
        assert (file.status, file.headers["Cache-Control"]) == (200, "no-cache")
        same = {"If-None-Match": file.headers["ETag"]}
        assert request("GET", f"{server.base_url}/static/lib/api.js", headers=same).status == 304


class TestLimits:
    def test_a_body_that_is_too_large_is_refused(self, server):
        reply = request(
            "POST", f"{server.base_url}/api/v1/lessons", token=server.token("admin"), body=b"x" * 70_000
        )
        assert (reply.status, reply.json["code"]) == (413, "too_large")
        assert reply.headers["Content-Type"] == "application/problem+json"

    def test_a_roster_may_be_larger(self, server):
        url = f"{server.base_url}/api/v1/classes/none/roster/import"
        reply = request(
            "POST", url, token=server.token("admin"), body=b"x" * 200_000, content_type="text/csv"
        )
        assert (reply.status, reply.json["code"]) == (422, "unknown_class"), "the server's own answer"

    def test_who_tries_passwords_is_told_to_wait(self, server):
        with ThreadPoolExecutor(8) as pool:
            body = json.dumps({"name": "nobody", "password": "x"}).encode()
            url = f"{server.base_url}/api/v1/session"
            replies = list(pool.map(lambda _: request("POST", url, body=body), range(140)))
        refused = [reply for reply in replies if reply.status == 429]
        assert any(reply.json["code"] == "rate_limited" for reply in refused)
        assert all(reply.json["code"] in ("rate_limited", "too_many_attempts") for reply in refused)
        assert all("Retry-After" in reply.headers for reply in refused)

    def test_a_request_behind_a_request_is_nobody_s(self, edge, server):
        """RELIABILITY F8: what length and chunks disagree about is refused, not handed on."""
        inner = f"GET /debug/rooms HTTP/1.1\r\nHost: {NAME}\r\n\r\n"
        head = f"POST /api/v1/lessons HTTP/1.1\r\nHost: {NAME}\r\nContent-Type: application/json\r\n"
        for framing in (
            f"Content-Length: {len(inner) + 5}\r\nTransfer-Encoding: chunked\r\n",
            f"Content-Length: 4\r\nContent-Length: {len(inner)}\r\n",
            "Transfer-Encoding: chunked, identity\r\n",
            "Transfer-Encoding : chunked\r\n",
        ):
            with (
                socket.create_connection(("127.0.0.1", edge.port), 5) as plain,
                edge.trust.wrap_socket(plain, server_hostname=NAME) as wrapped,
            ):
                wrapped.sendall((head + framing + "\r\n0\r\n\r\n" + inner).encode())
                wrapped.settimeout(5)
                answer = b""
                while more := wrapped.recv(65_536):
                    answer += more
            assert re.match(rb"HTTP/1\.1 [45]", answer), framing
            assert answer.count(b"HTTP/1.1 ") == 1, framing


class TestTheLogs:
    def test_have_no_token(self, edge, server, aired):
        """Runs last: whatever the tests above did is in them."""
        recordings = f"{server.base_url}/recordings/none?link=secret-link"
        request("GET", recordings)
        tokens = [*aired.tokens.values(), *server.more_tokens(aired, 1)]
        for token in tokens:
            get(server, aired, "video.m3u8", token)
        text = edge.logs
        assert f'"/hls/{aired.id}/video.m3u8"' in text
        assert not re.search(r' "[^"]*\?', (edge.folder / "access.log").read_text()), "no query"
        for secret in (*tokens, "secret-link", "token="):
            assert secret not in text

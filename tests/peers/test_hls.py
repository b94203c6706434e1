"""LL-HLS as a player meets it: a real lesson, its playlists held against the rules, FFmpeg as a player."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.drivers.media import Client, pattern_publisher
from tests.drivers.process import until
from tests.drivers.server import Lesson, Reply, Server, request
from tests.hls import rules
from tests.peers.test_attendance import person, sheet, socket
from tests.peers.wire import children

pytestmark = pytest.mark.usefixtures("network")
# Long enough for delta playlists (24 s) and for segments that leave the playlist (32 s).
WATCHED_S = 45 if os.environ.get("RELIABILITY") == "full" else 8


@pytest.fixture(scope="module")
def aired(
    network: str, shared_server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Server, Lesson]]:
    """One lesson on the air for all who only look at it."""
    lesson = shared_server.new_lesson()
    url, token = shared_server.whip_url(lesson), lesson.tokens["instructor"]
    with pattern_publisher(tmp_path_factory.mktemp("hls"), url, token, size="320x240") as client:
        client.wait("publishing")
        yield shared_server, lesson


def get(server: Server, lesson: Lesson, name: str, token: str | None = None, **headers: str) -> Reply:
    query = f"{'&' if '?' in name else '?'}token={token or lesson.tokens['learner']}"
    return request("GET", f"{server.base_url}/hls/{lesson.id}/{name}{query}", headers=headers, timeout_s=20)


def follow(server: Server, lesson: Lesson, rendition: str, seconds: float) -> rules.Watch:
    """Reload as a player does, blocking for each part, and hold what comes against the rules."""
    name = f"{rendition}.m3u8"
    address = f"{server.base_url}/hls/{lesson.id}/{name}"

    def fetch(uri: str) -> bytes:
        reply = request("GET", uri)
        assert reply.status == 200, (reply.status, uri.partition("?")[0])
        assert "max-age=60," in reply.headers["Cache-Control"]
        return reply.body

    watch = rules.Watch(address, fetch)
    found = watch.look(get(server, lesson, name).body.decode())
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        last, parts = found.newest
        asked = (last + 1, 0) if found.segments[-1].uri is not None else (last, parts)
        reply = get(server, lesson, f"{name}?_HLS_msn={asked[0]}&_HLS_part={asked[1]}")
        assert reply.status == 200, reply
        found = watch.look(reply.body.decode())
        assert found.newest >= (asked[0], 0 if found.newest[0] > asked[0] else asked[1] + 1), (
            "not before it has it"
        )
        watch.check_media()
    return watch


class TestAPlayer:
    @pytest.mark.parametrize("rendition", ["video", "audio"])
    def test_finds_no_rule_broken_while_the_lesson_goes_on(self, aired, rendition):
        server, lesson = aired
        watch = follow(server, lesson, rendition, WATCHED_S)
        assert len(watch.segments) >= 3
        for _ in range(5):  # the two are of the same moment unless a part came in between
            whole = get(server, lesson, f"{rendition}.m3u8").body.decode()
            delta = get(server, lesson, f"{rendition}.m3u8?_HLS_skip=YES").body.decode()
            if rules.parse(whole).newest == rules.parse(delta).newest:
                break
        if "EXT-X-SKIP" in delta:
            watch.check_delta(whole, delta)
        elif WATCHED_S > 30:
            pytest.fail("the playlist is long enough for a delta")

    def test_is_told_what_there_is(self, aired):
        server, lesson = aired
        reply = get(server, lesson, "index.m3u8")
        assert reply.headers["Content-Type"] == "application/vnd.apple.mpegurl"
        (video, first), (audio, second) = rules.parse_multivariant(reply.body.decode())
        assert video["RESOLUTION"] == "320x240"
        assert re.fullmatch(r'"avc1\.42[0-9a-f]{4},mp4a\.40\.2"', video["CODECS"])
        assert audio["CODECS"] == '"mp4a.40.2"'
        assert (first.partition("?")[0], second.partition("?")[0]) == ("video.m3u8", "audio.m3u8")

    def test_that_is_not_ours_plays_it(self, aired):
        server, lesson = aired
        if shutil.which("ffmpeg") is None:
            pytest.skip("FFmpeg's programs are not installed")
        url = f"{server.base_url}/hls/{lesson.id}/index.m3u8?token={lesson.tokens['learner']}"
        asked = ["ffprobe", "-v", "error", "-of", "json", "-show_entries", "stream=codec_name", url]
        probed = subprocess.run(asked, capture_output=True, check=True, timeout=60).stdout
        assert {stream["codec_name"] for stream in json.loads(probed)["streams"]} == {"h264", "aac"}
        played = ["ffmpeg", "-v", "error", "-i", url, "-t", "3", "-f", "null", "-"]
        done = subprocess.run(played, capture_output=True, text=True, check=True, timeout=60)
        said = [line for line in done.stderr.splitlines() if not line.startswith("[null")]
        assert said == [], "nothing is wrong with what it reads and decodes"

    def test_gets_the_part_it_was_hinted_at_when_it_is_there(self, aired):
        server, lesson = aired
        found = rules.parse(get(server, lesson, "video.m3u8").body.decode())
        name = (found.hint or "").partition("?")[0]
        reply = get(server, lesson, name)
        assert reply.status in (200, 404), "404: the segment ended before it"

    @pytest.mark.parametrize("asked", ["_HLS_msn={}", "_HLS_msn={}&_HLS_part=0"])
    def test_that_asks_for_the_far_future_is_refused(self, aired, asked):
        server, lesson = aired
        newest = rules.parse(get(server, lesson, "video.m3u8").body.decode()).newest[0]
        reply = get(server, lesson, "video.m3u8?" + asked.format(newest + 9))
        assert (reply.status, reply.json["code"]) == (400, "bad_request")

    def test_that_asks_for_a_part_of_nothing_is_refused(self, aired):
        server, lesson = aired
        assert get(server, lesson, "video.m3u8?_HLS_part=3").status == 400

    def test_gets_404_for_what_is_not_there(self, aired):
        server, lesson = aired
        run = rules.parse(get(server, lesson, "video.m3u8").body.decode()).segments[0].init or ""
        run = run.partition("/")[0]
        for name in (
            f"{run}/video/5.m4s",
            f"{run}/video/5.0.m4s",
            f"{run}/video/init77.mp4",
            "00000000/video/5.m4s",
        ):
            assert get(server, lesson, name).status == 404, name

    def test_needs_a_token_for_everything(self, aired):
        server, lesson = aired
        found = rules.parse(get(server, lesson, "video.m3u8").body.decode())
        part = found.segments[-1].parts[0].uri.partition("?")[0]
        for name in ("index.m3u8", "video.m3u8", part, "access"):
            assert request("GET", f"{server.base_url}/hls/{lesson.id}/{name}").status == 401
            other = server.new_lesson()
            assert get(server, lesson, name, other.tokens["learner"]).status == 403


class TestAnEdge:
    def test_gets_a_placeholder_that_it_can_keep_for_all(self, aired):
        server, lesson = aired
        replies = [get(server, lesson, "video.m3u8", **{"LL-Edge": "1"}) for _ in range(2)]
        for reply in replies:
            assert lesson.tokens["learner"] not in reply.body.decode()
            assert "?token=@token@" in reply.body.decode()

    def test_asks_for_access_token_by_token(self, aired):
        server, lesson = aired
        reply = get(server, lesson, "access")
        assert (reply.status, reply.headers["Cache-Control"]) == (204, "private, max-age=1")


class TestALearnerWithoutWebRtc:
    def test_is_present_while_his_player_asks(self, aired):
        server, lesson = aired
        token = server.more_tokens(lesson, 1)[0]
        with socket(server, lesson, token):
            for _ in range(8):
                assert get(server, lesson, "access", token).status == 204
                time.sleep(0.4)  # as an edge asks
            row = until(
                lambda: (
                    found
                    if (found := sheet(server, lesson).get(person(token, server))) and found["session_s"] >= 2
                    else None
                ),
                "seconds of presence",
            )
        assert row["cumulative_s"] >= 2


class TestACut:
    @pytest.fixture
    def own(self, network, server, lesson, tmp_path) -> Iterator[Client]:
        with pattern_publisher(
            tmp_path, server.whip_url(lesson), lesson.tokens["instructor"], size="320x240"
        ) as client:
            client.wait("publishing")
            yield client

    def test_ends_what_is_served_at_once_and_those_who_wait(self, own, server, lesson):
        found = rules.parse(get(server, lesson, "video.m3u8").body.decode())
        part = found.segments[-1].parts[0].uri.partition("?")[0]
        last = found.newest[0]
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(get, server, lesson, f"video.m3u8?_HLS_msn={last + 2}")
            time.sleep(0.2)
            cut = server.api(
                "POST", f"/lessons/{lesson.id}/cut", {"level": "lesson", "reason": "advert"}, role="moderator"
            )
            began_s = time.monotonic()
            assert cut.status == 200
            for name in (part, "video.m3u8", "audio.m3u8", "index.m3u8", "access"):
                reply = get(server, lesson, name)
                assert (reply.status, reply.json["code"]) == (410, "lesson_cut"), name
            assert waiting.result(timeout=5).status == 410
            assert time.monotonic() - began_s < 1

    def test_of_the_picture_leaves_the_sound(self, own, server, lesson):
        assert get(server, lesson, "video.m3u8").status == 200
        body = {"level": "picture", "reason": "advert"}
        assert server.api("POST", f"/lessons/{lesson.id}/cut", body, role="moderator").status == 200
        assert get(server, lesson, "video.m3u8").status == 410
        (only,) = rules.parse_multivariant(get(server, lesson, "index.m3u8").body.decode())
        assert only[1].startswith("audio.m3u8")
        assert get(server, lesson, "audio.m3u8").status == 200
        assert server.api("POST", f"/lessons/{lesson.id}/restore", {"reason": "no advert"}).status == 200
        until(lambda: get(server, lesson, "video.m3u8").status == 200, "the picture again", timeout_s=20)


class TestTheEndOfALesson:
    def test_is_in_the_playlist(self, network, server, lesson, tmp_path):
        with pattern_publisher(
            tmp_path, server.whip_url(lesson), lesson.tokens["instructor"], size="320x240"
        ) as client:
            client.wait("publishing")
            assert get(server, lesson, "video.m3u8").status == 200
            assert (
                server.api(
                    "POST", f"/lessons/{lesson.id}/end", role="instructor", token=lesson.tokens["instructor"]
                ).status
                == 200
            )
            reply = until(
                lambda: (
                    r if "#EXT-X-ENDLIST" in (r := get(server, lesson, "video.m3u8")).body.decode() else None
                ),
                "the end in the playlist",
            )
        found = rules.parse(reply.body.decode())
        assert found.ended
        assert all(segment.uri for segment in found.segments)

    def test_nobody_teaching_is_said(self, server, lesson):
        reply = get(server, lesson, "index.m3u8")
        assert (reply.status, reply.json["code"]) == (503, "not_live")


class TestAPublisherOfVp8:
    def test_is_transcoded_once_for_this_tier(self, network, server, lesson, tmp_path):
        with pattern_publisher(
            tmp_path, server.whip_url(lesson), lesson.tokens["instructor"], codec="vp8", size="320x240"
        ) as client:
            client.wait("publishing")
            reply = until(
                lambda: r if (r := get(server, lesson, "video.m3u8")).status == 200 else None, "a picture"
            )
        assert rules.parse(reply.body.decode()).segments


class TestThePackagingProcess:
    def test_that_dies_is_followed_by_another_and_players_see_a_discontinuity(self, aired):
        server, lesson = aired
        before = rules.parse(get(server, lesson, "video.m3u8").body.decode())
        os.kill(packaging(server), signal.SIGKILL)
        watch = until(
            lambda: (
                found
                if (found := rules.parse(get(server, lesson, "video.m3u8").body.decode())).newest[0]
                > before.newest[0]
                else None
            ),
            "more segments",
            timeout_s=30,
        )
        assert watch.segments[-1].discontinuity == before.segments[-1].discontinuity + 1
        assert watch.segments[0].sequence <= before.newest[0], "what there was is still listed"


def packaging(server: Server) -> int:
    """The packaging process of the server's node."""
    node = children(server.process.pid)["liveserver.node"]
    pids = Path(f"/proc/{node}/task/{node}/children").read_text().split()
    (found,) = (p for p in pids if b"liveserver.packaging\0" in Path(f"/proc/{p}/cmdline").read_bytes())
    return int(found)

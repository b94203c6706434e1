"""Many players at the same moment (REL-L5): one request to the server for a part, whoever keeps it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.drivers.server import REPOSITORY, Lesson, Server
from tests.edge.nginx import NAME, Nginx, Ports

FULL = os.environ.get("RELIABILITY") == "full"
PLAYERS, SECONDS = (500, 20) if FULL else (60, 4)


@pytest.fixture(scope="module")
def alone(edge: Nginx, ports: Ports, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    """nginx without Varnish, before the same server."""
    with Nginx(tmp_path_factory.mktemp("alone"), ports, with_varnish=False) as running:
        yield running


def play(edge: Nginx, server: Server, ports: Ports, lesson: Lesson, players: int, seconds: int) -> Any:
    """What `loadtest.edge` reports of players who all come at once."""
    tokens: list[str] = []
    while len(tokens) < players:
        tokens += server.more_tokens(lesson, min(200, players - len(tokens)))
    url = f"https://{NAME}:{edge.port}/hls/{lesson.id}"
    given = [
        "--seconds",
        str(seconds),
        "--ca",
        str(edge.chain),
        "--origin",
        f"http://127.0.0.1:{ports.origin}",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "loadtest.edge", url, *given],
        input="\n".join(tokens),
        capture_output=True,
        text=True,
        check=False,
        cwd=REPOSITORY,
        timeout=seconds + 60,
    )
    assert done.stdout, done.stderr
    report = json.loads(done.stdout)
    if FULL:
        print(json.dumps(report))
    return report


class TestPlayersWhoComeAtOnce:
    def test_share_one_request_for_each_part(self, edge, server, ports, aired):
        report = play(edge, server, ports, aired, PLAYERS, SECONDS)
        assert report["errors"] == {}
        assert report["parts"]["fetched"] > PLAYERS * 4, "each of them plays"
        assert 0 < report["origin"]["{part}.m4s 200"] <= report["parts"]["different"]
        assert report["origin"]["m3u8 200"] < report["playlists"]["fetched"] / 4
        assert report["origin"]["access 204"] <= PLAYERS * (report["seconds"] + 2)

    def test_do_so_without_varnish_too(self, alone, server, ports, aired):
        report = play(alone, server, ports, aired, 20, 3)
        assert report["errors"] == {}
        assert 0 < report["origin"]["{part}.m4s 200"] <= report["parts"]["different"]

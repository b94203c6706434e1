"""One nginx with its Varnish, one server behind them, one lesson on the air for all tests of the edge."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.drivers.media import pattern_publisher
from tests.drivers.process import until
from tests.drivers.server import Lesson, Server, request
from tests.edge.nginx import PROGRAM, Nginx, Ports
from tests.edge.varnish import PROGRAM as VARNISH
from tests.edge.varnish import Varnish


@pytest.fixture(scope="package")
def ports() -> Ports:
    return Ports.free()


@pytest.fixture(scope="package")
def edge(ports: Ports, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    """nginx and Varnish."""
    if PROGRAM is None or VARNISH is None:
        pytest.skip("nginx or Varnish is not installed (tests/install-debian.sh)")
    varnish = Varnish(tmp_path_factory.mktemp("varnish"), ports.media, ports.origin)
    with varnish, Nginx(tmp_path_factory.mktemp("nginx"), ports) as running:
        yield running


@pytest.fixture(scope="package")
def server(edge: Nginx, ports: Ports, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose address is the edge's: whatever is asked of it goes through nginx."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("SSL_CERT_FILE", str(edge.chain))
        running = Server(
            tmp_path_factory.mktemp("server"),
            "--port",
            str(ports.origin),
            LIVESERVER_CONTROL_PORT=str(ports.guard),
            LIVESERVER_DOOR_PORT=str(ports.door),
            LIVESERVER_HTTP_BASE_URL=edge.url,
            LIVESERVER_CONTROL_BASE_URL=edge.url,
            LIVESERVER_ACCOUNTS_PROXIES="127.0.0.1",
            LIVESERVER_HTTP_UNFINISHED_PER_ADDRESS="2000",
            LIVESERVER_TEST_HOOKS="true",
        )
        running.start()
        yield running
        running.stop()
    assert running.tracebacks() == []


@pytest.fixture(scope="package")
def aired(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lesson]:
    """A lesson on the air, published through the edge, and already packaged."""
    lesson = server.new_lesson()
    url, token = server.whip_url(lesson), lesson.tokens["instructor"]
    with pattern_publisher(tmp_path_factory.mktemp("media"), url, token, size="320x240") as client:
        client.wait("publishing")
        address = f"{server.base_url}/hls/{lesson.id}/video.m3u8?token={lesson.tokens['learner']}"
        until(lambda: request("GET", address, timeout_s=20).status == 200, "something to play")
        yield lesson

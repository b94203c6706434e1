"""The npm package `whip-whep`, in a page of another origin: publishes by WHIP, watches by WHEP."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.drivers.media import pattern_publisher
from tests.drivers.tab import Camera

PACKAGE = Path(__file__).parents[1] / "node_modules/whip-whep"
PAGE = b"""<!doctype html><html lang=en><title>whip-whep</title>
<video data-testid=stage autoplay playsinline></video>
<script type=module>
import { WHIPClient } from '/whip.js';
import { WHEPClient } from '/whep.js';
window.publish = async ([url, token]) => {
  const pc = new RTCPeerConnection();
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
  for (const track of stream.getTracks()) pc.addTransceiver(track, { direction: 'sendonly' });
  window.client = new WHIPClient();
  await window.client.publish(pc, url, token);
};
window.view = async ([url, token]) => {
  const pc = new RTCPeerConnection();
  pc.addTransceiver('audio', { direction: 'recvonly' });
  pc.addTransceiver('video', { direction: 'recvonly' });
  const shown = new MediaStream();
  pc.ontrack = ({ track }) => {
    shown.addTrack(track);
    document.querySelector('video').srcObject = shown;
  };
  window.client = new WHEPClient();
  await window.client.view(pc, url, token);
};
window.stop = () => window.client.stop();
</script>"""


class _Pages(http.server.SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path != "/":
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(PAGE)))
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, *_: object) -> None:
        """The test's output is not an access log."""


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    """A site that is not the server's, with the package's modules."""
    if not PACKAGE.exists():
        pytest.skip("whip-whep is not installed: make test, or npm ci --prefix tests")
    handler = functools.partial(_Pages, directory=str(PACKAGE))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as site:
        threading.Thread(target=site.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{site.server_port}/"
        site.shutdown()


@pytest.fixture
def page(chromium, origin: str):
    tab = chromium.tab(origin, camera=Camera())
    tab.until(lambda: tab.evaluate("() => typeof window.stop === 'function' && !!window.view"), "the page")
    yield tab
    tab.close()


def test_it_publishes_what_a_learners_page_shows(server, lesson, chromium, page):
    page.evaluate("publish", [server.whip_url(lesson), lesson.tokens["instructor"]])
    server.wait_lesson(lesson, state="live", publishing=True)
    learner = chromium.tab(server.learn_link(lesson))
    try:
        learner.wait_moving()
        learner.wait_heard()
    finally:
        learner.close()
    page.evaluate("stop")
    server.wait_lesson(lesson, publishing=False)
    assert page.evaluate("() => watch.troubles") == []


def test_it_watches_and_leaves(server, lesson, page, tmp_path):
    with pattern_publisher(tmp_path, server.whip_url(lesson), lesson.tokens["instructor"]) as publisher:
        publisher.wait("publishing")
        page.evaluate("view", [server.whep_url(lesson), lesson.tokens["learner"]])
        page.wait_moving()
        page.wait_heard()
        assert server.lesson(lesson)["viewers"] == 1
        page.evaluate("stop")
        server.wait_lesson(lesson, viewers=0)
    assert page.evaluate("() => watch.troubles") == []

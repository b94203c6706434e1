"""REL-A2: forty forged tokens at every door: each refused, in the log or counted there, nowhere repeated."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from urllib.parse import quote

import pytest

from tests.drivers.process import until
from tests.drivers.server import Server, request
from tests.forged import Forger
from tests.http.test_sockets import close_code, opened

KEY = bytes(range(32))
LESSON = "lesson"  # which one makes no difference: nobody gets as far
Door = Callable[[Server, str], int]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """With a key that the forger knows."""
    made = Server(tmp_path_factory.mktemp("forged"))
    keys = made.data / "keys"
    keys.mkdir(parents=True, mode=0o700)
    (keys / "tokens.key").write_bytes(KEY)
    (keys / "tokens.key").chmod(0o600)
    made.start()
    yield made
    assert made.stop() == 0
    assert made.tracebacks() == []


@pytest.fixture(scope="module")
def forged() -> dict[str, str]:
    """Those that can be sent at all."""
    forger = Forger(KEY, int(time.time()))
    tokens = {**forger.forged(), "issued in the future": forger.hs256(iat=forger.now + 3600)}
    return {kind: token for kind, token in tokens.items() if token.isascii()}


def by_header(method: str, path: str) -> Door:
    return lambda server, token: request(method, server.base_url + path, token=token).status


def by_query(path: str) -> Door:
    return lambda server, token: request("GET", f"{server.base_url}{path}{quote(token)}").status


def by_socket(server: Server, token: str) -> int:
    with opened(server, LESSON) as ws:
        ws.send(json.dumps({"type": "join", "token": token}))
        code = close_code(ws)
        return 401 if code == 4401 else code or 0


DOORS: dict[str, Door] = {
    "REST": by_header("GET", "/api/v1/lessons"),
    "a cut": by_header("POST", f"/api/v1/lessons/{LESSON}/cut"),
    "WHEP": by_header("POST", f"/whep/{LESSON}"),
    "WHIP": by_header("POST", f"/whip/{LESSON}"),
    "HLS": by_query(f"/hls/{LESSON}/index.m3u8?token="),
    "a recording": by_query("/recordings/r1?link="),
    "the socket": by_socket,
}


class TestForgedTokens:
    def test_the_pattern_of_them_is_let_in(self, server: Server) -> None:
        assert DOORS["REST"](server, Forger(KEY, int(time.time())).hs256()) == 200

    @pytest.mark.parametrize("door", DOORS)
    def test_are_refused_one_and_all(self, server: Server, forged: dict[str, str], door: str) -> None:
        assert len(forged) >= 40
        answers = {kind: DOORS[door](server, token) for kind, token in forged.items()}
        # As a link one of them is read, and names another recording; one is too long for a query.
        wanted = {401, 400, 403} if door == "a recording" else {401}
        assert {kind: status for kind, status in answers.items() if status not in wanted} == {}

    def test_are_in_the_log_or_counted_there_and_nowhere_repeated(
        self, server: Server, forged: dict[str, str]
    ) -> None:
        began = len(server.log.read_text())

        def said() -> int:
            text = server.log.read_text()[began:]
            unsaid = re.findall(r"unsaid_before\D+(\d+)", text)
            return len(re.findall(r"http\.refused", text)) + sum(map(int, unsaid))

        for token in forged.values():
            DOORS["REST"](server, token)
        # A burst of them is a number, which the next line tells.
        until(
            lambda: said() >= len(forged) or not DOORS["REST"](server, "one more"), "all of them in the log"
        )
        long_ones = [token for token in forged.values() if len(token) > 20]
        assert [token for token in long_ones if token in server.log.read_text()] == []

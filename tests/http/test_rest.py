"""The commands' own client of the API: with a real server, and with servers that mean harm."""

from __future__ import annotations

import hashlib
import json
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from liveserver import cli
from liveserver.cli import inspection, rest
from liveserver.cli.rest import Bounds, RefusedError
from liveserver.core.permissions import Role
from tests.drivers.server import Server
from tests.http.conftest import Sign

WIDE = Bounds(1 << 20, 1 << 21, 9)
OK = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"


def code_of(ask: Callable[[], object]) -> str:
    with pytest.raises(RefusedError) as refused:
        ask()
    return refused.value.code


class Stranger:
    """A server that answers every connection with the same bytes, then waits or closes; what it was asked."""

    def __init__(self, answer: bytes, trust: ssl.SSLContext | None = None, drip_s: float = 0) -> None:
        self.asked: list[bytes] = []
        self._answer, self._trust, self._drip_s = answer, trust, drip_s
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"{'https' if trust else 'http'}://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                plain, _ = self._socket.accept()
            except OSError:
                return
            try:
                with self._trust.wrap_socket(plain, server_side=True) if self._trust else plain as line:
                    self.asked.append(line.recv(65_536))
                    pieces = [self._answer] if not self._drip_s else [bytes([one]) for one in self._answer]
                    for piece in pieces:
                        line.sendall(piece)
                        time.sleep(self._drip_s)
                    self._drain(line)
            except OSError:
                continue

    def _drain(self, line: socket.socket) -> None:
        """What was not read would reset the connection."""
        if self._trust is None:
            line.shutdown(socket.SHUT_WR)
            line.settimeout(5)
            while line.recv(65_536):
                pass

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)


@pytest.fixture
def stranger() -> Iterator[Callable[..., Stranger]]:
    made: list[Stranger] = []

    def make(answer: bytes, trust: ssl.SSLContext | None = None, drip_s: float = 0) -> Stranger:
        made.append(Stranger(answer, trust, drip_s))
        return made[-1]

    yield make
    for one in made:
        one.close()


class TestARealServer:
    def test_is_asked_with_the_token(self, shared_server: Server, sign: Sign) -> None:
        asked = rest.Server(shared_server.base_url + "/", sign(Role.INSPECTOR))
        assert shared_server.demo.id in [one["id"] for one in asked.items("/lessons")]
        assert asked.json("GET", f"/lessons/{shared_server.demo.id}")["id"] == shared_server.demo.id

    def test_refuses_with_its_own_code(self, shared_server: Server, sign: Sign) -> None:
        asked = rest.Server(shared_server.base_url, sign(Role.INSPECTOR))
        assert code_of(lambda: asked.json("GET", "/lessons/nobody-made-it")) == "unknown_lesson"
        assert code_of(lambda: asked.json("POST", "/inspections/samples", {"since": 7})) == "bad_request"

    def test_gives_a_file_that_is_whole_or_none(
        self, shared_server: Server, sign: Sign, tmp_path: Path
    ) -> None:
        path, where = tmp_path / "l.zip", f"/lessons/{shared_server.demo.id}/evidence"
        asked = rest.Server(shared_server.base_url, sign(Role.INSPECTOR), bounds=WIDE)
        assert asked.fetch(where, path) == hashlib.sha256(path.read_bytes()).hexdigest()
        assert code_of(lambda: asked.fetch(where, tmp_path / "small", 1000)) == "too_large"
        assert [one.name for one in tmp_path.iterdir()] == ["l.zip"]

    def test_is_asked_for_no_more_than_the_bounds_allow(
        self, shared_server: Server, sign: Sign, tmp_path: Path
    ) -> None:
        where = f"/lessons/{shared_server.demo.id}/evidence"
        size = len(shared_server.api("GET", where, role="inspector", timeout_s=30).body)
        for bounds, code in (
            (Bounds(1 << 20, size + 99_000, 9), "too_much"),
            (Bounds(1 << 20, 1 << 24, 1), "too_many_files"),
        ):
            asked = rest.Server(shared_server.base_url, sign(Role.INSPECTOR), bounds=bounds)
            asked.fetch(where, tmp_path / "first")
            assert code_of(lambda asked=asked: asked.fetch(where, tmp_path / "second")) == code
            assert not (tmp_path / "second").exists()


class TestAStranger:
    @pytest.mark.parametrize(
        ("answer", "code"),
        [
            (OK + b"\r\n[1]", "bad_answer"),
            (OK + b"\r\n" + b"[" * 100_000, "bad_answer"),
            (OK + b"Content-Length: 9\r\n\r\n{}", "no_answer"),
            (OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{}", "no_answer"),
            (OK + b"Content-Length: 99999999999\r\n\r\n{}", "too_large"),
            (b"nonsense\r\n\r\n", "no_answer"),
            (b"", "no_answer"),
            (
                b"HTTP/1.1 403 No\r\nConnection: close\r\n\r\n" + json.dumps({"code": "a b"}).encode(),
                "http_403",
            ),
            (b"HTTP/1.1 403 No\r\nConnection: close\r\n\r\n[]", "http_403"),
        ],
    )
    def test_is_refused_by_name_whatever_it_sends(self, stranger, answer: bytes, code: str) -> None:
        server = rest.Server(stranger(answer).url, "secret", timeout_s=5)
        assert code_of(lambda: server.json("GET", "/lessons")) == code

    def test_that_sends_without_end_is_stopped_at_the_bound(self, stranger, monkeypatch) -> None:
        monkeypatch.setattr(rest, "ANSWER_MAX_BYTES", 1000)
        server = rest.Server(stranger(OK + b"\r\n" + b" " * 5000).url, "secret", timeout_s=5)
        assert code_of(lambda: server.json("GET", "/lessons")) == "too_large"

    def test_that_drips_is_given_up(self, stranger, monkeypatch) -> None:
        """A byte comes often enough for any time-out, and never fast enough."""
        monkeypatch.setattr(rest, "SLOWEST_BYTES_S", 1 << 20)
        server = rest.Server(stranger(OK + b"\r\n" + b" " * 500, drip_s=0.01).url, "secret", timeout_s=0.3)
        assert code_of(lambda: server.json("GET", "/lessons")) == "too_slow"

    def test_whose_list_never_ends_is_given_up(self, stranger, monkeypatch) -> None:
        monkeypatch.setattr(rest, "PAGES_MAX", 3)
        answer = stranger(OK + b"\r\n" + b'{"items": [], "next": "a&b"}')
        server = rest.Server(answer.url, "secret", timeout_s=5)
        assert code_of(lambda: list(server.items("/lessons"))) == "too_large"
        assert len(answer.asked) == 3
        assert b"after=a%26b " in answer.asked[1]

    def test_elsewhere_never_gets_the_token(self, stranger, tmp_path: Path) -> None:
        elsewhere = stranger(OK + b"\r\n{}")
        moved = stranger(
            b"HTTP/1.1 302 F\r\nConnection: close\r\nLocation: " + elsewhere.url.encode() + b"/x\r\n\r\n"
        )
        server = rest.Server(moved.url, "secret", timeout_s=5, bounds=WIDE)
        assert code_of(lambda: server.json("GET", "/lessons")) == "http_302"
        assert elsewhere.asked == []
        server.fetch(f"{moved.url}/recordings/r", tmp_path / "r")  # a recording, by its signed address
        assert b"secret" in moved.asked[0]
        assert not any(b"secret" in asked for asked in [*moved.asked[1:], *elsewhere.asked])

    @pytest.mark.parametrize(
        "url", ["", "class.example", "file:///etc/passwd", "http://", "http://a b", "http://[x"]
    )
    def test_has_an_address_of_the_web(self, url: str) -> None:
        assert code_of(lambda: rest.Server(url, "secret")) == "bad_address"

    @pytest.mark.parametrize("where", ["httpx://x", "http:/x", "https://"])
    def test_names_no_address_that_is_none(self, stranger, tmp_path: Path, where: str) -> None:
        server = rest.Server("http://127.0.0.1:1", "secret", bounds=WIDE)
        assert code_of(lambda: server.fetch(where, tmp_path / "x")) == "bad_address"


class TestTls:
    def test_wants_a_certificate_that_is_trusted(self, stranger, tmp_path: Path) -> None:
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-keyout", "k.pem", "-out", "c.pem", "-days", "2", "-subj", "/CN=x",
             "-addext", "subjectAltName=IP:127.0.0.1"],
            cwd=tmp_path, check=True, capture_output=True,
        )  # fmt: skip
        trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trust.load_cert_chain(tmp_path / "c.pem", tmp_path / "k.pem")
        url = stranger(OK + b"\r\n{}", trust).url
        assert rest.Server(url, "secret", ca=tmp_path / "c.pem", timeout_s=5).json("GET", "/x") == {}
        assert code_of(lambda: rest.Server(url, "secret", timeout_s=5).json("GET", "/x")) == "no_answer"


class TestAnInspection:
    COMMAND = ("--since", "2026-03-01", "--until", "2026-03-02", "--out")

    @pytest.mark.parametrize(
        ("sample", "code"), [({}, "bad_answer"), ({"lessons": [{"id": "../../etc"}]}, "bad_answer")]
    )
    def test_of_a_stranger_names_lessons_or_ends(
        self, stranger, tmp_path: Path, monkeypatch, capsys, sample: object, code: str
    ) -> None:
        monkeypatch.setenv(inspection.TOKEN, "secret")
        url = stranger(OK + b"\r\n" + json.dumps(sample).encode()).url
        assert cli.main(["inspect", url, *self.COMMAND, str(tmp_path / "out")]) == 1
        assert f"({code})" in capsys.readouterr().err

    def test_tells_what_cannot_be_fetched_and_goes_on(
        self, stranger, tmp_path: Path, monkeypatch, capsys
    ) -> None:
        sample = {"lessons": [{"id": "L1", "title": "A\x1b[2J"}, {"id": "L2"}], "population": 9, "seed": "00"}
        url = stranger(OK + b"\r\n" + json.dumps(sample).encode()).url
        monkeypatch.setenv(inspection.TOKEN, "secret")
        command = ["inspect", url, *self.COMMAND, str(tmp_path / "out"), "--most-file"]
        assert cli.main([*command, "10B"]) == 1
        said = capsys.readouterr().out
        assert said.count("more than 10 bytes (too_large)") == 2
        assert "\x1b" not in said
        assert cli.main([*command, "1MiB", "--most-files", "1"]) == 1
        assert "more than 1 files would be fetched (too_many_files)" in capsys.readouterr().err

    @pytest.mark.parametrize("option", [["--most", "7"], ["--most-file", "x"], ["--most-files", "0"]])
    def test_has_bounds_that_are_sizes_and_numbers(self, tmp_path: Path, option: list[str]) -> None:
        with pytest.raises(SystemExit):
            cli.main(["inspect", "http://x", *self.COMMAND, str(tmp_path), *option])

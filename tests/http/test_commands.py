"""The command line and the processes behind it: starting, stopping, dying."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from liveserver import cli
from tests.drivers.process import end, spawn, until
from tests.drivers.server import REPOSITORY, Server, request

CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("LIVESERVER_")}


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command that ends by itself; where it would start a server, it has no data folder to start in."""
    return subprocess.run(
        [sys.executable, "-m", "liveserver", *arguments],
        env={**CLEAN, "LIVESERVER_DATA_DIR": os.devnull, **environment},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def children(pid: int) -> dict[str, int]:
    """The processes below `pid` by the module they run."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
            command = (path.parent / "cmdline").read_bytes().decode().split("\0")
        except OSError:  # it ended meanwhile
            continue
        if int(fields[1]) == pid and fields[0] != "Z" and "-m" in command:
            found[command[command.index("-m") + 1]] = int(path.parent.name)
    return found


class TestTheCommandLine:
    def test_each_command_is_in_the_module_it_is_looked_for_in(self, capsys):
        with pytest.raises(SystemExit):
            cli.main(["--help"])
        listed = re.findall(r"^    ([a-z][a-z-]*)\b", capsys.readouterr().out, re.MULTILINE)
        assert listed == list(cli.COMMANDS)
        for name in cli.COMMANDS:
            with pytest.raises(SystemExit):
                cli.main([name, "--help"])
            assert f"usage: liveserver {name}" in capsys.readouterr().out

    @pytest.mark.parametrize("words", [("--version",), ("hours", "--help"), ("screen", "--help")])
    def test_what_needs_no_server_loads_none(self, words):
        loads = (
            "import sys; from liveserver.cli import main\n"
            f"try: main({list(words)})\n"
            "except SystemExit: print([name for name in ('sqlalchemy', 'aiohttp') if name in sys.modules])"
        )
        out = subprocess.check_output([sys.executable, "-c", loads], text=True, cwd=REPOSITORY)
        assert out.endswith("[]\n")


def supervisor(server: Server) -> int:
    assert server.process is not None
    return server.process.pid


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class TestMisuse:
    @pytest.mark.parametrize(
        "arguments",
        [
            (),
            ("nothing",),
            ("demo", "--port", "65536"),
            ("demo", "--learners", "-1"),
            ("serve", "--what"),
            ("demo", "--js"),
        ],
    )
    def test_ends_with_2(self, arguments: tuple[str, ...]) -> None:
        done = run(*arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert "usage: liveserver" in done.stderr

    def test_help_lists_the_commands_there_are(self) -> None:
        listed = run("--help").stdout
        assert set(re.findall(r"^    ([a-z-]+)\b", listed, re.MULTILINE)) == {
            "serve", "demo", "check-config", "bench", "recording", "verify", "retention", "hours", "screen",
            "drill", "ledger", "inspect", "revoke", "passkey-code",
        }  # fmt: skip


class TestAStartThatCannotBe:
    """One clear sentence on standard error, nothing on standard output, exit code 1."""

    def sentence(self, done: subprocess.CompletedProcess[str]) -> str:
        """What was said to the operator; log lines and progress apart."""
        assert (done.returncode, done.stdout) == (1, ""), done.stderr
        said = [line for line in done.stderr.splitlines() if line.startswith("liveserver: ")]
        assert len(said) == 1, done.stderr
        assert "Traceback" not in done.stderr
        return said[0]

    def test_because_the_port_is_taken(self, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
            done = run("serve", "--port", port, LIVESERVER_DATA_DIR=str(tmp_path))
        assert f"127.0.0.1:{port}: address already in use" in self.sentence(done)

    def test_because_the_media_port_is_taken(self, tmp_path: Path) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind(("0.0.0.0", 0))
            port = str(taken.getsockname()[1])
            done = run("serve", "--port", "0", LIVESERVER_DATA_DIR=str(tmp_path), LIVESERVER_RTC_PORT=port)
        assert f"UDP 0.0.0.0:{port}: address already in use" in self.sentence(done)

    def test_because_the_control_port_is_taken(self, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
            done = run(
                "serve", "--port", "0", LIVESERVER_DATA_DIR=str(tmp_path), LIVESERVER_CONTROL_PORT=port
            )
        assert f"127.0.0.1:{port}: address already in use" in self.sentence(done)

    def test_because_the_data_folder_cannot_be_written(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        said = self.sentence(run("serve", "--port", "0", LIVESERVER_DATA_DIR=str(tmp_path / "file" / "data")))
        assert str(tmp_path / "file" / "data") in said

    def test_because_the_certificate_is_missing_or_none(self, tmp_path: Path) -> None:
        tls = ["--tls-cert", str(tmp_path / "cert.pem"), "--tls-key", str(tmp_path / "key.pem")]
        said = self.sentence(run("serve", "--port", "0", *tls, LIVESERVER_DATA_DIR=str(tmp_path)))
        assert "certificate" in said and "cert.pem: no such file" in said
        for name in ("cert.pem", "key.pem"):
            (tmp_path / name).write_text("not PEM")
        assert "cert.pem" in self.sentence(
            run("serve", "--port", "0", *tls, LIVESERVER_DATA_DIR=str(tmp_path))
        )

    def test_because_the_token_key_is_broken(self, tmp_path: Path) -> None:
        (tmp_path / "keys").mkdir()
        key = tmp_path / "keys" / "tokens.key"
        key.write_bytes(b"short")
        key.chmod(0o600)
        said = self.sentence(run("serve", "--port", "0", LIVESERVER_DATA_DIR=str(tmp_path)))
        assert "tokens.key has 5 bytes instead of 32" in said

    def test_because_a_key_is_unknown(self, tmp_path: Path) -> None:
        (tmp_path / "c.toml").write_text("[http]\nprot = 1\n")
        for command in ("serve", "demo", "check-config"):
            assert "http.prot" in self.sentence(run(command, "--config", str(tmp_path / "c.toml")))
        assert "LIVESERVER_HTTP_PROT" in self.sentence(run("serve", LIVESERVER_HTTP_PROT="1"))


class TestCheckConfig:
    def test_shows_what_differs_from_the_defaults_and_no_password(self, tmp_path: Path) -> None:
        (tmp_path / "c.toml").write_text('store_url = "postgresql://u:secret@h/d"\n[http]\nport = 81\n')
        done = run("check-config", "--config", str(tmp_path / "c.toml"))
        assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "The configuration is valid.")
        assert "http.port = 81" in done.stdout
        assert "secret" not in done.stdout


class TestDemo:
    def test_prints_one_line_of_json_with_everything_that_is_needed(self, tmp_path: Path) -> None:
        server = Server(tmp_path / "demo", "--learners", "3").start()
        try:
            ready = server.ready
            keys = {"base_url", "control_url", "lesson", "pages", "tokens", "learner_tokens"}
            assert set(ready) == keys
            assert set(ready["pages"]) == {"teach", "learn", "learn_h5", "moderate", "admin", "inspect"}
            assert set(ready["tokens"]) == {"instructor", "learner", "moderator", "admin", "inspector"}
            assert len(set(ready["learner_tokens"])) == 3
            assert server.api("GET", f"/lessons/{ready['lesson']}", role="learner").json["state"] == "waiting"
            for token in ready["learner_tokens"]:
                assert server.api("GET", f"/lessons/{ready['lesson']}", token=token).status == 200
        finally:
            assert server.stop() == 0
        assert not server.left_behind()

    def test_keeps_keys_lessons_and_cuts_over_a_restart_and_makes_a_new_lesson(
        self, own_server: Server
    ) -> None:
        before, token = own_server.demo, own_server.token("learner")
        order = {"level": "lesson", "reason": "stays"}
        assert own_server.api("POST", f"/lessons/{before.id}/cut", order, control=True).status == 200
        own_server.restart()
        assert own_server.demo.id != before.id
        assert own_server.api("GET", f"/lessons/{before.id}", token=token).json["state"] == "cut"
        assert own_server.lesson(own_server.demo)["state"] == "waiting"

    def test_for_people_prints_links_and_says_what_it_does(self, tmp_path: Path) -> None:
        log = tmp_path / "log"
        process = spawn(
            [sys.executable, "-m", "liveserver", "demo", "--port", "0"],
            log=log,
            env={**CLEAN, "LIVESERVER_DATA_DIR": str(tmp_path / "data")},
            cwd=REPOSITORY,
        )
        try:
            text = until(
                lambda: (text := log.read_text()) if "Ctrl-C" in log.read_text() else "",
                "links",
                timeout_s=40,
            )
        finally:
            assert end(process) == 0
        assert "Starting the node" in text
        assert re.search(r"Teach +http://127\.0\.0\.1:\d+/teach/\w+#token=", text)

    def test_in_a_local_network_speaks_tls_with_a_certificate_of_its_own(self, tmp_path: Path) -> None:
        server = Server(tmp_path / "lan", "--lan", LIVESERVER_RECORDER_ENABLED="false").start()
        try:
            assert server.base_url.startswith("https://")
            assert server.control_url.startswith("https://")
            trust = ssl.create_default_context(cafile=str(server.data / "tls" / "self-signed.pem"))
            for url in (server.base_url, server.control_url):
                with urllib.request.urlopen(f"{url}/healthz", context=trust, timeout=10) as answer:
                    assert answer.status == 200
            assert (server.data / "tls" / "self-signed.key").stat().st_mode & 0o077 == 0
        finally:
            assert server.stop() == 0


class TestServe:
    def test_prints_a_set_up_link_on_an_empty_store_until_it_was_used(self, tmp_path: Path) -> None:
        first = self.served(tmp_path)
        link = re.search(r"(http://\S+)/admin#setup=(\S+)", first["text"])
        assert link is not None
        body = json.dumps({"token": link[2], "name": "Zhao"}).encode()
        reply = request("POST", f"{link[1]}/api/v1/setup", body=body)
        assert reply.status == 200
        assert end(first["process"]) == 0
        again = self.served(tmp_path)
        assert "setup" not in again["text"]
        assert end(again["process"]) == 0

    def served(self, folder: Path) -> dict:
        log = folder / "log"
        log.write_text("")
        process = spawn(
            [sys.executable, "-m", "liveserver", "serve", "--port", "0"],
            log=log,
            env={
                **CLEAN,
                "LIVESERVER_DATA_DIR": str(folder / "data"),
                "LIVESERVER_RECORDER_ENABLED": "false",
            },
            cwd=REPOSITORY,
        )
        ready = "liveserver is ready"
        return {"process": process, "text": until(lambda: read_with(log, ready), "ready", timeout_s=40)}


def read_with(log: Path, words: str) -> str:
    text = log.read_text()
    return text if words in text else ""


class TestAProcessThatDies:
    @pytest.mark.parametrize("module", ["liveserver.node", "recorder"])
    def test_is_started_again_with_the_ports_it_had(self, own_server: Server, module: str) -> None:
        pid = children(supervisor(own_server))[module]
        os.kill(pid, signal.SIGKILL)
        until(
            lambda: children(supervisor(own_server)).get(module, pid) != pid,
            f"another {module}",
            timeout_s=30,
        )
        until(lambda: answers(own_server), "the server", timeout_s=30)
        assert own_server.lesson(own_server.demo)["state"] == "waiting"
        for url in (own_server.base_url, own_server.control_url):
            assert request("GET", f"{url}/healthz").status == 200

    def test_if_it_is_the_supervisor_takes_the_others_with_it(self, own_server: Server) -> None:
        below = children(supervisor(own_server))
        assert set(below) == {"liveserver.node", "recorder"}
        os.kill(supervisor(own_server), signal.SIGKILL)
        until(lambda: not any(alive(pid) for pid in below.values()), "the children gone")

    def test_by_ctrl_c_ends_like_the_rest(self, own_server: Server) -> None:
        assert own_server.process is not None
        os.killpg(own_server.process.pid, signal.SIGINT)
        assert own_server.process.wait(25) == 0


def answers(server: Server) -> bool:
    try:
        return request("GET", f"{server.base_url}/readyz", timeout_s=1).status == 200
    except OSError:
        return False

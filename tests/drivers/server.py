"""The server as its users get it: a process, its printed line, its HTTP interface."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .process import end, group_is_gone, kill_group, spawn, until

REPOSITORY = Path(__file__).parents[2]
READY_TIMEOUT_S = 40


@dataclass(frozen=True, slots=True)
class Lesson:
    """A lesson with links and one token per role, as the demo and POST /lessons give them."""

    id: str
    title: str
    pages: Mapping[str, str]
    tokens: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def request(
    method: str,
    url: str,
    *,
    token: str | None = None,
    body: bytes | None = None,
    content_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
    timeout_s: float = 10,
) -> Reply:
    """One HTTP request; any status is an answer, only the network's failures raise (OSError)."""
    sent = {"Content-Type": content_type, **(headers or {})}
    if token:
        sent["Authorization"] = f"Bearer {token}"
    asked = urllib.request.Request(url, data=body, headers=sent, method=method)
    try:
        with urllib.request.urlopen(asked, timeout=timeout_s) as answer:
            return Reply(answer.status, dict(answer.headers), answer.read())
    except urllib.error.HTTPError as refusal:
        with refusal:
            return Reply(refusal.code, dict(refusal.headers), refusal.read())


class Server:
    """`liveserver demo` on free ports with a data folder of its own."""

    def __init__(self, folder: Path, *options: str, **environment: str):
        """`options` go to the command line; `environment` are settings such as LIVESERVER_TEST_HOOKS."""
        self.folder = folder
        self.data = folder / "data"
        self.log = folder / "server.log"
        self._options = options
        kept = {key: value for key, value in os.environ.items() if not key.startswith("LIVESERVER_")}
        # Looking at pictures costs a fifth of a core a lesson, a spare node two seconds: where they are not
        # what is tested, they are off.
        usual = {"LIVESERVER_SCREENING_ENABLED": "false", "LIVESERVER_LEDGER_HEAD_EVERY": "1s"}
        usual |= {"LIVESERVER_SPARE_NODE": "false"}
        environment = {**usual, **environment}
        self._environment = {**kept, **environment, "LIVESERVER_DATA_DIR": str(self.data)}
        self.process: subprocess.Popen[str] | None = None
        self.ready: dict[str, Any] = {}
        self._lessons = 0

    # -- its life -------------------------------------------------------------------------------------------

    def start(self) -> Server:
        """Start and wait for the printed line. Started again, it keeps its data and its ports."""
        self.folder.mkdir(parents=True, exist_ok=True)
        environment = dict(self._environment)
        port = "0"
        if self.ready:
            port = str(urlsplit(self.base_url).port)
            environment["LIVESERVER_CONTROL_PORT"] = str(urlsplit(self.control_url).port)
        command = [sys.executable, "-m", "liveserver", "demo", "--json", "--port", port, *self._options]
        self.process = spawn(command, log=self.log, env=environment, cwd=REPOSITORY, stdout=subprocess.PIPE)
        try:
            self.ready = self._read_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def _read_ready(self) -> dict[str, Any]:
        """The first line of JSON on standard output; a thread keeps reading what follows into the log."""
        lines: queue.Queue[str | None] = queue.Queue()
        process = self.process
        assert process is not None and process.stdout is not None

        def read() -> None:
            with self.log.open("a") as log:
                for line in process.stdout:
                    lines.put(line)
                    log.write(line if not line.startswith("{\"base_url\"") else "ready\n")  # fmt: skip
                    log.flush()
            lines.put(None)

        threading.Thread(target=read, name="server-output", daemon=True).start()
        deadline = time.monotonic() + READY_TIMEOUT_S
        while True:
            try:
                line = lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"not ready within {READY_TIMEOUT_S} s:\n{self.log_end()}") from None
            if line is None:
                raise AssertionError(f"ended before it was ready, code {process.wait(5)}:\n{self.log_end()}")
            if line.startswith("{") and "base_url" in line:
                return json.loads(line)

    def stop(self) -> int:
        """SIGTERM and wait; the exit code."""
        assert self.process is not None
        return end(self.process, timeout_s=20)

    def kill(self) -> None:
        """kill -9 to the server and all its processes at once."""
        assert self.process is not None
        kill_group(self.process)
        until(lambda: group_is_gone(self.process), "the killed server gone")

    def restart(self) -> Server:
        self.kill()
        return self.start()

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def left_behind(self) -> bool:
        """Whether a process of the server outlived it."""
        return not group_is_gone(self.process)

    def log_end(self, lines: int = 40) -> str:
        return (
            "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""
        )

    def tracebacks(self) -> list[str]:
        """Each traceback in the log, with its first lines; a server in good order has none."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return ["Traceback" + part[:2500] for part in text.split("Traceback (most recent call last)")[1:]]

    # -- its interface --------------------------------------------------------------------------------------

    @property
    def base_url(self) -> str:
        return self.ready["base_url"].rstrip("/")

    @property
    def control_url(self) -> str:
        return self.ready["control_url"].rstrip("/")

    @property
    def demo(self) -> Lesson:
        title = self.api("GET", f"/lessons/{self.ready['lesson']}").json["title"]
        return Lesson(self.ready["lesson"], title, self.ready["pages"], self.ready["tokens"])

    def token(self, role: str) -> str:
        return self.ready["tokens"][role]

    def api(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        role: str = "admin",
        token: str | None = None,
        control: bool = False,
        timeout_s: float = 10,
    ) -> Reply:
        """A REST call with the demo's token of `role`, or with `token`; `control` takes the guard's port."""
        return request(
            method,
            f"{self.control_url if control else self.base_url}/api/v1{path}",
            token=token or self.token(role),
            body=None if body is None else json.dumps(body).encode(),
            timeout_s=timeout_s,
        )

    def entries(self, *types: str, lesson: str | None = None) -> list[dict[str, Any]]:
        """All entries of the ledger, however long it is; of `types` and `lesson` where they are given."""
        found: list[dict[str, Any]] = []
        path, after = f"/ledger/entries?limit=1000{f'&lesson={lesson}' if lesson else ''}", -1
        while True:
            page = self.api("GET", f"{path}&after={after}").json
            found += [entry for entry in page["items"] if not types or entry["type"] in types]
            if page["next"] is None:
                return found
            after = page["next"]

    def new_lesson(self, title: str | None = None) -> Lesson:
        self._lessons += 1
        title = title or f"Welding, part {self._lessons}"
        reply = self.api("POST", "/lessons", {"title": title})
        assert reply.status == 201, reply
        made = reply.json
        tokens = {**made["tokens"], **{r: self.token(r) for r in ("moderator", "admin", "inspector")}}
        return Lesson(made["id"], title, made["pages"], tokens)

    def more_tokens(
        self, lesson: Lesson, count: int, *, role: str = "learner", name: str = "Li"
    ) -> list[str]:
        body = {"role": role, "name": name, "count": count}
        reply = self.api("POST", f"/lessons/{lesson.id}/tokens", body)
        assert reply.status in (200, 201), reply
        return reply.json["tokens"]

    def lesson(self, lesson: Lesson) -> dict[str, Any]:
        return self.api("GET", f"/lessons/{lesson.id}").json

    def wait_lesson(self, lesson: Lesson, *, timeout_s: float = 15, **wanted: Any) -> dict[str, Any]:
        """Until the lesson's REST shape has the `wanted` values."""
        return until(
            lambda: (
                found if all((found := self.lesson(lesson)).get(k) == v for k, v in wanted.items()) else None
            ),
            f"lesson with {wanted}",
            timeout_s=timeout_s,
        )

    def learn_link(self, lesson: Lesson, token: str | None = None, **query: str) -> str:
        """A learner's link, for `token` instead of the lesson's own learner."""
        return self.link("learn", lesson, token or lesson.tokens["learner"], **query)

    def link(self, page: str, lesson: Lesson | None, token: str, **query: str) -> str:
        path = f"/{page}/{lesson.id}" if lesson else f"/{page}"
        asked = "?" + "&".join(f"{key}={value}" for key, value in query.items()) if query else ""
        return f"{self.base_url}{path}{asked}#token={token}"

    def whip_url(self, lesson: Lesson) -> str:
        return f"{self.base_url}/whip/{lesson.id}"

    def whep_url(self, lesson: Lesson) -> str:
        return f"{self.base_url}/whep/{lesson.id}"

    def media_port(self, lesson: Lesson, offer: str) -> tuple[str, int]:
        """Address and UDP port from the first candidate of an answer to `offer` (RFC 8839 section 5.1).

        A node that is behind, as one that starts on a busy machine is, is asked again, as clients do.
        """

        def asked() -> Reply | None:
            url, token = self.whep_url(lesson), lesson.tokens["learner"]
            reply = request("POST", url, token=token, body=offer.encode(), content_type="application/sdp")
            return None if reply.status == 503 else reply

        reply = until(asked, "an answer to the offer", timeout_s=20)
        assert reply.status == 201, reply
        line = next(line for line in reply.body.decode().splitlines() if line.startswith("a=candidate:"))
        fields = line.split()
        return fields[4], int(fields[5])

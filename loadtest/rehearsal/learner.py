"""One learner as Locust runs him: a socket that is held for the whole lesson, and LL-HLS for who plays."""

from __future__ import annotations

import contextlib
import json
import random
import re
import socket
import ssl
import time
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import gevent
from locust import FastHttpUser, constant, task

from loadtest import frames
from loadtest.rehearsal import playlist
from loadtest.rehearsal.ground import Ground
from loadtest.rehearsal.plan import ANSWERING, BACK_S, HEARTBEAT_S

_ANSWER_S = 10.0
_WAIT_S = 0.5
_SUM = re.compile(r"(\d+) ([+-]) (\d+)")
_LATE_PARTS = 3  # behind by more, a player jumps to the newest


class Line:
    """A WebSocket on gevent's sockets: whoever waits for it lets the others go on."""

    def __init__(self, url: str, timeout_s: float):
        parts = urlsplit(url)
        secure = parts.scheme == "wss"
        address = parts.hostname or "", parts.port or (443 if secure else 80)
        self._socket = socket.create_connection(address, timeout_s)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if secure:
            context = ssl.create_default_context()
            self._socket = context.wrap_socket(self._socket, server_hostname=parts.hostname)
        self._reader = frames.Reader()
        self._ready: list[tuple[int, bytes]] = []
        self._socket.sendall(frames.request(url))
        while not self._reader.opened:
            self._take()

    def say(self, message: dict[str, Any]) -> None:
        self._socket.sendall(frames.frame(json.dumps(message, ensure_ascii=False).encode()))

    def pong(self, payload: bytes) -> None:
        self._socket.sendall(frames.frame(payload, frames.PONG))

    def next(self) -> tuple[int, bytes]:
        """(opcode, payload). ConnectionError when it is over."""
        while not self._ready:
            self._take()
        return self._ready.pop(0)

    def patient(self) -> None:
        """No limit on how long nothing comes."""
        self._socket.settimeout(None)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.close()

    def _take(self) -> None:
        data = self._socket.recv(65536)
        if not data:
            raise ConnectionError("the connection ended")
        try:
            self._ready.extend(self._reader.feed(data))
        except frames.FrameError as error:
            raise ConnectionError(str(error)) from error


class Learner(FastHttpUser):
    """Joins, stays, is heard of now and then, answers or misses what is asked, comes back after a cut."""

    wait_time = constant(0)
    connection_timeout = network_timeout = 20.0
    ground: Ground  # the process's, set when a test starts

    def on_start(self) -> None:
        self.number = self.ground.number()
        self.token = self.ground.token()
        self._line: Line | None = None
        self._hearing: gevent.Greenlet | None = None
        self._answers: dict[str, float] = {}
        self._spoke_in = ""
        self._has_played = False
        self._began_s = time.time()
        self._playing = gevent.spawn(self._play) if self.ground.plays(self.number) else None

    def on_stop(self) -> None:
        for greenlet in (self._playing, self._hearing):
            if greenlet is not None:
                greenlet.kill(block=False)
        line, self._line = self._line, None
        if line is not None:
            line.close()

    @task
    def attend(self) -> None:
        """One connection, from joining to its end."""
        ground = self.ground
        while not ground.open:
            gevent.sleep(_WAIT_S)
        if ground.stage == "storm":
            gevent.sleep(random.uniform(*BACK_S))
        if not self._join():
            gevent.sleep(random.uniform(*BACK_S))
            return
        if ground.stage == "storm":
            ground.note("back after", time.time() - ground.since_s)
        beat_s = time.time() + random.uniform(0, min(HEARTBEAT_S, ground.plan.stages[-1].ends_s / 4))
        while self._hearing is not None and not self._hearing.dead:
            gevent.sleep(_WAIT_S)
            try:
                beat_s = self._do_what_is_due(beat_s)
            except OSError:
                break  # the other greenlet says why

    def _do_what_is_due(self, beat_s: float) -> float:
        now_s = time.time()
        if self._line is None:
            return beat_s
        if now_s >= beat_s:
            self._line.say({"type": "heartbeat", "seq": time.time_ns() // 1000})
            beat_s = now_s + HEARTBEAT_S
        stage = self.ground.stage
        if stage != self._spoke_in:
            self._spoke_in = stage
            if stage in ("steady", "chat") and random.random() < self.ground.plan.chance_of_a_line(stage):
                gevent.spawn_later(random.uniform(0, self.ground.plan.stage(stage).seconds), self._speak)
        return beat_s

    def _speak(self) -> None:
        with contextlib.suppress(OSError):
            if self._line is not None:
                self._line.say({"type": "chat", "text": self.ground.line()})

    def _join(self) -> bool:
        ground, began_s = self.ground, time.time()
        came_in = "storm" if ground.stage == "storm" else "ramp"  # the last may come a moment after it
        try:
            self._line = Line(ground.classroom.socket_url, self.connection_timeout)
            self._line.say({"type": "join", "token": self.token})
            opcode, payload = self._line.next()
            if opcode != frames.TEXT or b'"joined"' not in payload[:20]:
                raise ConnectionError(_refusal(opcode, payload))
        except OSError as error:
            if ground.open:
                ground.note("join", time.time() - began_s, error, stage=came_in)
            return False
        ground.note("join", time.time() - began_s, stage=came_in)
        self._line.patient()
        self._hearing = gevent.spawn(self._hear, self._line)
        return True

    def _hear(self, line: Line) -> None:
        """Until the connection ends, by the server's word or without one."""
        ground = self.ground
        try:
            while True:
                opcode, payload = line.next()
                if opcode == frames.TEXT:
                    self._told(line, payload)
                elif opcode == frames.PING:
                    line.pong(payload)
                elif opcode == frames.CLOSE:
                    raise ConnectionError(f"closed with {frames.close_code(payload)}")
        except OSError as error:
            line.close()
            if ground.open and line is self._line:
                ground.note("stay", time.time() - self._began_s, error)

    def _told(self, line: Line, payload: bytes) -> None:
        """Only what is measured is read: of most messages the type is enough."""
        ground, now_s = self.ground, time.time()
        kind = payload[9 : payload.find(b'"', 9)]
        if kind == b"chat":
            if ground.is_witness(self.number):
                said_s = ground.said.get(json.loads(payload)["text"])
                if said_s is not None:
                    ground.note("line told", now_s - said_s)
        elif kind == b"heartbeat":
            ground.note("heartbeat", now_s - json.loads(payload)["seq"] / 1e6)
        elif kind == b"challenge":
            self._asked(line, json.loads(payload), now_s)
        elif kind == b"result":
            said_s = self._answers.pop(json.loads(payload)["challenge"], 0.0)
            if said_s:
                ground.note("answer judged", now_s - said_s)
        elif kind == b"cut" and not ground.open and json.loads(payload)["active"]:
            ground.note("told", now_s - ground.since_s, stage="cut")

    def _asked(self, line: Line, challenge: dict[str, Any], now_s: float) -> None:
        ground = self.ground
        if ground.stage == "challenge":  # not one of his own schedule's
            ground.note("told", now_s - ground.since_s)
        if random.random() < ANSWERING:
            after_s = random.uniform(1.0, max(1.0, ground.plan.stage("challenge").seconds * 0.6))
            gevent.spawn_later(after_s, self._answer, line, challenge)

    def _answer(self, line: Line, challenge: dict[str, Any]) -> None:
        self._answers[challenge["id"]] = time.time()
        choice = [answer(challenge.get("question") or {})]
        with contextlib.suppress(OSError):
            line.say({"type": "answer", "challenge": challenge["id"], "choice": choice})

    # --- LL-HLS ---

    def _play(self) -> None:
        """A player's requests in its time: blocking reloads, each part once, one at a time."""
        ground = self.ground
        room = ground.classroom
        base = f"{room.host}/hls/{room.lesson}/index.m3u8?token={quote(self.token, safe='')}"
        while True:
            try:
                self._follow(base)
            except (OSError, ValueError, KeyError) as error:
                if ground.open:
                    ground.note("hls", 0.0, error)
            gevent.sleep(random.uniform(1.0, 3.0))

    def _follow(self, base: str) -> None:
        ground = self.ground
        answer_ = self._get(base, "hls index")
        if answer_ is None:
            return
        listed = urljoin(base, playlist.variant(answer_))
        had: str | None = None
        query = ""
        while ground.open:
            text = self._get(listed + query, "hls playlist")
            if text is None:
                return
            media = playlist.media(text)
            if had is None:
                self._get(urljoin(listed, media.init), "hls init")
            new = _after(media.parts, had)
            for part in new[-_LATE_PARTS:]:
                if self._get(urljoin(listed, part), "hls part") is None:
                    return
                if not self._has_played:
                    self._has_played = True
                    ground.note("hls first part", time.time() - self._began_s, stage="ramp")
                had = part
            if media.edge_s and new:
                ground.note("hls behind live", time.time() - media.edge_s)
            if media.over:
                return
            query = f"&_HLS_msn={media.next[0]}&_HLS_part={media.next[1]}"

    def _get(self, url: str, what: str) -> str | None:
        """The answer's text; None when there is none, which is noted unless the lesson is cut."""
        ground = self.ground
        stage = ground.stage
        with self.client.get(url, name=f"{stage}: {what}", catch_response=True) as answer_:
            if answer_.status_code == 200:
                answer_.success()
                return "" if what in ("hls part", "hls init") else answer_.text
            if not ground.open or answer_.status_code == 503:
                answer_.success()
        if answer_.status_code == 503:
            gevent.sleep(float(answer_.headers.get("Retry-After") or 1))
        return None


def _after(parts: tuple[str, ...], had: str | None) -> list[str]:
    """What came since; the newest alone for who has had nothing, or too long ago."""
    if had in parts:
        return list(parts[parts.index(had) + 1 :])
    return list(parts[-1:])


def answer(question: dict[str, Any]) -> int:
    """To a sum the right one, else the first option."""
    found = _SUM.search(question.get("text") or "")
    if found is None:
        return 0
    first, second = int(found[1]), int(found[3])
    return first + second if found[2] == "+" else first - second


def _refusal(opcode: int, payload: bytes) -> str:
    if opcode == frames.CLOSE:
        return f"refused with {frames.close_code(payload)}"
    with contextlib.suppress(ValueError):
        return f"refused: {json.loads(payload).get('code', 'no code')}"
    return "refused"

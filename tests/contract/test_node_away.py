"""A whole server whose PostgreSQL stops in class, is killed meanwhile, and has lost nothing (REL-R9, R10)."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from websockets.sync.client import ClientConnection, connect

from tests.contract.postgresql import PostgresqlServer
from tests.drivers.process import until
from tests.drivers.server import Lesson, Server, request

LINES = 8


@pytest.fixture
def database() -> Iterator[PostgresqlServer]:
    """One of its own: others are not to notice."""
    server = PostgresqlServer()
    yield server
    server.stop()


@contextmanager
def joined(server: Server, lesson: Lesson) -> Iterator[ClientConnection]:
    """A learner's socket."""
    url = server.base_url.replace("http", "ws", 1)
    with connect(f"{url}/ws/{lesson.id}", open_timeout=30) as socket:
        socket.send(json.dumps({"type": "join", "token": lesson.tokens["learner"]}))
        heard(socket, "joined")
        yield socket


def heard(socket: ClientConnection, kind: str, timeout_s: float = 30) -> Any:
    """The next message of a type."""
    deadline = time.monotonic() + timeout_s
    while True:
        message = json.loads(socket.recv(timeout=deadline - time.monotonic()))
        if message["type"] == kind:
            return message


def waiting(server: Server) -> float:
    """Records in the journal."""
    text = request("GET", f"{server.base_url}/metrics").body.decode()
    (line,) = [row for row in text.splitlines() if row.startswith("liveserver_journal_waiting_records ")]
    return float(line.split()[1])


def say(socket: ClientConnection, start: int) -> None:
    """Lines from a number on, each acknowledged before the next."""
    for number in range(start, start + LINES):
        socket.send(json.dumps({"type": "chat", "text": f"line {number}", "ref": str(number)}))
        assert heard(socket, "chat")["ref"] == str(number)
        time.sleep(0.06)  # 20 messages a second are allowed


class TestTheDatabaseStopsInClass:
    def test_the_class_goes_on_and_after_a_kill_every_acknowledged_line_is_there_once(
        self, tmp_path: Path, database: PostgresqlServer
    ) -> None:
        url = database.url("postgres")
        server = Server(tmp_path, LIVESERVER_STORE_URL=url, LIVESERVER_RECORDER_ENABLED="false").start()
        lesson = server.new_lesson()
        with joined(server, lesson) as socket:
            say(socket, 0)
            database.down()
            say(socket, LINES)
            assert waiting(server) > 0
            database.up()
            say(socket, 2 * LINES)
            until(lambda: waiting(server) == 0, "drained", timeout_s=60)
            database.down()
            say(socket, 3 * LINES)
            server.kill()
        database.up()
        server.start()
        rows = asyncio.run(chat_of(url, lesson.id))
        assert rows == [f"line {number}" for number in range(4 * LINES)]
        assert server.stop() == 0


async def chat_of(url: str, lesson: str) -> list[str]:
    """What the database has, in its order; its facts have to be as many."""
    connection = await asyncpg.connect(url)
    try:
        lines = await connection.fetch("SELECT text FROM chat WHERE lesson = $1 ORDER BY position", lesson)
        facts = await connection.fetchval(
            "SELECT count(*) FROM ledger WHERE lesson = $1 AND type = 'chat'", lesson
        )
        assert facts == len(lines)
        return [row["text"] for row in lines]
    finally:
        await connection.close()

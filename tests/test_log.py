"""Logs are events: listed names, fields, and nothing private."""

from __future__ import annotations

import ast
import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from liveserver.config.units import LogLevel
from liveserver.log import REDACTED, Event, get_logger, set_up

SOURCES = Path(__file__).parents[1] / "liveserver"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Logging set up to a text in memory, and undone."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    text = io.StringIO()
    set_up(LogLevel.INFO, "test", text)
    yield text
    structlog.reset_defaults()
    root.handlers[:] = before
    root.setLevel(level)


def lines(stream: io.StringIO) -> list[dict]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


class TestALine:
    def test_is_one_json_object_with_its_bound_ids(self, stream: io.StringIO) -> None:
        get_logger(lesson="l1").info(Event.PEER_JOINED, peer="p1")
        (line,) = lines(stream)
        assert (line["event"], line["lesson"], line["peer"]) == ("peer.joined", "l1", "p1")
        assert (line["process"], line["level"]) == ("test", "info")
        assert "unlisted" not in line

    def test_below_the_level_is_not_written(self, stream: io.StringIO) -> None:
        get_logger().debug(Event.PEER_JOINED)
        assert lines(stream) == []

    def test_of_a_library_is_an_event_of_its_own(self, stream: io.StringIO) -> None:
        logging.getLogger("asyncio").warning("slow %s", "callback")
        (line,) = lines(stream)
        assert (line["event"], line["logger"], line["message"]) == ("library", "asyncio", "slow callback")

    def test_that_cannot_be_written_is_lost_and_nothing_else_is(self) -> None:
        class Full(io.StringIO):
            def write(self, text: str) -> int:
                raise OSError(28, "No space left on device")

        set_up(LogLevel.INFO, "test", Full())
        get_logger().info(Event.PEER_JOINED)
        structlog.reset_defaults()


class TestWhatIsPrivate:
    @pytest.mark.parametrize(
        "name", ["token", "tokens", "text", "name", "title", "sdp", "authorization", "link"]
    )
    def test_is_blanked_by_its_fields_name(self, stream: io.StringIO, name: str) -> None:
        get_logger().info(Event.PEER_JOINED, **{name: "private"}, deep={"in": [{name: "private"}]})
        assert "private" not in stream.getvalue()
        assert lines(stream)[0][name] == REDACTED

    def test_long_values_are_cut(self, stream: io.StringIO) -> None:
        get_logger().info(Event.PEER_JOINED, detail="x" * 100_000)
        assert len(stream.getvalue()) < 5_000


class TestTheNames:
    def test_an_unlisted_one_is_marked(self, stream: io.StringIO) -> None:
        get_logger().info("peer.juggled")
        assert lines(stream)[0]["unlisted"] is True

    def test_are_dotted_and_each_stands_once(self) -> None:
        assert all(name.replace(".", "").replace("_", "").isalpha() for name in Event)
        assert len(set(Event)) == len(Event)

    def test_written_out_in_the_sources_are_listed(self) -> None:
        """`_log.info("name", …)` with a literal is fine as long as the name is in the list."""
        listed = set(map(str, Event))
        for path in SOURCES.rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if is_log_call(node) and node.args and isinstance(node.args[0], ast.Constant):
                    assert node.args[0].value in listed, path


def is_log_call(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("debug", "info", "warning", "error", "exception")
        and ast.unparse(node.func.value).endswith("log")
    )

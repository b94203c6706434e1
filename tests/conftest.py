"""What all tests share: the order of the suites, and the real parts that the outer ones drive."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

from tests.drivers import chromium as chromium_driver
from tests.drivers import firefox as firefox_driver
from tests.drivers.chromium import Chromium
from tests.drivers.firefox import Firefox
from tests.drivers.media import gst_missing
from tests.drivers.server import Lesson, Server

HERE = Path(__file__).parent
# Quick suites first, so that a plain mistake shows before browsers start; each below its own folder.
ORDER = ("contract", "http", "edge", "recorder", "foreign", "faults", "browser", "peers")
# What takes a minute or more and only one worker: begun first, or the others would wait for it at the end.
LONG = ("tests/rtp/test_sanitizers.py",)
# What real parts do within a bound of time, a neighbour on a shared machine can spoil once: tried once more,
# and told in the summary (RERUN). A second failure is one.
TIMED = ("browser", "contract", "edge", "faults", "foreign", "http", "loadtest")
TIMED += ("peers", "recorder", "screen", "stills", "transcode")
ADDRESS = "LIVESERVER_TEST_ADDRESS"  # set by tests/run-in-namespace.sh


def _suite(item: pytest.Item) -> str:
    return item.path.relative_to(HERE).parts[0] if item.path.is_relative_to(HERE) else ""


class ByFile(LoadFileScheduling):
    """With several workers a file's tests stay together, and those of all files that need the S3 server.

    It takes 14 s to start, and half a core even when idle.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return "s3" if _needs_s3(file) else file


@cache
def _needs_s3(file: str) -> bool:
    return "MakeBucket" in (HERE.parent / file).read_text()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile | None:
    return ByFile(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_configure() -> None:
    """What is collected lives as long as the run: nobody need look for garbage in it again and again."""
    gc.disable()


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if _suite(item) in ("peers", "browser", "foreign"):
            item.add_marker(_suite(item))
        if _suite(item) in TIMED and os.environ.get("RELIABILITY") != "full":
            item.add_marker(pytest.mark.flaky(reruns=1))
    items.sort(key=lambda item: ORDER.index(_suite(item)) + 1 if _suite(item) in ORDER else 0)
    if hasattr(config, "workerinput"):  # one of several
        items.sort(key=lambda item: not _is_long(item.nodeid.partition("::")[0]))


def _is_long(file: str) -> bool:
    return file in LONG or _needs_s3(file)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    """Leave the outcome on the item, so that a fixture's end can keep a picture of a failure."""
    report = yield
    setattr(item, f"outcome_{report.when}", report)
    return report


@pytest.fixture(scope="session")
def network() -> str:
    """The address browsers gather candidates on; without a namespace there may be none they accept."""
    address = os.environ.get(ADDRESS)
    if not address:
        pytest.skip("needs a network namespace: run by `make test` as root or with passwordless sudo")
    return address


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One demo server for every test that does not harm it; it must end in good order."""
    server = Server(
        tmp_path_factory.mktemp("server"),
        LIVESERVER_TEST_HOOKS="true",
        LIVESERVER_HOURS_SETTLE_AFTER="1s",
        LIVESERVER_HOURS_TELL_EVERY="2s",
        LIVESERVER_ACCOUNTS_SECOND_FACTOR="moderator",
    )
    server.start()
    yield server
    code = server.stop()
    assert code == 0, f"SIGTERM ended it with {code}:\n{server.log_end()}"
    assert not server.left_behind(), "a process of the server outlived it"


@pytest.fixture
def server(shared_server: Server) -> Iterator[Server]:
    """The shared server; the test fails when the server logged a traceback meanwhile."""
    before = len(shared_server.tracebacks())
    yield shared_server
    assert shared_server.running, f"the server ended:\n{shared_server.log_end()}"
    assert shared_server.tracebacks()[before:] == []


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    """A server of the test's own, to be killed and restarted."""
    server = Server(tmp_path / "server", LIVESERVER_TEST_HOOKS="true")
    server.start()
    yield server
    if server.running:
        server.stop()
    assert server.tracebacks() == []


@pytest.fixture
def lesson(server: Server) -> Lesson:
    return server.new_lesson()


@pytest.fixture(scope="session")
def chromium(network: str) -> Iterator[Chromium]:
    if chromium_driver.program() is None:
        pytest.skip("Chromium is not installed (tests/install-debian.sh)")
    with Chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def firefox(network: str) -> Iterator[Firefox]:
    if firefox_driver.program() is None:
        pytest.skip("Firefox is not installed (tests/install-debian.sh)")
    with Firefox() as browser:
        yield browser


@pytest.fixture(scope="session")
def gstreamer(network: str) -> None:
    missing = gst_missing()
    if missing:
        pytest.skip(missing)

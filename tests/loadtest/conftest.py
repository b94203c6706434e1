"""The swarm's native half, where it was built, and somebody to feed it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


def pytest_ignore_collect(collection_path) -> bool | None:
    """Without a compiler there is no swarm; what imports it is not even read."""
    try:
        from loadtest import _swarm  # noqa: F401
    except ImportError:
        return True if collection_path.name in ("test_native.py", "test_swarm.py") else None
    return None


@pytest.fixture
def feed() -> Iterator[object]:
    from .feed import Feed, running

    with running() as native:
        feed = Feed(native)
        feed.start()
        yield feed
        feed.close()

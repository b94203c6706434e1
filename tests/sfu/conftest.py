"""What the tests of forwarding share: a lecture hall over loopback sockets, with time that tests move."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from liveserver.sfu.dtls import Certificate
from tests.sfu.hall import Hall

FUZZ = Path(__file__).parents[2] / "../shared/data/fuzz"


@pytest.fixture
def hall() -> Iterator[Hall]:
    made = Hall()
    yield made
    made.close()


@pytest.fixture(scope="session")
def certificate() -> Certificate:
    return Certificate.generate()


@pytest.fixture
def corpus() -> Callable[[str], dict[str, bytes]]:
    """`corpus("sdp")` is every file of that folder by name; skips where the corpora are not there."""

    def read(folder: str) -> dict[str, bytes]:
        if not (FUZZ / folder).is_dir():
            pytest.skip(f"no corpus ../shared/data/fuzz/{folder} beside the checkout")
        return {path.name: path.read_bytes() for path in sorted((FUZZ / folder).iterdir()) if path.is_file()}

    return read

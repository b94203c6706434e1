"""What the tests of forwarding share: a lecture hall over loopback sockets, with time that tests move."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from liveserver.sfu.dtls import Certificate
from tests.drivers.server import REPOSITORY
from tests.sfu.hall import Hall, Source
from tests.sfu.school import School

FUZZ = Path(__file__).parents[2] / "../shared/data/fuzz"


@pytest.fixture(params=["python", "native"])
def hall(request: pytest.FixtureRequest) -> Iterator[Hall]:
    """With the reference, then with its native twin where that was built."""
    if request.param == "python":
        made = Hall()
    else:
        twin = pytest.importorskip(
            "liveserver.rtp._fanout", reason="the native media plane is not built", exc_type=ImportError
        )
        made = Hall(twin.Fanout, twin.Receiver)
    yield made
    made.close()


@pytest.fixture
async def school(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[School]:
    """Which fan-out it is makes no difference to screening."""
    monkeypatch.chdir(REPOSITORY)
    hall = Hall()
    made = School(hall)
    yield made
    await made.screens.stop()
    hall.close()


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


@pytest.fixture(params=["h264", "vp8"])
def camera(hall: Hall, request: pytest.FixtureRequest) -> Source:
    """A camera in the middle of a group of pictures: 20 frames since the keyframe."""
    source = hall.source(codec=request.param)
    source.play(20, key_every=100)
    return source

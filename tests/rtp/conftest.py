"""What the tests of RTP share: the corpora of hostile input that lie beside the repository."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

FUZZ = Path(__file__).parents[3] / "shared" / "data" / "fuzz"


@pytest.fixture
def corpus() -> Callable[[str], list[bytes]]:
    """`corpus("rtp")` is every file of that folder; skips where the corpora are not beside the checkout."""

    def read(folder: str) -> list[bytes]:
        if not (FUZZ / folder).is_dir():
            pytest.skip(f"no corpus ../shared/data/fuzz/{folder} beside the checkout")
        return [path.read_bytes() for path in sorted((FUZZ / folder).iterdir()) if path.is_file()]

    return read

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cut.booth import ROW, Booth


@pytest.fixture
def booth(tmp_path: Path) -> Iterator[Booth]:
    made = Booth(tmp_path / "kills")
    made.guard.know("a")
    made.guard.open("a", ROW)
    yield made
    made.stop()


@pytest.fixture
def another(tmp_path: Path) -> Iterator[Callable[..., Booth]]:
    """More guards over the same folder, stopped at the end."""
    made: list[Booth] = []

    def make(**how: Any) -> Booth:
        made.append(Booth(tmp_path / "kills", **how))
        return made[-1]

    yield make
    for one in made:
        one.stop()

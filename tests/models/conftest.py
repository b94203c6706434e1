"""The project's own weights, which `make models` fetches; without them these tests fail and say so."""

from __future__ import annotations

from pathlib import Path

import pytest

from models import cards
from models.card import Card

WEIGHTS = cards.WEIGHTS


@pytest.fixture(scope="session", autouse=True)
def fetched() -> dict[str, Card]:
    """Every card of the project, its weights there."""
    own = cards.own()
    missing = cards.missing()
    assert not missing, f"no weights of {', '.join(missing)}: run `make models`"
    return own


@pytest.fixture
def weights() -> Path:
    return WEIGHTS

"""What the fault tests share: how long each lasts, and a server that is asked for its numbers."""

from __future__ import annotations

import os

import pytest

FULL = os.environ.get("RELIABILITY") == "full"


@pytest.fixture(scope="session")
def long() -> bool:
    """Whether the tests run for their full time (`make reliability`) or scaled to seconds."""
    return FULL

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.log_in.door import Browser, Door
from tests.log_in.door import door as opened


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    async with opened(tmp_path) as made:
        yield made


@pytest.fixture
async def browser(door: Door) -> AsyncIterator[Browser]:
    async with door.browser() as made:
        yield made

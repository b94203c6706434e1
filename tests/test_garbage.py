"""When the node looks for garbage cycles."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from liveserver.garbage import Garbage


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()


async def test_a_class_is_not_walked_through_whenever_it_grew_by_a_quarter() -> None:
    garbage = Garbage(lambda: False)
    garbage.start()
    try:
        before = gc.get_stats()[2]["collections"]
        kept = [[number] for number in range(400_000)]
        assert (len(kept), gc.get_stats()[2]["collections"]) == (400_000, before)
        assert not garbage.look()
    finally:
        await garbage.stop()


async def test_what_is_new_is_looked_at_before_a_burst_of_it_has_to_be() -> None:
    garbage = Garbage(lambda: False)
    garbage.start()
    try:
        gc.collect(1)
        assert not garbage.tidy()
        kept = [[number] for number in range(30_000)]
        assert garbage.tidy() and not garbage.tidy()
        before = gc.get_stats()[1]["collections"]
        burst = [[number] for number in range(20_000)]
        assert (len(kept), len(burst), gc.get_stats()[1]["collections"]) == (30_000, 20_000, before)
    finally:
        await garbage.stop()


async def test_everything_is_looked_at_while_nobody_is_there() -> None:
    garbage = Garbage(lambda: True)
    garbage.start()
    try:
        gc.collect(1)
        assert garbage.look()
        assert not garbage.look()  # nothing new
    finally:
        await garbage.stop()

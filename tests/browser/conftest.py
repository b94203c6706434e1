from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.browser.classroom import Classroom
from tests.drivers.chromium import Chromium
from tests.drivers.server import Lesson, Server

SHOTS = Path(__file__).parents[2] / "shots"  # ignored by git
FULL = os.environ.get("RELIABILITY") == "full"


def languages(chosen: str) -> list[str]:
    """Of a long way through pages: both in full length, else the `chosen` one, another from test to test.

    Each page by itself is looked at in both (test_pages), and no text may be missing in either (tests/web).
    """
    return ["en", "zh"] if FULL else [chosen]


@pytest.fixture
def make_classroom(
    chromium: Chromium, request: pytest.FixtureRequest
) -> Iterator[Callable[[Server, Lesson], Classroom]]:
    made: list[Classroom] = []

    def make(server: Server, lesson: Lesson) -> Classroom:
        made.append(Classroom(server, lesson, chromium))
        return made[-1]

    yield make
    outcome = getattr(request.node, "outcome_call", None)
    failed = outcome is not None and outcome.failed
    for classroom in made:
        classroom.close(pictures=SHOTS / "failed" / request.node.name if failed else None)


@pytest.fixture
def classroom(make_classroom, server: Server, lesson: Lesson) -> Classroom:
    """A fresh lesson on the shared server."""
    return make_classroom(server, lesson)

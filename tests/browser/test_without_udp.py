"""REL-N11: where no datagram passes, media comes by TCP to the server itself (ICE-TCP)."""

from __future__ import annotations

import pytest

from tests.browser.classroom import Classroom
from tests.drivers import chromium as chromium_driver
from tests.drivers.chromium import Chromium
from tests.faults.network import GROUP, UNDER
from tests.faults.test_turn import no_udp_for, pairs
from tests.faults.turn import can_filter


@pytest.fixture
def walled():
    """A Chromium whose datagrams all end at its own door."""
    if not can_filter():
        pytest.skip("needs root and iptables to keep UDP from a browser")
    if chromium_driver.program() is None:
        pytest.skip("Chromium is not installed (tests/install-debian.sh)")
    with no_udp_for(GROUP), Chromium(under=UNDER) as browser:
        yield browser


@pytest.fixture
def both(server, lesson, chromium, walled):
    """The same lesson in front of both browsers: who has UDP, and who has none."""
    made = Classroom(server, lesson, chromium), Classroom(server, lesson, walled)
    yield made
    for classroom in made:
        classroom.close()


def ways(tab) -> set[tuple[bool, str]]:
    """(relayed, protocol) of the pairs in use."""
    return {(one["candidateType"] == "relay", one["protocol"]) for one in pairs(tab)}


def test_a_learner_without_udp_sees_the_lesson(both):
    open_, closed = both
    open_.teach()
    learner = closed.learn()
    learner.wait_moving()
    assert ways(learner) == {(False, "tcp")}


def test_an_instructor_without_udp_is_seen(both):
    open_, closed = both
    teacher = closed.teach()
    open_.learn().wait_moving()
    assert ways(teacher) == {(False, "tcp")}

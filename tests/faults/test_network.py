"""A learner on a bad network: what he sees, and that nobody else notices (REL-N1 to N10, table 1.2).

Scaled to seconds unless RELIABILITY=full. The bounds are those of table 1.2 with room for a machine that is
shared: what a page without a bad network suffers in the same seconds is not held against the bad one.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from liveserver.core.times import parse_rfc3339
from tests.browser.classroom import Classroom
from tests.drivers import chromium as chromium_driver
from tests.drivers.chromium import Chromium, ChromiumTab
from tests.drivers.media import pattern_publisher
from tests.drivers.process import until
from tests.drivers.server import Server, request
from tests.faults.network import UNDER, Relay, dropping
from tests.faults.pictures import Seen, Sight
from tests.faults.relay import Shape
from tests.faults.turn import can_filter
from tests.http.test_media import OFFER
from tests.peers.test_attendance import person

RTT_MS = 50
HALF = RTT_MS / 2
SETTLE_S = 4  # the page looks every 2 s how much is lost, and holds pictures and sound back accordingly


@dataclass(frozen=True, slots=True)
class Goal:
    """A line of table 1.2, for seconds of measurement as they are."""

    loss: float
    frames: float
    longest_s: float
    frozen_s_a_minute: float
    concealed: float


IN_FLIGHT = 20  # packets between the server's counter and the page's, of 125 a second
ATTEMPTS = 2
NOTICED_S = 5  # a gap that the register has to mark (REL-N9)
MARKED_S = 2.5  # of 1 s, on a machine that is shared, and after the browser has found its way again
FOLLOWED_S = 4  # table 1.2: a change of address
GOALS = (
    Goal(0.01, 0.999, 0.2, 0, 0.001),
    Goal(0.05, 0.995, 0.3, 0.3, 0.005),
    Goal(0.10, 0.99, 0.5, 0.6, 0.01),
    Goal(0.30, 0.90, 2.0, 6, 0.03),
)


@dataclass(frozen=True, slots=True)
class Hall:
    """A lesson with one learner behind the relay and one beside it."""

    server: Server
    classroom: Classroom
    relay: Relay
    bad: ChromiumTab
    good: ChromiumTab
    people: tuple[str, str]

    def absences(self, person: str) -> list[tuple[float, float]]:
        """When this learner was not there, as the register has it so far; seconds since 1970."""
        path = f"/lessons/{self.classroom.lesson.id}/attendance/{person}"
        voids = self.server.api("GET", path).json["void"]
        times = [(parse_rfc3339(v["from"]), parse_rfc3339(v["to"])) for v in voids if v["reason"] == "absent"]
        return [(start / 1000, end / 1000) for start, end in times]

    def stage(self) -> dict[str, Any]:
        rooms = request("GET", f"{self.server.base_url}/debug/rooms").json["rooms"]
        return next(room["stage"] for room in rooms if room["lesson"] == self.classroom.lesson.id)

    def camera(self) -> dict[str, Any]:
        tracks = self.stage()["publisher"]["tracks"]
        return next(track for track in tracks if track["track"] == "camera")

    def restarts(self) -> int:
        """How many PATCH requests of WHEP sessions were answered 200, which is an ICE restart."""
        text = request("GET", f"{self.server.base_url}/metrics").body.decode()
        wanted = r'^liveserver_http_requests_total\{method="PATCH",route="/whep/[^"]*",status="200"\} (\d+)'
        return sum(int(count) for count in re.findall(wanted, text, re.MULTILINE))

    def sessions(self) -> set[str]:
        return {viewer["peer"] for viewer in self.stage()["sample"]}


@pytest.fixture(scope="module")
def seconds(long: bool) -> float:
    """How long each condition is measured."""
    return 60 if long else 3


@pytest.fixture(scope="module")
def hall(network: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    if chromium_driver.program() is None:
        pytest.skip("Chromium is not installed (tests/install-debian.sh)")
    folder: Path = tmp_path_factory.mktemp("hall")
    server = Server(folder / "server").start()
    lesson = server.new_lesson()
    url, token = server.whip_url(lesson), lesson.tokens["instructor"]
    media = server.media_port(server.demo, OFFER.decode())
    under = UNDER if can_filter() else ()
    with (
        pattern_publisher(folder, url, token, size="640x360") as publisher,
        Relay(folder, network, media[1]) as relay,
        Chromium(under=under) as browser,
    ):
        publisher.wait("publishing")
        classroom = Classroom(server, lesson, browser)
        tokens = server.more_tokens(lesson, 2)
        bad = classroom.learn(token=tokens[0], script=relay.script)
        good = classroom.learn(token=tokens[1])
        for tab in (bad, good):
            tab.wait_moving(timeout_s=20)
        people = (person(tokens[0], server), person(tokens[1], server))
        yield Hall(server, classroom, relay, bad, good, people)
        classroom.close()
    server.stop()
    assert server.tracebacks() == []


@dataclass(frozen=True, slots=True)
class Measured:
    """What both pages saw in the same seconds, and what the instructor's picture was meanwhile."""

    bad: Seen
    good: Seen
    packets: int
    keyframes_asked: int

    def assert_others_unharmed(self) -> None:
        """The other page got what there was; no keyframe was asked for on behalf of the bad one."""
        assert self.good.packets >= 0.99 * self.packets - IN_FLIGHT
        assert (self.good.packets_lost, self.good.keyframe_requests) == (0, 0)
        assert self.keyframes_asked <= self.good.seconds / 2 + 1, "more than the cadence of 2 s"


def measure(hall: Hall, shape: Shape, seconds: float) -> Measured:
    """Under `shape` in both directions; again when the machine is too busy for the page beside it, too."""
    for _ in range(ATTEMPTS):
        with hall.relay.shaped(shape):
            time.sleep(SETTLE_S)
            before = hall.camera()
            sights = Sight(hall.bad), Sight(hall.good)
            time.sleep(seconds)
            bad, good = (sight.look() for sight in sights)
            after = hall.camera()
        print(bad.line("behind the relay"), good.line("beside it"), sep="\n")
        if good.smooth:
            change = [after.get(key, 0) - before.get(key, 0) for key in ("packets", "keyframes_asked")]
            return Measured(bad, good, *change)
    pytest.skip("the machine is too busy: even the page beside the relay does not run smoothly")


def held(bad: Seen, good: Seen) -> float:
    """Pictures that wait in the bad page's longer buffer are late, not missing."""
    return max(0.0, bad.delay_ms - good.delay_ms) / 40


@pytest.fixture(scope="module")
def known() -> dict[Goal, Measured]:
    return {}


@pytest.fixture
def measured(
    hall: Hall, seconds: float, known: dict[Goal, Measured], request: pytest.FixtureRequest
) -> Iterator[Callable[[Goal], Measured]]:
    """What both pages saw under a loss, measured once; anew for the second try of a test that failed."""

    def of(goal: Goal) -> Measured:
        if goal not in known:
            known[goal] = measure(hall, Shape(loss=goal.loss, delay_ms=HALF), seconds)
        return known[goal]

    yield of
    if request.node.outcome_call.failed:
        known.clear()


class TestJitter:
    def test_reordering_and_duplicates(self, hall: Hall, seconds: float):
        """REL-N8: 50 ± 40 ms, 5 % late, 1 % twice."""
        shape = Shape(delay_ms=50, jitter_ms=40, reorder=0.05, duplicate=0.01)
        found = measure(hall, shape, seconds)
        assert found.bad.longest_gap_s <= 0.5 + found.good.longest_gap_s
        assert abs(found.bad.frames - found.good.frames) <= 5, "no frame twice, none missing"
        found.assert_others_unharmed()


@pytest.mark.parametrize("goal", GOALS, ids=lambda goal: f"{goal.loss:.0%}")
class TestLossOfOneLearner:
    """REL-N1 to N4."""

    def test_leaves_him_the_pictures(self, measured, goal: Goal, long: bool):
        """Of three seconds, one keyframe that comes in its second repair takes a third of a second away."""
        bad, good = measured(goal).bad, measured(goal).good
        spared = 3 if long else 3 + 25 * goal.loss
        assert bad.frames + held(bad, good) >= goal.frames * good.frames - spared
        assert bad.longest_gap_s <= goal.longest_s + good.longest_gap_s
        minutes = max(1, bad.seconds / 60)
        assert bad.freezes_s <= goal.frozen_s_a_minute * minutes + good.freezes_s + 0.2

    def test_is_not_noticed_by_others(self, measured, goal: Goal):
        measured(goal).assert_others_unharmed()


@pytest.mark.parametrize("goal", GOALS[1:], ids=lambda goal: f"{goal.loss:.0%}")
class TestSoundUnderLoss:
    """REL-N2 to N4; at 1 % a short test may lose no packet of sound at all."""

    def test_is_made_up_for_a_small_part_only(self, measured, goal: Goal, long: bool):
        """
        A browser's buffer takes longer than three seconds to grow with a loss: until then sound that came
        again is too late to be played. There, most of what was lost has to have come.
        """
        bad, good = measured(goal).bad, measured(goal).good
        if long:
            assert bad.concealed <= goal.concealed + good.concealed
        else:
            assert bad.sound_lost <= goal.loss / 3 * (bad.sound_packets + bad.sound_lost)


class TestLoss:
    def test_in_bursts(self, hall: Hall, seconds: float):
        """REL-N5: mean burst 8 packets, 10 %."""
        found = measure(hall, Shape(loss=0.1, burst=8, delay_ms=HALF), seconds)
        assert found.bad.frames + held(found.bad, found.good) >= 0.97 * found.good.frames - 3
        assert found.bad.longest_gap_s <= 1 + found.good.longest_gap_s
        found.assert_others_unharmed()


class TestBlackOut:
    @pytest.mark.parametrize(
        ("full_s", "scaled_s", "back_s"),
        [
            (5, 2, 2),
            (20, 6, 4),
            pytest.param(
                60,
                0,
                6,
                marks=pytest.mark.xfail(
                    strict=True,
                    reason="the session is over after 30 s, and the browser's TCP asks ever more rarely: "
                    "its next SYN comes up to 16 s after the network is back",
                ),
            ),
        ],
    )
    def test_of_everything(self, hall: Hall, long: bool, full_s: float, scaled_s: float, back_s: float):
        """REL-N9: media and HTTP vanish as when a train enters a tunnel, and nothing says so."""
        seconds = full_s if long else scaled_s
        if not seconds:
            pytest.skip("longer than the server keeps a silent session (30 s): RELIABILITY=full")
        if not can_filter():
            pytest.skip("needs root and iptables to keep HTTP from a browser")
        if seconds >= NOTICED_S:
            hall.bad.wait_frames(100)  # it reports at its own pace again after what was before
        http = hall.server.base_url.rpartition(":")[2]
        with dropping("-p", "tcp", "--dport", http), hall.relay.shaped(Shape(dark=True)):
            dark_s = time.time()
            time.sleep(seconds)
            before = hall.bad.frames_decoded()
        ended_s, light_s = time.monotonic(), time.time()
        hall.bad.until(
            lambda: hall.bad.frames_decoded() != before, "a picture after the black-out", timeout_s=60
        )
        back = time.monotonic() - ended_s
        print(f"black-out {seconds} s, first picture after {back:.2f} s")
        hall.bad.wait_moving()
        assert back <= back_s + 1
        if seconds >= NOTICED_S:
            self._is_marked(hall, dark_s, light_s)

    def _is_marked(self, hall: Hall, dark_s: float, light_s: float) -> None:
        """REL-N9: presence marks the gap to about a second, and nobody else is marked."""

        def overlapping(person: str) -> list[tuple[float, float]]:
            return [(start, end) for start, end in hall.absences(person) if start < light_s and end > dark_s]

        bad, good = hall.people
        until(lambda: overlapping(bad), "the gap in the register", timeout_s=10)
        ((start, end),) = overlapping(bad)
        print(f"gap marked from {start - dark_s:+.2f} s to {end - light_s:+.2f} s")
        assert abs(start - dark_s) <= MARKED_S
        assert abs(end - light_s) <= MARKED_S
        assert overlapping(good) == []

    def test_of_media_alone_leads_to_an_ice_restart_in_the_same_session(self, hall: Hall):
        """The server is reached and knows the session: the page looks for a way instead of joining again."""
        sessions, connections = hall.sessions(), hall.bad.evaluate("() => watch.connections.length")
        restarts = hall.restarts()
        with hall.relay.shaped(Shape(dark=True)):
            until(lambda: hall.restarts() > restarts, "a PATCH that restarts ICE")
        hall.bad.wait_frames(25, timeout_s=20)
        assert hall.bad.evaluate("() => watch.connections.length") == connections, "no second session"
        assert hall.sessions() == sessions


class TestAChangeOfAddress:
    def test_keeps_the_session(self, hall: Hall):
        """REL-N10: the learner's packets come from elsewhere: a NAT forgot him, or he changed networks."""
        sessions, connections = hall.sessions(), hall.bad.evaluate("() => watch.connections.length")
        moved = Sight(hall.bad)
        hall.relay.rebind()
        time.sleep(FOLLOWED_S)
        hall.bad.wait_frames(25, timeout_s=20)
        seen = moved.look()
        print(seen.line("address changed"))
        assert seen.longest_gap_s <= FOLLOWED_S + 1
        assert hall.bad.evaluate("() => watch.connections.length") == connections, "no second session"
        assert hall.sessions() == sessions

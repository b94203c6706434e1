"""A lesson's pictures on their way to a screen process, and what becomes of the lesson when that fails.

The process is a puppet that speaks the real wire (tests/screen/puppet.py); time is moved by the tests.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import replace
from itertools import pairwise

import pytest

from liveserver.core.screening import (
    Action,
    Category,
    Finding,
    Kind,
    Mode,
    Policy,
    Rule,
    Seeing,
    Sight,
    WhenBlind,
)
from liveserver.rtp import header
from liveserver.sfu import screener as module
from liveserver.sfu.screen import BLOCKED_NS, Screen
from liveserver.sfu.screen_lane import BEHIND_NS, MAX_WAITING_FRAMES, THIN_NS, Account, ScreenLane
from liveserver.sfu.screener import READY_NS, SILENCE_NS, STOPPED_NS
from liveserver.sfu.screens import Screens
from liveserver.sfu.uplink import Uplink
from tests.drivers.process import until
from tests.drivers.server import REPOSITORY
from tests.sfu.hall import MS, Hall

PUPPET = (sys.executable, "-m", "tests.screen.puppet")
RULES = (
    Rule(Kind.FRAME, Category.PORN, 0.5, Action.WARN),
    Rule(Kind.FRAME, Category.PORN, 0.8, Action.BLANK),
)
WATCH = Policy("test", 1, RULES, Mode.WATCH)


async def soon(look: Callable[[], object]) -> None:
    await asyncio.to_thread(until, look, "a process in another state")


class Told:
    """Who is told what was seen; `until` waits for more of it."""

    def __init__(self) -> None:
        self.looks: list[tuple[str, str, int, dict[str, float], bytes]] = []
        self.findings: list[tuple[str, Finding]] = []
        self.sights: list[tuple[str, Sight, str]] = []
        self._changed = asyncio.Event()

    def looked(
        self, lesson: str, track: str, at_ms: int, scores: Mapping[str, float], thumbnail: bytes
    ) -> None:
        self.looks.append((lesson, track, at_ms, dict(scores), thumbnail))
        self._changed.set()

    def found(self, lesson: str, finding: Finding) -> None:
        self.findings.append((lesson, finding))
        self._changed.set()

    def sight(self, lesson: str, sight: Sight, why: str) -> None:
        self.sights.append((lesson, sight, why))
        self._changed.set()

    async def until(self, look: Callable[[Told], object]) -> None:
        async with asyncio.timeout(20):
            while not look(self):
                self._changed.clear()
                await self._changed.wait()

    def seeing(self, lesson: str) -> list[str]:
        return [sight.seeing for of, sight, _ in self.sights if of == lesson]


class Camera:
    """One track of a lesson: its frames are words for the puppet."""

    def __init__(self, hall: Hall, uplink: Uplink, ssrc: int = 1):
        self.hall, self.uplink, self.ssrc = hall, uplink, ssrc
        self.sequence = self.timestamp = 0

    def send(self, word: str = "right", *, key: bool = False, size: int = 0) -> None:
        self.sequence += 1
        self.timestamp += 3600
        payload = b"\x10" + (b"\0" if key else b"\1") + word.encode() + b" " + bytes(size)
        packet = header.parse(
            header.build(
                payload_type=96, sequence=self.sequence, timestamp=self.timestamp, ssrc=self.ssrc,
                payload=payload, marker=True,
            )
        )  # fmt: skip
        if self.uplink.ssrc != self.ssrc:
            self.uplink.adopt(self.ssrc)
        self.uplink.receive(packet, self.hall.clock.now_ns, self.hall.clock.wall_ns)
        self.uplink.flush(self.hall.clock.now_ns)


class School:
    """Lessons with a camera each on one node."""

    def __init__(self, hall: Hall):
        self.hall, self.told = hall, Told()
        self.policies: dict[str, Policy] = {}
        self.screens = self.with_processes(1)
        self.cameras: dict[str, Camera] = {}
        self.open: dict[str, Screen] = {}
        self.holds: list[bool] = []

    def with_processes(self, workers: int, command: tuple[str, ...] = PUPPET) -> Screens:
        self.screens = Screens(
            self.hall.fanout,
            self.hall.pacer,
            self.hall.clock,
            self.hall.clock.schedule,
            self.told,
            lambda lesson: self.policies.get(lesson, WATCH),
            command=command,
            workers=workers,
        )
        return self.screens

    def teach(self, lesson: str = "a", track: str = "camera") -> Camera:
        """A lesson begins."""
        screen = self.open[lesson] = self.screens.of(lesson)
        screen.on_hold = lambda held, now_ns: self.holds.append(held)
        uplink = self.hall.source(track, "vp8").uplink
        camera = self.cameras[lesson] = Camera(self.hall, uplink)
        screen.publish([uplink])
        return camera

    async def ready(self) -> None:
        await soon(lambda: all(screener.is_ready for screener in self.screens._screeners))

    async def looked_at(self, lesson: str, count: int) -> None:
        await self.told.until(lambda told: sum(look[0] == lesson for look in told.looks) >= count)

    def tick(self, ms: int = 0) -> None:
        """So much later, all that is done several times a second."""
        self.hall.clock.advance(ms)
        now_ns = self.hall.clock.now_ns
        for screener in self.screens._screeners:
            screener.watch(now_ns)
        for screen in self.open.values():
            screen.tick(now_ns)

    def sight(self, lesson: str = "a") -> Sight:
        return self.open[lesson].sight


@pytest.fixture
def hall() -> Iterator[Hall]:
    """Which fan-out it is makes no difference here."""
    made = Hall()
    yield made
    made.close()


@pytest.fixture
async def school(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[School]:
    monkeypatch.chdir(REPOSITORY)
    made = School(hall)
    yield made
    await made.screens.stop()


class TestALesson:
    async def test_its_pictures_are_looked_at_and_what_is_found_is_told(self, school):
        camera = school.teach()
        await school.ready()
        camera.send(key=True)
        camera.send("wrong")
        await school.told.until(lambda told: told.findings)
        assert [look[:2] for look in school.told.looks] == [("a", "camera")] * 2
        assert school.told.looks[1][3:] == ({"porn": 0.9}, b"thumbnail")
        ((lesson, finding),) = school.told.findings
        assert (lesson, finding.kind, finding.track) == ("a", Kind.FRAME, "camera")
        assert finding.at_ms == school.hall.clock.wall_ms()
        assert finding.jpeg == b"evidence"
        assert len(finding.content_sha256) == 64
        assert list(finding.models) == ["puppet"]

    async def test_begins_with_the_newest_keyframe_that_there_is(self, school):
        screen = school.open["a"] = school.screens.of("a")
        await school.ready()
        uplink = school.hall.source("camera", "vp8").uplink
        camera = Camera(school.hall, uplink)
        for number in range(5):
            camera.send(key=number == 2)
        screen.publish([uplink])
        await school.looked_at("a", 3)

    async def test_by_keyframes_alone_only_those_are_decoded(self, school):
        school.policies["a"] = replace(WATCH, mode=Mode.KEYFRAMES)
        camera = school.teach()
        await school.ready()
        for number in range(50):
            camera.send(key=number % 25 == 0)
            await asyncio.sleep(0)
        await school.looked_at("a", 2)
        assert school.screens.numbers()["frames_total"] == 2

    async def test_not_screened_at_all_nothing_is_decoded(self, school):
        school.policies["a"] = replace(WATCH, mode=Mode.OFF)
        camera = school.teach()
        await school.ready()
        camera.send(key=True)
        assert school.open["a"].lanes == []
        assert camera.uplink.taps == []

    async def test_another_policy_holds_from_the_next_tick_on(self, school):
        camera = school.teach()
        await school.ready()
        camera.send(key=True)
        await school.looked_at("a", 1)
        for mode in (Mode.OFF, Mode.SCREENED, Mode.WATCH, Mode.KEYFRAMES):
            school.policies["a"] = replace(WATCH, mode=mode)
            school.tick()
            seen = len(school.told.looks)
            camera.send(key=True)
            if mode is not Mode.OFF:
                await school.looked_at("a", seen + 1)
            assert (school.open["a"].gate is not None) == (mode is Mode.SCREENED)

    async def test_ends_with_its_tracks(self, school):
        camera = school.teach()
        await school.ready()
        camera.send(key=True)
        await school.looked_at("a", 1)
        school.open["a"].close()
        assert camera.uplink.taps == []
        assert school.screens.numbers()["lessons_seeing"] == 0

    async def test_a_new_source_of_the_track_begins_anew(self, school):
        camera = school.teach()
        await school.ready()
        camera.send(key=True)
        await school.looked_at("a", 1)
        camera.ssrc, camera.sequence, camera.timestamp = 9, 700, 5
        camera.send(key=True)
        camera.send()
        await school.looked_at("a", 3)

    async def test_lists_of_words_reach_a_process_that_comes_later_too(self, school):
        school.screens.use_list("house", b"rows")
        school.teach()
        await school.ready()
        assert school.screens._screeners[0].lists == {"house": b"rows"}


class TestScreenedBeforeShown:
    async def test_a_finding_shuts_the_gate_until_a_person_lifts_what_followed(self, school):
        school.policies["a"] = replace(WATCH, mode=Mode.SCREENED)
        camera = school.teach()
        await school.ready()
        camera.send("wrong", key=True)
        await school.told.until(lambda told: told.findings)
        screen = school.open["a"]
        assert screen.gate.is_closed
        screen.lifted()
        assert not screen.gate.is_closed
        assert camera.uplink.keyframe_due(school.hall.clock.now_ns + 10**10)

    async def test_one_that_asks_for_a_warning_does_not(self, school):
        school.policies["a"] = replace(WATCH, mode=Mode.SCREENED, rules=RULES[:1])
        camera = school.teach()
        await school.ready()
        camera.send("wrong", key=True)
        await school.told.until(lambda told: told.findings)
        assert not school.open["a"].gate.is_closed

    async def test_it_stays_shut_when_the_publisher_comes_back(self, school):
        school.policies["a"] = replace(WATCH, mode=Mode.SCREENED)
        camera = school.teach()
        await school.ready()
        camera.send("wrong", key=True)
        await school.told.until(lambda told: told.findings)
        school.open["a"].publish([school.hall.source("camera", "vp8").uplink])
        assert school.open["a"].gate.is_closed


class TestSight:
    async def test_is_off_while_nothing_is_sent_and_seeing_once_somebody_looked(self, school):
        camera = school.teach()
        await school.ready()
        school.tick()
        assert school.sight().seeing is Seeing.OFF
        camera.send(key=True)
        await school.looked_at("a", 1)
        school.tick()
        assert school.sight() == Sight(
            Seeing.SEEING, school.hall.clock.wall_ms(), Mode.WATCH, 0, held_back=False
        )
        school.tick(5_000)
        assert school.sight().seeing is Seeing.OFF

    async def test_is_blind_from_the_last_verdict_on_when_the_process_dies(self, school, monkeypatch):
        monkeypatch.setattr(module, "PAUSES_S", (0.0, 1.0))  # long enough to be seen from here
        school.with_processes(1)
        camera = school.teach()
        await school.ready()
        camera.send(key=True)
        await school.looked_at("a", 1)
        school.tick()
        seen_ms = school.hall.clock.wall_ms()
        os.kill(school.screens._screeners[0].pid, signal.SIGKILL)
        await soon(lambda: not school.screens._screeners[0].is_ready)
        camera.send()
        school.tick(1_000)
        assert (school.sight().seeing, school.sight().since_ms) == (Seeing.BLIND, seen_ms)
        await school.ready()
        camera.send(key=True)
        await school.looked_at("a", 2)
        school.tick()
        assert school.told.seeing("a")[-2:] == ["blind", "seeing"]
        assert school.screens.numbers()["restarts_total"] == 1
        assert school.holds == []

    async def test_is_behind_when_verdicts_are_late_and_blind_when_they_stay_away(self, school):
        camera = school.teach()
        await school.ready()
        camera.send(key=True)
        await school.looked_at("a", 1)
        school.tick()
        for _ in range(110):
            school.hall.clock.advance(100)
            camera.send("late")
            for screen in school.open.values():
                screen.tick(school.hall.clock.now_ns)
        assert school.told.seeing("a")[-2:] == ["behind", "blind"]

    async def test_a_process_that_cannot_start_leaves_every_lesson_blind(self, school):
        school.with_processes(1, ("/nonexistent",))
        camera = school.teach()
        for wanted in (Seeing.BEHIND, Seeing.BEHIND, Seeing.BEHIND, Seeing.BLIND):
            camera.send(key=True)
            school.tick()
            assert school.sight().seeing is wanted  # a first start takes a moment, and no longer
            school.tick(2_000)


class TestTheDeadMan:
    async def blind(self, school: School, when_blind: WhenBlind, mode: Mode = Mode.WATCH) -> Camera:
        """A lesson that nobody has looked at for longer than its policy allows."""
        school.policies["a"] = replace(WATCH, mode=mode, when_blind=when_blind, blind_after_ms=5_000)
        camera = school.teach()
        await school.ready()
        camera.send(key=True)
        await school.looked_at("a", 1)
        for _ in range(2):
            camera.send("late")
            school.hall.clock.advance(2_450)
            school.open["a"].tick(school.hall.clock.now_ns)
        assert school.screens.numbers()["alarms_total"] == 0
        school.hall.clock.advance(200)
        school.open["a"].tick(school.hall.clock.now_ns)
        return camera

    async def test_raises_an_alarm_and_by_policy_holds_the_picture_back(self, school):
        await self.blind(school, WhenBlind.SLATE)
        assert school.screens.numbers()["alarms_total"] == 1
        assert school.holds == [True]
        assert school.sight().held_back

    async def test_or_lets_it_go_on(self, school):
        await self.blind(school, WhenBlind.PASS)
        assert school.screens.numbers()["alarms_total"] == 1
        assert school.holds == []
        assert not school.sight().held_back

    async def test_screened_pictures_go_on_by_their_age_then(self, school):
        await self.blind(school, WhenBlind.PASS, Mode.SCREENED)
        assert school.open["a"].gate.is_unguarded

    async def test_or_not_at_all(self, school):
        await self.blind(school, WhenBlind.SLATE, Mode.SCREENED)
        assert not school.open["a"].gate.is_unguarded

    async def test_it_is_over_once_somebody_looks(self, school):
        camera = await self.blind(school, WhenBlind.SLATE)
        seen = len(school.told.looks)
        camera.send()
        await school.looked_at("a", seen + 3)
        school.open["a"].tick(school.hall.clock.now_ns)
        assert school.holds == [True, False]


class TestAProcessThatFails:
    async def killed(self, school: School, word: str, times: int) -> Camera:
        """The lesson's pictures end the process so many times."""
        camera = school.teach()
        for time in range(times):
            await school.ready()
            camera.send(word, key=True)
            await soon(lambda time=time: school.screens._screeners[0].restarts > time)
        return camera

    async def test_one_that_works_without_a_word_is_ended_once_it_has_used_seconds_of_cpu(self, school):
        camera = school.teach()
        await school.ready()
        camera.send("spin", key=True)
        await soon(lambda: school.tick(STOPPED_NS // MS) or school.screens._screeners[0].restarts)

    async def test_one_that_is_stopped_is_ended_within_seconds(self, school):
        camera = school.teach()
        await school.ready()
        screener = school.screens._screeners[0]
        os.kill(screener.pid, signal.SIGSTOP)
        await soon(lambda: screener._child.vitals()[0] == "T")
        camera.send(key=True)
        school.tick(STOPPED_NS // MS)
        assert screener.is_ready
        school.tick(10)
        await soon(lambda: screener.restarts)
        await school.ready()

    async def test_one_that_waits_for_a_busy_machine_is_let_be_for_a_while(self, school):
        camera = school.teach()
        await school.ready()
        camera.send("hang", key=True)  # asleep: it uses no CPU
        school.tick(SILENCE_NS // MS)
        assert school.screens._screeners[0].is_ready
        school.tick(10)
        await soon(lambda: school.screens._screeners[0].restarts)

    async def test_one_that_never_becomes_ready_is_ended(self, school):
        school.with_processes(1, (sys.executable, "-c", "import time; time.sleep(60)"))
        school.teach()
        await soon(lambda: school.screens._screeners[0]._child.is_running)
        school.tick(READY_NS // MS + 1)
        await soon(lambda: school.screens._screeners[0].restarts)

    async def test_one_that_says_what_it_should_not_is_ended(self, school):
        await self.killed(school, "babble", 1)

    async def test_a_lesson_whose_frames_kill_it_three_times_is_blind_by_itself(self, school, monkeypatch):
        monkeypatch.setattr(module, "PAUSES_S", (0.0,))
        other = school.teach("b")
        await school.ready()
        other.send(key=True)
        await school.looked_at("b", 1)
        camera = await self.killed(school, "crash", 3)
        await school.ready()
        camera.send("crash", key=True)
        school.tick()
        assert school.sight("a").seeing is Seeing.BLIND
        seen = len(school.told.looks)
        other.send(key=True)
        await school.looked_at("b", seen + 1)
        school.tick()
        assert school.sight("b").seeing is Seeing.SEEING

    async def test_one_that_is_killed_from_outside_is_no_lesson_s_fault(self, school, monkeypatch):
        monkeypatch.setattr(module, "PAUSES_S", (0.0,))
        camera = school.teach()
        for time in range(4):
            await school.ready()
            camera.send("hang", key=True)
            os.kill(school.screens._screeners[0].pid, signal.SIGKILL)
            await soon(lambda time=time: school.screens._screeners[0].restarts > time)
        await school.ready()
        camera.send(key=True)
        await school.looked_at("a", 1)

    async def test_and_is_tried_again_after_a_minute_or_with_another_publisher(self, school):
        camera = await self.killed(school, "crash", 3)
        await school.ready()
        school.tick(BLOCKED_NS // MS + 1)
        camera.send(key=True)
        await school.looked_at("a", 1)


class TestTakingTurns:
    async def test_a_lesson_that_costs_much_does_not_starve_the_others(self, school):
        dear, cheap = school.teach("dear"), school.teach("cheap")
        await school.ready()
        for number in range(40):
            dear.send("dear", key=number == 0)
            cheap.send(key=number == 0)
        await school.looked_at("cheap", 40)
        assert sum(look[0] == "dear" for look in school.told.looks) <= 10
        await school.looked_at("dear", 40)

    async def test_lessons_share_the_processes_evenly(self, school):
        school.with_processes(2)
        for number in range(6):
            school.teach(f"lesson {number}")
        assert [len(screener) for screener in school.screens._screeners] == [3, 3]
        await school.ready()


class TestUnderLoad:
    """A lane whose process takes nothing."""

    @pytest.fixture
    def camera(self, hall: Hall) -> Camera:
        return Camera(hall, hall.source("camera", "vp8").uplink)

    def lane(self, camera: Camera, mode: Mode) -> ScreenLane:
        lane = ScreenLane(
            camera.uplink, Account(), camera.hall.clock, None, lambda: None, lambda lane: lane.empty()
        )
        lane.mode = mode
        lane.attach()
        return lane

    def play(self, camera: Camera, frames: int, *, key_every: int = 50) -> None:
        for _ in range(frames):
            camera.send(key=camera.sequence % key_every == 0)
            camera.hall.clock.advance(40)

    async def test_a_watched_lesson_is_looked_at_by_its_newest_keyframe_alone_for_a_while(self, camera):
        lane = self.lane(camera, Mode.WATCH)
        self.play(camera, 30)
        lane.keep_up(camera.hall.clock.now_ns, is_served=True)
        assert lane.is_thin and lane.is_behind
        self.play(camera, 60)
        assert [waiting.number for waiting in lane.waiting] == [51]
        camera.hall.clock.advance(THIN_NS // MS)
        assert lane.next(camera.hall.clock.now_ns).number == 51
        lane.keep_up(camera.hall.clock.now_ns, is_served=True)
        assert not lane.is_thin
        self.play(camera, 15)
        assert [waiting.number for waiting in lane.waiting] == list(range(101, 106))
        assert not lane.is_behind

    async def test_one_screened_before_it_is_shown_goes_on_with_its_newest_keyframe(self, camera):
        lane = self.lane(camera, Mode.SCREENED)
        self.play(camera, 60)
        lane.keep_up(camera.hall.clock.now_ns, is_served=True)
        assert [waiting.number for waiting in lane.waiting] == list(range(51, 61))
        assert not lane.is_thin

    async def test_without_a_keyframe_the_publisher_is_asked_for_one(self, camera):
        lane = self.lane(camera, Mode.SCREENED)
        self.play(camera, 40, key_every=1_000)
        camera.uplink.keyframe_due(camera.hall.clock.now_ns)
        lane.keep_up(camera.hall.clock.now_ns, is_served=True)
        assert [waiting.number for waiting in lane.waiting] == [1], "the keyframe it has is looked at"
        assert camera.uplink._keyframe_wanted
        assert lane.is_behind

    async def test_what_waits_long_is_looked_at_in_a_hurry(self, camera):
        lane = self.lane(camera, Mode.SCREENED)
        self.play(camera, 2)
        assert not lane.next(camera.hall.clock.now_ns).hurry
        camera.hall.clock.advance(BEHIND_NS // MS)
        assert lane.next(camera.hall.clock.now_ns).hurry

    @pytest.mark.parametrize("mode", list(Mode))
    async def test_what_waits_is_bounded(self, camera, mode):
        lane = self.lane(camera, mode)
        for number in range(MAX_WAITING_FRAMES + 50):
            camera.send(key=number == 0)
        assert len(lane.waiting) <= MAX_WAITING_FRAMES
        for number in range(50):
            camera.send(key=number == 0, size=1_000)
        assert lane._waiting_bytes == sum(len(waiting.frame.data) for waiting in lane.waiting)

    async def test_when_the_process_is_another_it_begins_with_the_newest_keyframe(self, camera):
        lane = self.lane(camera, Mode.WATCH)
        self.play(camera, 55)
        lane.restart()
        numbers = [waiting.number for waiting in lane.waiting]
        assert numbers == list(range(51, 56))
        assert all(b - a == 1 for a, b in pairwise(numbers))

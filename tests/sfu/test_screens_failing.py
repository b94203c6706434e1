"""A screen process that fails, in whatever way: it is ended, and another begins."""

from __future__ import annotations

import os
import signal
import sys

from liveserver.core.screening import (
    Seeing,
)
from liveserver.sfu import screener as module
from liveserver.sfu.screen import BLOCKED_NS
from liveserver.sfu.screener import READY_NS, SILENCE_NS, STOPPED_NS
from tests.sfu.hall import MS
from tests.sfu.school import Camera, School, soon


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

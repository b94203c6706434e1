"""The guard's thread: its start, the leases it renews, its port while the main loop is blocked."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from typing import Any

import pytest

from liveserver.bus import MemoryBus
from liveserver.clock import Clock
from liveserver.core.permissions import Role
from liveserver.cut.guard import Guard
from liveserver.cut.kills import KillFiles
from liveserver.cut.neighbours import DIGEST_TOPIC
from liveserver.rtp.flags import Flags
from tests.cut.booth import MS, ROW, Booth
from tests.drivers.process import until


class TestStarting:
    @pytest.mark.parametrize("error", [OSError("port taken"), RuntimeError("a mistake of ours")])
    def test_a_port_that_does_not_open_is_told_to_the_starter(self, tmp_path, error):
        async def serve(guard: Guard) -> Any:
            raise error

        guard = Guard(Flags(1), KillFiles(tmp_path), MemoryBus(), Clock(), 10**9, serve)
        told: list[BaseException] = []

        def start() -> None:
            try:
                guard.start()
            except (OSError, RuntimeError) as failure:
                told.append(failure)

        starter = threading.Thread(target=start, daemon=True)
        starter.start()
        starter.join(timeout=5)
        assert told == [error]
        until(lambda: not guard.alive, "the thread gone")


class TestLease:
    def test_it_is_renewed_for_as_long_as_the_guard_lives(self, another):
        booth = another(lease_ns=100 * MS)
        booth.guard.know("a")
        booth.guard.open("a", ROW)
        opened_ns = booth.clock.monotonic_ns()
        until(lambda: booth.clock.monotonic_ns() > opened_ns + 300 * MS, "three leases passed")
        assert booth.allows()

    def test_it_is_renewed_though_nothing_can_be_said_to_the_others(self, another):
        class Mute(MemoryBus):
            tried = 0

            def publish(self, topic, message):
                if topic == DIGEST_TOPIC:
                    self.tried += 1
                    raise RuntimeError("a mistake of ours")
                super().publish(topic, message)

        booth = another(lease_ns=500 * MS, bus=Mute())
        booth.guard.know("a")
        booth.guard.open("a", ROW)
        until(lambda: booth.bus.tried > 8, "more rounds than a lease has")
        assert booth.allows()

    def test_it_runs_out_when_the_guard_stops(self, another):
        booth = another(lease_ns=100 * MS)
        booth.guard.know("a")
        booth.guard.open("a", ROW)
        booth.guard.stop()
        assert not booth.guard.alive
        until(lambda: not booth.allows(), "the lease run out")

    def test_it_runs_out_when_the_bus_would_bring_no_cut(self, another):
        booth = another(lease_ns=100 * MS)
        booth.guard.know("a")
        booth.guard.open("a", ROW)
        booth.bus.close()
        until(lambda: not booth.allows(), "the lease run out")
        assert booth.guard.alive


class TestControlPort:
    """The real port on the guard's own thread."""

    def post(
        self, booth: Booth, path: str, body: dict[str, str], role: Role = Role.MODERATOR
    ) -> tuple[int, Any]:
        token = booth.tokens.issue(
            person="mod", name="M", role=role, lesson="*", now_s=int(time.time()), ttl_s=60
        )
        asked = urllib.request.Request(
            f"{booth.url}/api/v1/lessons/{path}",
            data=json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(asked, timeout=5) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, json.load(refusal)

    def test_cut_and_restore(self, booth):
        status, answer = self.post(booth, "a/cut", {"level": "lesson", "reason": "advert"})
        assert (status, answer["level"], booth.allows()) == (200, "lesson", False)
        status, _ = self.post(booth, "a/restore", {"reason": "checked"})
        assert (status, booth.allows()) == (200, True)

    async def test_it_cuts_while_the_main_loop_is_blocked(self, booth):
        """This test's own loop is the blocked one: it waits for the thread without letting anything run."""
        answers: list[tuple[int, Any]] = []
        body = {"level": "lesson", "reason": "advert"}
        asking = threading.Thread(target=lambda: answers.append(self.post(booth, "a/cut", body)))
        asking.start()
        asking.join(timeout=5)
        assert answers[0][0] == 200
        assert not booth.allows()

    @pytest.mark.parametrize("role", [Role.LEARNER, Role.INSTRUCTOR, Role.INSPECTOR])
    def test_others_may_not(self, booth, role):
        status, answer = self.post(booth, "a/cut", {"level": "lesson", "reason": "x"}, role)
        assert (status, answer["code"], booth.allows()) == (403, "forbidden", True)

    def test_an_unknown_lesson_is_not_found(self, booth):
        assert self.post(booth, "zzz/cut", {"level": "lesson", "reason": "x"})[0] == 404

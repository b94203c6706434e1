"""Leads a rehearsal, in one process of all: tells the stages, asks, cuts, restores, watches, reports."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import urllib.error
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
from gevent.queue import Queue
from locust.env import Environment

from loadtest.classroom import Classroom
from loadtest.rehearsal.ground import STAGE
from loadtest.rehearsal.levels import Figure, all_held, judge, levels
from loadtest.rehearsal.page import Moment, Run, page
from loadtest.rehearsal.plan import Plan
from loadtest.swarm.processes import usage

_SWARM_RATE = 20.0  # joins a second
_TOKEN = re.compile(r"token=[^&\s'\"]+")


class Conductor:
    """`server_pid`: the server's supervisor on this machine, to show what it uses."""

    def __init__(
        self, environment: Environment, classroom: Classroom, plan: Plan, server_pid: int | None = None
    ):
        self._environment = environment
        self._room = classroom
        self._plan = plan
        self._pids = {"server": server_pid} if server_pid else {}
        self._pids["generator"] = os.getpid()
        self._entered = 0
        self._due: Queue[str] = Queue()
        self._began_s = time.time()
        self._began = time.strftime("%Y-%m-%d %H:%M")
        self._moments: list[Moment] = []
        self._notes: list[str] = []
        self._swarm: subprocess.Popen[str] | None = None
        self._watching: gevent.Greenlet | None = None
        self._entering: gevent.Greenlet | None = None

    def begin(self) -> None:
        self._began_s = time.time()
        self._watching = gevent.spawn(self._watch)
        self._entering = gevent.spawn(self._enter_in_turn)

    def lead(self, seconds: float) -> tuple[int, float] | None:
        """Called about once a second: how many learners there are to be, and how fast they come."""
        if self._plan.at(seconds) is None:
            return None
        begun = [stage.name for stage in self._plan.stages if stage.begins_s <= seconds]
        for stage in begun[self._entered :]:  # none is passed over, however late this is called
            self._due.put(stage)
        self._entered = len(begun)
        return self._plan.attending, self._plan.joins_a_second

    def _enter_in_turn(self) -> None:
        while True:
            self._enter(self._due.get())

    def _enter(self, stage: str) -> None:
        """Tell everybody, and do what belongs to it: what follows is measured from the telling on."""
        actions: dict[str, Callable[[], Any]] = {
            "steady": self._let_the_swarm_in,
            "challenge": self._room.challenge,
            "cut": self._room.cut,
        }
        runner = self._environment.runner
        assert runner is not None
        try:
            if stage == "storm":
                self._room.restore()  # nobody comes back before he may
            runner.send_message(STAGE, {"stage": stage, "at_s": time.time()})
            actions.get(stage, dict)()
        except (OSError, ValueError, urllib.error.HTTPError) as error:
            self._notes.append(f"{stage}: {error}")

    def _let_the_swarm_in(self) -> None:
        """WebRTC viewers join now, and are measured until shortly before the lesson is cut."""
        count = self._plan.webrtc_viewers
        if not count:
            return
        left_s = self._plan.stage("cut").begins_s - self._plan.stage("steady").begins_s
        seconds = max(1.0, left_s - count / _SWARM_RATE - 6.0)
        command = [sys.executable, "-m", "loadtest.swarm", f"{self._room.host}/whep/{self._room.lesson}",
                   "--tokens", "-", "--viewers", str(count), "--seconds", f"{seconds:.1f}",
                   "--rate", str(_SWARM_RATE), "--settle", "1", "--json"]  # fmt: skip
        self._swarm = subprocess.Popen(  # noqa: S603 - our own module
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self._swarm.stdin is not None
        self._pids["swarm"] = self._swarm.pid
        self._swarm.stdin.write("\n".join(self._room.learners(count)) + "\n")
        self._swarm.stdin.close()

    def _watch(self) -> None:
        """What is used and done, once a second."""
        before = self._spent()
        while True:
            gevent.sleep(1.0)
            now, total = self._spent(), self._environment.stats.total
            runner = self._environment.runner
            cores = {name: max(0.0, spent - before.get(name, 0.0)) for name, spent in now.items()}
            self._moments.append(Moment(
                time.time() - self._began_s, runner.user_count if runner else 0,
                total.current_rps, total.current_fail_per_sec, cores,
            ))  # fmt: skip
            before = now

    def _spent(self) -> dict[str, float]:
        found: dict[str, float] = {}
        for name, pid in self._pids.items():
            cpu_s = usage(pid).cpu_s
            found[name] = sum(cpu_s.values())
            if name == "server":
                found["its node"] = cpu_s.get("liveserver.node", 0.0)
        if "swarm" in found:
            found["generator"] -= found["swarm"]  # its child
        return found

    def finish(self, report: Path | None) -> bool:
        """Write the report; whether every level held."""
        for greenlet in (self._watching, self._entering):
            if greenlet is not None:
                greenlet.kill()
        figures = sorted(self._figures() + self._of_the_swarm(), key=self._place)
        verdicts = judge(levels(self._plan), {figure.name: figure for figure in figures})
        errors = [
            (f"{error.name}: {_TOKEN.sub('token=…', str(error.error))}", error.occurrences)
            for error in self._environment.stats.errors.values()
        ]
        run = Run(
            self._plan, self._room.host, self._began, figures, verdicts, self._moments, errors, self._notes
        )
        if report is not None:
            report.write_text(page(run), encoding="utf-8")
        for verdict in verdicts:
            measured = "nothing" if verdict.measured is None else f"{verdict.measured:,.4g}"
            print(f"{'held  ' if verdict.held else 'MISSED'} {verdict.level.figure} {verdict.level.of}: "
                  f"{measured} of {verdict.level.bound:,g}", file=sys.stderr)  # fmt: skip
        return all_held(verdicts)

    def _place(self, figure: Figure) -> tuple[int, str]:
        stage = figure.name.partition(":")[0]
        names = [one.name for one in self._plan.stages]
        return (names.index(stage) if stage in names else len(names), figure.name)

    def _figures(self) -> list[Figure]:
        """Of Locust's statistics, which come together from all processes."""
        return [
            Figure(
                entry.name, entry.num_requests, entry.num_failures,
                *(entry.get_response_time_percentile(share) or 0.0 for share in (0.5, 0.95, 0.99)),
                longest=entry.max_response_time or 0.0,
            )
            for entry in self._environment.stats.entries.values()
            if entry.num_requests
        ]  # fmt: skip

    def _of_the_swarm(self) -> list[Figure]:
        if self._swarm is None:
            return []
        try:
            out, _ = self._swarm.communicate(timeout=30)
            found = json.loads(out)
        except (subprocess.TimeoutExpired, ValueError):
            self._swarm.kill()
            self._notes.append("the WebRTC viewers reported nothing")
            return []
        asked, failures = (
            self._plan.webrtc_viewers,
            self._plan.webrtc_viewers - found["joined"] + len(found["gone"]),
        )
        quantiles = {
            "signalling": "signalling_ms",
            "handshake": "dtls_ms",
            "first picture": "first_picture_ms",
        }
        return [
            Figure(f"webrtc: {what}", asked, failures, q["p50"], q["p95"], q["p99"], q["max"])
            for what, key in quantiles.items()
            if (q := found.get(key))
        ]

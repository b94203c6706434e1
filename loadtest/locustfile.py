"""A class of 10,000 in Locust; loadtest/README.md says how, on one machine and on several.

locust -f loadtest/locustfile.py --headless --host https://lesson.example --lesson ID --admin-token TOKEN
"""

from __future__ import annotations

import logging
import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from locust import LoadTestShape, events
from locust.env import Environment
from locust.runners import WorkerRunner

from loadtest.classroom import Classroom
from loadtest.rehearsal.conductor import Conductor
from loadtest.rehearsal.ground import STAGE, Ground, told
from loadtest.rehearsal.learner import Learner
from loadtest.rehearsal.plan import Plan

__all__ = ["Class", "Learner"]
_led: dict[Environment, Conductor] = {}


@events.init_command_line_parser.add_listener
def _options(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("rehearsal")
    group.add_argument("--lesson", default="", help="the lesson's id; somebody has to teach in it")
    group.add_argument(
        "--admin-token", default=os.environ.get("REHEARSAL_ADMIN_TOKEN", ""),
        help="makes learners' tokens, asks, cuts and restores (REHEARSAL_ADMIN_TOKEN)",
    )  # fmt: skip
    group.add_argument("--scale", type=float, default=1.0, help="of 10,000 learners")
    group.add_argument("--hls-share", type=float, default=0.9, help="of the learners play LL-HLS")
    group.add_argument("--webrtc-share", type=float, default=0.1, help="of the learners join by the swarm")
    group.add_argument("--pace", type=float, default=1.0, help="of the stages' length; to try things out")
    group.add_argument("--server-pid", type=int, default=0, help="on this machine, to show what it uses")
    group.add_argument("--report", default="", help="where the HTML goes")


@events.init.add_listener
def _set_up(environment: Environment, **_: Any) -> None:
    given = environment.parsed_options
    assert given is not None and environment.runner is not None
    if given.report:
        logging.getLogger("locust.stats_logger").disabled = True  # the report says it once, and better
    plan = Plan(given.scale, given.hls_share, given.webrtc_share, given.pace)
    room = Classroom((environment.host or given.host or "").rstrip("/"), given.lesson, given.admin_token)
    Learner.host = room.host
    Learner.ground = ground = Ground(environment, room, plan)
    environment.runner.register_message(STAGE, lambda msg, **_: ground.enter(*told(msg)))
    if not isinstance(environment.runner, WorkerRunner):
        _led[environment] = Conductor(environment, room, plan, given.server_pid or None)


@events.test_start.add_listener
def _begin(environment: Environment, **_: Any) -> None:
    if environment in _led:
        _led[environment].begin()


@events.quitting.add_listener
def _finish(environment: Environment, **_: Any) -> None:
    conductor = _led.pop(environment, None)
    if conductor is not None:
        given = environment.parsed_options
        report = Path(given.report) if given is not None and given.report else None
        environment.process_exit_code = 0 if conductor.finish(report) else 1


class Class(LoadTestShape):
    """How many learners there are at each moment, and what happens then."""

    def tick(self) -> tuple[int, float] | None:
        assert self.runner is not None
        return _led[self.runner.environment].lead(self.get_run_time())

"""How one lesson is screened on this node: by which policy, how well it is seen, what viewers get meanwhile.

The pictures of its tracks go through lanes to a screen process. In mode `screened` the viewers are shown the
gate's tracks instead of the publisher's. When nobody sees for longer than the policy allows it is an alarm
(the dead-man), and by policy viewers get the slate.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from liveserver.core.screening import Action, Finding, Mode, Policy, Seeing, Sight, WhenBlind
from liveserver.log import Event, get_logger
from liveserver.screen.wire import Found, Looked, Passed
from liveserver.sfu.gate import Gate
from liveserver.sfu.outlook import outlook
from liveserver.sfu.screen_lane import Account, ScreenLane
from liveserver.sfu.uplink import Uplink

if TYPE_CHECKING:
    from liveserver.sfu.screens import Screens

STRIKES = 3  # deaths of a process at work on a lesson, then that lesson is not looked at for a while
STRIKES_WITHIN_NS = 120_000_000_000
BLOCKED_NS = 60_000_000_000
_MS = 1_000_000


class Screen:
    """One lesson's. Fits `sfu.screener.Listener`.

    `on_change` is called when who is shown what has to be decided anew, `on_hold(held, now_ns)` when the
    picture has to be held back or may flow again.
    """

    def __init__(self, owner: Screens, lesson: str):
        self.on_change: Callable[[], None] = lambda: None
        self.on_hold: Callable[[bool, int], None] = lambda held, now_ns: None
        self.lesson = lesson
        self.gate: Gate | None = None
        self.lanes: list[ScreenLane] = []
        self.sight = Sight()
        self._owner = owner
        self._clock = owner.clock
        self.screener = owner.least_busy()
        self._policy: Policy = owner.policy(lesson)
        self._uplinks: list[Uplink] = []
        self._account = Account()
        self._is_shut = False  # something was found that only a person lifts
        self._is_alarmed = False
        self._strikes: deque[int] = deque(maxlen=STRIKES)
        self._blocked_until_ns: int | None = None
        self._log = get_logger(lesson=lesson)

    # --- what the stage says ---

    def publish(self, uplinks: Sequence[Uplink]) -> None:
        """These are the instructor's tracks from now on."""
        self._shut_down()
        self._uplinks = list(uplinks)
        self._strikes.clear()
        self._blocked_until_ns = None
        self._policy = self._owner.policy(self.lesson)
        self._set_up()

    def unpublish(self, uplinks: Iterable[Uplink]) -> None:
        """These uplinks of a publisher are closing."""
        if set(self._uplinks) & set(uplinks):
            self._shut_down()
            self._uplinks = []
            self.tick(self._clock.monotonic_ns())

    def instead(self, uplink: Uplink) -> Uplink:
        """What viewers are shown for the publisher's `uplink`."""
        shown = self.gate.shown(uplink) if self.gate is not None else None
        return uplink if shown is None else shown

    @property
    def delayed(self) -> list[Uplink]:
        """The tracks that viewers are shown instead of the publisher's."""
        return list(self.gate.tracks) if self.gate is not None else []

    def lifted(self) -> None:
        """A person has lifted what was cut: pictures that pass may be shown again."""
        self._is_shut = False
        if self.gate is not None:
            self.gate.open()
            self._want_keyframes()

    def close(self) -> None:
        """The lesson has left this node."""
        self.unpublish(self._uplinks)
        self._owner.forget(self)

    # --- time ---

    def tick(self, now_ns: int) -> None:
        """Ten times a second."""
        policy = self._owner.policy(self.lesson)
        if policy is not self._policy:
            self._adopt(policy)
        if self._blocked_until_ns is not None and now_ns >= self._blocked_until_ns:
            self._blocked_until_ns = None
            self._open_lanes()
        if self.gate is not None:
            self.gate.keep_time(now_ns, self._clock.wall_ms() * _MS)
        self._look_around(now_ns)

    # --- what the process says (`sfu.screener.Listener`) ---

    def passed(self, lane: ScreenLane, message: Passed) -> None:
        if lane.gate is not None:
            lane.gate.passed(lane.source.track, message.first, message.last)

    def looked(self, lane: ScreenLane, message: Looked) -> None:
        lane.looked(self._clock.monotonic_ns())
        at_ms = self._arrived_ms(lane, message.number)
        self._owner.watcher.looked(self.lesson, lane.source.track, at_ms, message.scores, message.thumbnail)

    def found(self, lane: ScreenLane, message: Found) -> None:
        decision = self._policy.decide(message.kind, message.scores)
        if decision.action.rank >= Action.BLANK.rank:
            self._is_shut = True
            if self.gate is not None:
                self.gate.shut()
        finding = Finding(
            kind=message.kind,
            at_ms=self._arrived_ms(lane, message.number),
            scores=message.scores,
            models=message.models,
            content_sha256=hashlib.sha256(message.jpeg).hexdigest(),
            track=lane.source.track,
            lines=message.lines,
            jpeg=message.jpeg,
            why=message.why,
        )
        self._owner.watcher.found(self.lesson, finding)

    def blamed(self, why: str) -> None:
        now_ns = self._clock.monotonic_ns()
        self._strikes.append(now_ns)
        if len(self._strikes) == STRIKES and now_ns - self._strikes[0] < STRIKES_WITHIN_NS:
            self._strikes.popleft()  # one more is enough the next time
            self._blocked_until_ns = now_ns + BLOCKED_NS
            self._log.error(Event.SCREENING_BLOCKED, why=why)
            for lane in self.lanes:
                self.screener.close_lane(lane)
                lane.mode = Mode.OFF
                lane.empty()

    # --- inside ---

    def _set_up(self) -> None:
        mode = self._policy.mode
        if mode is Mode.OFF or not self._uplinks:
            return
        if mode is Mode.SCREENED:
            self.gate = self._owner.new_gate(self._policy.delay_ms * _MS)
            for uplink in self._uplinks:
                self.gate.add(uplink)
            if self._is_shut:
                self.gate.shut()
        self.lanes = [
            ScreenLane(uplink, self._account, self._clock, self.gate, self.screener.pump, self._renew)
            for uplink in self._uplinks
            if uplink.is_video
        ]
        self._open_lanes()
        for lane in self.lanes:
            lane.attach()

    def _open_lanes(self) -> None:
        for lane in self.lanes:
            lane.mode, lane.rules = self._policy.mode, self._policy.rules
            self.screener.open(lane, self)

    def _shut_down(self) -> None:
        for lane in self.lanes:
            lane.detach()
            self.screener.close_lane(lane)
            self._owner.counters["dropped"] += lane.counters["dropped"]
        self.lanes = []
        gate, self.gate = self.gate, None
        if gate is not None:
            gate.close()

    def _renew(self, lane: ScreenLane) -> None:
        """The lane's track comes from another source now."""
        lane.empty()
        if lane.mode is not Mode.OFF:
            self.screener.open(lane, self)

    def _adopt(self, policy: Policy) -> None:
        """Another policy, from the next frame on."""
        before, self._policy = self._policy, policy
        modes = {before.mode, policy.mode}
        is_delayed_otherwise = len(modes) > 1 or before.delay_ms != policy.delay_ms
        if Mode.OFF in modes or (Mode.SCREENED in modes and is_delayed_otherwise):
            self._shut_down()
            self._set_up()
            self.on_change()
        elif self._blocked_until_ns is None:
            for lane in self.lanes:
                lane.mode, lane.rules = policy.mode, policy.rules
                self.screener.change(lane)

    def _look_around(self, now_ns: int) -> None:
        """How well the lesson is seen now, and what follows from that."""
        seeing, why, since_ns = outlook(
            self.lanes,
            self._policy,
            self.sight.seeing,
            now_ns,
            is_ready=self.screener.is_ready,
            is_new=self.screener.is_new,
            is_blocked=self._blocked_until_ns is not None,
        )
        blind_ms = (now_ns - since_ns) // _MS if seeing is Seeing.BLIND else 0
        is_dead = seeing is Seeing.BLIND and blind_ms >= self._policy.blind_after_ms
        is_held = is_dead and self._policy.when_blind is WhenBlind.SLATE
        self._alarm(is_dead, why, blind_ms)
        if is_held != self.sight.held_back:
            self.on_hold(is_held, now_ns)
        if self.gate is not None:
            self.gate.unguard(is_dead and not is_held)
        since_ms = self.sight.since_ms
        if seeing is not self.sight.seeing:
            since_ms = self._wall_ms(since_ns if seeing is Seeing.BLIND else now_ns)
        delay_ms = self._policy.delay_ms if self.gate is not None else 0
        self._tell(Sight(seeing, since_ms, self._policy.mode, delay_ms, is_held), why)

    def _alarm(self, is_dead: bool, why: str, blind_ms: int) -> None:
        """The dead-man: nobody has looked for longer than the policy allows, or somebody does again."""
        if is_dead == self._is_alarmed:
            return
        self._is_alarmed = is_dead
        if is_dead:
            self._owner.counters["alarms"] += 1
            self._log.error(Event.SCREENING_ALARM, why=why, blind_ms=blind_ms)
        else:
            self._log.warning(Event.SCREENING_ALARM_OVER)

    def _tell(self, sight: Sight, why: str) -> None:
        before, self.sight = self.sight, sight
        if sight == before:
            return
        if before.seeing is not sight.seeing:
            self._owner.counters[f"became_{sight.seeing}"] += 1
            self._log.info(Event.SCREENING_SIGHT, seeing=sight.seeing, why=why, mode=sight.mode)
        self._owner.watcher.sight(self.lesson, sight, why)

    def _want_keyframes(self) -> None:
        for lane in self.lanes:
            lane.source.want_keyframe()

    def _arrived_ms(self, lane: ScreenLane, number: int) -> int:
        """Server time at which a frame arrived."""
        return self._wall_ms(lane.arrivals.get(number, self._clock.monotonic_ns()))

    def _wall_ms(self, then_ns: int) -> int:
        return self._clock.wall_ms() - (self._clock.monotonic_ns() - then_ns) // _MS

    def describe(self) -> Mapping[str, object]:
        """For /debug/rooms."""
        return {
            "policy": f"{self._policy.name} {self._policy.version}",
            "mode": self._policy.mode,
            "seeing": self.sight.seeing,
            "held_back": self.sight.held_back,
            "shut": self._is_shut,
            "blocked": self._blocked_until_ns is not None,
            "cpu_ms": self._account.total_us // 1_000,
            "gate": self.gate.describe() if self.gate is not None else None,
            "tracks": [
                {
                    "track": lane.source.track,
                    "waiting": len(lane.waiting),
                    "thin": lane.is_thin,
                    "looked_at_ms": self._wall_ms(lane.looked_ns) if lane.looked_ns else None,
                }
                | dict(lane.counters)
                for lane in self.lanes
            ],
        }

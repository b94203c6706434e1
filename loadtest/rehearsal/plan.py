"""What happens in a rehearsal and when: the stages of a class of 10,000, and what a smaller one leaves out.

One number scales it: learners. How long the stages are and how often one learner does something stay as they
are, so that a tenth of the learners is a tenth of the load.
"""

from __future__ import annotations

from dataclasses import dataclass

WHOLE = 10_000
"""Learners of a whole class (REQ-N1)."""
LINES_A_SECOND = 5.0
"""Of chat while everybody talks; a screen shows no more that can be read."""
QUIET_LINES_A_SECOND = 0.2
ANSWERING = 0.85
"""Of those asked, how many answer; the others miss it."""
BACK_S = (0.5, 8.0)
"""Full jitter before a learner comes back (docs/PROTOCOL.md section 1)."""
HEARTBEAT_S = 15.0


@dataclass(frozen=True, slots=True)
class Stage:
    """`name` stands before everything that is measured in it."""

    name: str
    begins_s: float
    ends_s: float

    @property
    def seconds(self) -> float:
        return self.ends_s - self.begins_s


_STAGES = (
    ("ramp", 60.0),
    ("steady", 25.0),
    ("chat", 15.0),
    ("challenge", 20.0),
    ("cut", 8.0),
    ("storm", 20.0),
)


@dataclass(frozen=True, slots=True)
class Plan:
    """`scale`: of a whole class. `hls`, `webrtc`: shares of the learners that play so; others only attend.

    `pace` shortens every stage alike; for trying out, since what it measures is another load.
    """

    scale: float = 1.0
    hls: float = 0.9
    webrtc: float = 0.1
    pace: float = 1.0

    @property
    def learners(self) -> int:
        return max(1, round(WHOLE * self.scale))

    @property
    def webrtc_viewers(self) -> int:
        """They are the swarm's, not Locust's."""
        return round(self.learners * self.webrtc)

    @property
    def attending(self) -> int:
        """Locust's: they have a socket, and of them `hls_players` play."""
        return max(1, self.learners - self.webrtc_viewers)

    @property
    def hls_players(self) -> int:
        return min(self.attending, round(self.learners * self.hls))

    @property
    def stages(self) -> tuple[Stage, ...]:
        found, at_s = [], 0.0
        for name, seconds in _STAGES:
            found.append(Stage(name, at_s, at_s + seconds * self.pace))
            at_s += seconds * self.pace
        return tuple(found)

    @property
    def joins_a_second(self) -> float:
        return max(1.0, self.attending / self.stages[0].seconds)

    def at(self, seconds: float) -> Stage | None:
        """The stage of that moment since the beginning; None when all is over."""
        for stage in self.stages:
            if seconds < stage.ends_s:
                return stage
        return None

    def stage(self, name: str) -> Stage:
        """The one of that name. KeyError."""
        for stage in self.stages:
            if stage.name == name:
                return stage
        raise KeyError(name)

    def chance_of_a_line(self, name: str) -> float:
        """That one learner says something in that stage, so that all together keep the rate."""
        rates = {"steady": QUIET_LINES_A_SECOND, "chat": LINES_A_SECOND}
        return min(1.0, rates.get(name, 0.0) * self.stage(name).seconds / self.attending)

    def scaled(self) -> list[str]:
        """In words, what this run is less than a whole class; nothing when it is one."""
        said = []
        if self.scale != 1.0:
            said.append(f"{self.learners:,} learners instead of {WHOLE:,} ({self.scale:.2%})")
        playing = self.hls + self.webrtc
        if playing < 1.0:
            said.append(f"{1 - playing:.0%} of the learners attend and chat, but play nothing")
        if self.pace != 1.0:
            said.append(f"stages of {self.pace:.0%} of their length")
        return said

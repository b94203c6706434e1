"""The cuts of one lesson: a value that several nodes may change apart and bring together again.

It is an observed-remove set with version vectors. Every act (a cut, a restore) is numbered by the node that
did it; a restore lifts the cuts it has seen and no other, so one that was made elsewhere meanwhile stands.
`merged` is commutative, associative and idempotent: messages between nodes may be lost, repeated, late.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from liveserver.core.events.cut import Asked, Cut, Level
from liveserver.core.ledger import canonical_json

Json = dict[str, Any]
MAX_STANDING = 10_000
"""Cuts that may stand at once: a whole class removed one by one."""


@dataclass(frozen=True, slots=True)
class Kill:
    """All cuts of one lesson that stand. `seen`: by node, the newest of its acts this value knows.

    `needs_two`: whoever restores needs a second person, by the policy when it was cut or since.
    """

    lesson: str
    seen: Mapping[str, int] = field(default_factory=dict)
    standing: Mapping[str, Cut] = field(default_factory=dict)
    asked: Asked | None = None
    needs_two: bool = False

    @property
    def epoch(self) -> int:
        """How many cuts and restores there were; never goes back."""
        return sum(self.seen.values())

    @property
    def cuts(self) -> dict[Level, Cut]:
        """The cuts of the lesson; of two of one level, which two nodes may make, the later."""
        ours = sorted(self.standing.values(), key=lambda cut: (cut.epoch, cut.id))
        return {cut.level: cut for cut in ours if cut.level is not Level.PERSON}

    @property
    def removed(self) -> dict[str, Cut]:
        """The persons removed from it."""
        ours = sorted(self.standing.values(), key=lambda cut: (cut.epoch, cut.id))
        return {cut.person: cut for cut in ours if cut.person is not None}

    @property
    def strongest(self) -> Cut | None:
        """The cut of the lesson that takes most away."""
        return strongest(self.cuts)

    def find(self, level: Level, person: str | None) -> Cut | None:
        """The standing cut of that level, or of that person."""
        return self.cuts.get(level) if person is None else self.removed.get(person)

    def with_cut(self, cut: Cut, node: str, *, needs_two: bool = False) -> Kill:
        """This and one more cut, one epoch later. A restore that was asked for before it is void."""
        kill = Kill(self.lesson, self._next(node), {}, None, self.needs_two or needs_two)
        act = kill.act_of(node)
        return replace(kill, standing={**self.standing, act: replace(cut, id=act, epoch=kill.epoch)})

    def lifted(self, node: str) -> Kill:
        """No cut any more, one epoch later."""
        return Kill(self.lesson, self._next(node))

    def with_asked(self, by: str, reason: str, now_ms: int, within_ms: int) -> Kill:
        """The first of two persons asks to restore."""
        return replace(self, asked=Asked(by, reason, now_ms, now_ms + within_ms, self.epoch))

    def asked_at(self, now_ms: int) -> Asked | None:
        """Who waits for a second person at that time."""
        asked = self.asked
        return asked if asked is not None and now_ms < asked.expires_at_ms else None

    def merged(self, other: Kill) -> Kill:
        """What both know of the lesson."""
        # What one has and the other does not: lifted there if it knew of it, else not heard of yet.
        ours = {a: cut for a, cut in self.standing.items() if a in other.standing or not other.knows(a)}
        theirs = {a: cut for a, cut in other.standing.items() if not self.knows(a)}
        standing, seen = {**ours, **theirs}, dict(self.seen)
        for node, count in other.seen.items():
            seen[node] = max(count, seen.get(node, 0))
        both = Kill(self.lesson, seen, standing, None, bool(standing) and (self.needs_two or other.needs_two))
        asked = [one for one in (self.asked, other.asked) if one is not None and one.epoch == both.epoch]
        return replace(both, asked=max(asked, key=_order) if asked else None)

    def knows(self, act: str) -> bool:
        """Whether this value was made after the act `lesson.node:number`, or merged with one that was."""
        return self.seen.get(node_of(act), 0) >= int(act.rpartition(":")[2])

    def act_of(self, node: str) -> str:
        """The name of the newest act of `node`: no other act, of whatever lesson, has it."""
        return f"{self.lesson}.{node}:{self.seen[node]}"

    def as_json(self) -> Json:
        asked = self.asked
        return {
            "lesson": self.lesson,
            "seen": dict(self.seen),
            "cuts": [cut_to_json(cut) for cut in self.standing.values()],
            "asked": {name: getattr(asked, name) for name in _ASKED} if asked is not None else None,
            "needs_two": self.needs_two,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Kill:
        """Raises ValueError for anything that `as_json` did not write."""
        try:
            return _read(data)
        except (KeyError, TypeError, AttributeError, OverflowError) as error:
            raise ValueError(f"no kill: {error}") from error

    def digest(self) -> str:
        """Equal for equal values, whatever order their acts came in; 16 hexadecimal digits."""
        data = self.as_json()
        data["cuts"] = sorted(data["cuts"], key=lambda cut: str(cut["id"]))
        return hashlib.sha256(canonical_json(data).encode()).hexdigest()[:16]

    def _next(self, node: str) -> dict[str, int]:
        return {**self.seen, node: self.seen.get(node, 0) + 1}


def _order(asked: Asked) -> tuple[int, str, str, int]:
    """Of two who asked on two nodes, the later counts."""
    return asked.at_ms, asked.by, asked.reason, asked.expires_at_ms


def node_of(act: str) -> str:
    """The node that did the act of that name."""
    return act.rpartition(":")[0].rpartition(".")[2]


def strongest(cuts: Mapping[Level, Cut]) -> Cut | None:
    """The one that takes most away."""
    return next((cuts[level] for level in _STRONGEST_FIRST if level in cuts), None)


_STRONGEST_FIRST = (Level.LESSON, Level.PAUSE, Level.PICTURE, Level.CHAT)
_ASKED = ("by", "reason", "at_ms", "expires_at_ms", "epoch")


def cut_to_json(cut: Cut) -> Json:
    return {"id": cut.id, "level": cut.level, "reason": cut.reason, "at_ms": cut.at_ms, "by": cut.by,
            "epoch": cut.epoch, "person": cut.person}  # fmt: skip


def cut_from_json(data: Mapping[str, Any]) -> Cut:
    """Raises KeyError, ValueError or TypeError for anything `cut_to_json` did not write."""
    level, person = Level(data["level"]), data["person"]
    if (level is Level.PERSON) != isinstance(person, str):
        raise ValueError("a person is named by level person alone")
    return Cut(level, _text(data["reason"]), _whole(data["at_ms"]), _text(data["by"]), _whole(data["epoch"]),
               person, _text(data["id"]))  # fmt: skip


def _read(data: Mapping[str, Any]) -> Kill:
    cuts = [cut_from_json(item) for item in data["cuts"]]
    seen = {_text(node): _whole(count) for node, count in data["seen"].items()}
    asked = data["asked"]
    kill = Kill(
        _text(data["lesson"]),
        seen,
        {cut.id: cut for cut in cuts},
        None if asked is None else Asked(
            _text(asked["by"]), _text(asked["reason"]), _whole(asked["at_ms"]),
            _whole(asked["expires_at_ms"]), _whole(asked["epoch"]),
        ),
        data["needs_two"] is True,
    )  # fmt: skip
    if len(cuts) > MAX_STANDING or not all(kill.knows(act) for act in kill.standing):
        raise ValueError("cuts that no act made")
    return kill


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > 1000:
        raise ValueError("a text is expected")
    return value


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**53:
        raise ValueError("a whole number is expected")
    return value

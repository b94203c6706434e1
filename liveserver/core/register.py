"""The register of one lesson: who was there, from nothing but the facts of its ledger. Pure.

A room feeds it each fact as it commits it, and whoever has the ledger feeds it the same facts later: both get
the same register, so attendance can be recomputed by anybody, at any time (REL-E, DOMAIN 1). A fact of a type
that says nothing of attendance is passed over.

Teaching time begins with `start` and ends with `end`; `pause` to `resume`, and a cut of the lesson or its
media to `restore`, are breaks. The lecturer is there while he publishes: until the last that was heard of
a connection which was lost. After a crash `interrupted` ends at `until_ms` what no fact had ended.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from liveserver.core.checks import Check, CheckResult
from liveserver.core.presence import Line, mark, presence
from liveserver.core.presets import Frozen, frozen
from liveserver.core.spans import EVER, Span, Spans, intersect, subtract, union

_DARK = ("lesson", "pause")  # cuts that leave nothing to learn from
Data = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Frame:
    """The lesson itself up to a moment: when there was teaching, a lecturer, media that went out."""

    now_ms: int
    teaching: Spans
    lecturer: Spans
    due: Spans


@dataclass(slots=True)
class Register:
    """Feed it with `take`, in the ledger's order."""

    policy: Frozen = field(default_factory=lambda: frozen("default"))
    started_ms: int | None = None
    ended_ms: int | None = None
    last_ms: int = 0
    """Of the newest fact."""
    learners: dict[str, list[Line]] = field(default_factory=dict)
    checks: dict[str, list[Check]] = field(default_factory=dict)
    issued: Counter[str] = field(default_factory=Counter)
    excused: dict[tuple[str, str], CheckResult] = field(default_factory=dict)
    """By a person: (learner, check) → what it was before."""
    _places: dict[tuple[str, str], int] = field(default_factory=dict)  # (person, check) → in `checks`
    _lines: dict[str, Line] = field(default_factory=dict)  # open ones, by connection
    _breaks: list[Span] = field(default_factory=list)
    _dark: list[Span] = field(default_factory=list)
    _publishing: dict[str, list[Span]] = field(default_factory=dict)  # by connection
    _silent: dict[str, list[Span]] = field(default_factory=dict)

    def take(self, kind: str, at_ms: int, data: Data) -> None:
        """One fact of the lesson, `at_ms` by the server's clock."""
        self.last_ms = max(self.last_ms, at_ms)
        rule = _RULES.get(kind)
        if rule is not None:
            rule(self, at_ms, data)

    @property
    def is_open(self) -> bool:
        """Whether somebody is there, or publishes, as far as the facts say."""
        return bool(self._lines) or any(spans[-1][1] == EVER for spans in self._publishing.values())

    def frame(self, now_ms: int) -> Frame:
        """The lesson up to `now_ms`; one that is over, to its end, whenever it is asked."""
        if self.ended_ms is not None:
            now_ms = self.ended_ms
        if self.started_ms is None:
            return Frame(now_ms, (), (), ())
        lesson = union([(self.started_ms, now_ms)])
        teaching = subtract(subtract(lesson, union(self._breaks)), union(self._dark))
        publishing = union(span for spans in self._publishing.values() for span in spans)
        silent = union(span for spans in self._silent.values() for span in spans)
        return Frame(
            now_ms, teaching, intersect(publishing, lesson), intersect(teaching, subtract(publishing, silent))
        )

    def result(self, person: str, check: str) -> CheckResult | None:
        """What became of a check; None while it is open, or when there is none."""
        place = self._places.get((person, check))
        return None if place is None else self.checks[person][place].result

    def presence(self, person: str, frame: Frame) -> Spans:
        """When a learner was there (`core.presence`)."""
        return presence(self.learners.get(person, ()), frame.due, frame.now_ms)

    def hidden(self, person: str, frame: Frame) -> Spans:
        """When the page was not in the foreground."""
        return union(span for line in self.learners.get(person, ()) for span in line.hidden(frame.now_ms))

    # --- rules ---

    def _policy(self, at_ms: int, data: Data) -> None:
        self.policy = Frozen.from_json(data)

    def _start(self, at_ms: int, data: Data) -> None:
        self.started_ms = at_ms

    def _end(self, at_ms: int, data: Data) -> None:
        self.ended_ms = at_ms
        self._close(at_ms)

    def _interrupted(self, at_ms: int, data: Data) -> None:
        self._close(data["until_ms"])

    def _close(self, at_ms: int) -> None:
        for line in self._lines.values():
            line.leave(at_ms)
        self._lines.clear()
        for spans in self._publishing.values():
            mark(spans, False, at_ms)

    def _join(self, at_ms: int, data: Data) -> None:
        if data["role"] != "learner":
            return
        line = Line(data["person"], data["transport"], at_ms)
        self._lines[data["connection"]] = line
        self.learners.setdefault(line.person, []).append(line)

    def _leave(self, at_ms: int, data: Data) -> None:
        line = self._lines.pop(data["connection"], None)
        if line is not None:
            line.leave(at_ms)

    def _presence(self, at_ms: int, data: Data) -> None:
        for change in data["changes"]:
            if "publisher" in change:
                mark(self._silent.setdefault(change["publisher"], []), not change["media"], change["at_ms"])
                continue
            line = self._lines.get(change["connection"])
            if line is None:
                continue
            if "media" in change:
                line.media(change["media"], change["at_ms"])
            elif "visibility" in change:
                line.visibility(change["visibility"] == "hidden", change["at_ms"])

    def _publish(self, at_ms: int, data: Data) -> None:
        mark(self._publishing.setdefault(data["connection"], []), True, at_ms)

    def _unpublish(self, at_ms: int, data: Data) -> None:
        spans = self._publishing.get(data["connection"])
        if spans:
            mark(spans, False, min(at_ms, data.get("heard_at_ms", at_ms)))

    def _pause(self, at_ms: int, data: Data) -> None:
        mark(self._breaks, True, at_ms)

    def _resume(self, at_ms: int, data: Data) -> None:
        mark(self._breaks, False, at_ms)

    def _cut(self, at_ms: int, data: Data) -> None:
        if data["level"] in _DARK:
            mark(self._dark, True, at_ms)
        if data["level"] == "lesson":
            mark(self._breaks, False, at_ms)  # a restored lesson is not paused any more
            for spans in self._publishing.values():
                mark(spans, False, at_ms)

    def _restore(self, at_ms: int, data: Data) -> None:
        mark(self._dark, False, at_ms)

    def _issued(self, at_ms: int, data: Data) -> None:
        self.issued.update(data["checks"].keys())

    def _resolved(self, at_ms: int, data: Data) -> None:
        result = CheckResult(data["result"])
        answered = data["answered_at_ms"] if result is CheckResult.PASSED else None
        moment = data["issued_at_ms"] if answered is None else answered
        checks = self.checks.setdefault(data["person"], [])
        self._places[data["person"], data["id"]] = len(checks)
        checks.append(Check(moment, result))

    def _revised(self, at_ms: int, data: Data) -> None:
        key = data["person"], data["id"]
        place = self._places.get(key)
        if place is None:
            return
        checks, after = self.checks[data["person"]], CheckResult(data["after"])
        if after is CheckResult.EXCUSED:
            self.excused[key] = checks[place].result
        else:
            self.excused.pop(key, None)
        checks[place] = Check(checks[place].at_ms, after)


_RULES: Mapping[str, Callable[[Register, int, Data], None]] = {
    "hours_policy": Register._policy,
    "start": Register._start,
    "end": Register._end,
    "interrupted": Register._interrupted,
    "join": Register._join,
    "leave": Register._leave,
    "presence": Register._presence,
    "publish": Register._publish,
    "unpublish": Register._unpublish,
    "pause": Register._pause,
    "resume": Register._resume,
    "cut": Register._cut,
    "restore": Register._restore,
    "challenge_issued": Register._issued,
    "challenge_resolved": Register._resolved,
    "challenge_revised": Register._revised,
}

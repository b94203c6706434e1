"""When a learner was there: connected, and receiving what there was to receive (REL-C3, C8; DOMAIN 9.3).

A connection alone is no presence. While an instructor's media goes out, only the time counts in which it
arrives, by the viewer's receiver reports (`rtp.evidence`); while nothing goes out (before the start, in a
break, a publisher who fell silent), a connection that receives at other times is presence enough.
"""

from __future__ import annotations

from collections.abc import Iterable

from liveserver.core.spans import EVER, Span, Spans, intersect, subtract, union

GRACE_MS = 10_000
"""From joining, or from the media's beginning, to the first report that it arrives: that report vouches for
so long, because a viewer reports every 2.5 to 7.5 s at the slowest (RFC 3550 6.2)."""
READING_GAP_MS = 60_000
"""Gaps that an attendance sheet leaves out for reading; their seconds are never counted."""


class Line:
    """One connection of one learner, as facts come in. Open ends are `EVER`."""

    __slots__ = ("_hidden", "_media", "joined_ms", "left_ms", "person", "transport")

    def __init__(self, person: str, transport: str, joined_ms: int):
        self.person = person
        self.transport = transport
        self.joined_ms = joined_ms
        self.left_ms = EVER
        self._media: list[Span] = []
        self._hidden: list[Span] = []

    @property
    def is_open(self) -> bool:
        return self.left_ms == EVER

    def leave(self, at_ms: int) -> None:
        self.left_ms = max(at_ms, self.joined_ms)

    def media(self, on: bool, at_ms: int) -> None:
        mark(self._media, on, max(at_ms, self.joined_ms))

    def visibility(self, hidden: bool, at_ms: int) -> None:
        mark(self._hidden, hidden, max(at_ms, self.joined_ms))

    def online(self, now_ms: int) -> Span:
        return self.joined_ms, min(self.left_ms, max(now_ms, self.joined_ms))

    def hidden(self, now_ms: int) -> Spans:
        return intersect(union(self._hidden), (self.online(now_ms),)) if self._hidden else ()

    def present(self, due: Spans, now_ms: int) -> Spans:
        """When it counts as presence; `due`: when media went out that should have arrived."""
        online = union([self.online(now_ms)])
        received = intersect(union(self._media), online)
        if not received:
            return ()
        needed = intersect(due, online)
        return subtract(online, _lacking(needed, received))


def mark(spans: list[Span], on: bool, at_ms: int) -> None:
    """The state is `on` from `at_ms`. What is told twice is told once; time goes on."""
    is_on = bool(spans) and spans[-1][1] == EVER
    if on and not is_on:
        spans.append((max(at_ms, spans[-1][1]) if spans else at_ms, EVER))
    elif not on and is_on:
        spans[-1] = (spans[-1][0], max(at_ms, spans[-1][0]))


def _lacking(needed: Spans, received: Spans) -> Spans:
    """Where media was needed and did not arrive, but for a moment before the first report came."""
    ends = dict(needed)
    return union(
        (start, end)
        for start, end in subtract(needed, received)
        if not (start in ends and end < ends[start] and end - start <= GRACE_MS)
    )


def presence(lines: Iterable[Line], due: Spans, now_ms: int) -> Spans:
    """One learner's, over all his connections."""
    return union(span for line in lines for span in line.present(due, now_ms))

"""Recorded lessons: what watching a file earns (DOMAIN 9.6).

Credit is the growth of what was seen of a file, no more than the time that passed times `max_rate`. Seeing
a part again adds nothing, nor does skipping it. What did not count (hidden, between missed checks, while
the person was elsewhere) may be watched again; but a run faster than `max_rate` uses up all that it shows,
or going twice over a file at double speed would be worth as much as watching it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from liveserver.core.earning import Piece, Reason, Void
from liveserver.core.spans import Span, Spans, intersect, length, subtract, union


@dataclass(frozen=True, slots=True)
class Playback:
    """One uninterrupted run: `from_ms` to `to_ms` of a file of `duration_ms`, at `rate`, begun at `at_ms`.

    `media` names the file by its hash: another version is another file.
    """

    media: str
    duration_ms: int
    from_ms: int
    to_ms: int
    at_ms: int
    rate: Fraction = Fraction(1)

    @property
    def wall(self) -> Span:
        """The time it took."""
        return self.at_ms, self.at_ms + int((self.to_ms - self.from_ms) / self.rate)

    def seen(self, wall: Span) -> Span:
        """What of the file went by during a part of `wall`."""
        return self._position(wall[0]), self._position(wall[1])

    def when(self, position: Span) -> Span:
        """The opposite of `seen`."""
        return self._moment(position[0]), self._moment(position[1])

    def _position(self, moment_ms: int) -> int:
        if moment_ms == self.wall[1]:
            return self.to_ms  # exactly: a fraction of a millisecond must not be lost at the end
        return self.from_ms + int((moment_ms - self.at_ms) * self.rate)

    def _moment(self, position_ms: int) -> int:
        return self.at_ms + int((position_ms - self.from_ms) / self.rate)


def credit(
    entries: Iterable[Playback], max_rate: Fraction, barred: Sequence[tuple[Reason, Spans]]
) -> tuple[list[Piece], list[Void]]:
    """What the runs earn, and what of them does not. `barred`: time that counts for nothing, and why.

    Two runs at once: the one that began first, then by the file's name. Pieces are in order of time.
    """
    seen: dict[str, Spans] = {}
    taken: Spans = ()
    pieces: list[Piece] = []
    voids: list[Void] = []
    for entry in sorted(set(entries), key=_rank):
        free: Spans = union([entry.wall])
        for reason, spans in (*barred, (Reason.OVERLAP, taken)):
            voids += [Void(*span, reason) for span in intersect(free, spans)]
            free = subtract(free, spans)
        taken = union([*taken, *free])
        fresh, again = _news(entry, free, seen.get(entry.media, ()))
        used = [(entry.from_ms, entry.to_ms)] if entry.rate > max_rate else map(entry.seen, free)
        seen[entry.media] = union([*seen.get(entry.media, ()), *used])
        voids += [Void(*span, Reason.REPLAY) for span in again]
        allowed_ms = int(length(free) * max_rate)
        grown_ms = sum(end - start for (start, end), _ in fresh)
        pieces += _earned(fresh, min(grown_ms, allowed_ms), grown_ms)
        if allowed_ms < grown_ms:
            voids += [Void(*wall, Reason.TOO_FAST) for _, wall in fresh]
    return sorted(pieces), voids


def _rank(entry: Playback) -> tuple[int, str, int, int, Fraction, int]:
    return entry.at_ms, entry.media, entry.from_ms, entry.to_ms, entry.rate, entry.duration_ms


def _news(entry: Playback, free: Spans, known: Spans) -> tuple[list[tuple[Span, Span]], Spans]:
    """What the run shows for the first time, as (place in the file, when), and when it shows the rest.

    Beyond the file's end there is nothing to see.
    """
    shown = intersect(union(map(entry.seen, free)), ((0, entry.duration_ms),))
    fresh = [(place, entry.when(place)) for place in subtract(shown, known)]
    return fresh, union(entry.when(place) for place in intersect(shown, known))


def _earned(fresh: list[tuple[Span, Span]], earned_ms: int, grown_ms: int) -> list[Piece]:
    """`earned_ms` spread evenly over what was new, to the millisecond."""
    pieces, so_far_ms, given_ms = [], 0, 0
    for (start, end), wall in fresh:
        so_far_ms += end - start
        share_ms = earned_ms * so_far_ms // grown_ms - given_ms
        given_ms += share_ms
        pieces.append(Piece(*wall, share_ms))
    return pieces

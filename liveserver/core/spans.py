"""Sets of time as half-open spans `[from, to)`, in whole milliseconds since 1970, UTC.

A set is a tuple of spans in order that neither overlap nor touch; `union` makes one of anything. Only sets
may be given to the other functions, which give sets again.
"""

from __future__ import annotations

from collections.abc import Iterable

Span = tuple[int, int]
Spans = tuple[Span, ...]

EVER = 1 << 62
"""Later than any time here; -EVER is earlier."""


def union(spans: Iterable[Span]) -> Spans:
    """The set of all that lies in any of `spans`; empty ones (`to` not after `from`) are left out.

    >>> union([(5, 9), (0, 5), (3, 3)])
    ((0, 9),)
    """
    merged: list[Span] = []
    for start, end in sorted(spans):
        if end <= start:
            continue
        if merged and start <= merged[-1][1]:
            if end > merged[-1][1]:
                merged[-1] = (merged[-1][0], end)
        else:
            merged.append((start, end))
    return tuple(merged)


def intersect(some: Spans, others: Spans) -> Spans:
    """What lies in both."""
    common: list[Span] = []
    i = j = 0
    while i < len(some) and j < len(others):
        start, end = max(some[i][0], others[j][0]), min(some[i][1], others[j][1])
        if start < end:
            common.append((start, end))
        if some[i][1] < others[j][1]:
            i += 1
        else:
            j += 1
    return tuple(common)


def subtract(some: Spans, others: Spans) -> Spans:
    """What lies in `some` and not in `others`."""
    if not others:
        return some
    left: list[Span] = []
    j = 0
    for span in some:
        start, end = span
        while j < len(others) and others[j][1] <= start:
            j += 1
        k = j
        while k < len(others) and others[k][0] < end:
            if start < others[k][0]:
                left.append((start, others[k][0]))
            start = max(start, others[k][1])
            k += 1
        if start < end:
            left.append((start, end))
    return tuple(left)


def length(spans: Spans) -> int:
    """How long it is altogether, ms."""
    return sum(end - start for start, end in spans)


def after_first(spans: Spans, ms: int) -> Spans:
    """What is left without the first `ms` of it."""
    left: list[Span] = []
    for start, end in spans:
        skipped = min(ms, end - start)
        ms -= skipped
        if start + skipped < end:
            left.append((start + skipped, end))
    return tuple(left)


def bridged(spans: Spans, gap_ms: int) -> Spans:
    """The set with its gaps of at most `gap_ms` filled."""
    filled: list[Span] = []
    for start, end in spans:
        if filled and start - filled[-1][1] <= gap_ms:
            filled[-1] = (filled[-1][0], end)
        else:
            filled.append((start, end))
    return tuple(filled)

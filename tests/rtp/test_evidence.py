"""Whether a viewer receives, from when its reports came: `rtp.evidence`."""

from __future__ import annotations

import random

import pytest

from liveserver.rtp.evidence import Evidence, is_recent

S = 1_000_000_000


def stretches(reports_s: list[float], until_s: float) -> list[tuple[float, float]]:
    """What is told of a viewer asked once a second: when it received, in seconds."""
    evidence, found, since = Evidence(), [], 0.0
    waiting = sorted(int(second * S) for second in reports_s)
    for second in range(1, int(until_s) + 1):
        while waiting and waiting[0] <= second * S:
            evidence.take(waiting.pop(0))
        edge = evidence.edge(second * S)
        if edge is not None and edge[0]:
            since = edge[1] / S
        elif edge is not None:
            found.append((since, edge[1] / S))
    return [*found, (since, until_s)] if evidence.told else found


def total(found: list[tuple[float, float]]) -> float:
    return sum(end - start for start, end in found)


class TestEvidence:
    def test_nobody_is_heard_of(self) -> None:
        assert Evidence().edge(S) is None

    def test_reports_each_second_are_one_stretch(self) -> None:
        assert stretches([1 + n for n in range(60)], 60) == [(1, 60)]

    def test_reports_every_five_seconds_are_one_stretch(self) -> None:
        """As of sound alone, between 2.5 and 7.5 s apart (RFC 3550 section 6.3.1)."""
        moments, at = [], 1.0
        for n in range(100):
            moments.append(at)
            at += (2.5, 7.5, 5.0)[n % 3]
        assert len(stretches(moments, at)) == 1

    @pytest.mark.parametrize("away_s", [5, 20, 60])
    def test_a_black_out_is_marked_to_a_second(self, away_s: int) -> None:
        """REL-N9."""
        reports = [1.3 + n for n in range(120) if not 30 < 1.3 + n < 30 + away_s]
        (first, second) = stretches(reports, 120)
        assert abs((second[0] - first[1]) - away_s) <= 1
        assert first[1] <= 30

    def test_an_hour_with_a_tenth_lost_and_three_drop_outs_is_right_to_one_in_a_hundred(self) -> None:
        """REL-C8: credit within 1 % of the truth."""
        chance = random.Random(8)
        away = [(600, 620), (1800, 1845), (3000, 3008)]
        reports = [
            at
            for n in range(3600)
            if chance.random() > 0.1
            and not any(start <= (at := n + chance.random()) < end for start, end in away)
        ]
        truth = 3600 - sum(end - start for start, end in away)
        assert abs(total(stretches(reports, 3600)) - truth) < 0.01 * truth

    def test_what_stops_is_credited_until_the_last_report(self) -> None:
        assert stretches([1, 2, 3], 60) == [(1, 3)]


class TestRecent:
    @pytest.mark.parametrize(
        ("last_sent", "highest", "fits"),
        [(100, 100, True), (100, 101, False), (5000, 905, True), (5000, 904, False), (3, 0x1FFFF, True)],
    )
    def test_only_what_was_sent_and_of_late(self, last_sent: int, highest: int, fits: bool) -> None:
        assert is_recent(last_sent, highest) is fits

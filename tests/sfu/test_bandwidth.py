"""How much a publisher may send: raised while nothing is lost, lowered by loss, always within bounds."""

from __future__ import annotations

from liveserver.sfu.bandwidth import MAX_BPS, MIN_BPS, START_BPS, UplinkBandwidth


def test_it_rises_while_less_than_two_percent_is_lost_and_never_beyond_its_bound():
    bandwidth = UplinkBandwidth()
    first = bandwidth.update(0.0)
    assert first > START_BPS
    for _ in range(60):
        last = bandwidth.update(0.019)
    assert last == MAX_BPS


def test_it_keeps_between_two_and_ten_percent():
    bandwidth = UplinkBandwidth()
    assert bandwidth.update(0.02) == bandwidth.update(0.10) == START_BPS


def test_it_falls_by_half_the_loss_and_never_below_its_bound():
    bandwidth = UplinkBandwidth()
    assert bandwidth.update(0.2) == int(START_BPS * 0.9)
    for _ in range(60):
        last = bandwidth.update(1.0)
    assert last == MIN_BPS

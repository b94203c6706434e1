"""What sequence numbers tell: how a source arrives (RFC 3550 §6.4.1, A.1-A.8), what to ask for again."""

from __future__ import annotations

from liveserver.rtp.rtcp import ReportBlock

# RFC 3550 A.1: a step of this many ahead is loss, this many behind is reordering; else the source restarted.
MAX_DROPOUT = 3000
MAX_MISORDER = 100

REORDER_GRACE_NS = 10_000_000  # a packet overtaken on the path is usually only this late
MIN_ASK_INTERVAL_NS = 40_000_000
MAX_ASK_INTERVAL_NS = 250_000_000
MAX_ASKS = 24
PLAYERS_WAIT_NS = 1_000_000_000  # later than this no player waits for it: then a keyframe is the cure
GIVE_UP_NS = 1_500_000_000  # a recording does, as `depacketize.RECORD_WAIT_NS` says
MAX_MISSING = 512

_NS = 1_000_000_000


def unwrap16(value: int, reference: int) -> int:
    """The extended number nearest to `reference` whose low 16 bits are `value`; negative before 0."""
    distance = (value - reference) & 0xFFFF
    return reference + (distance if distance < 0x8000 else distance - 0x10000)


def unwrap32(value: int, reference: int) -> int:
    """The extended number nearest to `reference` whose low 32 bits are `value` (RTP timestamps)."""
    distance = (value - reference) & 0xFFFFFFFF
    return reference + (distance if distance < 0x80000000 else distance - 0x100000000)


class ReceiveStatistics:
    """What a receiver report says of one source. Times in monotonic ns, timestamps in ticks."""

    __slots__ = (
        "_base",
        "_clock_rate",
        "_expected_before",
        "_highest",
        "_jitter16",
        "_received",
        "_received_before",
        "_report_ns",
        "_report_ntp",
        "_restart_at",
        "_transit",
    )

    def __init__(self, clock_rate: int):
        self._clock_rate = clock_rate
        self._report_ntp = 0
        self._report_ns: int | None = None
        self._highest: int | None = None
        self._begin(0)
        self._highest = None

    def _begin(self, sequence: int) -> None:
        self._base = sequence
        self._highest = sequence
        self._received = self._expected_before = self._received_before = 0
        self._restart_at = -1
        self._jitter16 = 0  # 16 times the jitter, so that integers keep its fraction (A.8)
        self._transit: int | None = None

    def received(self, sequence: int, timestamp: int, now_ns: int) -> None:
        """Count one packet of the source that arrived at `now_ns` (A.1, A.8)."""
        if self._highest is None:
            self._begin(sequence)
        assert self._highest is not None
        ahead = (sequence - self._highest) & 0xFFFF
        if ahead < MAX_DROPOUT:
            self._highest += ahead
        elif ahead <= 0x10000 - MAX_MISORDER:
            if sequence != self._restart_at:  # two in a row make a restart, one is a stray
                self._restart_at = (sequence + 1) & 0xFFFF
                return
            self._begin(sequence)
        self._received += 1
        transit = now_ns * self._clock_rate // _NS - timestamp
        if self._transit is not None:
            step = (transit - self._transit + 0x80000000 & 0xFFFFFFFF) - 0x80000000
            self._jitter16 += abs(step) - (self._jitter16 + 8 >> 4)
        self._transit = transit

    def sender_report(self, ntp: int, now_ns: int) -> None:
        """The source's own report, with this 64-bit NTP time, arrived at `now_ns`."""
        self._report_ntp, self._report_ns = ntp, now_ns

    def report(self, ssrc: int, now_ns: int) -> ReportBlock:
        """The block for `ssrc`; its `fraction_lost` counts from the call before (A.3)."""
        highest = self._base - 1 if self._highest is None else self._highest
        expected = highest - self._base + 1
        lost = max(-0x800000, min(expected - self._received, 0x7FFFFF))
        expected_now = expected - self._expected_before
        lost_now = expected_now - (self._received - self._received_before)
        self._expected_before, self._received_before = expected, self._received
        fraction = min(255, lost_now * 256 // expected_now) if expected_now > 0 and lost_now > 0 else 0
        delay = 0 if self._report_ns is None else (now_ns - self._report_ns) * 65536 // _NS
        return ReportBlock(
            ssrc=ssrc,
            fraction_lost=fraction,
            lost=lost,
            highest_sequence=highest & 0xFFFFFFFF,
            jitter=self._jitter16 >> 4,
            last_sr=self._report_ntp >> 16 & 0xFFFFFFFF,
            delay_since_last_sr=min(delay, 0xFFFFFFFF),
        )


class _Missing:
    __slots__ = ("asked_ns", "asks", "first_ns", "is_overdue", "noticed_ns")

    def __init__(self, noticed_ns: int):
        self.noticed_ns = noticed_ns
        self.first_ns = 0  # when it was asked for first, and last
        self.asked_ns = 0
        self.asks = 0
        self.is_overdue = False


class LossDetector:
    """Which packets of one source to ask for again (RFC 4585 §6.2.1).

    `rtt_ns` is how long an answer takes, as the answers so far have shown: asking again sooner would use up
    the asks before the first could be heard. `overdue` counts packets that no player waits for any more.
    """

    __slots__ = ("_highest", "_missing", "overdue", "rtt_ns")

    def __init__(self) -> None:
        self.rtt_ns = 0
        self.overdue = 0
        self._highest: int | None = None
        self._missing: dict[int, _Missing] = {}  # by extended number, ascending

    def received(self, sequence: int, now_ns: int) -> None:
        """A packet is here, by whatever way; those skipped before it are missing from now on."""
        if self._highest is None:
            self._highest = sequence
            return
        number = unwrap16(sequence, self._highest)
        if number <= self._highest:
            missing = self._missing.pop(number, None)
            if missing is not None and missing.asks:
                self._answered(missing, now_ns)
            return
        skipped = range(self._highest + 1, number)
        self._highest = number
        if len(skipped) + len(self._missing) > MAX_MISSING:
            # A black-out, or the source began anew: more than could be sent again in time.
            waited_for = sum(not missing.is_overdue for missing in self._missing.values())
            self.overdue += len(skipped) + waited_for
            self._missing.clear()
            return
        for absent in skipped:
            self._missing[absent] = _Missing(now_ns)

    def _answered(self, missing: _Missing, now_ns: int) -> None:
        """RFC 6298 2.3, without its variance: asks are bounded anyway.

        Of several asks nobody knows which was answered (Karn), but for two things: while nothing is known the
        first was, or the interval would stay below the round trip for ever; and what comes right after the
        last ask answers an earlier one.
        """
        since_last_ns = now_ns - missing.asked_ns
        if missing.asks > 1 and self.rtt_ns and since_last_ns >= self.rtt_ns // 2:
            return
        sample_ns = now_ns - missing.first_ns
        self.rtt_ns = sample_ns if not self.rtt_ns else (7 * self.rtt_ns + sample_ns) // 8

    def nacks(self, now_ns: int) -> list[int]:
        """The sequence numbers to ask for now, ascending; call it every 10-20 ms."""
        due: list[int] = []
        # With some to spare, so that an answer on its way is not asked for once more.
        interval_ns = min(max(self.rtt_ns * 5 // 4, MIN_ASK_INTERVAL_NS), MAX_ASK_INTERVAL_NS)
        for number, missing in list(self._missing.items()):
            age_ns = now_ns - missing.noticed_ns
            if age_ns >= PLAYERS_WAIT_NS and not missing.is_overdue:
                missing.is_overdue = True
                self.overdue += 1
            if missing.asks >= MAX_ASKS or age_ns >= GIVE_UP_NS:
                del self._missing[number]
                self.overdue += not missing.is_overdue
                continue
            since_ns = now_ns - missing.asked_ns if missing.asks else age_ns
            if since_ns >= (interval_ns if missing.asks else REORDER_GRACE_NS):
                missing.first_ns = missing.first_ns or now_ns
                missing.asked_ns = now_ns
                missing.asks += 1
                due.append(number & 0xFFFF)
        return due

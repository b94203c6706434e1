"""Which moment an RTP timestamp of the instructor means, on this server's clock.

All tracks of one publisher share one offset between the publisher's NTP clock and ours, fixed by its
first sender report, so that the spacing of sound and picture survives while the absolute time is ours.
Until then a timestamp means the moment its packet came.
"""

from __future__ import annotations

_NTP_EPOCH_S = 2_208_988_800  # 1900 to 1970 (RFC 5905 6)


def ntp_from_ns(wall_ns: int) -> int:
    """64-bit NTP time of nanoseconds since 1970."""
    seconds, rest = divmod(wall_ns, 1_000_000_000)
    return ((seconds + _NTP_EPOCH_S) & 0xFFFFFFFF) << 32 | (rest << 32) // 1_000_000_000


def ns_from_ntp(ntp: int) -> int:
    """Nanoseconds since 1970 of a 64-bit NTP time."""
    return ((ntp >> 32) - _NTP_EPOCH_S) * 1_000_000_000 + ((ntp & 0xFFFFFFFF) * 1_000_000_000 >> 32)


class PublisherClock:
    """The offset of one publisher: `offset_ns` = our wall clock − its NTP clock, or None."""

    def __init__(self) -> None:
        self.offset_ns: int | None = None

    def reported(self, ntp: int, wall_ns: int) -> None:
        """A sender report with NTP time `ntp` came at `wall_ns`. Only the first one sets the offset."""
        if self.offset_ns is None and ntp:
            self.offset_ns = wall_ns - ns_from_ntp(ntp)


class TrackClock:
    """RTP timestamps of one track against our wall clock."""

    def __init__(self, publisher: PublisherClock, clock_rate: int):
        self._publisher = publisher
        self._clock_rate = clock_rate
        self._timestamp = 0
        self._wall_ns: int | None = None
        self._is_reported = False

    def arrived(self, timestamp: int, wall_ns: int) -> None:
        """A packet came; used until the first sender report."""
        if not self._is_reported:
            self._timestamp, self._wall_ns = timestamp, wall_ns

    def reported(self, ntp: int, timestamp: int, wall_ns: int) -> None:
        """A sender report of this track came at `wall_ns`."""
        self._publisher.reported(ntp, wall_ns)
        if self._publisher.offset_ns is not None and ntp:
            self._timestamp = timestamp
            self._wall_ns = ns_from_ntp(ntp) + self._publisher.offset_ns
            self._is_reported = True

    def timestamp_at(self, wall_ns: int) -> int | None:
        """The RTP timestamp (uint32) that stands for `wall_ns`, or None before any packet."""
        if self._wall_ns is None:
            return None
        ticks = (wall_ns - self._wall_ns) * self._clock_rate // 1_000_000_000
        return (self._timestamp + ticks) & 0xFFFFFFFF

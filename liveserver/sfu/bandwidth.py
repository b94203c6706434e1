"""How much an instructor may send: the REMB we return (draft-alvestrand-rmcat-remb-03).

Loss-based, as an uplink to a classroom server is: raise by 8 % a second while less than 2 % is lost,
keep between 2 % and 10 %, beyond that lower by half the loss. Without any feedback Chromium stays at
300 kbit/s for ever; the first value we send lifts it at once.
"""

from __future__ import annotations

MIN_BPS = 150_000
START_BPS = 1_500_000
MAX_BPS = 5_000_000
_RAISE_BELOW = 0.02
_LOWER_ABOVE = 0.10
_STEP = 1.08


class UplinkBandwidth:
    """Pure: fed once a second with the fraction lost since the last time."""

    def __init__(self) -> None:
        self.bitrate_bps = START_BPS

    def update(self, fraction_lost: float) -> int:
        """The bit rate to advertise now, for all tracks together."""
        if fraction_lost > _LOWER_ABOVE:
            self.bitrate_bps = int(self.bitrate_bps * (1 - fraction_lost / 2))
        elif fraction_lost < _RAISE_BELOW:
            self.bitrate_bps = int(self.bitrate_bps * _STEP)
        self.bitrate_bps = max(MIN_BPS, min(MAX_BPS, self.bitrate_bps))
        return self.bitrate_bps

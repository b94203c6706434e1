"""When a picture is looked at: how much has changed since the last one that was, and how long ago. Pure.

`change` is the share of the picture (0 to 1) that differs from the picture looked at last, in brightness or
in colour, so that fading in adds up (`models.phash.change`: blocks of 8 by 8 in a picture 160 wide).

For `screened` the numbers make a promise. A picture that is shown for 0.6 s is looked at before it passes:
either one of its frames comes `every_ms` (400) or more after the last look and is looked at, or all come
before that, and the last of them stays for more than `stale_ms` (200) and is looked at before what follows.
"""

from __future__ import annotations

from dataclasses import dataclass

from liveserver.core.screening import Mode

VISIBLE = 0.009  # two blocks of 220
CUT = 0.25  # another scene, another slide


@dataclass(frozen=True, slots=True)
class Pace:
    """`least_ms` between two looks at what moves, `every_ms` the longest without one; `least_ms` under
    load is `every_ms`. `stale_ms`: a picture not looked at that stood so long is, before the next one."""

    least_ms: int
    every_ms: int
    stale_ms: int

    def is_due(self, change: float, since_ms: int, *, hurry: bool) -> bool:
        """Whether to look at a picture, `since_ms` after the last look."""
        if not 0 <= since_ms < self.every_ms:  # time that runs backwards is no reason to look away
            return True
        if hurry or change < VISIBLE:
            return False
        return change >= CUT or since_ms >= self.least_ms


PACES = {
    Mode.OFF: Pace(0, 1 << 62, 1 << 62),
    Mode.KEYFRAMES: Pace(0, 0, 0),
    Mode.WATCH: Pace(200, 500, 500),
    Mode.SCREENED: Pace(100, 400, 200),
}

"""How well a lesson is seen: from what its lanes know, whether there is a process, and the policy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from liveserver.core.screening import Mode, Policy, Seeing
from liveserver.sfu.screen_lane import ScreenLane

STARTING_NS = 5_000_000_000  # the first process loads its models: pictures wait for it and are looked at then
IDLE_NS = 3_000_000_000  # no frame for so long: nothing is sent
# Looked at later than so, it is behind: some times as long as between two looks.
SLOW_NS = {Mode.KEYFRAMES: 5_000_000_000, Mode.WATCH: 2_000_000_000, Mode.SCREENED: 2_000_000_000}


class Outlook(NamedTuple):
    """`since_ns`: of the pictures that come now, the first that nobody has looked at; now without one."""

    seeing: Seeing
    why: str
    since_ns: int


def outlook(
    lanes: Sequence[ScreenLane],
    policy: Policy,
    before: Seeing,
    now_ns: int,
    *,
    is_ready: bool,
    is_new: bool,
    is_blocked: bool,
) -> Outlook:
    """`before`: what it was; who was blind sees again with a verdict. `is_ready`: there is a process;
    `is_new`: it has its first start before it; `is_blocked`: it is not given this lesson's pictures."""
    active = [lane for lane in lanes if now_ns - lane.heard_ns < IDLE_NS]
    if policy.mode is Mode.OFF or not active:
        return Outlook(Seeing.OFF, "by policy" if policy.mode is Mode.OFF else "nothing is sent", now_ns)
    unseen = [since_ns for lane in active if (since_ns := lane.unseen_since_ns(now_ns)) is not None]
    since_ns = min(unseen, default=now_ns)
    if is_blocked:
        return Outlook(Seeing.BLIND, "its pictures ended the process again and again", since_ns)
    if not is_ready and is_new and now_ns - since_ns <= STARTING_NS:
        return Outlook(Seeing.BEHIND, "the process is being started", since_ns)
    if not is_ready:
        return Outlook(Seeing.BLIND, "the process is being started", since_ns)
    is_still_blind = before is Seeing.BLIND and bool(unseen)
    if is_still_blind or now_ns - since_ns >= policy.blind_after_ms * 1_000_000:
        return Outlook(Seeing.BLIND, "no verdict comes", since_ns)
    if now_ns - since_ns > SLOW_NS[policy.mode]:
        return Outlook(Seeing.BEHIND, "verdicts are late", since_ns)
    if any(lane.is_behind for lane in active):
        return Outlook(Seeing.BEHIND, "pictures are left out", since_ns)
    return Outlook(Seeing.SEEING, "", since_ns)

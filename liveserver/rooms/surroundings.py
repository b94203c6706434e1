"""What the rooms of a node have around them: the same for each, made before the first."""

from __future__ import annotations

from dataclasses import dataclass

from liveserver.checks.photos import Photos
from liveserver.clock import Clock
from liveserver.core.log_in import SamePerson
from liveserver.cut.guard import Guard
from liveserver.hls.tier import Tier
from liveserver.hours.attending import EVERY_S
from liveserver.recording import Recordings
from liveserver.rooms.writing import Promise
from liveserver.screening import Screening
from liveserver.sfu.forwarder import Forwarder
from liveserver.sfu.screens import Screens
from liveserver.sfu.stage import Stage
from liveserver.sfu.transcodes import Transcodes
from liveserver.store import Store


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where a room's facts, rows, cuts and recordings go, and by which rules of the node it is held.

    None: nothing is screened, no photos are judged, no receipts are given. `tell_every_s`: how often learners
    are told what is credited. `same_person`: what becomes of one who is there already.
    """

    store: Store
    clock: Clock
    guard: Guard
    recordings: Recordings
    screening: Screening | None = None
    photos: Photos | None = None
    receipt: Promise | None = None
    tell_every_s: int = EVERY_S
    same_person: SamePerson = SamePerson.TAKEOVER


@dataclass(frozen=True, slots=True)
class MediaPlane:
    """The way of sound and pictures, and what makes other codecs and LL-HLS of them or looks at them.

    None: that is switched off.
    """

    forwarder: Forwarder
    transcodes: Transcodes | None = None
    screens: Screens | None = None
    tier: Tier | None = None

    def stage(self, lesson: str, row: int) -> Stage:
        """A lesson's, on its row of the flags."""
        transcode = self.transcodes.of(lesson) if self.transcodes is not None else None
        screen = self.screens.of(lesson) if self.screens is not None else None
        return Stage(row, self.forwarder.flags, transcode, screen)

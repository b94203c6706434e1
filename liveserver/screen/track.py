"""One track of a lesson: every frame decoded, pictures looked at when they are due, frames passed on.

Nothing is decided here but what may be shown: what is found goes to the node, which knows what follows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import av

from liveserver.confined.decoding import TIME_BASE, TickLine, video_decoder
from liveserver.core.screening import Action, Decision, Kind, Mode, Policy
from liveserver.screen import images
from liveserver.screen.images import Pixels
from liveserver.screen.judge import Judge
from liveserver.screen.pace import PACES, VISIBLE
from liveserver.screen.passing import Passing
from liveserver.screen.reading import Reading, Slides
from liveserver.screen.wire import Alive, Found, Frame, Looked, Lost, Open, Passed, ToNode
from models.phash import change

THUMBNAIL_EVERY_MS = 1_000
SETTLE_MS = 100  # nothing has come for so long: look at what is shown now
_SAME_FINDING_MS = 2_000  # what is found again and again is news after so long
_AGAIN_MS = 300  # and when it had gone meanwhile
_PICTURES_LATE = 64  # frames whose pictures may still come
_TICKS_PER_MS = 90
Planes = tuple[Pixels, Pixels, Pixels]


@dataclass(frozen=True, slots=True)
class _Fed:
    """What is known of a frame besides its picture. `media_ms`: its own time, on a line without wraps."""

    number: int
    at_ms: int
    media_ms: int
    keyframe: bool
    hurry: bool


@dataclass(frozen=True, slots=True)
class _Shown:
    """A picture as a viewer would see it from `fed.at_ms` on."""

    image: av.VideoFrame
    fed: _Fed
    planes: Planes


class Track:
    """A lane of the wire. `width`: pixels that the models are given."""

    def __init__(self, judge: Judge, width: int, opened: Open):
        self._judge = judge
        self._width = width
        self._decoder: av.VideoCodecContext | None = None
        self._codec = ""
        self._line = TickLine()
        self._fed: dict[int, _Fed] = {}  # by number, until its picture comes
        self._passing: Passing | None = None
        self._looked: tuple[_Fed, Planes] | None = None  # what was looked at last
        self._is_right = False  # whether it may be shown
        self._waiting: _Shown | None = None  # the newest picture not looked at that differs from it
        self._cleared = 0  # the newest frame that may pass once its text has been read
        self._reading: Reading | None = None
        self._slides = Slides()
        self._thumbnail_ms = -THUMBNAIL_EVERY_MS
        self._said: dict[Kind, tuple[tuple[str, str], int, bool]] = {}  # what, when, whether it still stands
        self.open(opened)

    def open(self, opened: Open) -> None:
        """By these rules from now on."""
        self._lane = opened.lane
        is_screened = opened.mode is Mode.SCREENED
        if is_screened != (self._passing is not None):
            self._passing = Passing() if is_screened else None
        self._pace = PACES[opened.mode]
        self._policy = Policy("", 0, opened.rules)
        text = [rule for rule in opened.rules if rule.kind is Kind.TEXT]
        self._reads = self._judge.reads and bool(text)
        self._holds_for_text = is_screened and any(_holds_back(rule.action) for rule in text)

    def push(self, frame: Frame) -> Iterator[ToNode]:
        """Decode a frame and look at its picture if that is due."""
        if frame.codec != self._codec:
            self._codec, self._decoder = frame.codec, None
        if self._decoder is None:
            if not frame.keyframe:
                return
            self._decoder = video_decoder(frame.codec)
        media_ms = self._line.extended(frame.timestamp) // _TICKS_PER_MS
        self._fed[frame.number] = _Fed(frame.number, frame.at_ms, media_ms, frame.keyframe, frame.hurry)
        if len(self._fed) > _PICTURES_LATE:
            del self._fed[next(iter(self._fed))]
        if self._passing is not None:
            self._passing.fed(frame.number, keyframe=frame.keyframe)
            if _is_invisible(frame):
                self._passing.seen(frame.number)
        packet = av.Packet(frame.data)
        packet.pts, packet.time_base = frame.number, TIME_BASE
        try:
            pictures = self._decoder.decode(packet)
        except (av.FFmpegError, MemoryError):
            self._decoder = None
            self._fed.clear()
            self._refuse()
            yield Lost(self._lane)
            return
        for image in pictures:
            fed = self._fed.pop(image.pts if image.pts is not None else -1, None)
            if fed is not None:
                yield from self._see(_Shown(image, fed, images.planes(image)))

    def settle(self, now_ms: int) -> Iterator[ToNode]:
        """Nothing more may come for now: look at the picture that stands there."""
        if self._waiting is not None and now_ms - self._waiting.fed.at_ms >= SETTLE_MS:
            yield from self._look(self._waiting)

    @property
    def unsettled(self) -> bool:
        return self._waiting is not None

    @property
    def is_reading(self) -> bool:
        return self._reading is not None

    def read_on(self, now_ms: int) -> Iterator[ToNode]:
        """The next line of the text that is being read, or what follows from all of it."""
        reading = self._reading
        if reading is None:
            return
        yield Alive()
        if reading.step():
            return
        self._reading = None
        self._slides.read(now_ms - reading.began_ms, now_ms, is_empty=reading.is_empty)
        decision = self._policy.decide(Kind.TEXT, reading.scores)
        if self._is_news(Kind.TEXT, decision, now_ms):
            yield reading.found(self._lane)
        if _holds_back(decision.action):
            self._refuse()
        elif self._cleared:
            yield from self._pass(self._cleared)

    # --- inside ---

    def _see(self, shown: _Shown) -> Iterator[ToNode]:
        fed = shown.fed
        if self._passing is not None:
            self._passing.seen(fed.number)
        before = self._waiting
        if before is not None and _between(before.fed, fed) > self._pace.stale_ms:
            yield from self._look(before)
        if self._looked is None or fed.keyframe:
            yield from self._look(shown)
            return
        last, planes = self._looked
        changed = max(map(change, planes, shown.planes))
        if self._pace.is_due(changed, _between(last, fed), hurry=fed.hurry):
            yield from self._look(shown)
        elif changed >= VISIBLE:
            self._waiting = shown
        else:
            self._waiting = None
            if self._is_right:
                yield from self._pass(fed.number)

    def _look(self, shown: _Shown) -> Iterator[ToNode]:
        fed = shown.fed
        scores = self._judge.picture(images.rgb(shown.image, self._width))
        self._looked, self._waiting = (fed, shown.planes), None
        thumbnail = b""
        if fed.at_ms - self._thumbnail_ms >= THUMBNAIL_EVERY_MS:
            self._thumbnail_ms, thumbnail = fed.at_ms, images.thumbnail(shown.image)
        yield Looked(self._lane, fed.number, scores, thumbnail)
        decision = self._policy.decide(Kind.FRAME, scores)
        if self._is_news(Kind.FRAME, decision, fed.at_ms):
            jpeg, models = images.evidence(shown.image), self._judge.hashes
            yield Found(self._lane, fed.number, Kind.FRAME, scores, models, (), (), jpeg)
        self._is_right = not _holds_back(decision.action)
        if not self._is_right:
            self._refuse()
            return
        if self._reads and self._reading is None and self._slides.is_new(shown.planes[0], fed.at_ms):
            self._reading = Reading(self._judge, shown.image, fed.number, fed.at_ms)
        yield from self._pass(fed.number)

    def _pass(self, number: int) -> Iterator[ToNode]:
        """What a viewer may see up to this frame, unless its text has to be read first."""
        self._cleared = number
        if self._passing is None or (self._reading is not None and self._holds_for_text):
            return
        self._cleared = 0
        span = self._passing.passed(number)
        if span is not None:
            yield Passed(self._lane, *span)

    def _refuse(self) -> None:
        if self._passing is not None:
            self._passing.refused()
        self._cleared = 0
        self._is_right = False

    def _is_news(self, kind: Kind, decision: Decision, now_ms: int) -> bool:
        """Whether to say it: something is to be done, and it has not been said a moment ago."""
        what = str(decision.category), str(decision.action)
        said, said_ms, still_stands = self._said.get(kind, (None, 0, False))
        if decision.action is Action.ALLOW:
            self._said[kind] = said or what, said_ms, False
            return False
        patience_ms = _SAME_FINDING_MS if still_stands else _AGAIN_MS
        if said == what and 0 <= now_ms - said_ms < patience_ms:
            return False
        self._said[kind] = what, now_ms, True
        return True


def _holds_back(action: Action) -> bool:
    """Whether a picture for which this is asked is kept from viewers."""
    return action.rank >= Action.BLANK.rank


def _between(one: _Fed, other: _Fed) -> int:
    """Milliseconds from one frame to another, by arrival or by their own times, whichever is more."""
    return max(other.at_ms - one.at_ms, abs(other.media_ms - one.media_ms))


def _is_invisible(frame: Frame) -> bool:
    """VP8 knows frames that are decoded and not shown (RFC 6386 9.1)."""
    return frame.codec == "vp8" and not frame.data[0] >> 4 & 1

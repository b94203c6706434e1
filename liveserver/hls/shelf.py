"""What there is of one lesson, in memory, bounded: init segments, parts, segments; and who waits for more.

Both renditions have the same segments and parts: sound alone, or pictures and the same sound. Owned by the
main loop. A segment that is listed no more can be had for as long again (RFC 8216bis 6.2.2).
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from liveserver.core.errors import PeerError
from liveserver.hls import playlist
from liveserver.packaging.wire import Init, Mark, Part
from recorder.audio import FRAME, RATE

LISTED_S = playlist.SKIP_UNTIL_S + 2 * playlist.TARGET_S
KEPT_S = 2 * LISTED_S
CACHED_S = 60  # by caches; with the address it is all that a plain CDN asks for
MAX_BYTES = 64 * 1024**2  # a minute at 8 Mbit/s; beyond it the oldest go
MAX_PARTS = 64  # of a segment
TOKEN = "@token@"  # noqa: S105 - stands for one in texts that are kept
_EPOCH_S = 1_700_000_000  # media sequence numbers: never lower after a restart than before it
_RUN_BYTES = 8  # nobody guesses it
_FIRST_PARTS = 4  # nobody is answered before: the hold-back of 1 s has to be there


class Rendition(StrEnum):
    VIDEO = "video"
    """Picture and sound."""
    AUDIO = "audio"


@dataclass(frozen=True, slots=True)
class _Piece:
    frames: int
    independent: bool
    video: bytes = field(repr=False)
    audio: bytes = field(repr=False)

    def data(self, rendition: Rendition) -> bytes:
        return self.video + self.audio if rendition is Rendition.VIDEO else self.audio


@dataclass(slots=True)
class _Segment:
    sequence: int
    init: int
    wall_ms: int
    discontinuities: int  # up to its beginning
    discontinuity: bool
    has_picture: bool
    pieces: list[_Piece] = field(default_factory=list)
    is_whole: bool = False

    @property
    def size(self) -> int:
        return sum(len(piece.video) + len(piece.audio) for piece in self.pieces)

    @property
    def duration_s(self) -> float:
        return sum(piece.frames for piece in self.pieces) * FRAME / RATE

    def listed(self) -> playlist.Segment:
        parts = tuple(playlist.Part(p.frames * FRAME / RATE, p.independent) for p in self.pieces)
        return playlist.Segment(
            self.sequence, self.init, self.wall_ms, self.discontinuity, parts, self.is_whole
        )


class Shelf:
    """`run` is in every address, so that nothing a cache has is ever taken for something else. It is another
    after each cut, so that nothing from before is had by its address. Only who has a token is told it."""

    def __init__(self, now_s: int):
        self.run = secrets.token_hex(_RUN_BYTES)
        self.is_over = False
        self._segments: deque[_Segment] = deque()
        self._inits: dict[int, Init] = {}
        self._numbers: dict[int, int] = {}  # of the process that runs → ours
        self._last_init = 0
        self._texts: dict[tuple[Rendition, bool], str] = {}
        self._sequence = max(1, now_s - _EPOCH_S)
        self._discontinuities = 0
        self._is_cut = False
        self._bytes = 0
        self._more: asyncio.Future[None] | None = None

    # --- what comes in ---

    def add_init(self, init: Init) -> None:
        self._last_init += 1
        self._numbers[init.number] = self._last_init
        self._inits[self._last_init] = init

    def add(self, part: Part) -> None:
        """The next part. One that refers to nothing is dropped."""
        newest = self._segments[-1] if self._segments else None
        begins = Mark.SEGMENT in part.marks or newest is None or newest.is_whole or self._is_cut
        if part.init not in self._numbers or (newest is None and Mark.SEGMENT not in part.marks):
            return
        if begins or (newest is not None and len(newest.pieces) >= MAX_PARTS):
            if newest is not None:
                newest.is_whole = True
            newest = self._begin(part)
        assert newest is not None
        newest.pieces.append(_Piece(part.frames, Mark.INDEPENDENT in part.marks, part.video, part.audio))
        newest.is_whole = Mark.LAST in part.marks
        self._bytes += len(part.video) + len(part.audio)
        self._forget_old()
        self.wake()

    def cut_off(self) -> None:
        """What there is is not shown any more, what comes next does not follow it."""
        self.run = secrets.token_hex(_RUN_BYTES)
        self._segments.clear()
        self._numbers.clear()
        self._bytes = 0
        self._is_cut = True
        self.wake()

    def interrupt(self) -> None:
        """What comes next does not follow: another process makes it."""
        if self._segments:
            self._segments[-1].is_whole = True
        self._is_cut = True
        self._numbers.clear()
        self.wake()

    def finish(self) -> None:
        """The lesson is over."""
        if self._segments:
            self._segments[-1].is_whole = True
        self.is_over = True
        self.wake()

    def wake(self) -> None:
        """Whoever waits looks again."""
        self._texts.clear()
        if self._more is not None and not self._more.done():
            self._more.set_result(None)
        self._more = None

    # --- what goes out ---

    def is_ready(self, rendition: Rendition) -> bool:
        """Whether there is enough to begin with: a whole segment, and the hold-back."""
        segments = self._of(rendition)
        pieces = sum(len(segment.pieces) for segment in segments)
        return bool(segments) and (self.is_over or (segments[0].is_whole and pieces >= _FIRST_PARTS))

    def has(self, rendition: Rendition, sequence: int, part: int | None) -> bool:
        """Whether a playlist now has that part, or the whole segment."""
        newest = self._newest(rendition)
        if newest is None or newest.sequence < sequence:
            return False
        if newest.sequence > sequence:
            return True  # a part beyond its segment's last one is the first of the next (6.2.5.2)
        return newest.is_whole if part is None else part < len(newest.pieces)

    def check_asked(self, rendition: Rendition, sequence: int, part: int | None) -> None:
        """PeerError `bad_request` for what is too far ahead to wait for (RFC 8216bis 6.2.5.2)."""
        newest = self._newest(rendition)
        if newest is None:
            return
        far = sequence > newest.sequence + 2
        if part is not None and sequence >= newest.sequence:
            ahead = part if sequence > newest.sequence else part - len(newest.pieces)
            far = far or ahead > playlist.ADVANCE_PARTS
        if far:
            raise PeerError("bad_request", "that is too far ahead")

    def text(self, rendition: Rendition, *, skip: bool) -> str:
        """The media playlist, with `TOKEN` where a token belongs."""
        if (rendition, skip) not in self._texts:
            segments = [segment for segment in self._of(rendition) if segment.pieces]
            window = playlist.Window(
                [segment.listed() for segment in segments],
                segments[0].discontinuities if segments else 0,
                f"{self.run}/{rendition}/",
                f"?token={TOKEN}",
                self.is_over,
            )
            self._texts[rendition, skip] = playlist.media(window, skip=skip)
        return self._texts[rendition, skip]

    def streams(self) -> playlist.Streams:
        """What the multivariant playlist says."""
        newest = self._newest(Rendition.VIDEO)
        init = self._inits.get(newest.init) if newest is not None else None
        peak = {
            rendition: max(
                (
                    sum(len(piece.data(rendition)) for piece in segment.pieces) * 8 / segment.duration_s
                    for segment in self._of(rendition)
                ),
                default=0.0,
            )
            for rendition in Rendition
        }
        return playlist.Streams(
            init.codec if init else "",
            init.width if init else 0,
            init.height if init else 0,
            max(2_500_000, round(peak[Rendition.VIDEO] * 1.2)),
            max(128_000, round(peak[Rendition.AUDIO] * 1.2)),
        )

    def init(self, rendition: Rendition, number: int) -> bytes | None:
        found = self._inits.get(number)
        if found is None:
            return None
        return found.video if rendition is Rendition.VIDEO else found.audio

    def segment(self, rendition: Rendition, sequence: int) -> bytes | None:
        found = self._find(sequence)
        if found is None or not found.is_whole:
            return None
        return b"".join(piece.data(rendition) for piece in found.pieces)

    def part(self, rendition: Rendition, sequence: int, index: int) -> bytes | None:
        found = self._find(sequence)
        if found is None or index >= len(found.pieces):
            return None
        return found.pieces[index].data(rendition)

    def awaits(self, sequence: int, index: int) -> bool:
        """Whether that part is the one that comes next, as far as is known."""
        newest = self._segments[-1] if self._segments else None
        if newest is None or self.is_over:
            return False
        if newest.is_whole:
            return (sequence, index) == (newest.sequence + 1, 0)
        return (sequence, index) == (newest.sequence, len(newest.pieces))

    def is_past(self, sequence: int, index: int) -> bool:
        """Whether that part lies before the one that comes next: it will never be there if it is not."""
        newest = self._segments[-1] if self._segments else None
        if newest is None:
            return False
        following = (newest.sequence + 1, 0) if newest.is_whole else (newest.sequence, len(newest.pieces))
        return (sequence, index) < following

    async def more(self, timeout_s: float) -> None:
        """Until something has changed, or the time is over."""
        if self._more is None:
            self._more = asyncio.get_running_loop().create_future()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._more), timeout_s)

    def describe(self) -> dict[str, object]:
        """For /debug/rooms."""
        return {"segments": len(self._segments), "bytes": self._bytes, "sequence": self._sequence}

    # --- inside ---

    def _begin(self, part: Part) -> _Segment:
        is_first = not self._segments
        is_cut = not is_first and (Mark.DISCONTINUITY in part.marks or self._is_cut)
        self._discontinuities += is_cut or (is_first and self._is_cut)
        self._is_cut = False
        self._sequence += 1
        init = self._numbers[part.init]
        has_picture = self._inits[init].width > 0
        segment = _Segment(self._sequence, init, part.wall_ms, self._discontinuities, is_cut, has_picture)
        self._segments.append(segment)
        return segment

    def _of(self, rendition: Rendition) -> Sequence[_Segment]:
        """The segments that are listed of a rendition."""
        listed: list[_Segment] = []
        length_s = 0.0
        for segment in reversed(self._segments):
            if length_s >= LISTED_S or (rendition is Rendition.VIDEO and not segment.has_picture):
                break
            listed.insert(0, segment)
            length_s += segment.duration_s
        return listed

    def _newest(self, rendition: Rendition) -> _Segment | None:
        newest = self._segments[-1] if self._segments else None
        return None if newest is None or (rendition is Rendition.VIDEO and not newest.has_picture) else newest

    def _find(self, sequence: int) -> _Segment | None:
        return next((segment for segment in self._segments if segment.sequence == sequence), None)

    def _forget_old(self) -> None:
        total_s = sum(segment.duration_s for segment in self._segments)
        while len(self._segments) > 1 and (
            total_s - self._segments[0].duration_s >= KEPT_S or self._bytes > MAX_BYTES
        ):
            gone = self._segments.popleft()
            total_s -= gone.duration_s
            self._bytes -= gone.size
        used = {segment.init for segment in self._segments}
        newest = max(self._inits, default=0)
        for number in [n for n in self._inits if n not in used and n < newest]:
            del self._inits[number]

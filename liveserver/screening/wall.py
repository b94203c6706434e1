"""The moderators' wall: one owner of what it shows, and of who stands before it.

Screening tells it what happens, the rooms what is so; once a second it tells every spectator what changed,
in a text that is made once for all of them. Thumbnails go to those whose page shows the lesson, the newest
only: a slow spectator misses pictures, never the present.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from liveserver.clock import Clock
from liveserver.core.errors import PeerError
from liveserver.core.messages import MAX_WATCHED, Json, dumps
from liveserver.core.screening import Sight
from liveserver.core.wall import Picture, WallState
from liveserver.log import Event, get_logger
from liveserver.tokens import ALL_LESSONS, Claims

TICK_S = 1.0
MOST_SPECTATORS = 100
_log = get_logger()
_MOST_REPLIES = 64  # more than the rate of messages lets through between two sends


class Wall:
    """Owned by the main loop. `lessons` gives the lessons that are not over, as the wall shows them."""

    def __init__(self, lessons: Callable[[], Sequence[Json]], clock: Clock):
        self._lessons = lessons
        self._clock = clock
        self._state = WallState()
        self._spectators: set[Spectator] = set()
        self._snapshots: dict[str, str] = {}  # by what a token covers, until the next tick
        self._ticking: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._ticking = asyncio.create_task(self._run(), name="wall")

    async def stop(self) -> None:
        if self._ticking is not None:
            self._ticking.cancel()
            await asyncio.gather(self._ticking, return_exceptions=True)

    # --- what happens ---

    def looked(
        self, lesson: str, track: str, at_ms: int, scores: Mapping[str, float], thumbnail: bytes
    ) -> None:
        """A picture of `track` ("camera" or "screen") was scored: category → 0 to 1.

        `thumbnail`: a JPEG of at most 320x180, one a second and track, else empty.
        """
        message = self._state.looked(lesson, track, at_ms, scores, thumbnail)
        if message is not None:
            for spectator in self._spectators:
                spectator.show((lesson, track), message)

    def saw(self, lesson: str, sight: Sight) -> None:
        """How well screening sees the lesson has changed."""
        self._state.saw(lesson, sight)

    # --- who looks ---

    def stand(self, claims: Claims) -> Spectator:
        """Somebody stands before the wall. Raises PeerError lesson_full (503) when too many do."""
        if len(self._spectators) >= MOST_SPECTATORS:
            raise PeerError("lesson_full", "too many look at the wall", status=503, retry_after_s=10)
        self._state.met(claims.person, claims.name)
        spectator = Spectator(self, claims)
        self._spectators.add(spectator)
        return spectator

    def leave(self, spectator: Spectator) -> None:
        self._spectators.discard(spectator)

    def snapshot(self, reach: str) -> str:
        """Everything a token for `reach` (a lesson or all) covers; the text is made once a second."""
        text = self._snapshots.get(reach)
        if text is None:
            text = self._snapshots[reach] = dumps(self._state.snapshot(covering(reach)))
        return text

    def pictures(self, lessons: frozenset[str]) -> list[tuple[Picture, bytes]]:
        """The newest thumbnails of `lessons`."""
        return list(self._state.pictures(lessons))

    def numbers(self) -> dict[str, float]:
        """For /metrics."""
        watched = sum(spectator.watched for spectator in self._spectators)
        return {
            "spectators": float(len(self._spectators)),
            "tiles": float(len(self._state)),
            "watched": float(watched),
        }

    def tick(self) -> None:
        """A second has passed: tell everybody what changed in it."""
        self._state.tick(self._lessons(), self._clock.wall_ms())
        self._snapshots.clear()
        texts: dict[str, str | None] = {}
        for spectator in self._spectators:
            reach = spectator.reach
            if reach not in texts:
                delta = self._state.delta(covering(reach))
                texts[reach] = None if delta is None else dumps(delta)
            spectator.tell(texts[reach])

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            try:
                self.tick()
            except Exception:  # one second that could not be told must not be the last
                _log.exception(Event.WALL_FAILED)


class Spectator:
    """One moderator's page. What waits for it is bounded: a text, its replies, a picture per track shown."""

    def __init__(self, wall: Wall, claims: Claims):
        self.reach = claims.lesson
        self._wall = wall
        self._wanted: frozenset[str] = frozenset()
        self._behind = True  # it has not been told everything
        self._text: str | None = None
        self._replies: deque[str] = deque(maxlen=_MOST_REPLIES)
        self._pictures: dict[Picture, bytes] = {}
        self._wake = asyncio.Event()
        self._wake.set()

    @property
    def watched(self) -> int:
        """Of how many lessons it is sent thumbnails."""
        return len(self._wanted)

    def watch(self, lessons: Sequence[str]) -> None:
        """Thumbnails of these lessons and no others from now on, beginning with the newest there are."""
        covers = covering(self.reach)
        wanted = frozenset(lesson for lesson in lessons[:MAX_WATCHED] if covers(lesson))
        fresh = wanted - self._wanted
        self._wanted = wanted
        self._pictures = {
            picture: message for picture, message in self._pictures.items() if picture[0] in wanted
        }
        for picture, message in self._wall.pictures(fresh):
            self.show(picture, message)

    def show(self, picture: Picture, message: bytes) -> None:
        """A thumbnail; one that still waits is replaced and keeps its place in the line."""
        if picture[0] in self._wanted:
            self._pictures[picture] = message
            self._wake.set()

    def tell(self, text: str | None) -> None:
        """What changed in the last second. If the second before still waits, everything is told instead."""
        if text is None or self._behind:
            return
        if self._text is not None:
            self._behind, self._text = True, None
        else:
            self._text = text
        self._wake.set()

    def reply(self, text: str) -> None:
        self._replies.append(text)
        self._wake.set()

    async def next(self) -> str | bytes:
        """What to send next; waits until there is something."""
        while True:
            if self._replies:
                return self._replies.popleft()
            if self._behind:
                self._behind = False
                return self._wall.snapshot(self.reach)
            if self._text is not None:
                text, self._text = self._text, None
                return text
            if self._pictures:
                return self._pictures.pop(next(iter(self._pictures)))
            self._wake.clear()
            await self._wake.wait()


def covering(reach: str) -> Callable[[str], bool]:
    """Whether a token for `reach` covers a lesson."""
    return lambda lesson: reach in (ALL_LESSONS, lesson)

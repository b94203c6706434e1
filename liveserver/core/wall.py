"""What the moderators' wall shows of each lesson, and what changed since it was last told. Pure.

A lesson has a *tile*: its newest thumbnail per track, the scores of the last minute (one point a second), and
how well screening sees it. Once a second `tick` closes the points and works out the difference; `delta` and
`snapshot` are that as messages (docs/PROTOCOL.md section 4).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from liveserver.core.screening import Category, Sight

Json = dict[str, Any]
Point = dict[str, float]
Picture = tuple[str, str]
"""A lesson and one of its tracks."""

POINTS = 60  # seconds that a sparkline shows
MOST_TILES = 512  # twice the lessons a node has by default
MOST_NAMES = 1_000
LEAST_SCORE = 0.005  # below it a score is drawn as nothing, so it is not sent
TRACKS = ("camera", "screen")
MAX_THUMBNAIL_BYTES = 65_536

_THUMBNAIL = 1  # first byte of the binary message


@dataclass(slots=True)
class Tile:
    """What screening said of one lesson."""

    sight: Sight = field(default_factory=Sight)
    points: deque[Point | None] = field(default_factory=lambda: deque(maxlen=POINTS))
    pictures: dict[str, bytes] = field(default_factory=dict)
    _now: Point | None = None

    def look(self, scores: Mapping[str, float]) -> None:
        """The highest score of each category within the second is what its point shows."""
        point = self._now = self._now or {}
        for category, score in scores.items():
            if category != Category.BENIGN and score >= LEAST_SCORE:
                point[category] = max(point.get(category, 0.0), round(score, 3))

    def close_point(self) -> Point | None:
        """The second is over; None when nobody looked in it."""
        point, self._now = self._now, None
        self.points.append(point)
        return point

    def shown_sight(self) -> Json:
        sight = self.sight
        return {
            "seeing": sight.seeing,
            "since_ms": sight.since_ms,
            "mode": sight.mode,
            "delay_ms": sight.delay_ms,
            "held_back": sight.held_back,
        }


class WallState:
    """Tiles by lesson. What else is shown of a lesson (title, state, incidents …) is given to `tick`."""

    def __init__(self) -> None:
        self._tiles: dict[str, Tile] = {}
        self._names: dict[str, str] = {}
        self._shown: dict[str, Json] = {}
        self._changed: list[Json] = []
        self._gone: list[str] = []
        self._points: dict[str, Point | None] = {}
        self._at_ms = 0

    # --- what happens ---

    def looked(
        self, lesson: str, track: str, at_ms: int, scores: Mapping[str, float], jpeg: bytes
    ) -> bytes | None:
        """A picture was scored. The binary message that shows `jpeg`, None where there is none to show."""
        tile = self._tile(lesson)
        if tile is None or track not in TRACKS:
            return None
        tile.look(scores)
        if not jpeg or len(jpeg) > MAX_THUMBNAIL_BYTES:
            return None
        tile.pictures[track] = thumbnail(lesson, track, at_ms, jpeg)
        return tile.pictures[track]

    def saw(self, lesson: str, sight: Sight) -> None:
        """How well the lesson is seen has changed."""
        tile = self._tile(lesson)
        if tile is not None:
            tile.sight = sight

    def met(self, person: str, name: str) -> None:
        """Whose name belongs to a person who may cut."""
        self._names.pop(person, None)
        self._names[person] = name
        if len(self._names) > MOST_NAMES:
            del self._names[next(iter(self._names))]

    def tick(self, lessons: Sequence[Json], now_ms: int) -> None:
        """A second has passed; `lessons` are those that are not over (`id`, `state`, `cut` and what else
        is to be shown)."""
        shown = {lesson["id"]: self._facts(lesson) for lesson in lessons}
        self._changed = [facts for name, facts in shown.items() if self._shown.get(name) != facts]
        self._gone = [name for name in self._shown if name not in shown]
        self._tiles = {name: tile for name, tile in self._tiles.items() if name in shown}
        self._points = {name: tile.close_point() for name, tile in self._tiles.items()}
        self._shown, self._at_ms = shown, now_ms

    # --- what it says ---

    def delta(self, covers: Callable[[str], bool]) -> Json | None:
        """The `wall` message of what the last tick changed, of the lessons that `covers`; None if nothing."""
        lessons = [facts for facts in self._changed if covers(facts["id"])]
        points = {name: point for name, point in self._points.items() if covers(name)}
        gone = [name for name in self._gone if covers(name)]
        if not (lessons or points or gone):
            return None
        return {"type": "wall", "whole": False, "at_ms": self._at_ms, "lessons": lessons, "points": points,
                "gone": gone}  # fmt: skip

    def snapshot(self, covers: Callable[[str], bool]) -> Json:
        """The `wall` message of everything, with the points of the last minute, the oldest first."""
        lessons = [facts for name, facts in self._shown.items() if covers(name)]
        points = {name: list(tile.points) for name, tile in self._tiles.items() if covers(name)}
        return {"type": "wall", "whole": True, "at_ms": self._at_ms, "lessons": lessons, "points": points,
                "gone": []}  # fmt: skip

    def pictures(self, lessons: Iterable[str]) -> Iterable[tuple[Picture, bytes]]:
        """The newest thumbnails of `lessons`, as binary messages."""
        for lesson in lessons:
            tile = self._tiles.get(lesson)
            if tile is not None:
                for track, message in tile.pictures.items():
                    yield (lesson, track), message

    def __len__(self) -> int:
        return len(self._tiles)

    # --- inside ---

    def _tile(self, lesson: str) -> Tile | None:
        """The lesson's tile, made at its first use; None when there are too many."""
        tile = self._tiles.get(lesson)
        if tile is None and len(self._tiles) < MOST_TILES:
            tile = self._tiles[lesson] = Tile()
        return tile

    def _named(self, act: Json) -> Json:
        """What somebody did, with his name where it is known."""
        return {**act, "by_name": self._names.get(act["by"], "")}

    def _facts(self, lesson: Json) -> Json:
        tile = self._tiles.get(lesson["id"]) or Tile()
        cut = lesson.get("cut")
        if cut is not None:
            cut = self._named(cut)
            if cut.get("restore") is not None:
                cut["restore"] = self._named(cut["restore"])
        if lesson["state"] in ("cut", "ended"):
            tile.pictures.clear()  # after a cut not even the last picture stays
        return {**lesson, "cut": cut, "sight": tile.shown_sight()}


def thumbnail(lesson: str, track: str, at_ms: int, jpeg: bytes) -> bytes:
    """A thumbnail as a binary message, integers big-endian:

    ```
    0      1       2         3             3+n      11+n
    | 1    | track | n       | lesson      | at_ms  | JPEG …
    | type | index | uint8   | n bytes     | uint64 |
    ```
    """
    name = lesson.encode("ascii")
    return b"".join(
        (bytes((_THUMBNAIL, TRACKS.index(track), len(name))), name, at_ms.to_bytes(8, "big"), jpeg)
    )

"""The text of a picture, read step by step, and when the next picture is worth reading."""

from __future__ import annotations

from collections.abc import Iterator

import av

from liveserver.core.screening import Category, Kind, Line
from liveserver.screen import images
from liveserver.screen.judge import Judge
from liveserver.screen.lines import Judged
from liveserver.screen.pace import CUT
from liveserver.screen.wire import MAX_WHY, Found
from models.phash import NEW_TEXT, SAME_SLIDE, change, distance, perceptual_hash
from models.text_blocks import Box

WIDTH = 1280  # pixels; letters of a slide are legible there
LEAST_GAP_MS = 1_000
SHARE = 3  # after a reading that took t there is none for 2 t more: at most a third of the time
EMPTY_SHARE = 20  # and where there was no text and something moves, a twentieth, unless the scene is another


class Reading:
    """One picture being read; `number` is its frame."""

    def __init__(self, judge: Judge, image: av.VideoFrame, number: int, began_ms: int):
        self.number = number
        self.began_ms = began_ms
        self._judge = judge
        self._image = image
        rgb = images.rgb(image, WIDTH)
        width, _ = images.fitted(image.width, image.height, images.EVIDENCE)
        self._scale = width / rgb.shape[1]  # from what is read to the evidence
        self._steps: Iterator[Judged] = judge.text(rgb)
        self._read: list[Judged] = []
        self._lines: dict[Box, Line] = {}  # by where they stand, with the worst that was said

    def step(self) -> bool:
        """Read a line, or find lines that say more together; False when there is none left."""
        judged = next(self._steps, None)
        if judged is None:
            return False
        self._read.append(judged)
        for line in judged.lines:
            known = self._lines.get(line.box)
            if known is None or line.score > known.score:
                self._lines[line.box] = line
        return True

    @property
    def scores(self) -> dict[str, float]:
        """The highest of the lines by category."""
        scores: dict[str, float] = {}
        for judged in self._read:
            for category, score in judged.words.scores.items():
                if category != Category.BENIGN:
                    scores[category] = max(score, scores.get(category, 0.0))
        return scores

    @property
    def is_empty(self) -> bool:
        """Whether there is no text so far."""
        return not self._read

    def found(self, lane: int) -> Found:
        """What there was to find, with the picture."""
        lines = tuple(
            Line(line.text, _scaled(line.box, self._scale), line.label, line.score)
            for line in self._lines.values()
        )
        flagged = [one.words for one in self._read if one.lines[0].label is not Category.BENIGN]
        why = dict.fromkeys(reason for words in flagged for reason in words.why)
        models = dict(self._judge.reader_hashes)
        for words in flagged:
            models |= words.models
            models |= {f"list:{name}": version for name, version in words.lists.items()}
        jpeg = images.evidence(self._image)
        return Found(lane, self.number, Kind.TEXT, self.scores, models, lines, tuple(why)[:MAX_WHY], jpeg)


class Slides:
    """Which pictures of a track are read: those that are another slide, within a share of the time.

    One more line of small text is no other slide to the hash. So what differs from the picture that was read
    is read too once it stands still from one look to the next; a camera, where somebody moves, does not.
    Where there was no text and something moves all the time there is none soon, unless the scene is another.
    """

    def __init__(self) -> None:
        self._read: tuple[int, images.Pixels] | None = None  # hash and brightness of the picture read last
        self._looked: images.Pixels | None = None
        self._next_ms = self._rest_ms = 0

    def is_new(self, luma: images.Pixels, now_ms: int) -> bool:
        """Whether to read this picture, which is looked at now. What is read once is not read again."""
        stands = self._looked is not None and change(self._looked, luma) <= NEW_TEXT
        self._looked = luma
        if now_ms < self._next_ms:
            return False
        found = perceptual_hash(luma)
        if self._read is not None:
            read, shown = self._read
            if now_ms < self._rest_ms and not stands and change(shown, luma) < CUT:
                return False
            is_other = distance(found, read) > SAME_SLIDE
            if not is_other and not (stands and change(shown, luma) > NEW_TEXT):
                return False
        self._read = found, luma
        return True

    def read(self, took_ms: int, now_ms: int, *, is_empty: bool) -> None:
        """A reading has ended that took so long; whether there was no text."""
        self._next_ms = now_ms + max(LEAST_GAP_MS - took_ms, (SHARE - 1) * took_ms)
        self._rest_ms = now_ms + (EMPTY_SHARE - 1) * took_ms if is_empty else 0


def _scaled(box: Box, scale: float) -> Box:
    left, top, right, bottom = (max(0, round(edge * scale)) for edge in box)
    return left, top, right, bottom

"""A reel whose disk failed under it is offered until somebody has taken it up."""

from __future__ import annotations

from pathlib import Path

from recorder.left_open import LeftOpen

from .deck import Deck
from .media import audio, in_order, video


class TestAReelLeftOpen:
    def test_is_offered_again_until_it_is_taken_up(self, tmp_path: Path) -> None:
        first, second, *_ = Deck(tmp_path, 3000).play(in_order(video(9), audio(9))).spools
        told: list[tuple[str, bool]] = []
        left = LeftOpen(lambda reel, is_on: told.append((reel, is_on)))
        left.add(first.folder, second.folder)
        assert [left.close(), left.close()] == [[first.folder]] * 2
        assert first.folder in left and told == []
        left.taken_up(first.folder)
        assert (left.close(), told) == ([], [(str(first.folder), False)])

    def test_that_is_gone_is_offered_to_nobody(self, tmp_path: Path) -> None:
        told: list[tuple[str, bool]] = []
        left = LeftOpen(lambda reel, is_on: told.append((reel, is_on)))
        left.add(tmp_path / "gone", tmp_path / "next")
        assert left.close() == []
        assert not left and told == [(str(tmp_path / "gone"), False)]

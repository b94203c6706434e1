"""The wall's tiles: a point a second, the newest picture, what changed and nothing else."""

from __future__ import annotations

from typing import Any

from liveserver.core.screening import Mode, Seeing, Sight
from liveserver.core.wall import (
    MAX_THUMBNAIL_BYTES,
    MOST_NAMES,
    MOST_TILES,
    POINTS,
    WallState,
    thumbnail,
)

JPEG = b"\xff\xd8picture\xff\xd9"


def lesson(name: str, **facts: Any) -> dict[str, Any]:
    return {"id": name, "title": name, "state": "live", "viewers": 1, "cut": None, **facts}


def everything(name: str) -> bool:
    return True


def delta(state: WallState) -> dict[str, Any]:
    found = state.delta(everything)
    assert found is not None
    return found


class TestPoints:
    def test_a_second_shows_the_highest_score_of_each_category(self) -> None:
        state = WallState()
        state.looked("a", "camera", 1, {"porn": 0.2, "benign": 0.8}, b"")
        state.looked("a", "screen", 2, {"porn": 0.6, "gambling": 0.3}, b"")
        state.tick([lesson("a")], 1000)
        assert delta(state)["points"] == {"a": {"porn": 0.6, "gambling": 0.3}}

    def test_a_second_without_a_look_is_a_hole_and_one_that_found_nothing_is_not(self) -> None:
        state = WallState()
        state.looked("a", "camera", 1, {"porn": 0.001}, b"")
        state.tick([lesson("a")], 1000)
        state.tick([lesson("a")], 2000)
        assert state.snapshot(everything)["points"] == {"a": [{}, None]}

    def test_no_more_than_a_minute_is_kept(self) -> None:
        state = WallState()
        for second in range(POINTS + 10):
            state.looked("a", "camera", second, {"porn": 0.5}, b"")
            state.tick([lesson("a")], second * 1000)
        assert len(state.snapshot(everything)["points"]["a"]) == POINTS


class TestChanges:
    def test_what_did_not_change_is_not_told_again(self) -> None:
        state = WallState()
        state.tick([lesson("a"), lesson("b")], 1000)
        assert [facts["id"] for facts in delta(state)["lessons"]] == ["a", "b"]
        state.tick([lesson("a"), lesson("b", viewers=2)], 2000)
        assert [facts["id"] for facts in delta(state)["lessons"]] == ["b"]
        state.tick([lesson("a"), lesson("b", viewers=2)], 3000)
        assert state.delta(everything) is None

    def test_who_is_gone_is_named_once_and_its_tile_forgotten(self) -> None:
        state = WallState()
        state.looked("a", "camera", 1, {}, JPEG)
        state.tick([lesson("a")], 1000)
        state.tick([], 2000)
        assert delta(state)["gone"] == ["a"]
        assert len(state) == 0
        assert state.snapshot(everything)["lessons"] == []

    def test_a_token_for_one_lesson_is_told_of_that_one(self) -> None:
        state = WallState()
        state.looked("b", "camera", 1, {"porn": 0.9}, b"")
        state.tick([lesson("a"), lesson("b")], 1000)
        assert [facts["id"] for facts in state.snapshot("a".__eq__)["lessons"]] == ["a"]
        assert (state.delta("a".__eq__) or {})["points"] == {}
        state.tick([lesson("a")], 2000)
        assert state.delta("a".__eq__) is None

    def test_how_well_it_is_seen_is_one_of_its_facts(self) -> None:
        state = WallState()
        state.saw("a", Sight(Seeing.BLIND, 7, Mode.SCREENED, 1500, held_back=True))
        state.tick([lesson("a", open=2)], 1000)
        (facts,) = delta(state)["lessons"]
        assert facts["sight"] == {
            "seeing": "blind", "since_ms": 7, "mode": "screened", "delay_ms": 1500, "held_back": True,
        }  # fmt: skip
        assert facts["open"] == 2


class TestACut:
    def test_names_who_did_it(self) -> None:
        state = WallState()
        state.met("p7", "Chen")
        state.tick([lesson("a", state="cut", cut={"level": "lesson", "by": "p7"})], 1000)
        assert delta(state)["lessons"][0]["cut"] == {"level": "lesson", "by": "p7", "by_name": "Chen"}

    def test_names_who_asked_to_restore(self) -> None:
        state = WallState()
        state.met("p8", "Zhou")
        cut = {"level": "lesson", "by": "p7", "restore": {"by": "p8"}}
        state.tick([lesson("a", state="cut", cut=cut)], 1000)
        assert delta(state)["lessons"][0]["cut"]["restore"] == {"by": "p8", "by_name": "Zhou"}

    def test_not_even_the_last_picture_stays(self) -> None:
        state = WallState()
        state.looked("a", "camera", 1, {}, JPEG)
        state.tick([lesson("a", state="cut", cut={"level": "lesson", "by": "p7"})], 1000)
        assert list(state.pictures(["a"])) == []

    def test_of_the_picture_alone_leaves_it_to_the_moderators(self) -> None:
        """Who is to restore the picture has to see it first."""
        state = WallState()
        state.looked("a", "camera", 1, {}, JPEG)
        state.tick([lesson("a", cut={"level": "picture", "by": "p7"})], 1000)
        assert len(list(state.pictures(["a"]))) == 1


class TestPictures:
    def test_the_newest_of_each_track_is_kept(self) -> None:
        state = WallState()
        state.looked("a", "camera", 1, {}, JPEG + b"1")
        state.looked("a", "camera", 2, {}, JPEG + b"2")
        state.looked("a", "screen", 3, {}, JPEG + b"3")
        kept = dict(state.pictures(["a", "unknown"]))
        assert set(kept) == {("a", "camera"), ("a", "screen")}
        assert kept[("a", "camera")].endswith(b"2")

    def test_a_look_without_one_or_with_too_large_a_one_only_scores(self) -> None:
        state = WallState()
        assert state.looked("a", "camera", 1, {}, b"") is None
        assert state.looked("a", "camera", 1, {}, bytes(MAX_THUMBNAIL_BYTES + 1)) is None
        assert state.looked("a", "desk", 1, {}, JPEG) is None
        assert list(state.pictures(["a"])) == []

    def test_the_message_names_lesson_track_and_time(self) -> None:
        message = thumbnail("abc", "screen", 258, b"JPEG")
        assert message == b"\x01\x01\x03abc" + b"\0\0\0\0\0\0\x01\x02" + b"JPEG"


class TestBounds:
    def test_of_tiles_and_of_names(self) -> None:
        state = WallState()
        for number in range(MOST_TILES + 5):
            state.saw(f"l{number}", Sight())
        assert len(state) == MOST_TILES
        assert state.looked("one more", "camera", 1, {}, JPEG) is None
        for number in range(MOST_NAMES + 1):
            state.met(f"p{number}", "N")
        state.tick([lesson("x", cut={"by": "p0"}), lesson("y", cut={"by": "p1"})], 1)
        assert [facts["cut"]["by_name"] for facts in delta(state)["lessons"]] == ["", "N"]

"""One track: what is looked at, what is found, and what passes, on real encoded pictures."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

import av
import pytest

from liveserver.core.screening import Action, Category, Kind, Line, Mode, Rule
from liveserver.screen import images
from liveserver.screen.judge import Judge
from liveserver.screen.track import SETTLE_MS, Track
from liveserver.screen.wire import Found, Frame, Looked, Lost, Passed, ToNode
from models import cards
from models.chat.lexicon import Lexicon, parse
from models.chat.screen import ChatScreen
from models.frames import FrameModel, FrameModels
from tests.screen import magenta
from tests.screen.media import RULES, STEP_MS, Camera, opened

TEXT_RULE = Rule(Kind.TEXT, Category.GAMBLING, 0.5, Action.BLANK)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> FrameModels:
    """Magenta alone: the project's own model has its tests elsewhere."""
    folder = magenta.folder(tmp_path_factory.mktemp("magenta"))
    (card,) = cards.folder(folder).values()
    return FrameModels([FrameModel(card, folder)])


class Watched:
    """A track and what it said."""

    def __init__(self, models: FrameModels, mode: Mode = Mode.WATCH):
        self.track = Track(Judge(models), 320, opened(mode))
        self.said: list[ToNode] = []

    def push(self, frames: Iterator[Frame]) -> Watched:
        for frame in frames:
            self.said += self.track.push(frame)
        return self

    def all_of(self, kind: type) -> list:
        return [message for message in self.said if isinstance(message, kind)]

    @property
    def looked_at(self) -> list[int]:
        return [message.number for message in self.all_of(Looked)]

    @property
    def passed(self) -> list[int]:
        """The numbers of all frames that may be shown."""
        return [number for m in self.all_of(Passed) for number in range(m.first, m.last + 1)]


@pytest.fixture(params=["h264", "vp8"])
def codec(request: pytest.FixtureRequest) -> str:
    return request.param


class TestWatching:
    def test_a_picture_that_stands_is_looked_at_twice_a_second(self, models, codec):
        watched = Watched(models).push(Camera(codec, moving=False).take(100))
        gaps = [b - a for a, b in zip(watched.looked_at, watched.looked_at[1:], strict=False)]
        assert max(gaps) * STEP_MS <= 520
        assert 8 <= len(watched.looked_at) <= 14

    def test_one_that_moves_up_to_five_times(self, models, codec):
        watched = Watched(models).push(Camera(codec).take(100))
        assert 14 <= len(watched.looked_at) <= 24

    def test_what_appears_is_found_where_it_appears(self, models, codec):
        camera = Camera(codec, painted=lambda number: number >= 31, moving=False)
        watched = Watched(models).push(camera.take(60))
        (found,) = watched.all_of(Found)
        assert (found.kind, found.number) == (Kind.FRAME, 31)
        assert found.scores["porn"] > 0.9
        assert list(found.models) == ["magenta"]
        (evidence,) = av.CodecContext.create("mjpeg", "r").decode(av.Packet(found.jpeg))
        assert magenta.share_of_magenta(evidence) == pytest.approx(0.25, abs=0.02)

    def test_even_a_small_patch_makes_it_look_again(self, models):
        painted = range(28, 33)
        camera = Camera(painted=painted.__contains__, patch=(0.1, 0.1, 0.25, 0.2), moving=False)
        assert set(Watched(models).push(camera.take(40)).looked_at) & set(painted)

    def test_a_colour_as_bright_as_what_was_there_before_too(self, models):
        class Purple(Camera):
            def draw(self, number: int) -> av.VideoFrame:
                frame = super().draw(number)
                if number == 28:
                    for plane in (1, 2):
                        frame.planes[plane].update(bytes([200]) * frame.planes[plane].buffer_size)
                return frame

        assert 28 in Watched(models).push(Purple(moving=False).take(40)).looked_at

    def test_the_same_finding_is_said_every_two_seconds_while_it_stands(self, models):
        watched = Watched(models).push(Camera(painted=lambda _: True, moving=False).take(110))
        assert len(watched.all_of(Found)) == 3

    def test_one_that_had_gone_is_news_at_once(self, models):
        camera = Camera(painted=lambda number: number % 25 < 13, moving=False)
        assert len(Watched(models).push(camera.take(101)).all_of(Found)) == 5

    def test_a_thumbnail_a_second(self, models):
        watched = Watched(models).push(Camera(width=1280, height=720, moving=False).take(75))
        thumbnails = [message.thumbnail for message in watched.all_of(Looked) if message.thumbnail]
        assert len(thumbnails) == 3
        (picture,) = av.CodecContext.create("mjpeg", "r").decode(av.Packet(thumbnails[0]))
        assert (picture.width, picture.height) == (320, 180)

    def test_nothing_is_said_to_pass(self, models):
        assert Watched(models).push(Camera().take(30)).passed == []

    def test_keyframes_alone_are_all_looked_at(self, models, codec):
        frames = (frame for frame in Camera(codec).take(160) if frame.keyframe)
        assert Watched(models, Mode.KEYFRAMES).push(frames).looked_at == [1, 51, 101, 151]

    def test_what_cannot_be_decoded_waits_for_a_keyframe(self, models, codec):
        camera, watched = Camera(codec), Watched(models)
        watched.push(camera.take(3))
        (broken,) = camera.take(1)
        watched.push(iter([replace(broken, data=b"\0\0\0\1\x65" + b"\xff" * 50)]))
        assert watched.all_of(Lost)
        before = len(watched.looked_at)
        watched.push(camera.take(46))
        assert len(watched.looked_at) == before
        watched.push(camera.take(1))
        assert watched.looked_at[-1] == 51


class TestScreening:
    def test_everything_passes_when_all_is_right(self, models, codec):
        watched = Watched(models, Mode.SCREENED).push(Camera(codec).take(101))
        assert watched.passed == list(range(1, 102))

    def test_a_picture_that_stands_passes_at_once(self, models):
        watched = Watched(models, Mode.SCREENED)
        for frame in Camera(moving=False).take(20):
            watched.push(iter([frame]))
            assert watched.passed[-1] == frame.number

    def test_what_moves_passes_within_a_tenth_of_a_second(self, models):
        watched = Watched(models, Mode.SCREENED)
        for frame in Camera().take(60):
            watched.push(iter([frame]))
            assert frame.number - watched.passed[-1] <= 2

    @pytest.mark.parametrize("hurry", [False, True])
    def test_nothing_that_is_shown_for_600_ms_passes_wherever_it_begins(self, models, codec, hurry):
        chance = random.Random(5)
        for begins in (*range(2, 52, 7), chance.randrange(2, 51)):
            shown = range(begins, begins + 15)
            camera = Camera(codec, painted=shown.__contains__)
            watched = Watched(models, Mode.SCREENED)
            watched.push(replace(frame, hurry=hurry) for frame in camera.take(120))
            assert not set(watched.passed) & set(shown), begins
            assert watched.passed[-1] >= 109, "and later ones do"

    def test_nor_a_flash_of_one_picture(self, models):
        camera = Camera(painted=lambda number: number == 33)
        watched = Watched(models, Mode.SCREENED).push(camera.take(60))
        assert 33 not in watched.passed

    def test_nor_anything_after_it_up_to_a_keyframe(self, models):
        camera = Camera(painted=lambda number: 30 <= number < 35)
        watched = Watched(models, Mode.SCREENED).push(camera.take(60))
        assert [number for number in watched.passed if number >= 30] == list(range(51, 61))
        assert len([number for number in watched.passed if number < 30]) >= 27

    def test_what_only_asks_for_a_warning_is_shown(self, models):
        track = Watched(models, Mode.SCREENED)
        track.track.open(opened(Mode.SCREENED, rules=RULES[:1]))
        track.push(Camera(painted=lambda number: number > 10).take(20))
        assert track.all_of(Found)
        assert track.passed == list(range(1, 21))

    def test_the_last_picture_before_a_pause_passes_once_nothing_more_comes(self, models):
        watched = Watched(models, Mode.SCREENED)
        frames = list(Camera(moving=True).take(12))
        watched.push(iter(frames))
        while watched.passed[-1] == frames[-1].number:
            frames.pop()
            watched = Watched(models, Mode.SCREENED).push(iter(frames))
        assert watched.track.unsettled
        watched.said += watched.track.settle(frames[-1].at_ms + SETTLE_MS)
        assert watched.passed[-1] == frames[-1].number
        assert not watched.track.unsettled

    def test_a_picture_that_stood_before_the_next_one_was_looked_at_itself(self, models):
        """Its source sends nothing for seconds: it must not pass between two that are right."""
        camera = Camera(painted=lambda number: number == 12)
        frames = list(camera.take(12))
        frames[-1] = replace(frames[-1], at_ms=frames[-2].at_ms + 1, timestamp=frames[-2].timestamp + 90)
        late = [replace(f, at_ms=f.at_ms + 5_000) for f in camera.take(3)]
        watched = Watched(models, Mode.SCREENED)
        watched.push(replace(frame, hurry=True) for frame in [*frames, *late])
        assert 12 not in watched.passed

    def test_changed_rules_hold_from_the_next_frame_on(self, models):
        watched, camera = Watched(models), Camera()
        watched.push(camera.take(20))
        watched.track.open(opened(Mode.SCREENED))
        watched.push(camera.take(40))
        assert watched.passed == list(range(51, 61)), "from a keyframe on"


class Page:
    """Reads what is on a page, without looking."""

    hashes = {"reader": "ab" * 32}  # noqa: RUF012

    def __init__(self, *lines: str):
        self.pages: list[tuple[str, ...]] = [lines]

    def lines(self, rgb: images.Pixels) -> Iterator[Line]:
        page = self.pages.pop(0) if len(self.pages) > 1 else self.pages[0]
        for number, text in enumerate(page):
            yield Line(text, (10, 20 * number, 100, 20 * number + 15))


HOUSE = Lexicon("house", parse("彩金\tgambling\t0.9\n".encode())[0])


def reading(models: FrameModels, mode: Mode, *lines: str) -> Watched:
    watched = Watched(models, mode)
    watched.track = Track(
        Judge(models, Page(*lines), ChatScreen([HOUSE])), 320, opened(mode, rules=(TEXT_RULE,))
    )
    return watched


def read_all(watched: Watched, now_ms: int) -> None:
    while watched.track.is_reading:
        watched.said += watched.track.read_on(now_ms)


class TestText:
    def test_is_read_once_a_slide(self, models):
        watched, camera = reading(models, Mode.WATCH, "安全帽"), Camera(moving=False, painted=lambda _: True)
        watched.push(camera.take(1))
        read_all(watched, 1_000_100)
        watched.push(camera.take(99))
        assert not watched.track.is_reading
        assert watched.all_of(Found) == []

    def test_what_it_says_is_found_with_its_lines_and_boxes_on_the_evidence(self, models):
        watched = reading(models, Mode.WATCH, "安全帽", "注册送彩金")
        watched.push(Camera(width=1920, height=1080, moving=False).take(1))
        read_all(watched, 1_000_100)
        (found,) = watched.all_of(Found)
        assert found.kind is Kind.TEXT
        assert found.scores["gambling"] == found.lines[1].score > 0.5 > found.scores["drugs"]
        assert [(line.text, line.label) for line in found.lines] == [
            ("安全帽", "benign"),
            ("注册送彩金", "gambling"),
        ]
        assert found.lines[1].box == (10, 20, 100, 35), "read at 1280, shown at 1280"
        assert "彩金" in found.why[0]
        assert found.models == {**Page.hashes, "list:house": HOUSE.version}

    def test_what_two_lines_say_together_marks_both_on_the_evidence(self, models):
        watched = reading(models, Mode.WATCH, "安全帽和", "注册就送彩", "金的事")
        watched.push(Camera(width=1920, height=1080, moving=False).take(1))
        read_all(watched, 1_000_100)
        (found,) = watched.all_of(Found)
        assert found.scores["gambling"] == 0.9
        marked = [(line.text, line.box) for line in found.lines if line.label == "gambling"]
        assert marked == [("注册就送彩", (10, 20, 100, 35)), ("金的事", (10, 40, 100, 55))]
        assert len(found.lines) == 3

    def test_a_slide_is_not_shown_before_its_text_was_read(self, models):
        watched, camera = reading(models, Mode.SCREENED, "安全帽"), Camera(moving=False)
        watched.push(camera.take(10))
        assert watched.passed == []
        read_all(watched, 1_000_500)
        assert watched.passed == list(range(1, 11))

    def test_nor_at_all_when_it_says_what_it_must_not(self, models):
        watched, camera = reading(models, Mode.SCREENED, "注册送彩金"), Camera(moving=False)
        watched.push(camera.take(10))
        read_all(watched, 1_000_500)
        watched.push(camera.take(30))
        assert watched.passed == []

    def test_reading_takes_no_more_than_a_third_of_the_time(self, models):
        watched = reading(models, Mode.WATCH, "安全帽")
        chance = random.Random(3)
        camera = Camera(painted=lambda _: False)
        began, readings = 0, 0
        for frame in camera.take(200):
            slide = chance.random()  # another page each frame
            watched.track._slides._hash = round(slide * (1 << 63))
            watched.push(iter([frame]))
            if watched.track.is_reading and not began:
                began, readings = frame.at_ms, readings + 1
            if began and frame.at_ms - began >= 1_000:  # it takes a second
                read_all(watched, frame.at_ms)
                began = 0
        assert readings == 3


class TestTheJudge:
    def test_marks_a_line_by_the_gravest_of_its_categories(self):
        (judged,) = Judge(FrameModels([]), Page("送彩金"), ChatScreen([HOUSE])).text(None)
        assert judged.lines[0].label is Category.GAMBLING

    def test_uses_another_list_from_the_next_line_on(self):
        judge = Judge(FrameModels([]), Page("送彩金"), ChatScreen([HOUSE]))
        judge.use_list("house", b"")
        (judged,) = judge.text(None)
        assert judged.lines[0].label is Category.BENIGN

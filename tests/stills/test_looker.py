"""Files are looked at by a confined process; a hostile one costs its own answer, no more (REL-G33, F9)."""

from __future__ import annotations

import asyncio
import os
import signal
import struct
from collections.abc import AsyncIterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import pytest_asyncio

from liveserver.screening import looker as module
from liveserver.screening.looker import Looker, LookerError
from models import jpeg
from models.face_match import distance, from_bytes, thresholds
from models.limits import PictureError
from models.phash import distance as bits
from tests.models.pictures import brightness_model, photo, photo_file
from tests.models.slides import PLAIN, slides, wrong

FUZZ = Path(__file__).parents[2].parent / "shared" / "data" / "fuzz"
pytestmark = pytest.mark.asyncio(loop_scope="module")


async def _opened(what: module.What) -> AsyncIterator[Looker]:
    looker = Looker(what)
    yield looker
    await looker.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def photos() -> AsyncIterator[Looker]:
    async for looker in _opened("photo"):
        yield looker


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pictures() -> AsyncIterator[Looker]:
    async for looker in _opened("picture"):
        yield looker


def png(rgb: np.ndarray) -> bytes:
    encoder = av.CodecContext.create("png", "w")
    encoder.height, encoder.width = rgb.shape[:2]
    encoder.pix_fmt, encoder.time_base = "rgb24", Fraction(1, 25)
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
    frame.pts = 0
    return b"".join(map(bytes, [*encoder.encode(frame), *encoder.encode(None)]))


def bomb(scans: int) -> bytes:
    """A progressive JPEG of 4 million pixels whose few bytes are decoded so many times."""
    data = jpeg.encode(np.full((16, 16, 3), 127, dtype=np.uint8))
    at = data.index(b"\xff\xc0")
    huge = data[:at] + b"\xff\xc2" + data[at + 2 : at + 5] + struct.pack("!HH", 2000, 2000) + data[at + 9 :]
    scan = huge[huge.index(b"\xff\xda") : -2]
    return huge[: huge.index(b"\xff\xda")] + scan * scans + b"\xff\xd9"


class TestPhotos:
    async def test_the_face_comes_with_all_that_is_measured(self, photos):
        found = await photos.faces(photo_file("president_a_1.jpg"))
        (face,) = found.faces
        assert face.score > 0.8 and face.blur < 0.3 and abs(face.yaw) < 15
        assert jpeg.header(found.jpeg) == jpeg.Header(910, 1137, 3, 1)
        assert b"Exif" not in found.jpeg

    async def test_two_photos_of_one_person_match_and_another_does_not(self, photos):
        names = ("president_a_1.jpg", "president_a_2.jpg", "liveness_real_1.jpg")
        one, again, other = [from_bytes((await photos.faces(photo_file(name))).descriptor) for name in names]
        assert distance(one, again) < thresholds().same < distance(one, other)

    async def test_a_photo_encoded_anew_looks_the_same(self, photos):
        first = await photos.faces(photo_file("president_a_1.jpg"))
        again = await photos.faces(first.jpeg)
        assert bits(int.from_bytes(first.look, "big"), int.from_bytes(again.look, "big")) <= 24

    async def test_nobody_is_an_answer_too(self, photos):
        found = await photos.faces(jpeg.encode(photo("noface_cat.png")))
        assert found.faces == () and found.descriptor == b""

    async def test_the_models_are_known_by_their_hashes(self, photos, fetched):
        await photos.faces(jpeg.encode(photo("noface_cat.png")))
        assert photos.models == {name: fetched[name].sha256 for name in ("centerface", "dlib-face")}


class TestPictures:
    async def test_text_and_scores_of_a_slide(self, pictures):
        (slide,) = slides([PLAIN])
        seen = await pictures.picture(png(slide.rgb))
        assert seen.scores["porn"] < 0.1
        errors, letters = wrong(slide.lines, [_Line(text.line) for text in seen.lines])
        assert errors <= 0.03 * letters

    async def test_an_operators_model_looks_too(self, tmp_path):
        brightness_model(tmp_path)
        looker = Looker("picture", tmp_path)
        try:
            seen = await looker.picture(png(np.full((40, 60, 3), (255, 0, 0), dtype=np.uint8)))
            assert seen.scores["violence"] == pytest.approx(1.0)
        finally:
            await looker.close()

    async def test_a_model_that_is_not_what_its_card_says_is_named(self, tmp_path):
        brightness_model(tmp_path, sha256="0" * 64)
        with pytest.raises(LookerError, match=r"red\.onnx: its SHA-256"):
            await Looker("picture", tmp_path).picture(png(np.zeros((40, 60, 3), dtype=np.uint8)))


class _Line:
    """As much of a line as is compared."""

    def __init__(self, text: str) -> None:
        self.text = text


class TestHostileFiles:
    @pytest.mark.parametrize("folder", ["jpeg", "image"])
    async def test_each_is_looked_at_or_refused_by_one_process(self, pictures, folder):
        files = sorted((FUZZ / folder).glob("*"))
        if not files:
            pytest.skip(f"no shared test data: {FUZZ / folder}")
        await pictures.picture(png(np.zeros((8, 8, 3), dtype=np.uint8)))
        before = pictures.starts
        for file in files:
            try:
                await pictures.picture(file.read_bytes())
            except PictureError:
                continue
        assert pictures.starts == before

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"GIF89a",
            b"\xff\xd8\xff\xc0\x00\x11\x08\xff\xdc\xff\xdc\x03" + bytes(9) + b"\xff\xda\x00\x02\xff\xd9",
            b"\x89PNG\r\n\x1a\n"
            + b"\0\0\0\x0dIHDR"
            + struct.pack("!IIBBBBBI", 65500, 65500, 8, 2, 0, 0, 0, 0),
        ],
    )
    async def test_what_is_no_picture_is_refused(self, pictures, data):
        with pytest.raises(PictureError):
            await pictures.picture(data)

    async def test_a_learner_may_send_jpeg_alone(self, photos):
        with pytest.raises(PictureError, match="no JPEG"):
            await photos.faces(png(np.zeros((8, 8, 3), dtype=np.uint8)))

    async def test_a_bomb_of_scans_is_refused_or_ends_with_its_time(self, photos):
        for scans in (63, 64):
            with pytest.raises(PictureError):
                await photos.faces(bomb(scans))
        assert (await photos.faces(photo_file("president_a_2.jpg"))).faces

    async def test_a_process_that_dies_costs_one_answer(self, photos):
        await photos.faces(photo_file("president_a_2.jpg"))
        before = photos.starts
        asking = asyncio.create_task(photos.faces(photo_file("president_a_1.jpg")))
        await asyncio.sleep(0)  # until it has asked
        os.kill(photos.pid, signal.SIGKILL)
        with pytest.raises(PictureError, match="cannot be looked at"):
            await asking
        assert (await photos.faces(photo_file("president_a_1.jpg"))).faces
        assert photos.starts == before + 1

    async def test_whoever_gives_up_does_not_get_anothers_answer(self, photos):
        await photos.faces(photo_file("president_a_2.jpg"))
        asking = asyncio.create_task(photos.faces(photo_file("president_a_1.jpg")))
        await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        found = await photos.faces(jpeg.encode(photo("noface_cat.png")))
        assert found.faces == ()


class TestManyAtOnce:
    async def test_they_wait_for_each_other_and_beyond_the_bound_are_told_so(self, photos, monkeypatch):
        monkeypatch.setattr(module, "MAX_WAITING", 3)
        blank = jpeg.encode(np.zeros((64, 64, 3), dtype=np.uint8))
        answers = await asyncio.gather(*(photos.faces(blank) for _ in range(5)), return_exceptions=True)
        assert sum(isinstance(answer, LookerError) for answer in answers) == 2


def about(pid: int, what: str) -> str:
    return Path(f"/proc/{pid}/{what}").read_text()


class TestTheProcess:
    async def test_it_has_no_files_no_network_and_no_environment(self, photos):
        await photos.faces(photo_file("president_a_2.jpg"))
        status, environment, limits = (about(photos.pid, what) for what in ("status", "environ", "limits"))
        assert "Seccomp:\t2" in status and "NoNewPrivs:\t1" in status
        assert not [line for line in environment.split("\0") if line.startswith("LIVESERVER")]
        assert any(line.split()[:5] == ["Max", "open", "files", "0", "0"] for line in limits.splitlines())

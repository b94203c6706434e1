"""`liveserver screen frame` and `screen face`: a JSON line for each file, whatever is in it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from models import jpeg
from tests.models.conftest import fetched
from tests.models.pictures import FACES, brightness_model, photo, photo_file
from tests.models.slides import Style, slides

__all__ = ["fetched"]


def screen(*arguments: str | Path) -> tuple[int, list[dict], str]:
    command = [sys.executable, "-m", "liveserver", "screen", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


class TestFrame:
    @pytest.fixture(scope="class")
    @classmethod
    def answers(cls, tmp_path_factory) -> tuple[int, list[dict]]:
        folder = tmp_path_factory.mktemp("frames")
        brightness_model(folder)
        (slide,) = slides([Style(sizes=(36,))])
        (folder / "slide.jpg").write_bytes(jpeg.encode(slide.rgb, scale=2))
        (folder / "red.jpg").write_bytes(jpeg.encode(np.full((90, 160, 3), (250, 0, 0), dtype=np.uint8)))
        (folder / "bad.jpg").write_bytes(b"\xff\xd8\xff")
        names = ("slide.jpg", "red.jpg", "bad.jpg", "missing.jpg")
        code, found, _ = screen("frame", "--models", folder, *(folder / name for name in names))
        return code, found

    def test_each_file_has_its_line_in_order(self, answers):
        code, found = answers
        assert code == 1  # two of them cannot be used
        assert [Path(line["file"]).name for line in found] == [
            "slide.jpg",
            "red.jpg",
            "bad.jpg",
            "missing.jpg",
        ]

    def test_a_slides_text_is_read_and_its_adverts_are_labelled(self, answers):
        slide = answers[1][0]
        assert list(slide) == ["file", "label", "score", "action", "text"]
        labels = {line["line"]: line["label"] for line in slide["text"]}
        assert any(label == "benign" for label in labels.values())
        for line in slide["text"]:
            left, top, right, bottom = line["box"]
            assert 0 <= left < right <= 1280 and 0 <= top < bottom <= 720
        assert {label for line, label in labels.items() if "娱乐城" in line} <= {"gambling", "illicit_ad"}
        assert labels.get("电工作业安全操作规程第二章第五节", "benign") == "benign"

    def test_an_operators_model_decides_too(self, answers):
        red = answers[1][1]
        assert (red["label"], red["action"], red["text"]) == ("violence", "warn", [])
        assert red["score"] > 0.9

    def test_what_is_no_picture_says_why(self, answers):
        assert [line["error"] for line in answers[1][2:]] == ["cut short", "No such file or directory"]


class TestFace:
    def test_faces_and_a_picture_of_nobody(self):
        photo_file("noface_cat.png")
        code, (portrait, cat), _ = screen("face", FACES / "president_a_2.jpg", FACES / "noface_cat.png")
        assert code == 0
        assert cat["faces"] == []
        (face,) = portrait["faces"]
        assert list(face) == ["box", "score", "blur", "pose"]
        assert list(face["pose"]) == ["yaw", "pitch", "roll"]
        assert face["pose"]["yaw"] < -10 and face["blur"] < 0.5

    def test_two_photos_of_one_person_match(self):
        photo_file("president_a_1.jpg")
        code, (line,), _ = screen("face", "--match", FACES / "president_a_1.jpg", FACES / "president_a_2.jpg")
        assert code == 0 and line["same"] is True and 0.2 < line["distance"] < 0.5

    def test_a_photo_without_a_face_matches_nobody(self, tmp_path):
        cat = tmp_path / "cat.jpg"
        cat.write_bytes(jpeg.encode(photo("noface_cat.png")))
        code, (line,), _ = screen("face", "--match", FACES / "president_a_1.jpg", cat)
        assert code == 1 and line == {"file": str(cat), "error": "no face in it"}


class TestMisuse:
    @pytest.mark.parametrize(
        "arguments", [("frame",), ("face",), ("face", "--match", "a"), ("face", "a", "--match", "b", "c"), ()]
    )
    def test_ends_with_2(self, arguments):
        code, lines, said = screen(*arguments)
        assert (code, lines) == (2, []) and "usage:" in said

    def test_a_folder_that_is_none_is_named(self, tmp_path):
        picture = tmp_path / "any.jpg"
        picture.write_bytes(jpeg.encode(np.zeros((64, 64, 3), dtype=np.uint8)))
        code, lines, said = screen("frame", "--models", tmp_path / "none", picture)
        assert (code, lines) == (1, []) and "none" in said

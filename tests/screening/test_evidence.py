"""Pictures of incidents at rest: sealed, bound to their incident, bounded."""

from __future__ import annotations

from pathlib import Path

import pytest

from liveserver.screening.evidence import MAX_BYTES, Evidence, EvidenceDamagedError

JPEG = b"\xff\xd8" + b"picture" * 100


@pytest.fixture
def evidence(tmp_path: Path) -> Evidence:
    return Evidence(tmp_path / "evidence", b"k" * 32)


def file_of(folder: Path, lesson: str = "l1", incident: str = "i1") -> Path:
    return folder / "evidence" / lesson / f"{incident}.jpg.sealed"


class TestAPicture:
    def test_comes_back_as_it_was_and_lies_there_sealed(self, evidence: Evidence, tmp_path: Path) -> None:
        assert evidence.put("l1", "i1", JPEG)
        assert evidence.get("l1", "i1") == JPEG
        path = file_of(tmp_path)
        assert b"picture" not in path.read_bytes()
        assert path.stat().st_mode & 0o077 == 0 and path.parent.stat().st_mode & 0o077 == 0

    def test_that_is_not_there_is_none(self, evidence: Evidence) -> None:
        assert evidence.get("l1", "i1") is None
        evidence.drop("l1", "i1")

    def test_that_was_dropped_is_gone(self, evidence: Evidence) -> None:
        evidence.put("l1", "i1", JPEG)
        evidence.drop("l1", "i1")
        assert evidence.get("l1", "i1") is None

    def test_altered_by_one_bit_does_not_open(self, evidence: Evidence, tmp_path: Path) -> None:
        evidence.put("l1", "i1", JPEG)
        path = file_of(tmp_path)
        sealed = bytearray(path.read_bytes())
        sealed[-1] ^= 1
        path.write_bytes(sealed)
        with pytest.raises(EvidenceDamagedError):
            evidence.get("l1", "i1")

    @pytest.mark.parametrize("left", [0, 5, 12, 20])
    def test_cut_short_does_not_open(self, evidence: Evidence, tmp_path: Path, left: int) -> None:
        evidence.put("l1", "i1", JPEG)
        path = file_of(tmp_path)
        path.write_bytes(path.read_bytes()[:left])
        with pytest.raises(EvidenceDamagedError):
            evidence.get("l1", "i1")

    @pytest.mark.parametrize(("lesson", "incident"), [("l1", "i2"), ("l2", "i1")])
    def test_put_in_anothers_place_does_not_open(
        self, evidence: Evidence, tmp_path: Path, lesson: str, incident: str
    ) -> None:
        evidence.put("l1", "i1", JPEG)
        evidence.put(lesson, incident, JPEG)
        file_of(tmp_path, lesson, incident).write_bytes(file_of(tmp_path).read_bytes())
        with pytest.raises(EvidenceDamagedError):
            evidence.get(lesson, incident)

    def test_of_another_installation_does_not_open(self, evidence: Evidence, tmp_path: Path) -> None:
        evidence.put("l1", "i1", JPEG)
        with pytest.raises(EvidenceDamagedError):
            Evidence(tmp_path / "evidence", b"x" * 32).get("l1", "i1")


class TestBounds:
    @pytest.mark.parametrize("size", [0, MAX_BYTES + 1])
    def test_of_a_picture(self, evidence: Evidence, size: int) -> None:
        assert not evidence.put("l1", "i1", bytes(size))

    def test_of_a_lesson(self, evidence: Evidence, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("liveserver.screening.evidence.MAX_PER_LESSON", 2)
        assert [evidence.put("l1", f"i{n}", JPEG) for n in range(3)] == [True, True, False]
        assert evidence.put("l2", "i1", JPEG)

    @pytest.mark.parametrize("name", ["", "../up", "a/b", "a" * 65, "名"])
    def test_no_name_leads_out_of_the_folder(self, evidence: Evidence, name: str) -> None:
        for lesson, incident in ((name, "i1"), ("l1", name)):
            with pytest.raises(ValueError, match=r"not an? (lesson|incident) id"):
                evidence.put(lesson, incident, JPEG)

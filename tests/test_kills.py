"""Kill files: what makes a cut outlast every restart, and what an unreadable one means."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from liveserver.core.events import Cut, Level
from liveserver.kills import Kill, KillFiles, cut_from_json, cut_to_json
from liveserver.rtp.flags import ALL, VIDEO

NOW = 1_772_415_000_000


def cut(level: Level = Level.LESSON, person: str | None = None) -> Cut:
    return Cut(level, "gambling advert 赌博", NOW, "mod", person=person)


class TestKill:
    @pytest.mark.parametrize(
        ("level", "dark"),
        [(Level.CHAT, 0), (Level.PICTURE, VIDEO), (Level.PAUSE, ALL), (Level.LESSON, ALL)],
    )
    def test_each_level_holds_back_its_media(self, level, dark):
        assert Kill("a").with_cut(cut(level)).dark == dark

    def test_cuts_add_up(self):
        kill = Kill("a").with_cut(cut(Level.CHAT)).with_cut(cut(Level.PICTURE)).with_cut(cut(Level.PAUSE))
        assert (kill.dark, kill.epoch, len(kill.cuts)) == (ALL, 3, 3)

    def test_removing_a_person_darkens_nobody(self):
        kill = Kill("a").with_cut(cut(Level.PERSON, "p1")).with_cut(cut(Level.PERSON, "p2"))
        assert (kill.dark, set(kill.removed)) == (0, {"p1", "p2"})
        assert kill.find(Level.PERSON, "p2").epoch == 2
        assert kill.find(Level.PERSON, "p3") is None

    def test_lifting_takes_everything_away_and_never_goes_back_in_time(self):
        kill = Kill("a").with_cut(cut()).with_cut(cut(Level.PERSON, "p1")).lifted()
        assert (kill.cuts, kill.removed, kill.epoch) == ({}, {}, 3)

    def test_a_cut_travels_as_json(self):
        for one in (cut(), cut(Level.PERSON, "p")):
            assert cut_from_json(json.loads(json.dumps(cut_to_json(one)))) == one


class TestFiles:
    def test_what_was_written_is_there_after_a_restart(self, tmp_path: Path):
        kill = Kill("lesson_1").with_cut(cut()).with_cut(cut(Level.CHAT)).with_cut(cut(Level.PERSON, "p"))
        KillFiles(tmp_path / "kills").write(kill)
        assert KillFiles(tmp_path / "kills").load() == {"lesson_1": kill}

    def test_the_newest_word_counts(self, tmp_path: Path):
        files = KillFiles(tmp_path)
        kill = Kill("a").with_cut(cut())
        files.write(kill)
        files.write(kill.lifted())
        assert files.load()["a"].dark == 0
        assert files.load()["a"].epoch == 2

    def test_a_half_written_file_is_not_the_file(self, tmp_path: Path):
        files = KillFiles(tmp_path)
        files.write(Kill("a").with_cut(cut()))
        (tmp_path / "a.part").write_text('{"epoch"')
        assert files.load() == {"a": Kill("a").with_cut(cut())}

    def test_files_are_for_the_server_alone(self, tmp_path: Path):
        KillFiles(tmp_path / "kills").write(Kill("a").with_cut(cut()))
        assert (tmp_path / "kills" / "a.json").stat().st_mode & 0o077 == 0

    @pytest.mark.parametrize("name", ["../a", "a/b", "", "a" * 65, "a.b", "a\0"])
    def test_a_name_that_is_no_lesson_s_writes_nothing(self, tmp_path: Path, name: str):
        with pytest.raises(ValueError, match="lesson"):
            KillFiles(tmp_path / "kills").write(Kill(name).with_cut(cut()))
        assert list(tmp_path.rglob("*.json")) == []

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"{}",
            b"[]",
            b"null",
            b"\xff\xfe",
            b'{"epoch": 1, "cuts": "none", "removed": []}',
            b'{"epoch": 1, "cuts": [{"level": "sideways"}], "removed": []}',
            b'{"epoch": 1, "cuts": [], "removed": [7]}',
            b'{"epoch": "x", "cuts": [], "removed": []}',
            b'{"epoch": Infinity, "cuts": [], "removed": []}',
            b'{"epoch": 1, "cuts": []',
            b"[" * 100_000,
        ],
    )
    def test_one_that_cannot_be_read_cuts_its_lesson(self, tmp_path: Path, content: bytes):
        (tmp_path / "a.json").write_bytes(content)
        kill = KillFiles(tmp_path).load()["a"]
        assert (kill.dark, list(kill.cuts)) == (ALL, [Level.LESSON])

    def test_hostile_files_are_read_or_cut(self, tmp_path: Path):
        corpus = Path(__file__).parents[1] / "../shared/data/fuzz/json"
        if not corpus.is_dir():
            pytest.skip("no corpus ../shared/data/fuzz/json beside the checkout")
        for number, path in enumerate(sorted(corpus.iterdir())):
            (tmp_path / f"f{number}.json").write_bytes(path.read_bytes())
        assert {kill.dark for kill in KillFiles(tmp_path).load().values()} == {ALL}

    def test_a_folder_in_the_place_of_a_file_cuts_its_lesson(self, tmp_path: Path):
        (tmp_path / "a.json").mkdir()
        assert KillFiles(tmp_path).load()["a"].dark == ALL

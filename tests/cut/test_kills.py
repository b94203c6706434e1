"""Kill files: what makes a cut outlast every restart, and what an unreadable one means."""

from __future__ import annotations

from pathlib import Path

import pytest

from liveserver.core.events.cut import Cut, Level
from liveserver.core.kill import Kill
from liveserver.core.measured import Measured
from liveserver.cut.kills import MAX_ACTS, Act, KillFiles, Record, cut_act, dark_kinds
from liveserver.rtp.flags import ALL, VIDEO

NOW = 1_772_415_000_000
MEASURED = Measured(20, 40, -1200, None, 900, 40)
KILL = (
    b'{"kill": {"lesson": "a", "seen": {"n": 1}, "asked": null, "needs_two": false, %b},'
    b' "acts": [], "measured": {}}'
)


def cut(level: Level = Level.LESSON, person: str | None = None) -> Cut:
    return Cut(level, "gambling advert 赌博", NOW, "mod", person=person)


def killed(lesson: str = "a", *cuts: Cut) -> Record:
    """A record as the guard writes it: the cuts, and that the ledger has none of them yet."""
    record = Record(Kill(lesson))
    for one in cuts or (cut(),):
        kill = record.kill.with_cut(one, "n")
        record = record.with_kill(kill).with_act(cut_act(kill.standing[kill.act_of("n")]))
    return record


class TestWhatIsDark:
    @pytest.mark.parametrize(
        ("level", "dark"),
        [(Level.CHAT, 0), (Level.PICTURE, VIDEO), (Level.PAUSE, ALL), (Level.LESSON, ALL)],
    )
    def test_each_level_holds_back_its_media(self, level, dark):
        assert dark_kinds(killed("a", cut(level)).kill) == dark

    def test_cuts_add_up(self):
        kill = killed("a", cut(Level.CHAT), cut(Level.PICTURE), cut(Level.PAUSE)).kill
        assert dark_kinds(kill) == ALL

    def test_removing_a_person_darkens_nobody(self):
        assert dark_kinds(killed("a", cut(Level.PERSON, "p1"), cut(Level.PERSON, "p2")).kill) == 0


class TestRecord:
    def test_times_go_with_their_cut(self):
        record = killed().with_measured("a.n:1", MEASURED)
        assert record.measured == {"a.n:1": MEASURED}
        assert record.with_kill(record.kill.lifted("n")).measured == {}
        assert record.with_measured("a.n:7", MEASURED) == record

    def test_what_the_ledger_has_is_forgotten_and_of_too_much_the_oldest(self):
        record = killed("a", cut(), cut(Level.CHAT))
        assert [act.id for act in record.without_act("a.n:1").acts] == ["a.n:2"]
        for number in range(MAX_ACTS):
            record = record.with_act(Act("cut", str(number), {}))
        assert (len(record.acts), record.acts[0].id) == (MAX_ACTS, "0")


class TestFiles:
    def test_what_was_written_is_there_after_a_restart(self, tmp_path: Path):
        record = killed("lesson_1", cut(), cut(Level.CHAT), cut(Level.PERSON, "p"))
        record = record.with_kill(record.kill.with_asked("first", "checked", NOW, 1000))
        record = record.with_measured("lesson_1.n:1", MEASURED).with_act(
            Act("cut_measured", "a.n:1@n", {"udp_us": -5})
        )
        for durable in (True, False):
            KillFiles(tmp_path / "kills").write(record, durable=durable)
            assert KillFiles(tmp_path / "kills").load() == {"lesson_1": record}

    def test_the_newest_word_counts(self, tmp_path: Path):
        files = KillFiles(tmp_path)
        record = killed()
        files.write(record)
        files.write(record.with_kill(record.kill.lifted("n")))
        assert dark_kinds(files.load()["a"].kill) == 0
        assert files.load()["a"].kill.epoch == 2

    def test_a_half_written_file_is_not_the_file(self, tmp_path: Path):
        files = KillFiles(tmp_path)
        files.write(killed())
        (tmp_path / "a.part").write_text('{"epoch"')
        assert files.load() == {"a": killed()}

    def test_files_are_for_the_server_alone(self, tmp_path: Path):
        KillFiles(tmp_path / "kills").write(killed())
        assert (tmp_path / "kills" / "a.json").stat().st_mode & 0o077 == 0

    @pytest.mark.parametrize("name", ["../a", "a/b", "", "a" * 65, "a.b", "a\0"])
    def test_a_name_that_is_no_lesson_s_writes_nothing(self, tmp_path: Path, name: str):
        with pytest.raises(ValueError, match="lesson"):
            KillFiles(tmp_path / "kills").write(killed(name))
        assert list(tmp_path.rglob("*.json")) == []

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"{}",
            b"[]",
            b"null",
            b"\xff\xfe",
            b'{"kill": {}, "acts": [], "measured": {}}',
            KILL % b'"cuts": "none"',
            KILL % b'"cuts": [{"level": "sideways"}]',
            KILL % b'"cuts": [7]',
            KILL % b'"seen": {"n": Infinity}, "cuts": []',
            KILL % b'"lesson": "b", "cuts": []',
            KILL % b'"cuts": []' + b"}",
            (KILL % b'"cuts": []').replace(b'"acts": []', b'"acts": [7]'),
            (KILL % b'"cuts": []').replace(b'"measured": {}', b'"measured": {"a.n:1": {}}'),
            b"[" * 100_000,
        ],
    )
    def test_one_that_cannot_be_read_cuts_its_lesson(self, tmp_path: Path, content: bytes):
        (tmp_path / "a.json").write_bytes(content)
        kill = KillFiles(tmp_path).load()["a"].kill
        assert (dark_kinds(kill), list(kill.cuts)) == (ALL, [Level.LESSON])
        assert not kill.lifted("n").standing

    def test_that_which_those_differ_from_can_be_read(self, tmp_path: Path):
        (tmp_path / "a.json").write_bytes(KILL % b'"cuts": []')
        assert dark_kinds(KillFiles(tmp_path).load()["a"].kill) == 0

    def test_hostile_files_are_read_or_cut(self, tmp_path: Path):
        corpus = Path(__file__).parents[2] / "../shared/data/fuzz/json"
        if not corpus.is_dir():
            pytest.skip("no corpus ../shared/data/fuzz/json beside the checkout")
        for number, path in enumerate(sorted(corpus.iterdir())):
            (tmp_path / f"f{number}.json").write_bytes(path.read_bytes())
        assert {dark_kinds(record.kill) for record in KillFiles(tmp_path).load().values()} == {ALL}

    def test_a_folder_in_the_place_of_a_file_cuts_its_lesson(self, tmp_path: Path):
        (tmp_path / "a.json").mkdir()
        assert dark_kinds(KillFiles(tmp_path).load()["a"].kill) == ALL

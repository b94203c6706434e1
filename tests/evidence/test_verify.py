"""What must be refused, and that it is named: bytes, entries, hours, words, recordings, keys, the ZIP."""

from __future__ import annotations

import io
import json
import os
import random
import struct
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from liveserver.core import heads
from liveserver.core.bundle import form
from liveserver.core.bundle.archive import MAX_BYTES, ArchiveError, Reader
from liveserver.core.bundle.check import Report, unit_of
from liveserver.core.bundle.command import main
from liveserver.core.bundle.cover import Root
from liveserver.core.bundle.outside import Trusted
from liveserver.core.heads import Head, Sealed, Witnessed
from liveserver.core.merkle import leaf_hash
from liveserver.ledger.signing import Key, verify
from tests.evidence.conftest import Taken, checked
from tests.evidence.forging import Seal, made, parts, with_line, with_member
from tests.evidence.sweep import (
    a_bit_of_each,
    accepted,
    accepted_side_by_side,
    every_bit_but_the_checkers_own,
)

FULL = os.environ.get("RELIABILITY") == "full"


def refused(data: bytes, **options: Any) -> Report:
    report = checked(data, verify=verify, **options)
    assert report.misfit is not None
    return report


def place(data: bytes, **options: Any) -> tuple[str, str]:
    misfit = refused(data, **options).misfit
    assert misfit is not None
    return misfit.member, misfit.place


def head_of(data: bytes) -> Head:
    return Head.read(json.loads(parts(data)[form.HEAD])["head"])


@pytest.fixture
def seal(taken: Taken) -> Seal:
    """The log's own key in the hands of the forger."""
    key, head = Key((taken.folder / "keys" / "ledger.key").read_bytes()), head_of(taken.lesson)
    return lambda digest: key.sign(Sealed(head.log, digest, head.size, head.at_ms, key.id))


class TestAnyChangedByte:
    """The bar: any single changed byte of a bundle is refused."""

    @pytest.mark.parametrize("which", ["lesson", "person"])
    def test_of_every_region_is_refused(self, taken: Taken, which: str) -> None:
        data = getattr(taken, which)
        members = Reader(io.BytesIO(data)).members.values()
        places = {at for m in members for at in (m.start, m.start + 9, m.start + 14, m.start + 26, m.content)}
        places |= {m.content + m.size // 2 for m in members} | {
            m.content + m.size - 1 for m in members if m.size
        }
        places |= set(range(len(data) - 200, len(data))) | set(random.Random(5).sample(range(len(data)), 120))
        assert accepted(data, ((at, 1 << at % 8) for at in sorted(places))) == []

    @pytest.mark.skipif(not FULL, reason="twelve minutes of CPU: RELIABILITY=full")
    def test_of_all_of_them_is_refused(self, taken: Taken) -> None:
        """A bit of every byte of a lesson's bundle, every bit of a learner's but the checker's own text."""
        for data, changes in (
            (taken.lesson, a_bit_of_each(taken.lesson)),
            (taken.person, every_bit_but_the_checkers_own(taken.person)),
        ):
            assert accepted_side_by_side(data, changes) == []

    def test_would_be_told_if_it_were_taken(self, taken: Taken) -> None:
        """The sweep itself: a change that is none."""
        assert accepted(taken.person, [(7, 0), (7, 1), (90, 0)]) == [(7, 0), (90, 0)]

    def test_byte_or_end_taken_or_added_is_refused(self, taken: Taken) -> None:
        data = taken.person
        for at in (0, 1, 40, len(data) // 2, len(data) - 30, len(data) - 1):
            refused(data[:at])
            refused(data[:at] + data[at + 1 :])
            refused(data[:at] + b"\0" + data[at:])
        refused(data + b"\0")

    def test_in_an_entry_names_the_entry(self, taken: Taken) -> None:
        entries = parts(taken.lesson)[form.ENTRIES].splitlines()
        begin = taken.lesson.index(entries[0])
        for line in entries:
            index = json.loads(line)["index"]
            at = taken.lesson.index(line, begin) + len(line) // 2
            changed = taken.lesson[:at] + bytes([taken.lesson[at] ^ 1]) + taken.lesson[at + 1 :]
            assert place(changed) == (form.ENTRIES, f"entry {index}")


class TestTheLedger:
    def test_an_entry_deleted_swapped_or_put_in_is_named(self, taken: Taken, seal: Seal) -> None:
        lines = parts(taken.lesson)[form.ENTRIES].splitlines(keepends=True)
        index = [json.loads(line)["index"] for line in lines]
        for changed, first in (
            (lines[:7] + lines[8:], index[7]),
            ([*lines[:7], lines[8], lines[7], *lines[9:]], index[7]),
            ([*lines[:7], lines[6], *lines[7:]], index[7]),
            (lines[:-1], index[-1]),
        ):
            data = with_member(taken.lesson, form.ENTRIES, b"".join(changed), seal)
            assert place(data) == (form.ENTRIES, f"entry {first}")
        data = with_member(taken.lesson, form.ENTRIES, b"".join([*lines, lines[-1]]), seal)
        assert place(data) == (form.ENTRIES, "")

    def test_an_entry_back_dated_with_its_hash_does_not_give_the_signed_root(
        self, taken: Taken, seal: Seal
    ) -> None:
        def earlier(line: dict[str, Any]) -> None:
            line["at_ms"] -= 60_000

        members = parts(with_line(taken.lesson, form.ENTRIES, 9, earlier, seal))
        line = members[form.ENTRIES].splitlines()[9]

        units = [json.loads(unit) for unit in members[form.TREE].splitlines()]
        told = [unit for unit in units if "index" in unit]
        told[9]["hash"] = leaf_hash(line).hex()
        members[form.TREE] = b"".join(form.text_of(unit) for unit in units)
        assert place(made(members, seal)) == (form.TREE, "")

    def test_a_head_that_nobody_signed_is_refused(self, taken: Taken) -> None:
        def grown(given: dict[str, Any]) -> None:
            given["head"]["at_ms"] += 1

        assert place(with_line(taken.lesson, form.HEAD, 0, grown)) == (form.HEAD, "head")

    def test_another_log_than_the_expected_one_is_refused(self, taken: Taken) -> None:
        assert place(taken.lesson, log="ab" * 32) == (form.HEAD, "log")

    def test_a_seal_of_another_key_is_refused(self, taken: Taken) -> None:
        key, head = Key(b"\x05" * 32), head_of(taken.lesson)
        data = made(
            parts(taken.lesson), lambda d: key.sign(Sealed(head.log, d, head.size, head.at_ms, key.id))
        )
        assert place(data) == (form.SEAL, "")


class TestAWitness:
    """REL-E3: a rewrite by somebody with the database and the log's key fails against the witness."""

    KEY = Key(b"\x06" * 32)

    def answered(self, taken: Taken, seal: Seal, root: str, path: list[str]) -> bytes:
        head = head_of(taken.lesson)
        answer = self.KEY.sign(Witnessed(head.log, head.size, root, head.hash(), head.at_ms, self.KEY.id))
        row = {"name": "authority", "public": self.KEY.public.hex(), "answer": answer.document(),
               "consistency": path}  # fmt: skip
        return with_line(taken.lesson, form.HEAD, 0, lambda given: given["witnessed"].append(row), seal)

    def test_that_saw_this_ledger_is_told(self, taken: Taken, seal: Seal) -> None:
        data = self.answered(taken, seal, head_of(taken.lesson).root, [])
        report = checked(data, trusted=Trusted([self.KEY.id]))
        assert report.misfit is None
        assert report.witnesses == [("authority", taken.size, head_of(taken.lesson).at_ms)]
        assert not any("witness" in note for note in report.notes)

    def test_that_saw_another_ledger_says_it_was_written_anew(self, taken: Taken, seal: Seal) -> None:
        misfit = refused(self.answered(taken, seal, "cd" * 32, [])).misfit
        assert misfit is not None and "written anew" in misfit.words

    def test_that_is_trusted_must_have_answered(self, taken: Taken) -> None:
        assert place(taken.lesson, trusted=Trusted([self.KEY.id])) == (form.HEAD, "witnessed")
        assert heads.key_id(self.KEY.public) == self.KEY.id


class TestTwoFaces:
    """REL-E4: a log that tells two people different things is found out when they meet."""

    def forged(self, taken: Taken) -> bytes:
        """The same log's other story: one hidden entry is another, everything above it fits and is signed."""
        members = parts(taken.lesson)
        units = [json.loads(line) for line in members[form.TREE].splitlines()]
        hidden = next(unit for unit in units if "start" in unit)
        hidden["hash"] = "ab" * 32
        root = Root()
        for line in members[form.TREE].splitlines():
            unit = unit_of(line, 1)
            wrong = (unit.start, unit.end) == (hidden["start"], hidden["end"])
            assert root.add(replace(unit, hash=b"\xab" * 32) if wrong else unit)
        key, head = Key((taken.folder / "keys" / "ledger.key").read_bytes()), head_of(taken.lesson)
        signed = key.sign(replace(head, root=root.hash().hex(), signature=""))
        given = json.loads(members[form.HEAD]) | {"head": signed.document()}
        members |= {form.TREE: b"".join(map(form.text_of, units)), form.HEAD: form.text_of(given)}
        return made(members, lambda d: key.sign(Sealed(head.log, d, head.size, head.at_ms, key.id)))

    def test_each_fits_and_both_together_do_not(self, taken: Taken, tmp_path: Path, capsys) -> None:
        (tmp_path / "one.zip").write_bytes(taken.lesson)
        (tmp_path / "other.zip").write_bytes(self.forged(taken))
        assert [main([str(tmp_path / name)]) for name in ("one.zip", "other.zip")] == [0, 0]
        assert main([str(tmp_path / "one.zip"), "--against", str(tmp_path / "other.zip")]) == 1
        assert "do NOT show the same ledger" in capsys.readouterr().out

    def test_a_lesson_s_and_a_learner_s_bundle_of_one_ledger_do_not_contradict(
        self, taken: Taken, tmp_path: Path
    ) -> None:
        (tmp_path / "lesson.zip").write_bytes(taken.lesson)
        (tmp_path / "person.zip").write_bytes(taken.person)
        assert main([str(tmp_path / "lesson.zip"), "--against", str(tmp_path / "person.zip")]) == 0


def _set(*path: str | int, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(line: Any) -> None:
        for step in path[:-1]:
            line = line[step]
        line[path[-1]] = value

    return change


class TestHours:
    """Whoever holds the log's key and seals anew cannot change what the ledger has of the hours."""

    @pytest.mark.parametrize(
        ("number", "change", "name"),
        [
            (1, _set("result", "credited_s", value=2700), "credited_s"),
            (0, _set("result", "void", value=[]), "void"),
            (2, _set("result", "checks", "passed", value=9), "checks"),
            (1, _set("result", "adjusted_s", value=0), "adjusted_s"),
        ],
    )
    def test_of_a_learner_changed_are_named(
        self, taken: Taken, seal: Seal, number: int, change, name
    ) -> None:
        person = sorted(["wang-6141", "zhao-7731", "sun-2290"])[number]
        data = with_line(taken.lesson, form.HOURS, number, change, seal)
        assert place(data) == (form.HOURS, f"line {number + 1}, learner {person}, {name}")

    def test_of_a_learner_left_out_are_named(self, taken: Taken, seal: Seal) -> None:
        lines = parts(taken.lesson)[form.HOURS].splitlines(keepends=True)
        data = with_member(taken.lesson, form.HOURS, b"".join(lines[:-1]), seal)
        assert place(data) == (form.HOURS, "learner zhao-7731")

    def test_reckoned_with_another_salt_are_not_the_settled_ones(self, taken: Taken, seal: Seal) -> None:
        data = with_line(taken.lesson, form.HOURS, 0, _set("salt", value="0" * 64), seal)
        misfit = refused(data).misfit
        assert misfit is not None and "people_root" in misfit.words

    @pytest.mark.parametrize(
        ("change", "where"),
        [
            (_set("result", "credited_s", value=2700), ", credited_s"),
            (_set("facts", "hidden", value=[]), ", credited_s"),
            (_set("facts", "policy", "daily_cap_s", value=90_000), ", facts.policy"),
            (_set("facts", "checks", value=[]), ", facts.checks"),
            (_set("result", "session_ms", value=1), ""),
            (_set("index", value=0), ""),
        ],
    )
    def test_in_one_learner_s_bundle_changed_are_named(self, taken: Taken, seal: Seal, change, where) -> None:
        data = with_line(taken.person, form.HOURS, 0, change, seal)
        assert place(data) == (form.HOURS, f"learner wang-6141{where}")


class TestBesideTheLedger:
    @pytest.mark.parametrize(
        ("member", "number", "change", "where"),
        [
            (form.CHAT, 0, _set("text", value="Something else"), "line 1, text"),
            (form.CHAT, 1, _set("person", value="sun-2290"), "line 2, person"),
            (form.INCIDENTS, 0, _set("text", value="harmless"), "line 1, text"),
            (form.RECORDINGS, 0, _set("sha256", value="cd" * 32), "line 1, sha256"),
            (form.RECORDINGS, 0, _set("duration_ms", value=1), "line 1, duration_ms"),
            (form.LESSON, 0, _set("lesson", "title", value="Another"), "lesson.title"),
            ("recordings/L1-rec.jsonl", 4, _set("size", value=1), "line 4"),
        ],
    )
    def test_what_was_changed_is_named(self, taken: Taken, seal: Seal, member, number, change, where) -> None:
        assert place(with_line(taken.lesson, member, number, change, seal)) == (member, where)

    def test_words_that_were_erased_are_told_as_such(self, taken: Taken, seal: Seal) -> None:
        report = checked(with_member(taken.lesson, form.CHAT, b"", seal), verify=verify)
        assert report.misfit is None
        assert "chat that were erased: 2." in " ".join(report.notes)

    def test_a_manifest_cut_short_is_not_the_one_in_the_ledger(self, taken: Taken, seal: Seal) -> None:
        name = "recordings/L1-rec.jsonl"
        lines = parts(taken.lesson)[name].splitlines(keepends=True)
        assert place(with_member(taken.lesson, name, b"".join(lines[:-1]), seal)) == (name, "")


def zipped(*members: tuple[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name), data)
    return file.getvalue()


class TestAZip:
    """One form only: nothing can be hidden between, behind or under what is checked."""

    def test_made_by_another_program_is_refused(self, taken: Taken) -> None:
        refused(zipped(*parts(taken.lesson).items()))

    def test_that_grows_is_refused_before_anything_is_unpacked(self) -> None:
        refused(zipped(("a", b"\0" * 10_000_000), method=zipfile.ZIP_DEFLATED))

    @pytest.mark.parametrize(
        "name", ["../x", "/etc/x", "a/../b", "a\\b", "C:x", "", "a//b", "ü", "a\0b", ".x"]
    )
    def test_with_a_name_that_leads_elsewhere_is_refused(self, taken: Taken, name: str) -> None:
        raw = name.encode()
        bad = struct.pack("<4s5H3L2H", b"PK\x03\x04", 20, 0, 0, 0, 0x21, 0, 0, 0, len(raw), 0) + raw
        assert place(bad + taken.lesson) == ("", "byte 0")

    def test_with_a_name_twice_is_refused(self, taken: Taken) -> None:
        first = next(iter(Reader(io.BytesIO(taken.lesson)).members.values()))
        data = taken.lesson[: first.content + first.size] + taken.lesson
        misfit = refused(data).misfit
        assert misfit is not None and "twice" in misfit.words

    def test_that_is_too_long_is_refused_unread(self, tmp_path: Path) -> None:
        path = tmp_path / "large.zip"
        with path.open("wb") as file:
            file.truncate(MAX_BYTES + 1)
        with path.open("rb") as file, pytest.raises(ArchiveError):
            Reader(file)

    def test_with_lines_that_are_too_long_is_refused(self, taken: Taken, seal: Seal) -> None:
        data = with_member(taken.lesson, form.CHAT, b"[" * (form.LINE_MAX + 2), seal)
        assert place(data)[0] == form.CHAT

    @pytest.mark.parametrize(
        "line", [b"{}", b"[]", b"nonsense", b'{"a":1,"a":2}', b'{"a": 1}', b"[" * 5000, b'{"id":7}', b"\xff"]
    )
    @pytest.mark.parametrize(
        "member", [form.TREE, form.HOURS, form.CHAT, form.RECORDINGS, form.LESSON, form.HEAD]
    )
    def test_with_nonsense_in_it_is_refused_and_never_fails(
        self, taken: Taken, seal: Seal, member: str, line: bytes
    ) -> None:
        members = parts(taken.lesson)
        members[member] = line + b"\n"
        if member == form.HEAD:
            data = taken.lesson.replace(parts(taken.lesson)[form.HEAD], line)
        else:
            data = made(members, seal)
        refused(data)

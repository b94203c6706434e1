"""What a bundle holds, that it proves itself anywhere, and that one learner's holds nobody else."""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from liveserver.core.bundle import files
from liveserver.core.bundle.command import words
from liveserver.core.bundle.outside import Trusted
from liveserver.core.errors import PeerError
from liveserver.core.heads import Head, Witnessed, key_id
from liveserver.core.ledger import Fact, commitment
from liveserver.hours.adjustments import Adjustments
from liveserver.ledger.signing import Key
from liveserver.ledger.witness import Watch
from liveserver.store import ChatLine, Store, erasing
from tests.evidence.conftest import MIN, NAMES, STAFF, START, WORDS, Taken, World, checked, teach


class TestALessonsBundle:
    def test_proves_its_entries_and_everybody_s_hours(self, taken: Taken) -> None:
        report = checked(taken.lesson, log=taken.log)
        assert report.misfit is None
        assert (report.kind, report.lesson, report.learners, report.provisional) == ("lesson", "L1", 3, False)
        assert report.recordings == [("L1-rec", "ab" * 32)]
        assert report.entries == sum(report.types.values()) > 30
        assert report.types["cut"] == report.types["restore"] == 1

    def test_of_the_same_head_has_the_same_bytes(self, taken: Taken) -> None:
        assert taken.lesson == taken.again

    def test_is_an_ordinary_zip(self, taken: Taken) -> None:
        with zipfile.ZipFile(io.BytesIO(taken.lesson)) as archive:
            assert archive.testzip() is None
            assert archive.namelist()[:3] == ["README.txt", "verify.py", "__main__.py"]
            names = {row["name"] for row in map(json.loads, archive.read("people.jsonl").splitlines())}
            assert names == set(NAMES.values())

    def test_says_in_words_what_it_proves(self, taken: Taken) -> None:
        text = "\n".join(words("l1.zip", checked(taken.lesson)))
        for part in ("l1.zip proves the lesson '车床基础 Lathes'", "hours of 3 learners", "cut or restored 2",
                     "SHA-256 " + "ab" * 32, taken.log, "No witness outside"):  # fmt: skip
            assert part in text


class TestALearnersBundle:
    def test_proves_his_hours_by_his_share(self, taken: Taken) -> None:
        report = checked(taken.person, log=taken.log)
        assert report.misfit is None
        assert (report.person, report.learners, report.provisional) == ("wang-6141", 1, False)
        assert report.types["join"] == report.types["chat"] == 1

    def test_holds_no_id_name_or_word_of_anybody_else(self, taken: Taken) -> None:
        others = [person for person in NAMES if person != "wang-6141"] + list(STAFF)
        names = [name for person, name in (NAMES | STAFF).items() if name and person in others]
        texts = [text for person, text in WORDS.items() if person != "wang-6141"]
        marks = [f"{what}-of-{person}" for what in ("line", "chat", "check", "incident") for person in others]
        for secret in [*others, *names, *texts, *marks, "credits, says zhao", "inspector-1"]:
            assert secret.encode() not in taken.person, secret
        for own in ("wang-6141", NAMES["wang-6141"], WORDS["wang-6141"], "credits, says wang-6141"):
            assert own.encode() in taken.person


class TestTheVerifierInside:
    def test_is_whole_and_needs_python_alone(self, taken: Taken, tmp_path: Path) -> None:
        for name, data in (("lesson.zip", taken.lesson), ("person.zip", taken.person)):
            (tmp_path / name).write_bytes(data)
            run = [sys.executable, "-I", "-S", name, "--json", "--log", taken.log]
            done = subprocess.run(run, cwd=tmp_path, capture_output=True, check=False)
            assert done.returncode == 0, done.stderr
            assert json.loads(done.stdout)["fits"] is True

    def test_checks_another_bundle_from_its_folder(self, taken: Taken, tmp_path: Path) -> None:
        with zipfile.ZipFile(io.BytesIO(taken.lesson)) as archive:
            archive.extractall(tmp_path)
        at = taken.person.index(b'"credited_s":', taken.person.rindex(b'{"facts":{"checks')) + 14
        (tmp_path / "bad.zip").write_bytes(taken.person[:at] + b"9" + taken.person[at + 1 :])
        run = [sys.executable, "-S", "verify.py", "bad.zip"]
        done = subprocess.run(run, cwd=tmp_path, capture_output=True, check=False)
        assert done.returncode == 1
        assert (
            b"does NOT prove" in done.stdout and b"hours.jsonl, learner wang-6141, credited_s" in done.stdout
        )

    def test_is_the_product_s_own(self, taken: Taken) -> None:
        with zipfile.ZipFile(io.BytesIO(taken.lesson)) as archive:
            for name, data in files.members():
                assert archive.read(name) == data


class Authority:
    """A witness that signs whatever it is shown; real ones are tested where they are."""

    name = "http"
    weakness = ""

    def __init__(self) -> None:
        self._key = Key(b"\x08" * 32)
        self.public = self._key.public

    async def see(self, head: Head, seen: int, store: Store) -> Mapping[str, Any]:
        answer = Witnessed(head.log, head.size, head.root, head.hash(), START, self._key.id)
        return self._key.sign(answer).document()

    async def close(self) -> None:
        """Nothing is open."""


class TestAWitnessedLedger:
    async def test_is_proven_to_have_grown_out_of_what_the_witness_saw(self, world: World) -> None:
        await teach(world)
        watch = Watch(Authority(), world.store, world.clock)  # type: ignore[arg-type]
        world.notary.watches.append(watch)
        await world.notary.seal()
        assert await watch.show()
        seen = await world.store.ledger_size()
        await world.store.append([Fact("presence", "another", START, {"changes": []})] * 37)
        report = checked(await world.bundle(), trusted=Trusted([key_id(watch.public or b"")]))
        assert report.misfit is None
        assert report.head is not None and report.head.size == seen + 37
        assert report.witnesses == [("http", seen, START)]


class TestALessonThatIsNotSettled:
    async def test_is_proven_as_it_stands_and_said_to_be_provisional(self, world: World) -> None:
        await teach(world, settled=False)
        for person in (None, "wang-6141"):
            report = checked(await world.bundle(person))
            assert report.misfit is None
            assert (report.provisional, report.learners) == (True, 1 if person else 3)


class TestAnExcusedCheck:
    """DOM section 9.4."""

    async def test_is_in_the_hours_of_either_bundle_and_both_prove_them(self, world: World) -> None:
        lesson = await teach(world)
        missed = {"id": "late-check", "person": "wang-6141", "number": 2, "kind": "quiz", "cause": "random",
                  "issued_at_ms": START + 30 * MIN, "answered_at_ms": None, "result": "timeout",
                  "detail": ""}  # fmt: skip
        await world.store.append([Fact("challenge_resolved", "L1", START + 31 * MIN, missed)])
        await world.attendance.revise(lesson, "a check was judged")
        before = await world.store.attendance.row("L1", "wang-6141")
        assert checked(await world.bundle("wang-6141")).misfit is None
        changes = Adjustments(world.store, world.attendance, world.clock)  # type: ignore[arg-type]
        asked = await changes.excuse(lesson, "late-check", "wang-6141", "power cut", "admin-1", excused=True)
        await changes.decide(asked.id, approve=True, words="seen", by="admin-2")
        for person in (None, "wang-6141"):
            report = checked(await world.bundle(person))
            assert report.misfit is None
        after = await world.store.attendance.row("L1", "wang-6141")
        assert before is not None and after is not None and after.credited_s > before.credited_s
        assert report.types.get("challenge_revised", 0) == 0, "who excused him is not his to have"


class TestAfterTheBundlesHead:
    async def test_lines_of_the_chat_wait_for_the_next_one(self, world: World) -> None:
        await teach(world)
        first = await world.bundle()
        report = checked(first)
        assert report.head is not None
        late = ChatLine("late", "L1", "wang-6141", "Wang", "learner", "Later", START, b"\x01" * 32)
        said = {"id": "late", "person": "wang-6141", "commitment": commitment(late.salt, late.text)}
        await world.store.append([Fact("chat", "L1", START, said)], [late])
        again = await world.bundle(size=report.head.size)
        assert again == first
        assert checked(await world.bundle()).types["chat"] == report.types["chat"] + 1


class TestManyAtOnce:
    async def test_are_made_one_after_the_other_and_too_many_refused(self, world: World) -> None:
        await teach(world)
        found = await asyncio.gather(*(world.bundle() for _ in range(6)), return_exceptions=True)
        made = [one for one in found if isinstance(one, bytes)]
        assert all(checked(one).fits for one in made)
        refused = [one.code for one in found if isinstance(one, PeerError)]
        assert (len(made), refused) == (4, ["busy", "busy"])


class TestSomebodyErased:
    async def test_is_in_no_later_bundle_by_name_or_word_and_every_proof_holds(self, world: World) -> None:
        """REL-G45, E10."""
        await teach(world)
        for statement in erasing._blanking("zhao-7731"):
            await world.store.write(partial(_execute, statement=statement))
        data = await world.bundle()
        report = checked(data)
        assert report.misfit is None
        assert report.learners == 3
        assert "chat that were erased: 1." in " ".join(report.notes)
        for gone in (NAMES["zhao-7731"], WORDS["zhao-7731"]):
            assert gone.encode() not in data
        assert checked(await world.bundle("zhao-7731")).misfit is None


async def _execute(connection: AsyncConnection, statement: Any) -> None:
    await connection.execute(statement)

"""The attendance sheet to hand on: XLSX and CSV, masked unless two persons agreed."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from liveserver.core.earning import Reason
from liveserver.core.errors import PeerError
from liveserver.core.hours import Status
from liveserver.core.masking import guarded, masked_name, masked_number
from liveserver.core.permissions import Role
from liveserver.hours import Hours
from liveserver.hours.attendance import Attendance
from liveserver.hours.export import COLUMNS, REASONS, STATUS
from liveserver.store import Store, open_store
from tests.hours.test_attendance import START, Clock, held
from tests.rooms.node import claims

ADMIN, OTHER = claims("ada", Role.ADMIN), claims("bob", Role.ADMIN)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await open_store(f"sqlite:///{tmp_path / 'live.db'}")
    yield opened
    await opened.close()


@pytest.fixture
async def hours(store: Store) -> Hours:
    """A settled lesson: one stayed, one left early under a name that a spreadsheet would run."""
    clock = Clock()
    attendance = Attendance(store, clock)  # type: ignore[arg-type]
    lesson = await held(store, "a", {"wang": (0, 45), "evil": (10, 30)})
    await store.attendance.note_names("a", {"wang": "王建国", "evil": '=HYPERLINK("http://x","欧阳锋")'})
    await attendance.settle(lesson, "ended")
    clock.now_ms = START + 3_600_000
    return Hours(store, attendance, clock)  # type: ignore[arg-type]


def texts(data: bytes) -> str:
    """Everything in a workbook that is text: cells, properties, headers."""
    with zipfile.ZipFile(io.BytesIO(data)) as book:
        return "\n".join(book.read(name).decode() for name in book.namelist())


class TestCsv:
    async def test_is_what_spreadsheets_in_chinese_windows_open(self, hours: Hours) -> None:
        data = await hours.export("a", "csv", ADMIN, None)
        assert data.startswith(b"\xef\xbb\xbf")
        assert b"\r\n" in data
        head, evil, wang = csv.reader(io.StringIO(data.decode("utf-8-sig")))
        assert head == [name for name, _ in COLUMNS]
        row = dict(zip(head, wang, strict=True))
        assert (row["姓名"], row["课程名称"], row["状态"], row["折合学时"]) == (
            "王*国",
            "Lathes",
            "出勤",
            "1.00",
        )
        assert (row["上线时间"], row["下线时间"]) == ("2026-03-02 09:00:00", "2026-03-02 09:45:00")
        assert (row["单次学习时长"], row["累计学习时长"]) == ("0:45:00", "0:45:00")
        assert dict(zip(head, evil, strict=True))["备注"] == "未在线或未收到画面"

    async def test_runs_nothing(self, hours: Hours) -> None:
        grant = await granted(hours)
        data = await hours.export("a", "csv", ADMIN, grant)
        cells = [cell for row in csv.reader(io.StringIO(data.decode("utf-8-sig"))) for cell in row]
        assert '\'=HYPERLINK("http://x","欧阳锋")' in cells
        assert not any(cell[:1] in "=+-@" for cell in cells if cell)


class TestXlsx:
    async def test_has_rows_signatures_and_room_for_the_seal(self, hours: Hours) -> None:
        found = texts(await hours.export("a", "xlsx", ADMIN, None))
        for words in (
            "考勤表",
            "汇总",
            "扣除明细",
            "(培训机构公章)",
            "讲师签字",
            "王*国",
            "1.00",
            "REQ-R7: 001 六(三) L21",
        ):
            assert words in found, words
        assert re.search(r"SHA-256 [0-9a-f]{64}", found)
        assert "<f>" not in found, "no text became a formula"

    async def test_the_same_sheet_is_the_same_bytes(self, hours: Hours) -> None:
        assert await hours.export("a", "xlsx", ADMIN, None) == await hours.export("a", "xlsx", ADMIN, None)

    async def test_no_whole_name_is_anywhere_in_it(self, hours: Hours) -> None:
        for kind in ("xlsx", "csv"):
            data = await hours.export("a", kind, ADMIN, None)
            found = texts(data) if kind == "xlsx" else data.decode()
            for name in ("王建国", "欧阳锋", "HYPERLINK", "Ms Li"):
                assert name not in found, (kind, name)


async def granted(hours: Hours) -> str:
    asked = await hours.ask_export("a", "the court asks", ADMIN.person)
    await hours.agree_export(asked["id"], OTHER.person)
    return asked["id"]


class TestWholeNames:
    async def test_take_a_reason_and_another_person(self, hours: Hours, store: Store) -> None:
        asked = await hours.ask_export("a", "the court asks", ADMIN.person)
        for call, code in (
            (hours.export("a", "csv", ADMIN, asked["id"]), "second_person_needed"),
            (hours.agree_export(asked["id"], ADMIN.person), "same_person"),
            (hours.export("a", "csv", ADMIN, "another"), "not_found"),
        ):
            with pytest.raises(PeerError) as refused:
                await call
            assert refused.value.code == code
        await hours.agree_export(asked["id"], OTHER.person)
        with pytest.raises(PeerError, match="another lesson or person"):
            await hours.export("a", "csv", OTHER, asked["id"])
        assert "王建国" in (await hours.export("a", "csv", ADMIN, asked["id"])).decode()
        assert "未脱敏" in texts(await hours.export("a", "xlsx", ADMIN, asked["id"]))
        kinds = [entry.type for entry in await store.entries(lesson="a")]
        assert kinds[-4:] == ["export_asked", "export_agreed", "export", "export"]

    async def test_end_after_an_hour(self, hours: Hours) -> None:
        grant = await granted(hours)
        hours._clock.now_ms += 3_600_000  # type: ignore[attr-defined]
        with pytest.raises(PeerError) as refused:
            await hours.export("a", "csv", ADMIN, grant)
        assert refused.value.code == "not_found"


class TestMasking:
    @pytest.mark.parametrize(
        ("name", "shown"), [("", ""), ("王", "*"), ("王伟", "王*"), ("欧阳锋", "欧*锋"), ("Li Lei", "L****i")]
    )
    def test_names(self, name: str, shown: str) -> None:
        assert masked_name(name) == shown

    def test_numbers(self) -> None:
        assert masked_number("11010519491231002X") == "110***********002X"
        assert masked_number("13800138000") == "138****8000"
        assert masked_number("1234567") == "*******"

    @pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1"])
    def test_what_begins_like_a_formula_is_guarded(self, text: str) -> None:
        assert guarded(text) == "'" + text
        assert guarded("plain") == "plain"


def test_every_reason_and_status_has_words() -> None:
    assert set(REASONS) == {str(reason) for reason in Reason}
    assert set(STATUS) == {str(status) for status in Status}

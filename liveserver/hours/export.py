"""The attendance sheet (考勤表) to hand on: its rows, and as CSV (REQ-I14, R7). As XLSX: `export_xlsx`.

Built from `sheet.Sheet` alone; the same sheet, exporter and moment give the same bytes. Names are masked
unless two persons agreed otherwise (`grants`). Times are China's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from liveserver.core.masking import masked_name
from liveserver.core.messages import Json
from liveserver.core.times import china_time, parse_rfc3339
from liveserver.hours.attendance import course_of
from liveserver.hours.csv_table import csv_bytes
from liveserver.hours.sheet import Sheet

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
CSV = "text/csv"
REASONS: Mapping[str, str] = {
    "absent": "未在线或未收到画面",
    "hidden": "页面不在前台",
    "check_failed": "核验未通过",
    "over_plan": "超出计划课时",
    "lecturer_absent": "讲师不在课",
    "overlap": "与其他学习重叠",
    "over_daily_cap": "超出每日上限",
    "replay": "重复观看",
    "too_fast": "倍速观看",
}
STATUS: Mapping[str, str] = {"present": "出勤", "late": "迟到", "left_early": "早退", "absent": "缺勤"}


@dataclass(frozen=True, slots=True)
class Person:
    """What only a roster knows of a learner; empty until there is one."""

    number: str = ""
    enterprise: str = ""
    training_class: str = ""


@dataclass(frozen=True, slots=True)
class Made:
    """Who exports, when, and whether names are masked. `watermark`: said on each page of what is not."""

    by: str
    at_ms: int
    masked: bool = True
    watermark: str = ""
    people: Callable[[str], Person] = lambda person: Person()

    def name(self, name: str) -> str:
        return masked_name(name) if self.masked else name


COLUMNS: Sequence[tuple[str, int]] = (
    ("序号", 5),
    ("姓名", 10),
    ("证件号", 20),
    ("企业", 14),
    ("班级", 12),
    ("课程名称", 20),
    ("课次", 12),
    ("授课方式", 9),
    ("讲师", 10),
    ("计划时长", 9),
    ("上线时间", 19),
    ("下线时间", 19),
    ("单次学习时长", 13),
    ("累计学习时长", 13),
    ("折合学时", 9),
    ("核验次数/通过", 13),
    ("状态", 11),
    ("备注", 22),
)
"""Of the sheet, each with its width in characters."""


def to_csv(sheet: Sheet, made: Made) -> bytes:
    """As `csv_table` makes it."""
    return csv_bytes([name for name, _ in COLUMNS], rows(sheet, made))


def rows(sheet: Sheet, made: Made) -> list[list[Any]]:
    """One for each learner, a value for each of `COLUMNS`: whole numbers and texts."""
    lesson = sheet.lesson
    planned = "" if lesson.planned_s is None else duration(lesson.planned_s)
    found = []
    for number, row in enumerate(sheet.rows, start=1):
        person = made.people(row["person"])
        checks = row["checks"]
        found.append(
            [
                number,
                made.name(row["name"]) or row["person"],
                person.number,
                person.enterprise,
                person.training_class,
                course_of(lesson),
                lesson.id,
                "直播",
                made.name(lesson.instructor),
                planned,
                moment(row["first_online_at"]),
                moment(row["last_offline_at"]),
                duration(row["session_s"]),
                duration(row["cumulative_s"]),
                row["lesson_hours"],
                f"{checks['issued']}/{checks['passed']}",
                "、".join(STATUS[status] for status in row["status"]),
                _remark(row),
            ]
        )
    return found


def _remark(row: Json) -> str:
    """Why less was credited than the person was there, in a word each."""
    reasons = [REASONS[reason] for reason in dict.fromkeys(void["reason"] for void in row["void"])]
    changed = f"人工更正 {row['adjusted_s']:+d} 秒" if row["adjusted_s"] else ""
    return "、".join([*reasons, *([changed] if changed else [])])


def duration(seconds: int) -> str:
    """`0:44:20`."""
    return f"{seconds // 3600}:{seconds % 3600 // 60:02d}:{seconds % 60:02d}"


def moment(text: str | None) -> str:
    return "" if text is None else china(parse_rfc3339(text))


def china(at_ms: int) -> str:
    """`2026-03-02 09:00:00`."""
    return china_time(at_ms - at_ms % 1000)[:19].replace("T", " ")

"""The attendance sheet as XLSX: rows with signature lines and room for the seal, a summary, every deduction.

001 六(三) wants the official seal of an entrusted institution on it (REQ-I15). The same sheet, exporter and
moment give the same bytes.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import xlsxwriter

from liveserver.core.hours import shown
from liveserver.core.times import parse_rfc3339
from liveserver.hours.attendance import course_of
from liveserver.hours.export import COLUMNS, REASONS, STATUS, Made, china, duration, rows
from liveserver.hours.sheet import Sheet


def to_xlsx(sheet: Sheet, made: Made) -> bytes:
    """Three sheets: the rows with signature lines and room for the seal, a summary, and every deduction."""
    out = io.BytesIO()
    book = xlsxwriter.Workbook(
        out, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    )
    book.set_properties(
        {
            "title": "考勤表",
            "subject": sheet.lesson.title,
            "created": datetime.fromtimestamp(made.at_ms / 1000, UTC),
        }
    )
    style = _styles(book)
    _attendance(book, style, sheet, made)
    _summary(book, style, sheet, made)
    _deductions(book, style, sheet, made)
    book.close()
    return out.getvalue()


def _styles(book: Any) -> dict[str, Any]:
    thin = {"border": 1, "font_name": "SimSun", "font_size": 10, "valign": "vcenter"}
    return {
        "title": book.add_format({"bold": True, "font_size": 16, "align": "center", "font_name": "SimSun"}),
        "note": book.add_format({"font_size": 10, "font_name": "SimSun"}),
        "head": book.add_format(
            {**thin, "bold": True, "bg_color": "#E6EFEE", "align": "center", "text_wrap": True}
        ),
        "cell": book.add_format({**thin, "text_wrap": True}),
        "figure": book.add_format({**thin, "align": "right"}),
        "seal": book.add_format({**thin, "align": "center", "valign": "bottom", "font_color": "#777777"}),
        "line": book.add_format({"font_name": "SimSun", "font_size": 11}),
    }


def _attendance(book: Any, style: Mapping[str, Any], sheet: Sheet, made: Made) -> None:
    page = book.add_worksheet("考勤表")
    last = len(COLUMNS) - 1
    page.set_landscape()
    page.set_paper(9)  # A4
    page.fit_to_pages(1, 0)
    page.repeat_rows(0, 3)
    page.set_margins(left=0.4, right=0.4, top=0.5, bottom=0.6)
    page.set_footer(f"&L{_plain(made.watermark)}&C第 &P 页 共 &N 页&R{_plain(made.by)} {china(made.at_ms)}")
    page.merge_range(0, 0, 0, last, "直播课学员考勤表", style["title"])
    page.merge_range(1, 0, 1, last, _lead(sheet, made), style["note"])
    page.merge_range(2, 0, 2, last, _proof(sheet), style["note"])
    for column, (name, width) in enumerate(COLUMNS):
        page.set_column(column, column, width)
        page.write_string(3, column, name, style["head"])
    page.freeze_panes(4, 2)
    line = 4
    for row in rows(sheet, made):
        for column, value in enumerate(row):
            if isinstance(value, int):
                page.write_number(line, column, value, style["figure"])
            else:
                page.write_string(line, column, value, style["cell"])
        line += 1
    _seal(page, style, line + 1, last)


def _seal(page: Any, style: Mapping[str, Any], line: int, last: int) -> None:
    lines = ("讲师签字:____________________", "负责人签字:____________________", "日期:______年____月____日")
    for step, words in enumerate(lines):
        page.merge_range(line + 2 * step, 0, line + 2 * step, 8, words, style["line"])
    page.merge_range(line, last - 6, line + 7, last, "(培训机构公章)", style["seal"])


def _summary(book: Any, style: Mapping[str, Any], sheet: Sheet, made: Made) -> None:
    page = book.add_worksheet("汇总")
    page.set_column(0, 0, 24)
    page.set_column(1, 1, 70)
    counts = {name: sum(status in row["status"] for row in sheet.rows) for status, name in STATUS.items()}
    credited_s = sum(row["credited_s"] for row in sheet.rows)
    facts = [
        ("课程名称", course_of(sheet.lesson)),
        ("应用策略", sheet.about.policy.preset),
        ("授课时长", duration(sheet.about.teaching_s)),
        ("讲师在课时长", duration(sheet.about.lecturer_s)),
        ("到课人数", str(len(sheet.rows))),
        *((name, str(count)) for name, count in counts.items()),
        ("合计学时", shown(credited_s)),
        (
            "数据校验值 (SHA-256)",
            sheet.settlement.result_sha256 if sheet.settlement else "未结算,数据可能变化",
        ),
        ("导出", f"{made.by} {china(made.at_ms)}"),
    ]
    for line, (name, value) in enumerate(facts):
        page.write_string(line, 0, name, style["head"])
        page.write_string(line, 1, value, style["cell"])


def _deductions(book: Any, style: Mapping[str, Any], sheet: Sheet, made: Made) -> None:
    page = book.add_worksheet("扣除明细")
    columns = (("姓名", 12), ("起", 20), ("止", 20), ("时长", 10), ("原因", 22), ("依据", 34))
    for column, (name, width) in enumerate(columns):
        page.set_column(column, column, width)
        page.write_string(0, column, name, style["head"])
    page.freeze_panes(1, 0)
    line = 1
    for row in sheet.rows:
        name = made.name(row["name"]) or row["person"]
        for void in row["void"]:
            start, end = parse_rfc3339(void["from"]), parse_rfc3339(void["to"])
            values = (
                name,
                china(start),
                china(end),
                duration((end - start) // 1000),
                REASONS[void["reason"]],
                void["clause"],
            )
            for column, value in enumerate(values):
                page.write_string(line, column, value, style["cell"])
            line += 1


def _lead(sheet: Sheet, made: Made) -> str:
    lesson, teacher = sheet.lesson, made.name(sheet.lesson.instructor)
    start, end = (china(at) if at is not None else "" for at in (lesson.started_at_ms, lesson.ended_at_ms))
    what = f"课程:{course_of(lesson)}  课次:{lesson.title} ({lesson.id})"
    return f"{what}  讲师:{teacher}  授课:{start} 至 {end}"


def _proof(sheet: Sheet) -> str:
    found = sheet.settlement
    if found is None:
        return "未结算:课程尚在进行或刚结束,数据可能变化。"
    settled = f"结算第 {found.revision} 版,{china(found.at_ms)}"
    return f"{settled};账本条目数 {found.ledger_size};SHA-256 {found.result_sha256}"


def _plain(text: str) -> str:
    """For a header or footer, where `&` begins a command."""
    return text.replace("&", "&&")[:100]

"""A roster as it is handed in: which column is which, and what is wrong with which row.

Pure: what refers to something that is kept (enterprises, groups, people) is looked up by the shell.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from liveserver.core.errors import PeerError
from liveserver.core.people import name_of, phone_of

HEADS: Mapping[str, tuple[str, ...]] = {
    "name": ("姓名", "学员姓名", "name", "fullname", "learner"),
    "phone": ("手机号", "手机", "手机号码", "联系电话", "电话", "phone", "mobile", "telephone"),
    "identity": ("身份证号", "身份证号码", "证件号", "证件号码", "idnumber", "identitynumber", "idcard"),
    "student_no": ("学号", "studentno", "studentnumber", "studentid"),
    "enterprise": ("企业", "企业名称", "工作单位", "单位", "单位名称", "enterprise", "company", "employer"),
    "group": ("群组", "小组", "组别", "group"),
    "target_group": ("重点群体", "人员类别", "targetgroup", "category"),
    "subsidy_type": ("补贴类型", "补贴类别", "subsidytype", "subsidy"),
    "person": ("人员编号", "person", "personid"),
}
"""The names of columns, in one spelling (`_head`)."""
MOST = {
    "identity": 30,
    "student_no": 40,
    "enterprise": 100,
    "group": 60,
    "target_group": 60,
    "subsidy_type": 60,
    "person": 64,
}
ROWS_MOST = 2_000
_FILLERS = str.maketrans("", "", " _-*:·.　")


@dataclass(frozen=True, slots=True)
class Wrong:
    """Why a row is not taken. `code` is stable, `column` a field of `HEADS`."""

    code: str
    column: str = ""
    detail: str = ""


@dataclass(slots=True)
class Row:
    """One learner as the file has him; `number` counts the file's rows from 1, the heads included."""

    number: int
    values: dict[str, str] = field(default_factory=dict)
    wrong: list[Wrong] = field(default_factory=list)

    def get(self, column: str) -> str:
        return self.values.get(column, "")


@dataclass(frozen=True, slots=True)
class Roster:
    """`ignored`: heads of columns that nothing is made of."""

    rows: Sequence[Row]
    ignored: tuple[str, ...]


def read_roster(table: Sequence[Sequence[str | None]]) -> Roster:
    """A table whose first row with anything in it names the columns; None in it is a formula.

    Raises PeerError (422) `no_header`, `column_twice`, `no_rows`, `too_many_rows`.
    """
    at = next((number for number, row in enumerate(table) if _is_filled(row)), None)
    if at is None:
        raise PeerError("no_rows", "the table is empty", status=422)
    columns, ignored = _columns(table[at])
    rows = [_row(at + 2 + number, cells, columns) for number, cells in enumerate(table[at + 1 :])
            if _is_filled(cells)]  # fmt: skip
    if not rows:
        raise PeerError("no_rows", "there are no rows below the heads", status=422)
    if len(rows) > ROWS_MOST:
        raise PeerError("too_many_rows", f"a roster has at most {ROWS_MOST} rows", status=422)
    _find_repeats(rows)
    return Roster(rows, ignored)


def _columns(heads: Sequence[str | None]) -> tuple[dict[int, str], tuple[str, ...]]:
    known = {name: column for column, names in HEADS.items() for name in names}
    found: dict[int, str] = {}
    ignored = []
    for place, head in enumerate(heads):
        column = known.get(_head(head or ""))
        if column is None:
            ignored += [head] if head else []
        elif column in found.values():
            raise PeerError("column_twice", f"two columns are the {column}", status=422)
        else:
            found[place] = column
    if "name" not in found.values():
        raise PeerError("no_header", "the first row has to name the columns, one of them 姓名", status=422)
    return found, tuple(ignored)


def _head(text: str) -> str:
    return unicodedata.normalize("NFKC", text).lower().translate(_FILLERS).partition("(")[0]


def _is_filled(cells: Sequence[str | None]) -> bool:
    return any(cell is None or cell.strip() for cell in cells)


def _row(number: int, cells: Sequence[str | None], columns: Mapping[int, str]) -> Row:
    row = Row(number)
    for place, column in columns.items():
        cell = cells[place] if place < len(cells) else ""
        if cell is None:
            row.wrong.append(Wrong("formula", column, "formulas are not taken"))
        elif cell.strip():
            _take(row, column, cell)
    if "name" not in row.values and not row.wrong:
        row.wrong.append(Wrong("name_missing", "name"))
    if not row.wrong and not any(row.get(column) for column in ("person", "identity", "phone", "student_no")):
        # Handed in again, it would be somebody else.
        row.wrong.append(Wrong("not_told_apart", "phone", "a telephone or student number is needed"))
    return row


def _take(row: Row, column: str, cell: str) -> None:
    try:
        if column == "name":
            row.values[column] = name_of(cell)
        elif column == "phone":
            row.values[column] = phone_of(cell)
        else:
            row.values[column] = _text(column, cell)
    except PeerError as error:
        row.wrong.append(Wrong(error.code, column, error.detail))


def _text(column: str, cell: str) -> str:
    text = unicodedata.normalize("NFC", cell).strip()
    if len(text) > MOST[column]:
        raise PeerError("too_long", f"at most {MOST[column]} characters")
    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in text):
        raise PeerError("bad_text", "control characters are not allowed")
    return text


def _find_repeats(rows: Sequence[Row]) -> None:
    """The same id, telephone number and name, or student number twice: only the first is taken."""
    seen: dict[tuple[str, ...], int] = {}
    for row in rows:
        keys = [
            ("row_twice", "person", row.get("person")) if row.get("person") else (),
            ("row_twice", "identity", row.get("identity")) if row.get("identity") else (),
            ("row_twice", "phone", row.get("phone"), row.get("name")) if row.get("phone") else (),
            ("student_no_twice", "student_no", row.get("student_no")) if row.get("student_no") else (),
        ]
        for key in filter(None, keys):
            first = seen.setdefault(key, row.number)
            if first != row.number:
                row.wrong.append(Wrong(key[0], key[1], f"as in row {first}"))

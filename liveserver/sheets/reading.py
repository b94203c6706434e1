"""The first sheet of an XLSX file (ECMA-376 part 1, 18.3) as rows of texts: bounded, without macros.

An XLSX file is a ZIP of XML parts. What they hold is counted while it is unpacked, so that a bomb ends where
its bound is; a document type, which entities need, is refused.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import TypeAlias
from xml.parsers import expat

FILE_MOST = 2 << 20
ROWS_MOST = 2_001
COLUMNS_MOST = 50
CELL_MOST = 1_000
_PARTS_MOST = 500
_UNPACKED_MOST = 32 << 20
_STRINGS_MOST = 200_000
_REFERENCE = re.compile(r"([A-Z]{1,3})([1-9][0-9]{0,6})")

Cell: TypeAlias = str | None
"""A text; None for a formula, whatever it was last worth."""


class SheetError(Exception):
    """It is refused; `code` is stable (docs/PROTOCOL.md section 3a)."""

    def __init__(self, code: str):
        super().__init__(code)
        self.code = code


def read_xlsx(data: bytes) -> list[list[Cell]]:
    """Its rows from the first one on, each as long as its last cell. Raises `SheetError`."""
    if len(data) > FILE_MOST:
        raise SheetError("too_large")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as parts:
            return _read(parts)
    except (zipfile.BadZipFile, zlib.error, expat.ExpatError, KeyError, EOFError) as error:
        raise SheetError("bad_xlsx") from error
    except (NotImplementedError, RuntimeError, UnicodeError, OverflowError, LookupError, ValueError) as error:
        raise SheetError("bad_xlsx") from error  # encrypted, an unknown packing, an unknown encoding


def _read(parts: zipfile.ZipFile) -> list[list[Cell]]:
    names = parts.infolist()
    if len(names) > _PARTS_MOST or sum(part.file_size for part in names) > _UNPACKED_MOST:
        raise SheetError("too_large")
    if any(part.filename.lower().endswith("vbaproject.bin") for part in names):
        raise SheetError("macros")
    strings = _Strings()
    if "xl/sharedStrings.xml" in parts.namelist():
        _parse(_part(parts, "xl/sharedStrings.xml"), strings)
    sheet = _Sheet(strings.found)
    _parse(_part(parts, _first_sheet(parts)), sheet)
    return sheet.rows


def _part(parts: zipfile.ZipFile, name: str) -> bytes:
    with parts.open(name) as part:
        data = part.read(_UNPACKED_MOST + 1)
    if len(data) > _UNPACKED_MOST:
        raise SheetError("too_large")
    return data


def _first_sheet(parts: zipfile.ZipFile) -> str:
    """The part of the first sheet: by the workbook's list and its relationships."""
    book, links = _Attributes("sheet"), _Attributes("Relationship")
    _parse(_part(parts, "xl/workbook.xml"), book)
    _parse(_part(parts, "xl/_rels/workbook.xml.rels"), links)
    wanted = next((value for key, value in book.found[0].items() if key.endswith(":id")), "")
    target = next(link["Target"] for link in links.found if link.get("Id") == wanted)
    return target.removeprefix("/") if target.startswith("/") else f"xl/{target}"


class _Handler:
    """What a part's elements mean. Names come without their prefix."""

    def begin(self, name: str, attributes: dict[str, str]) -> None: ...

    def end(self, name: str) -> None: ...

    def text(self, text: str) -> None: ...


def _parse(data: bytes, handler: _Handler) -> None:
    parser = expat.ParserCreate()
    parser.buffer_text = True

    def refuse(*_: object) -> None:
        raise SheetError("bad_xlsx")

    def local(name: str) -> str:
        return name.rpartition(":")[2]

    begin: Callable[[str, dict[str, str]], None] = lambda name, found: handler.begin(local(name), found)  # noqa: E731
    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = begin
    parser.EndElementHandler = lambda name: handler.end(local(name))
    parser.CharacterDataHandler = handler.text
    parser.Parse(data, True)


class _Attributes(_Handler):
    """The attributes of every element of one name."""

    def __init__(self, name: str):
        self.found: list[dict[str, str]] = []
        self._name = name

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        if name == self._name and len(self.found) < _PARTS_MOST:
            self.found.append(attributes)


class _Strings(_Handler):
    """The shared texts; without how they are read aloud (`rPh`)."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._now: list[str] = []
        self._is_text = self._is_aloud = False

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        if name == "si":
            self._now = []
        elif name == "rPh":
            self._is_aloud = True
        elif name == "t":
            self._is_text = not self._is_aloud

    def end(self, name: str) -> None:
        if name == "si":
            if len(self.found) >= _STRINGS_MOST:
                raise SheetError("too_large")
            self.found.append("".join(self._now))
        elif name == "rPh":
            self._is_aloud = False
        elif name == "t":
            self._is_text = False

    def text(self, text: str) -> None:
        if self._is_text:
            self._now.append(text)


class _Sheet(_Handler):
    """The rows of one sheet."""

    def __init__(self, strings: list[str]):
        self.rows: list[list[Cell]] = []
        self._strings = strings
        self._kind = ""
        self._at = (0, 0)
        self._next = [0, 0]  # where a row or a cell without a reference stands
        self._text: list[str] = []
        self._is_text = self._is_formula = False

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        if name == "row":
            self._next = [int(attributes.get("r", self._next[0] + 1)), 0]
        elif name == "c":
            self._place(attributes.get("r"))
            self._kind = attributes.get("t", "n")
            self._text, self._is_formula = [], False
        elif name in ("v", "t"):
            self._is_text = True
        elif name == "f":
            self._is_formula = True

    def end(self, name: str) -> None:
        if name in ("v", "t"):
            self._is_text = False
        elif name == "c":
            self._put()

    def text(self, text: str) -> None:
        if self._is_text:
            self._text.append(text)

    def _place(self, reference: str | None) -> None:
        found = _REFERENCE.fullmatch(reference or "")
        if reference is not None and found is None:
            raise SheetError("bad_xlsx")
        if found is None:
            self._at = (self._next[0], self._next[1] + 1)
        else:
            column = 0
            for letter in found[1]:
                column = column * 26 + ord(letter) - 64
            self._at = (int(found[2]), column)
        self._next = list(self._at)

    def _put(self) -> None:
        value = None if self._is_formula else self._value()
        row, column = self._at
        if value == "":
            return
        if row > ROWS_MOST:
            raise SheetError("too_many_rows")
        if column > COLUMNS_MOST or (value is not None and len(value) > CELL_MOST):
            raise SheetError("too_large")
        while len(self.rows) < row:
            self.rows.append([])
        cells = self.rows[row - 1]
        cells += [""] * (column - len(cells))
        cells[column - 1] = value

    def _value(self) -> str:
        text = "".join(self._text)
        if self._kind == "s":
            return self._strings[int(text)]
        if self._kind in ("str", "inlineStr"):
            return text
        return _number(text) if self._kind == "n" else text


def _number(text: str) -> str:
    """A number as people write it: 1.38E10 is a telephone number."""
    try:
        number = Decimal(text or "0")
    except InvalidOperation:
        raise SheetError("bad_xlsx") from None
    if not text or not number.is_finite() or abs(number.adjusted()) > 30:
        return text
    return format(number.to_integral_value() if number == number.to_integral_value() else number, "f")

"""Tables that are uploaded: CSV as people save it, XLSX by a confined process, bombs."""

from __future__ import annotations

import io
import zipfile

import pytest
import xlsxwriter

from liveserver.core.errors import PeerError
from liveserver.people.spreadsheet import CSV, XLSX, Spreadsheets, csv_rows
from liveserver.sheets.reading import FILE_MOST, ROWS_MOST, SheetError, read_xlsx

CONTENT = '<w><row r="1"><c r="A1" t="inlineStr"><is><t>{}</t></is></c></row></w>'


def workbook(*rows: list[object], formula: bool = False) -> bytes:
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True})
    sheet = book.add_worksheet("名册")
    for number, row in enumerate(rows):
        sheet.write_row(number, 0, row)
    if formula:
        sheet.write_formula("C1", '=HYPERLINK("http://x")', value="harmless")
    book.add_worksheet("notes").write(0, 0, "not this one")
    book.close()
    return out.getvalue()


def packed(sheet: bytes | str, *, level: int = 6, **parts: bytes | str) -> bytes:
    """An XLSX file by hand."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as made:
        made.writestr("xl/workbook.xml", '<w xmlns:r="r"><sheets><sheet name="a" r:id="x"/></sheets></w>')
        made.writestr(
            "xl/_rels/workbook.xml.rels", '<r><Relationship Id="x" Target="worksheets/sheet1.xml"/></r>'
        )
        made.writestr("xl/worksheets/sheet1.xml", sheet)
        for name, content in parts.items():
            made.writestr(name.replace("__", "/"), content)
    return out.getvalue()


def code(data: bytes) -> str:
    with pytest.raises(SheetError) as caught:
        read_xlsx(data)
    return caught.value.code


class TestCsv:
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
    @pytest.mark.parametrize("delimiter", [",", ";", "\t"])
    def test_is_read_as_people_save_it(self, encoding: str, delimiter: str) -> None:
        text = f'姓名{delimiter}手机号\r\n"王{delimiter} ""伟"""{delimiter}138\n'
        assert csv_rows(text.encode(encoding)) == [["姓名", "手机号"], [f'王{delimiter} "伟"', "138"]]

    def test_takes_no_formula(self) -> None:
        assert csv_rows("姓名,手机号\n=1+1,+86138\n@x,y".encode())[1:] == [[None, "+86138"], [None, "y"]]

    @pytest.mark.parametrize(
        ("data", "refusal"),
        [
            (b"a\0b", "bad_encoding"),
            ("姓名".encode("utf-16"), "bad_encoding"),
            (b"\xff\xff", "bad_encoding"),
            (b'a\n"b', "bad_csv"),
            (b'a\n"b"c,d', "bad_csv"),
            (b"x\n" * (ROWS_MOST + 1), "too_many_rows"),
            (b"," * 60, "too_large"),
            (b"x" * (FILE_MOST + 1), "too_large"),
        ],
    )
    def test_that_is_none_is_refused_by_name(self, data: bytes, refusal: str) -> None:
        with pytest.raises(PeerError) as caught:
            csv_rows(data)
        assert (caught.value.code, caught.value.status) == (refusal, 422)


class TestXlsx:
    def test_is_its_first_sheet_as_people_read_it(self) -> None:
        rows = read_xlsx(workbook(["姓名", "手机号", "分"], ["王伟", 13800001234, 1.5], [], ["", "x"]))
        assert rows == [["姓名", "手机号", "分"], ["王伟", "13800001234", "1.5"], [], ["", "x"]]

    def test_takes_no_formula_whatever_it_was_worth(self) -> None:
        assert read_xlsx(workbook(["a", "b"], formula=True)) == [["a", "b", None]]

    def test_reads_runs_as_one_text_and_not_how_it_is_read_aloud(self) -> None:
        strings = "<sst><si><r><t>王</t></r><r><t>伟</t></r><rPh><t>ウ</t></rPh></si></sst>"
        sheet = '<w><row><c t="s"><v>0</v></c><c><v>1.38E10</v></c></row></w>'
        assert read_xlsx(packed(sheet, **{"xl__sharedStrings.xml": strings})) == [["王伟", "13800000000"]]

    def test_that_is_none_is_refused_by_name(self) -> None:
        assert code(b"") == "bad_xlsx"
        assert code(b"PK\x03\x04 no zip") == "bad_xlsx"
        assert code(workbook(["a"])[:-40]) == "bad_xlsx"
        assert code(packed("<w><row><c r='A1'><v>1</v>")) == "bad_xlsx"
        assert code(packed("<w><row><c r='1A'><v>1</v></c></row></w>")) == "bad_xlsx"
        assert code(packed("<w><row><c t='s'><v>9</v></c></row></w>")) == "bad_xlsx"
        assert code(packed("<w><row r='1048576'><c r='A1048576'><v>1</v></c></row></w>")) == "too_many_rows"
        assert code(packed("<w><row><c r='XFD1'><v>1</v></c></row></w>")) == "too_large"
        assert code(packed(CONTENT.format("a"), **{"xl__vbaProject.bin": b"x"})) == "macros"

    def test_that_is_a_bomb_ends_at_its_bound(self) -> None:
        assert code(packed(CONTENT.format(" " * (40 << 20)))) == "too_large"
        assert code(packed(CONTENT.format("a" * 5000))) == "too_large"
        entities = '<!DOCTYPE w [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><w>&b;</w>'
        assert code(packed(entities)) == "bad_xlsx"

    def test_cut_off_or_with_any_byte_changed_is_read_or_refused(self) -> None:
        data = workbook(["姓名", "手机号"], ["王伟", 138])
        for place in range(0, len(data), 37):
            for broken in (data[:place], data[:place] + bytes([data[place] ^ 0x55]) + data[place + 1 :]):
                try:
                    read_xlsx(broken)
                except SheetError as error:
                    assert error.code in ("bad_xlsx", "too_large", "too_many_rows", "macros")


class TestTheConfinedProcess:
    async def test_reads_a_file_and_refuses_a_bad_one_in_the_files_words(self) -> None:
        spreadsheets = Spreadsheets()
        assert await spreadsheets.rows(workbook(["姓名"], ["王伟"]), XLSX) == [["姓名"], ["王伟"]]
        assert await spreadsheets.rows("姓名\n王".encode(), CSV) == [["姓名"], ["王"]]
        with pytest.raises(PeerError) as caught:
            await spreadsheets.rows(packed(CONTENT.format(" " * (40 << 20))), XLSX)
        assert (caught.value.code, caught.value.status) == ("too_large", 422)

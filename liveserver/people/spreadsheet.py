"""A table that somebody uploads, as rows of texts: CSV here, XLSX by a confined process."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import io
import json
import socket
import sys

from liveserver.confined.environment import bare_environment
from liveserver.core.errors import PeerError
from liveserver.sheets.reading import COLUMNS_MOST, FILE_MOST, ROWS_MOST, Cell

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
CSV = "text/csv"

_COMMAND = (sys.executable, "-m", "liveserver.sheets")
_ANSWER_MOST = 16 << 20
_FILE_S = 30  # on the wall; the process itself bounds CPU time
_AT_ONCE = 2
_WAITING_MOST = 8
_SAID = {
    "too_large": "the table is too large",
    "too_many_rows": f"more than {ROWS_MOST - 1} rows",
    "macros": "files with macros are not taken",
    "bad_xlsx": "not an XLSX file that can be read",
}


class Spreadsheets:
    """Owned by the main loop. Each XLSX file has a process of its own (`liveserver.sheets`)."""

    def __init__(self) -> None:
        self._turn = asyncio.Semaphore(_AT_ONCE)
        self._waiting = 0

    async def rows(self, data: bytes, media_type: str) -> list[list[Cell]]:
        """Raises PeerError (422) `bad_encoding`, `bad_csv`, `bad_xlsx`, `macros`, `too_large`,
        `too_many_rows`; `busy` (503)."""
        if media_type == CSV:
            return csv_rows(data)
        if self._waiting >= _WAITING_MOST:
            raise PeerError("busy", "too many files wait to be read", status=503, retry_after_s=5)
        self._waiting += 1
        try:
            async with self._turn:
                return _rows_of(await _asked(data))
        finally:
            self._waiting -= 1


def csv_rows(data: bytes) -> list[list[Cell]]:
    """RFC 4180, by comma, semicolon or tab; UTF-8 with or without its mark, else GB18030."""
    text = _decoded(data)
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    found: list[list[Cell]] = []
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True):
            if len(found) >= ROWS_MOST:
                raise _refused("too_many_rows")
            if len(row) > COLUMNS_MOST:
                raise _refused("too_large")
            found.append([None if cell[:1] in ("=", "@") else cell for cell in row])
    except csv.Error as error:
        raise PeerError("bad_csv", f"row {len(found) + 1}: {error}", status=422) from error
    return found


def _decoded(data: bytes) -> str:
    if len(data) > FILE_MOST:
        raise _refused("too_large")
    for encoding in ("utf-8-sig", "gb18030"):
        with contextlib.suppress(UnicodeDecodeError):
            text = data.decode(encoding)
            if "\0" not in text:
                return text
    raise PeerError("bad_encoding", "UTF-8 or GB18030 is expected", status=422)


async def _asked(data: bytes) -> bytes:
    """What a process of its own says of the file; nothing when it ended without a word."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with theirs:
        process = await asyncio.create_subprocess_exec(
            *_COMMAND,
            stdin=theirs.fileno(),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            env=bare_environment(),
        )
    reader, writer = await asyncio.open_connection(sock=ours)
    try:
        async with asyncio.timeout(_FILE_S):
            writer.write(data)
            await writer.drain()
            writer.write_eof()
            return await _until_end(reader)
    except (OSError, TimeoutError):
        return b""
    finally:
        writer.close()
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _until_end(reader: asyncio.StreamReader) -> bytes:
    found = bytearray()
    while len(found) <= _ANSWER_MOST and (more := await reader.read(1 << 16)):
        found += more
    return bytes(found)


def _rows_of(answer: bytes) -> list[list[Cell]]:
    """The answer checked: nothing of the process is believed."""
    try:
        said = json.loads(answer)
        if isinstance(said, dict) and said.get("error") in _SAID:
            raise _refused(said["error"])
        rows = said["rows"]
        if len(rows) > ROWS_MOST or not all(_is_row(row) for row in rows):
            raise _refused("bad_xlsx")
    except (ValueError, KeyError, TypeError) as error:
        raise _refused("bad_xlsx") from error
    return list(rows)


def _is_row(row: object) -> bool:
    cells = isinstance(row, list) and len(row) <= COLUMNS_MOST
    return cells and all(cell is None or isinstance(cell, str) for cell in row)  # type: ignore[attr-defined]


def _refused(code: str) -> PeerError:
    return PeerError(code, _SAID[code], status=422)

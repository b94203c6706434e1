"""`python -m liveserver.sheets`, with one end of a socket pair as standard input: one file in, its rows out.

The answer is JSON: `{"rows": [[…]]}`, a formula as null, or `{"error": code}`. A file that takes more CPU
time or memory than one may ends the process.
"""

from __future__ import annotations

import io
import json
import resource
import socket
import sys
import zipfile
from pathlib import Path

from liveserver.confined.sandbox import confine
from liveserver.sheets.reading import FILE_MOST, SheetError, read_xlsx

_CPU_S = 10
_MEMORY_BYTES = 256 << 20  # beyond what Python takes
_READ_BYTES = 1 << 16


def answer(data: bytes) -> bytes:
    """What is said of a file."""
    try:
        return json.dumps({"rows": read_xlsx(data)}).encode()
    except SheetError as error:
        return json.dumps({"error": error.code}).encode()


def warm_up() -> None:
    """Everything once, while libraries may still load parts of themselves."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as parts:
        parts.writestr("xl/workbook.xml", '<w xmlns:r="x"><sheet r:id="a"/></w>')
        parts.writestr("xl/_rels/workbook.xml.rels", '<w><Relationship Id="a" Target="s.xml"/></w>')
        parts.writestr("xl/sharedStrings.xml", "<w><si><t>字</t></si></w>")
        parts.writestr("xl/s.xml", '<w><row r="1"><c r="A1" t="s"><v>0</v></c><c><v>1E2</v></c></row></w>')
    answer(packed.getvalue())
    answer(packed.getvalue()[:-30])


def main() -> int:
    """Entry point; returns the exit code."""
    warm_up()
    link = socket.socket(fileno=0)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    confine(memory_bytes=pages * resource.getpagesize() + _MEMORY_BYTES, cpu_s=_CPU_S)
    data = bytearray()
    while len(data) <= FILE_MOST and (more := link.recv(_READ_BYTES)):
        data += more
    link.sendall(answer(bytes(data)))
    return 0


if __name__ == "__main__":
    sys.exit(main())

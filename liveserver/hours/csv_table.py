"""A table as CSV that spreadsheets open rightly and run nothing of."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from liveserver.core.masking import guarded


def csv_bytes(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """UTF-8 with a byte order mark, RFC 4180; texts that begin like formulas are guarded."""
    out = io.StringIO()
    out.write("\ufeff")  # Excel takes it for UTF-8 then
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(heads)
    for row in rows:
        writer.writerow([guarded(str(value)) for value in row])
    return out.getvalue().encode()

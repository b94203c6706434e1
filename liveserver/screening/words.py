"""An operator's list as it is uploaded: which rows are right, and what is wrong with the others. Pure.

Rows of `sensitive` and `house` are those of `models.chat.lexicon`, CSV as well; a whitelist has a whole text
in each row.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, field

from liveserver.core.errors import PeerError
from liveserver.core.ledger import storable
from models.chat.folding import fold
from models.chat.labels import SENSITIVE
from models.chat.lexicon import EXCUSE, MAX_ERRORS, Entry, Lexicon, RowError, parse

WHITELIST = "whitelist"
CSV, TSV = "text/csv", "text/tab-separated-values"
MAX_WHITELISTED = 500
"""Characters of a whitelisted text: a chat line has no more."""
MAX_WHITELIST_ROWS = 20_000
_COLUMNS = 3


@dataclass(frozen=True, slots=True)
class Words:
    """A list that was read. `rows`: its canonical rows, in order; `texts` of a whitelist, by `form_of`."""

    name: str
    rows: tuple[str, ...] = ()
    entries: tuple[Entry, ...] = ()
    texts: frozenset[str] = frozenset()
    errors: tuple[RowError, ...] = field(default=(), compare=False)

    @property
    def body(self) -> str:
        return "".join(f"{row}\n" for row in self.rows)

    def lexicon(self) -> Lexicon:
        return Lexicon(self.name, self.entries)


def read(name: str, text: str, media_type: str) -> Words:
    """A list out of an upload, with what is wrong with its other rows. Never raises."""
    if name == WHITELIST:
        return _read_whitelist(text)
    rows = "\n".join(_tabbed(name, line, media_type) for line in text.split("\n"))
    entries, errors = parse(rows.encode("utf-8", "surrogatepass"))
    if name == SENSITIVE:
        errors += [
            RowError(0, "category", f"{entry.word}: this list takes {SENSITIVE} and {EXCUSE} only")
            for entry in entries
            if entry.category not in (SENSITIVE, EXCUSE)
        ]
    lines = sorted(f"{entry.word}\t{entry.category}\t{entry.severity:.4f}" for entry in entries)
    return Words(
        name,
        tuple(lines),
        tuple(sorted(entries, key=lambda one: (one.word, one.category))),
        errors=tuple(errors[:MAX_ERRORS]),
    )


def _tabbed(name: str, line: str, media_type: str) -> str:
    """A row as `models.chat.lexicon.parse` takes it; what is left out is sensitive, 1."""
    line = line.removesuffix("\r").removeprefix("\ufeff")
    if not line.strip() or line.startswith("#"):
        return ""
    try:
        cells = next(csv.reader([line]), []) if media_type == CSV else line.split("\t")
    except csv.Error:
        cells = [line, ""]
    cells = [cell.strip().replace("\t", " ") for cell in cells]
    while len(cells) > 1 and not cells[-1]:
        cells.pop()
    return "\t".join(cells + [SENSITIVE, "1"][len(cells) - 1 :] if len(cells) < _COLUMNS else cells)


def _read_whitelist(text: str) -> Words:
    rows: dict[str, str] = {}
    errors: list[RowError] = []
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        row = line.strip()
        if not row or row.startswith("#"):
            continue
        detail = _whitelist_fault(row, rows)
        if detail:
            errors.append(RowError(number, "word", detail))
        else:
            rows[form_of(row)] = row
        if len(errors) >= MAX_ERRORS or len(rows) > MAX_WHITELIST_ROWS:
            break
    if len(rows) > MAX_WHITELIST_ROWS:
        errors.append(RowError(0, "too_large", f"a whitelist has at most {MAX_WHITELIST_ROWS} texts"))
    return Words(WHITELIST, tuple(sorted(rows.values())), texts=frozenset(rows), errors=tuple(errors))


def _whitelist_fault(row: str, rows: dict[str, str]) -> str:
    try:
        storable(row)
    except PeerError as error:
        return error.detail
    if len(row) > MAX_WHITELISTED:
        return f"at most {MAX_WHITELISTED} characters are expected"
    form = form_of(row)
    if not form:
        return "nothing but signs"
    return "this text is there already, in this or another writing" if form in rows else ""


def form_of(text: str) -> str:
    """One text whatever its writing, but each number and account as it is: those make it another advert."""
    return "".join(fold(text).split())

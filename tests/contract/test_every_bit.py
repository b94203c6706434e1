"""Every bit of a ledger flipped (RELIABILITY E1): found, and its entry named, each of them.

Bits of one place in all entries are flipped together, one an entry, so that one look finds hundreds; the
report must name exactly the entries that were changed, and each of them. Some are flipped one at a time.
"""

from __future__ import annotations

import os
import random
import sqlite3
from pathlib import Path

import pytest

from liveserver.store import Fault, open_store, verify_ledger
from tests.contract.raw import RawSqlite
from tests.contract.test_ledger import fill

FULL = os.environ.get("RELIABILITY") == "full"
SIZE = 600
TEXTS, TIMES = ("type", "lesson", "data"), ("at_ms", "recorded_at_ms")
BITS_OF_A_TIME = 53
"""Of a whole number that JSON keeps (`core.ledger.WHOLE_MAX`)."""
ALONE = 15_000 if FULL else 30


class Flipped:
    """A copy of the ledger in which bits are flipped, and put back."""

    def __init__(self, url: str, sql: sqlite3.Connection) -> None:
        self.url = url
        self._sql = sql
        names = ", ".join([*(f"CAST({name} AS BLOB)" for name in TEXTS), *TIMES, "leaf"])
        rows = sql.execute(f"SELECT {names} FROM ledger ORDER BY entry_index").fetchall()
        self.rows = [dict(zip((*TEXTS, *TIMES, "leaf"), row, strict=True)) for row in rows]

    def places(self) -> list[tuple[str, int]]:
        """Column and number of each bit that any entry has."""
        widths = {name: max(len(row[name] or b"") for row in self.rows) * 8 for name in (*TEXTS, "leaf")}
        widths |= dict.fromkeys(TIMES, BITS_OF_A_TIME)
        return [(name, bit) for name, width in widths.items() for bit in range(width)]

    def having(self, name: str, bit: int) -> list[int]:
        """The entries that have this bit."""
        return [i for i, row in enumerate(self.rows) if name in TIMES or bit < len(row[name] or b"") * 8]

    def write(self, name: str, bit: int | None, entries: list[int]) -> None:
        """Flip the bit in these entries; None puts them back."""
        values = []
        for index in entries:
            value = self.rows[index][name]
            if bit is not None:
                value = value ^ 1 << bit if name in TIMES else _flip(value, bit)
            values.append((value, index))
        kept = "CAST(? AS TEXT)" if name in TEXTS else "?"
        self._sql.execute("BEGIN")
        self._sql.executemany(f"UPDATE ledger SET {name} = {kept} WHERE entry_index = ?", values)
        self._sql.execute("COMMIT")

    def renumber(self, old: int, new: int) -> None:
        self._sql.execute("UPDATE ledger SET entry_index = ? WHERE entry_index = ?", (new, old))


def _flip(value: bytes, bit: int) -> bytes:
    changed = bytearray(value)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


@pytest.fixture
async def flipped(tmp_path: Path) -> Flipped:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    store = await open_store(url)
    await fill(store, SIZE)
    await store.close()
    raw = RawSqlite(url)
    await raw.disarm()
    await raw.close()
    sql = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    sql.execute("PRAGMA synchronous = OFF")
    return Flipped(url, sql)


async def test_every_bit_of_every_entry_is_found_and_named(flipped: Flipped) -> None:
    """Without RELIABILITY=full one place in fifty."""
    places = flipped.places() if FULL else flipped.places()[::50]
    tried = 0
    for name, bit in places:
        entries = flipped.having(name, bit)
        flipped.write(name, bit, entries)
        found = (await verify_ledger(flipped.url)).faults
        named = [fault.index for fault in found if fault == Fault(fault.index, "altered")]
        assert named == entries, (name, bit)
        flipped.write(name, None, entries)
        tried += len(entries)
    assert (await verify_ledger(flipped.url)).ok
    print(f"{tried} bits of {SIZE} entries")


async def test_alone_it_is_the_first_thing_that_is_named(flipped: Flipped) -> None:
    choice = random.Random(1)
    for name, bit in choice.choices(flipped.places(), k=ALONE):
        index = choice.choice(flipped.having(name, bit))
        flipped.write(name, bit, [index])
        found = (await verify_ledger(flipped.url)).faults
        assert found[0] == Fault(index, "altered")
        assert all(fault.index <= index < fault.index + fault.count for fault in found)
        flipped.write(name, None, [index])


async def test_of_an_entry_s_number_leaves_a_gap_that_is_named(flipped: Flipped) -> None:
    """Bits that lead to a number which is free."""
    for index in range(0, SIZE, 1 if FULL else 60):
        for bit in range(10, 40) if FULL else (10, 39):
            flipped.renumber(index, index ^ 1 << bit)
            found = (await verify_ledger(flipped.url)).faults
            flipped.renumber(index ^ 1 << bit, index)
            named = {(fault.index, fault.problem) for fault in found}
            assert {(index, "missing"), (index ^ 1 << bit, "altered")} <= named

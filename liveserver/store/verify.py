"""Hash the whole ledger again and name what was altered.

Works on a database that is in use and on one whose ledger is too damaged to open. An entry that differs
from its own leaf is named exactly. Whoever altered the leaf as well is caught by the tile above it, which
names 256 entries, and whoever altered every hash, or cut off the end, by a head that was seen before and
kept outside; a witness that remembers leaf hashes names such entries exactly (RELIABILITY E1-E3).
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from liveserver.core import merkle
from liveserver.core.ledger import entry_leaf
from liveserver.store import database
from liveserver.store.guarding import weaknesses
from liveserver.store.ledger import TILE_HEIGHT, ended_tiles, stored_size
from liveserver.store.tables.ledger import LEDGER, LEDGER_HEADS, LEDGER_KEYS, LEDGER_TILES

FAULTS_MAX = 1000
"""The report ends here: by then the answer is known."""

_ROWS = 250  # one read: some 3 ms of the loop, which may be a live node's

Head = tuple[int, bytes]
"""Size and root hash, as `Store.head` gives them."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with entry `index` and the `count - 1` after it.

    `problem`: altered (the entry is not what its leaf was made of), missing, tile (the entries are not
    what the stored subtree hash was made of), tile_missing, head (the ledger up to there is not what was
    seen; what fits an earlier head is left out), truncated (it was seen longer), unreadable, rewritten (a
    witness remembers another leaf).
    """

    index: int
    problem: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class Verification:
    """The result. `faults` begins with those that name one entry and goes on to the wider ones.

    `root` is recomputed from the stored leaves, up to the first missing entry.
    """

    size: int
    root: bytes
    faults: Sequence[Fault]

    @property
    def ok(self) -> bool:
        return not self.faults


Remembered = Callable[[int], Sequence[bytes] | None]
"""Leaf hashes of entries n x 256 … as a witness remembers them, fewer at the end, None where it does not."""


def _nothing(number: int) -> None:
    """Nobody remembers."""


async def verify_ledger(
    url: str, heads: Iterable[Head] = (), remembered: Remembered = _nothing
) -> Verification:
    """Recompute every leaf and subtree of the ledger at `url` and compare, also with `heads` seen before and
    with what a witness remembers.

    Changes nothing and takes no lock. Raises StoreError if the database cannot be opened at all.
    """
    engine = database.connect(url)
    database.require_file(engine)
    try:
        with database.failures_named():
            return await _verify(engine, heads, remembered)
    finally:
        await engine.dispose()


async def _verify(engine: AsyncEngine, heads: Iterable[Head], remembered: Remembered) -> Verification:
    async with engine.connect() as connection:
        size = await stored_size(connection)
        check = _Check(size, heads, await _stored_tiles(connection, size), remembered)
        try:
            async for row in _rows(connection, size):
                check.entry(row)
        except sa.exc.SQLAlchemyError:
            check.unreadable()
        return check.result()


class _Check:
    """The tree as it grows again out of the entries, beside what is stored."""

    def __init__(
        self,
        size: int,
        heads: Iterable[Head],
        tiles: dict[tuple[int, int], bytes],
        remembered: Remembered,
    ):
        self.frontier = merkle.Frontier()
        self._faults: list[Fault] = []
        self._size = size
        self._heads: dict[int, set[bytes]] = {}
        for seen, root in heads:
            self._heads.setdefault(seen, set()).add(root)
        self._tiles = tiles
        self._remembered = remembered
        self._known: Sequence[bytes] = ()
        self._known_tile = -1
        self._fitted = 0  # so many entries fit a head
        self._parted = False  # a head was found that does not fit: no later one can
        self._next = 0
        self._whole = True

    def fault(self, index: int, problem: str, count: int = 1) -> None:
        if len(self._faults) < FAULTS_MAX:
            self._faults.append(Fault(index, problem, count))

    def entry(self, row: sa.RowMapping) -> None:
        """Take the next stored entry into the tree."""
        index = row["entry_index"]
        if index != self._next:
            self.fault(self._next, "missing", index - self._next)
            self._whole = False
        self._next = index + 1
        leaf = bytes(row["leaf"])
        if _leaf(row) != leaf:
            self.fault(index, "altered")
        elif self._witnessed(index) not in (None, leaf):
            self.fault(index, "rewritten")
        if self._whole:
            self._grow(leaf)

    def unreadable(self) -> None:
        """The database gave up at the next entry."""
        self.fault(self._next, "unreadable", self._size - self._next)
        self._whole = False

    def result(self) -> Verification:
        """What was found. Beyond a missing entry there is no tree to compare, only entries."""
        if self._whole:
            for level, position in self._tiles:
                width = 1 << (level * TILE_HEIGHT)
                self.fault(position * width, "tile", width)
        for seen in self._heads:
            if seen > self._size:
                self.fault(self._size, "truncated", seen - self._size)
        faults = sorted(self._faults, key=lambda fault: (fault.count, fault.index))
        return Verification(self._size, self.frontier.root(), tuple(faults))

    def _witnessed(self, index: int) -> bytes | None:
        """The leaf that a witness remembers."""
        number, place = divmod(index, 1 << TILE_HEIGHT)
        if number != self._known_tile:
            self._known, self._known_tile = self._remembered(number) or (), number
        return self._known[place] if place < len(self._known) else None

    def _grow(self, leaf: bytes) -> None:
        index = self.frontier.size
        ended = self.frontier.append(leaf)
        for tile in ended_tiles(index, ended):
            stored = self._tiles.pop((tile["level"], tile["position"]), None)
            if stored != tile["hash"]:
                width = 1 << (tile["level"] * TILE_HEIGHT)
                self.fault(index + 1 - width, "tile" if stored else "tile_missing", width)
        seen = self._heads.get(self.frontier.size)
        if seen is None or self._parted:
            return
        if seen == {self.frontier.root()}:
            self._fitted = self.frontier.size
        else:
            self._parted = True
            self.fault(self._fitted, "head", self.frontier.size - self._fitted)


def _leaf(row: sa.RowMapping) -> bytes | None:
    """The leaf the row's columns should have, or None when they can have none."""
    try:
        lesson = row["lesson"]
        return entry_leaf(
            row["entry_index"],
            row["type"].decode(),
            None if lesson is None else lesson.decode(),
            row["at_ms"],
            row["recorded_at_ms"],
            row["data"].decode(),
        )
    except UnicodeDecodeError:
        return None


async def _stored_tiles(connection: AsyncConnection, size: int) -> dict[tuple[int, int], bytes]:
    """The tiles over the first `size` entries, not those that came since: one for 256 entries.

    A hundred million entries have some 60 MB of them.
    """
    rows = await connection.execute(sa.select(LEDGER_TILES))
    return {
        (row.level, row.position): bytes(row.hash)
        for row in rows
        if (row.position + 1) << (row.level * TILE_HEIGHT) <= size
    }


async def _rows(connection: AsyncConnection, size: int) -> AsyncIterator[sa.RowMapping]:
    """The entries below `size` in order, texts as the bytes that are stored."""
    sqlite = connection.dialect.name == "sqlite"

    def raw(column: sa.Column[Any]) -> sa.ColumnElement[Any]:
        # Flipped bits may be no UTF-8: that is for us to find, not for the driver to stumble over.
        stored = sa.cast(column, sa.LargeBinary) if sqlite else sa.func.convert_to(column, "UTF8")
        return stored.label(column.name)

    c = LEDGER.c
    columns = (c.entry_index, raw(c.type), raw(c.lesson), c.at_ms, c.recorded_at_ms, raw(c.data), c.leaf)
    after = -1
    while True:
        query = sa.select(*columns).where(c.entry_index > after, c.entry_index < size)
        page = (await connection.execute(query.order_by(c.entry_index).limit(_ROWS))).mappings().all()
        if not page:
            return
        for row in page:
            yield row
        after = page[-1]["entry_index"]


@dataclass(frozen=True, slots=True)
class SignedRows:
    """What beside the entries is to be checked: documents as they are stored, and what guards them."""

    keys: Sequence[Mapping[str, Any]]
    heads: Sequence[Mapping[str, Any]]
    weaknesses: Sequence[str]


async def signed_rows(url: str) -> SignedRows:
    """The log's keys and heads at `url`, unchecked, and what would let them be changed. Raises StoreError."""
    engine = database.connect(url)
    database.require_file(engine)
    try:
        with database.failures_named():
            async with engine.connect() as connection:
                keys = await _documents(connection, LEDGER_KEYS)
                heads = await _documents(connection, LEDGER_HEADS)
                return SignedRows(keys, heads, await weaknesses(connection))
    finally:
        await engine.dispose()


async def _documents(connection: AsyncConnection, table: sa.Table) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    for text in await connection.scalars(sa.select(table.c.document).order_by(table.c.number)):
        try:
            document = json.loads(text)
        except ValueError:
            document = {}
        found.append(document if isinstance(document, dict) else {})
    return found

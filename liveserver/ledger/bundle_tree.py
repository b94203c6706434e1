"""The hashes of what lies between told entries, read from the ledger: few rows for however much it is."""

from __future__ import annotations

from liveserver.core.bundle.cover import Cover, aligned
from liveserver.core.merkle import tree_root
from liveserver.store import Store

_AT_ONCE = 4096
_TILE = 256


class Between:
    """Hides ranges of a ledger of `size` entries, from the left to the right."""

    def __init__(self, store: Store, size: int):
        self._store = store
        self._size = size
        self._first = 0
        self._leaves: list[bytes] = []

    async def hide(self, cover: Cover, start: int, end: int) -> None:
        """Leaves `start` to `end` (not included) into `cover`."""
        for first, last in aligned(start, end):
            if last - first >= _TILE:
                (node,) = await self._store.subtrees([(first, last)])
            else:
                node = tree_root(await self._some(first, last))
            cover.hidden(first, last, node)

    async def _some(self, first: int, last: int) -> list[bytes]:
        """Leaves of one tile, from the page they are on."""
        begin = first - self._first
        if begin < 0 or last > self._first + len(self._leaves):
            self._first = first - first % _TILE
            self._leaves = await self._store.leaves(self._first, min(self._first + _AT_ONCE, self._size))
            begin = first - self._first
        return self._leaves[begin : begin + last - first]

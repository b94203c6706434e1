"""Many leaves of the Merkle tree proven at once: those that are told, and hashes over all that are not.

From the left to the right the ledger is a row of units: a told entry with its leaf, or a complete subtree of
entries that are not told with its hash, as large as can be. All units together give the root (RFC 6962 2.1),
so each told entry stands at its place under that head, and an audit path (RFC 9162 2.1.3) for any of them can
be made of the others. A lesson's own file needs one line for each of its entries and a few for each gap.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from liveserver.core.merkle import EMPTY_ROOT, node_hash


@dataclass(frozen=True, slots=True)
class Unit:
    """Leaves `start` to `end` (not included) as one hash. `told`: it is one entry, which is shown."""

    start: int
    end: int
    hash: bytes
    told: bool = False


def unit_text(unit: Unit) -> bytes:
    """Its line in `tree.jsonl`, canonical JSON."""
    node = unit.hash.hex()
    if unit.told:
        return f'{{"hash":"{node}","index":{unit.start}}}\n'.encode()
    return f'{{"end":{unit.end},"hash":"{node}","start":{unit.start}}}\n'.encode()


def aligned(start: int, end: int) -> Iterator[tuple[int, int]]:
    """The complete subtrees, as large as can be, that together are leaves `start` to `end`.

    >>> list(aligned(3, 9))
    [(3, 4), (4, 8), (8, 9)]
    """
    while start < end:
        width = 1 << ((end - start).bit_length() - 1)
        if start:
            width = min(width, start & -start)
        yield start, start + width
        start += width


class Cover:
    """Makes units of what comes from the left: `told` entries at once, what lies between when it is whole."""

    def __init__(self) -> None:
        self._between: list[Unit] = []

    def told(self, index: int, leaf: bytes) -> list[Unit]:
        """A shown entry; what stood before it."""
        return [*self.rest(), Unit(index, index + 1, leaf, told=True)]

    def hidden(self, start: int, end: int, node: bytes) -> None:
        """A complete subtree that is not shown, next to the one before."""
        unit = Unit(start, end, node)
        while self._between:
            left, width = self._between[-1], unit.end - unit.start
            if left.end - left.start != width or left.start % (2 * width):
                break
            self._between.pop()
            unit = Unit(left.start, unit.end, node_hash(left.hash, unit.hash))
        self._between.append(unit)

    def rest(self) -> list[Unit]:
        """What is hidden and was not given yet."""
        units, self._between = self._between, []
        return units


class Root:
    """The root over units as they come. At most 64 hashes are kept."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[tuple[int, bytes]] = []

    def add(self, unit: Unit) -> bool:
        """Take the next; False if it is not the next, or no complete subtree stands there."""
        width = unit.end - unit.start
        if unit.start != self.size or width <= 0 or width & (width - 1) or unit.start % width:
            return False
        node = unit.hash
        while self._peaks and self._peaks[-1][0] == width:
            node, width = node_hash(self._peaks.pop()[1], node), 2 * width
        self._peaks.append((width, node))
        self.size = unit.end
        return True

    def hash(self) -> bytes:
        if not self._peaks:
            return EMPTY_ROOT
        node = self._peaks[-1][1]
        for _, peak in reversed(self._peaks[:-1]):
            node = node_hash(peak, node)
        return node

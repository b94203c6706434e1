"""The Merkle tree of the ledger: hashing of RFC 6962 section 2.1, proofs of RFC 9162 section 2.1.

Leaves and nodes are SHA-256, told apart by a prefix byte, so no inner node can pass for an entry:

    leaf    SHA-256(0x00 || entry)
    node    SHA-256(0x01 || left || right)
    empty   SHA-256()

A proof is a list of subtree hashes. What to hash is separate from where hashes come from: the functions
`inclusion_ranges` and `consistency_ranges` name half-open ranges of leaves, `Frontier` hashes them as
they grow. Sizes and indexes are counts of leaves, 0-based; hashes are 32 bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256

HASH_BYTES = 32
EMPTY_ROOT = sha256().digest()

Range = tuple[int, int]
"""Leaves `start` (included) to `end` (not included)."""


def leaf_hash(entry: bytes) -> bytes:
    """The leaf of one entry."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The node over two subtrees."""
    return sha256(b"\x01" + left + right).digest()


class Frontier:
    """A growing tree, as the hashes of its complete subtrees: at most 64 of them, largest first.

    With 7 leaves it holds three: leaves 0-3, leaves 4-5, leaf 6.
    """

    __slots__ = ("_peaks", "size")

    def __init__(self, size: int = 0, peaks: Sequence[bytes] = ()):
        if len(peaks) != size.bit_count():
            raise ValueError(f"{size} leaves have {size.bit_count()} complete subtrees, not {len(peaks)}")
        self.size = size
        self._peaks = list(peaks)

    def copy(self) -> Frontier:
        """The same tree, to grow apart."""
        return Frontier(self.size, self._peaks)

    def append(self, leaf: bytes) -> list[bytes]:
        """Add one leaf; return the complete subtrees it ends, those of 1, 2, 4, … leaves.

        The eighth leaf ends four: itself, leaves 6-7, leaves 4-7 and leaves 0-7.
        """
        if len(leaf) != HASH_BYTES:
            raise ValueError(f"a leaf has {HASH_BYTES} bytes, not {len(leaf)}")
        ended = [leaf]
        size = self.size
        while size & 1:
            ended.append(node_hash(self._peaks.pop(), ended[-1]))
            size >>= 1
        self._peaks.append(ended[-1])
        self.size += 1
        return ended

    def root(self) -> bytes:
        """The tree's head (RFC 6962 2.1: MTH)."""
        if not self._peaks:
            return EMPTY_ROOT
        node = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            node = node_hash(peak, node)
        return node


def tree_root(leaves: Iterable[bytes]) -> bytes:
    """The head over leaf hashes."""
    frontier = Frontier()
    for leaf in leaves:
        frontier.append(leaf)
    return frontier.root()


def complete_subtrees(start: int, end: int) -> list[Range]:
    """The complete, aligned subtrees that together are leaves `start` to `end`, left to right.

    `start` is a multiple of the smallest power of two that covers the range, as in every range of a proof.
    """
    parts = []
    while start < end:
        width = 1 << ((end - start).bit_length() - 1)
        parts.append((start, start + width))
        start += width
    return parts


def join_subtrees(hashes: Sequence[bytes]) -> bytes:
    """The hash over what `complete_subtrees` listed, in its order; at least one."""
    node = hashes[-1]
    for left in reversed(hashes[:-1]):
        node = node_hash(left, node)
    return node


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """The subtrees whose hashes prove that leaf `index` is in the tree of `size` leaves, nearest first.

    RFC 9162 2.1.3.1. Raises ValueError unless 0 <= index < size.
    """
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not in a tree of {size}")
    ranges: list[Range] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    return ranges[::-1]


def consistency_ranges(first: int, second: int) -> list[Range]:
    """The subtrees whose hashes prove that the tree of `second` leaves begins with that of `first`.

    RFC 9162 2.1.4.1; empty for equal sizes, and for `first` 0, which every tree begins with.
    Raises ValueError unless 0 <= first <= second.
    """
    if not 0 <= first <= second:
        raise ValueError(f"a tree of {second} leaves does not begin with {first}")
    if first in (0, second):
        return []
    ranges: list[Range] = []
    start, end = 0, second
    while end != first:
        middle = start + _split(end - start)
        if first <= middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    if start:
        # The verifier has no hash of its own to begin with: the first tree is not one complete subtree.
        ranges.append((start, end))
    return ranges[::-1]


def verify_inclusion(index: int, size: int, leaf: bytes, path: Sequence[bytes], root: bytes) -> bool:
    """Whether `path` proves that `leaf` is number `index` of the `size` leaves under `root`.

    RFC 9162 2.1.3.2. Anything malformed is False.
    """
    if not 0 <= index < size or not _are_hashes((leaf, root, *path)):
        return False
    node, position, last = leaf, index, size - 1
    for sibling in path:
        if last == 0:
            return False
        if position & 1 or position == last:
            node = node_hash(sibling, node)
            while not position & 1 and position:
                position >>= 1
                last >>= 1
        else:
            node = node_hash(node, sibling)
        position >>= 1
        last >>= 1
    return last == 0 and node == root


def verify_consistency(
    first: int, second: int, first_root: bytes, second_root: bytes, path: Sequence[bytes]
) -> bool:
    """Whether `path` proves that the tree of `second` leaves begins with the tree of `first`.

    RFC 9162 2.1.4.2. Anything malformed is False. Equal sizes need equal roots and no path; the empty
    tree begins every tree, with its own root and no path.
    """
    if not 0 <= first <= second or not _are_hashes((first_root, second_root, *path)):
        return False
    if first == second:
        return not path and first_root == second_root
    if first == 0:
        return not path and first_root == EMPTY_ROOT
    if not path:
        return False
    # A first tree that is one complete subtree is its own first node and is not in the path.
    nodes = [first_root, *path] if first & (first - 1) == 0 else list(path)
    position, last = first - 1, second - 1
    while position & 1:
        position >>= 1
        last >>= 1
    old = new = nodes[0]
    for node in nodes[1:]:
        if last == 0:
            return False
        if position & 1 or position == last:
            old = node_hash(node, old)
            new = node_hash(node, new)
            while not position & 1 and position:
                position >>= 1
                last >>= 1
        else:
            new = node_hash(new, node)
        position >>= 1
        last >>= 1
    return last == 0 and old == first_root and new == second_root


def _split(leaves: int) -> int:
    """The largest power of two below `leaves`, which are two or more."""
    return 1 << ((leaves - 1).bit_length() - 1)


def _are_hashes(values: Iterable[bytes]) -> bool:
    return all(len(value) == HASH_BYTES for value in values)

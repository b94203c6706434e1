"""Every change of one byte of a bundle, tried with the checker itself, in processes side by side."""

from __future__ import annotations

import io
import multiprocessing
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from liveserver.core.bundle.archive import Reader
from liveserver.core.bundle.check import check
from liveserver.core.bundle.files import members
from liveserver.ledger.signing import verify

Change = tuple[int, int]
"""Which byte, and the bits of it that are flipped."""

PROCESSES = 2
_AT_ONCE = 500
_bundle = b""


def a_bit_of_each(data: bytes) -> Iterator[Change]:
    """One bit of every byte, another one from byte to byte."""
    return ((at, 1 << at % 8) for at in range(len(data)))


def every_bit_but_the_checkers_own(data: bytes) -> Iterator[Change]:
    """Every bit of every byte that is not the text of the checker, which is the same in every bundle."""
    own = {name for name, _ in members()}
    place = 0
    for member in Reader(io.BytesIO(data)).members.values():
        end = member.content + (0 if member.name in own else member.size)
        yield from _bits(place, end)
        place = member.content + member.size
    yield from _bits(place, len(data))


def accepted(data: bytes, changes: Iterable[Change]) -> list[Change]:
    """Those changes after which the bundle still fits: there must be none."""
    found = []
    for at, bits in changes:
        changed = bytearray(data)
        changed[at] ^= bits
        if check(io.BytesIO(changed), verify=verify).fits:
            found.append((at, bits))
    return found


def accepted_side_by_side(data: bytes, changes: Iterator[Change]) -> list[Change]:
    """The same, in `PROCESSES` processes."""
    some = iter(lambda: list(islice(changes, _AT_ONCE)), [])
    context = multiprocessing.get_context("spawn")
    with context.Pool(PROCESSES, _keep, (data,)) as pool:
        return [change for found in pool.imap_unordered(_accepted, some) for change in found]


def _bits(start: int, end: int) -> Iterator[Change]:
    return ((at, 1 << bit) for at in range(start, end) for bit in range(8))


def _keep(data: bytes) -> None:
    global _bundle  # noqa: PLW0603 - a process of the pool has one
    _bundle = data


def _accepted(changes: Sequence[Change]) -> list[Change]:
    return accepted(_bundle, changes)

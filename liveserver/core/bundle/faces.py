"""Do two bundles show one ledger with two faces (REL-E4)? Each may fit by itself.

Whatever complete subtree of entries both have a hash of, and the heads where they are of one size, must be
the same: a ledger only grows. Different hashes under two heads that the log signed are the proof that it told
two people different things; both bundles together are the evidence.
"""

from __future__ import annotations

from typing import BinaryIO

from liveserver.core.bundle import form
from liveserver.core.bundle.check import unit_of
from liveserver.core.bundle.reading import Bundle
from liveserver.core.heads import Head


def two_faces(one: BinaryIO, other: BinaryIO) -> str:
    """Where they differ, in words; "" if they do not contradict each other. Both must fit by themselves.

    Bundles of different logs say nothing of each other.
    """
    bundles = Bundle(one), Bundle(other)
    first, second = (Head.read(bundle.object(form.HEAD)["head"]) for bundle in bundles)
    if first.log != second.log:
        return ""
    if first.size == second.size and first.root != second.root:
        return f"over {first.size} entries the log signed two different roots"
    hashes = {}
    for number, line in enumerate(bundles[0].raw_lines(form.TREE), start=1):
        unit = unit_of(line, number)
        hashes[unit.start, unit.end] = unit.hash
    for number, line in enumerate(bundles[1].raw_lines(form.TREE), start=1):
        unit = unit_of(line, number)
        if hashes.get((unit.start, unit.end), unit.hash) != unit.hash:
            return f"the entries {unit.start} to {unit.end - 1} are not the same in both"
    return ""

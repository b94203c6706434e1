"""The ledger checked as a whole: entries, signed heads, keys, the database's own guards, and a witness.

`python -m liveserver.ledger.check` does it in a process of its own for the node's self-audit and prints the
report as JSON; `liveserver ledger verify` prints it in words. Nothing is changed.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from liveserver.config import Config, load
from liveserver.core import heads
from liveserver.core.heads import Head, HeadError, LogKey
from liveserver.ledger import signing
from liveserver.ledger.witness_bucket import BucketMemory
from liveserver.ledger.witnesses import witness_bucket_of
from liveserver.store import StoreError, signed_rows, verify_ledger
from recorder.objects import ObjectError
from recorder.s3 import S3Store

TILE = 256


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that does not fit. `index` and `count` name entries, where it is about entries."""

    problem: str
    detail: str
    index: int | None = None
    count: int = 0

    def words(self) -> str:
        """For somebody who reads no code."""
        said = _WORDS.get(self.problem, self.detail)
        if self.index is None:
            return said.format(detail=self.detail)
        last = self.index + self.count - 1
        which = f"Entry {self.index}" if self.count <= 1 else f"Entries {self.index} to {last}"
        return f"{which}: {said.format(detail=self.detail)}"


_WORDS = {
    "altered": "what it says is not what was written. It was changed in the database.",
    "missing": "not there. Somebody has deleted it.",
    "tile": "one or more of them were replaced, with their hashes. A witness with leaves can name which.",
    "tile_missing": "the hash over them was deleted.",
    "head": "what stands there is not what was signed. The history was rewritten somewhere in this range.",
    "truncated": "cut off. They were there when a head was signed, and are gone.",
    "unreadable": "the database cannot read it.",
    "rewritten": "what stands there was put in its place later: the witness remembers something else.",
}


@dataclass(frozen=True, slots=True)
class Report:
    """What was found. `witness`: how many entries a witness's newest head vouches for, None without one."""

    log: str | None
    size: int
    root: str
    heads: int
    witness: int | None
    findings: Sequence[Finding] = field(default_factory=tuple)
    weaknesses: Sequence[str] = field(default_factory=tuple)

    @property
    def ok(self) -> bool:
        """Nothing was altered. What only *could* be is in `weaknesses`."""
        return not self.findings

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"ok": self.ok}


async def check_ledger(url: str, log: str | None = None, memory_of: MemoryOf | None = None) -> Report:
    """Check the ledger at `url`. `log`: the id it must have; `memory_of` opens what a witness remembers.

    Raises StoreError if the database cannot be opened, OSError if the witness is away.
    """
    rows = await signed_rows(url)
    findings: list[Finding] = []
    keys, known = _keys(rows.keys, log, findings)
    seen = _signed(rows.heads, known, findings)
    memory = memory_of(keys[0].log) if memory_of and keys else None
    witnessed = _witnessed(memory, known, {head.size: head for head in seen}, findings) if memory else []
    every = [(head.size, bytes.fromhex(head.root)) for head in (*seen, *witnessed)]
    largest = max((head.size for head in witnessed), default=0)

    def remembered(number: int) -> Sequence[bytes] | None:
        if memory is None or number * TILE >= largest:
            return None
        try:
            return memory.leaves(number, min(TILE, largest - number * TILE))
        except ObjectError as error:
            detail = f"the witness lacks leaves: {error.code}"
            findings.append(Finding("witness_gap", detail, number * TILE, TILE))
            return None

    found = await verify_ledger(url, every, remembered)
    findings += [Finding(fault.problem, "", fault.index, fault.count) for fault in found.faults]
    return Report(
        keys[0].log if keys else None,
        found.size,
        found.root.hex(),
        len(seen),
        largest if memory else None,
        tuple(findings),
        tuple(rows.weaknesses),
    )


MemoryOf = Callable[[str], BucketMemory]


def _keys(
    documents: Sequence[Mapping[str, Any]], log: str | None, findings: list[Finding]
) -> tuple[list[LogKey], dict[str, bytes]]:
    try:
        keys = [LogKey.read(document) for document in documents]
        if not keys:
            return [], {}
        if log is not None and keys[0].log != log:
            findings.append(Finding("another_log", f"this is the log {keys[0].log}, not {log}"))
        return keys, heads.follow(keys[0].log, keys, signing.verify)
    except HeadError as error:
        findings.append(Finding("key", f"The log's keys do not follow one another: {error}."))
        return [], {}


def _signed(
    documents: Sequence[Mapping[str, Any]], keys: Mapping[str, bytes], findings: list[Finding]
) -> list[Head]:
    """The stored heads whose signatures fit, each one naming the head before it."""
    good: list[Head] = []
    previous: str | None = None
    for number, document in enumerate(documents):
        try:
            head = Head.read(document)
            heads.check(head, keys, verify=signing.verify)
        except HeadError as error:
            findings.append(Finding("head_signature", f"Signed head {number} was altered: {error}."))
            continue
        if head.previous != previous:
            detail = f"Before signed head {number} a head was taken away or put in."
            findings.append(Finding("head_chain", detail))
        previous = head.hash()
        good.append(head)
    return good


def _witnessed(
    memory: BucketMemory, keys: Mapping[str, bytes], stored: Mapping[int, Head], findings: list[Finding]
) -> list[Head]:
    """The heads that the witness remembers, with signatures that fit."""
    good: list[Head] = []
    for one in memory.heads():
        try:
            head = Head.read(one["head"])
            heads.check(head, keys, verify=signing.verify)
        except HeadError as error:
            findings.append(Finding("witness_head", f"A head that the witness holds does not fit: {error}."))
            continue
        ours = stored.get(head.size)
        if ours is not None and heads.contradict(ours, head):
            detail = json.dumps([ours.document(), head.document()])
            findings.append(Finding("two_faces", f"Two signed heads of {head.size} entries differ: {detail}"))
        elif ours is None:
            findings.append(Finding("head_missing", f"The head over {head.size} entries was taken away."))
        good.append(head)
    return good


def memory_opener(config: Config) -> MemoryOf | None:
    """How to open what the configured bucket remembers. Raises ConfigError."""
    settings = witness_bucket_of(config.witness)
    return None if settings is None else lambda log: BucketMemory(S3Store(settings), log)


def main() -> int:
    """0 with a report on standard output, 1 with a reason on standard error."""
    config = load(env=os.environ)
    try:
        report = asyncio.run(check_ledger(config.store, None, memory_opener(config)))
    except (StoreError, ObjectError, OSError) as error:
        print(error, file=sys.stderr)  # noqa: T201 - read by the node
        return 1
    print(json.dumps(report.as_json()))  # noqa: T201 - read by the node
    return 0


if __name__ == "__main__":
    sys.exit(main())

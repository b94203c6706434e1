"""What the ledger costs: `python -m tests.contract.cost`, 100,000 entries in a SQLite file, CPU time."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

from liveserver.ledger.check import check_ledger
from liveserver.ledger.signing import Key
from tests.contract.test_check import SIZE, made


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        large = await made(Path(folder), SIZE)
        began = time.process_time()
        report = await check_ledger(f"sqlite:///{folder}/store.db", None, lambda log: large.witness)
        spent = time.process_time() - began
        assert report.ok
        print(f"check: {spent:.2f} s, {SIZE / spent:,.0f} entries/s")
        key, count = Key(bytes(32)), 2000
        began = time.process_time()
        for _ in range(count):
            key.sign(large.witness.head)
        print(f"sign a head or receipt: {(time.process_time() - began) / count * 1e6:.0f} us")


if __name__ == "__main__":
    asyncio.run(main())

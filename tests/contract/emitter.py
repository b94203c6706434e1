"""A process that keeps facts and says which were acknowledged, to be killed: `emitter.py URL JOURNAL`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from liveserver.core.ledger import Fact
from liveserver.store import keeping, open_store

CALLERS = 4


async def main(url: str, journal: Path) -> None:
    keeping.WITHIN_S = 0.5
    store = await open_store(url, journal=journal)
    sys.stdout.write("ready\n")
    sys.stdout.flush()

    async def caller(name: int) -> None:
        for step in range(1_000_000):
            fact = Fact("step", f"lesson-{name}", step, {"caller": name, "step": step})
            await store.keep(f"{name}-{step}", [fact])
            sys.stdout.write(f"{name} {step} {int(store.away)}\n")
            sys.stdout.flush()

    await asyncio.gather(*(caller(name) for name in range(CALLERS)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))

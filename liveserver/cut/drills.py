"""Drills of the kill switch as evidence: what viewers saw, and what the server measured of the same cuts."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from liveserver import shapes
from liveserver.clock import Clock
from liveserver.core.drill import summary
from liveserver.core.errors import PeerError
from liveserver.core.ledger import JSON, Fact
from liveserver.core.measured import Measured
from liveserver.core.messages import Json
from liveserver.store import Drill, Store


class Drills:
    """On the main loop."""

    def __init__(self, store: Store, clock: Clock):
        self._store = store
        self._clock = clock

    async def keep(
        self,
        lesson: str,
        by: str,
        level: str,
        viewers: int,
        seen_udp_us: Sequence[int],
        seen_tcp_us: Sequence[int],
    ) -> Json:
        """A fact and a row of what a drill has seen, one value a round of each transport there was.

        Raises PeerError unknown_lesson (404), bad_request.
        """
        await self._store.lessons.known(lesson)
        rounds = max(len(seen_udp_us), len(seen_tcp_us))
        if not rounds or any(len(seen) not in (0, rounds) for seen in (seen_udp_us, seen_tcp_us)):
            raise PeerError("bad_request", "one value a round is expected of each transport")
        rows, _ = await self._store.cuts.of(lesson, None, rounds)
        measured = [Measured.from_json(row.measured) for row in rows if row.measured and row.level == level]
        times = summary(seen_udp_us, seen_tcp_us, measured)
        drill = Drill(
            secrets.token_urlsafe(9), lesson, level, by, self._clock.wall_ms(), viewers, rounds, times
        )
        fact: dict[str, JSON] = {"id": drill.id, "kind": "kill", "by": by, "level": level, "viewers": viewers,
                "rounds": rounds, **times}  # fmt: skip
        await self._store.append([Fact("drill", lesson, drill.at_ms, fact)])
        await self._store.cuts.save_drill(drill)
        return shapes.drill(drill)

    async def listed(self, after: str | None, limit: int) -> Json:
        """A page of all drills, newest first."""
        rows, following = await self._store.cuts.drills(after, limit)
        return {"items": [shapes.drill(row) for row in rows], "next": following}

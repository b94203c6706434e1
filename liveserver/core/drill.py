"""What a drill of the kill switch amounted to: quantiles of its rounds, by the viewers and by the server."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from liveserver.core.measured import Measured

Json = dict[str, Any]
_QUANTILES: Mapping[str, float] = {"p50": 0.5, "p99": 0.99, "max": 1.0}


def quantiles(values: Iterable[int | None]) -> dict[str, int] | None:
    """By nearest rank: each is a value that came. None where none did."""
    ordered = sorted(value for value in values if value is not None)
    if not ordered:
        return None
    return {name: ordered[math.ceil(q * len(ordered)) - 1] for name, q in _QUANTILES.items()}


def summary(
    seen_udp_us: Sequence[int], seen_tcp_us: Sequence[int], cuts: Sequence[Measured]
) -> dict[str, dict[str, dict[str, int] | None]]:
    """In microseconds. `seen_…`: one value a round, from before the request to the last packet at any viewer.

    A transport that nobody used has none.
    """
    return {
        "seen": {
            "udp": quantiles(seen_udp_us),
            "tcp": quantiles(seen_tcp_us),
            "dark": quantiles(map(max, zip_longest(seen_udp_us, seen_tcp_us, fillvalue=0))),
        },
        "server": {
            "flags": quantiles(cut.flags_us for cut in cuts),
            "udp": quantiles(cut.udp_us for cut in cuts),
            "tcp": quantiles(cut.tcp_us for cut in cuts),
            "told": quantiles(cut.told_us for cut in cuts),
            "dark": quantiles(cut.dark_us for cut in cuts),
        },
    }


def in_ms(value: Any) -> Any:
    """A summary as it is shown: the same in milliseconds with three decimals."""
    if isinstance(value, Mapping):
        return {name: in_ms(inner) for name, inner in value.items()}
    return value / 1000 if isinstance(value, int) else value

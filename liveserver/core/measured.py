"""How long a cut took: its own times, in whole microseconds after the request began to be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True, slots=True)
class Measured:
    """`viewers`: to whom media was being sent. `flags_us`: the words stood that are asked before each send.

    `udp_us`, `tcp_us`: the last packet of media left that way; below 0: before the request, None: none ever
    did. `told_us`: everybody had been told, and who is sent away was; `dark_us`: nobody concerned was shown
    more. Both None where that could not be seen.
    """

    viewers: int
    flags_us: int
    udp_us: int | None
    tcp_us: int | None
    told_us: int | None
    dark_us: int | None

    def as_json(self) -> dict[str, int | None]:
        """As it is kept, and as it stands in the ledger."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Measured:
        """Raises ValueError for anything that `as_json` did not write."""
        values: dict[str, Any] = {definition.name: data.get(definition.name) for definition in fields(cls)}
        if not all(value is None or isinstance(value, int) for value in values.values()):
            raise ValueError("times are whole numbers")
        if values["viewers"] is None or values["flags_us"] is None:
            raise ValueError("no measured times")
        return cls(**values)

    def shown(self) -> dict[str, Any]:
        """As the API and the messages show it: milliseconds with three decimals."""
        times = {name[:-3] + "_ms": _ms(value) for name, value in asdict(self).items() if name != "viewers"}
        return {"viewers": self.viewers, **times}


def _ms(microseconds: int | None) -> float | None:
    return None if microseconds is None else microseconds / 1000

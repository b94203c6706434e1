"""The last word on each reel, `sealed` or `failed`: told to nodes again and again until one acknowledges it.

A recording goes on in reels; the one whose last word names no next is its last.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Event = dict[str, Any]


class Finals:
    """On the recorder's loop. `name` is the feed's for a recording, which is its first reel's."""

    def __init__(self) -> None:
        self._events: dict[str, Event] = {}  # by reel
        self._ended: dict[str, str] = {}  # the last reel of a recording that is over

    def __iter__(self) -> Iterator[Event]:
        return iter(list(self._events.values()))

    def __len__(self) -> int:
        return len(self._events)

    def add(self, reel: str, event: Event) -> str | None:
        """The last word on a reel; the name of the recording if that is over with it."""
        self._events[reel] = event
        return _ends(event)

    def end(self, name: str, last: str) -> None:
        """No reel of that recording comes after `last`, whose last word may follow later."""
        self._ended[name] = last

    def is_over(self, name: str) -> bool:
        """Whether nothing more is taken for that recording, or for the reel of that name."""
        return name in self._ended or name in self._events

    def has_ended(self, name: str) -> bool:
        return name in self._ended

    def of(self, name: str) -> Event | None:
        """The last word on a recording that is over, once there is one."""
        return self._events.get(self._ended.get(name, name))

    def acknowledged(self, reel: str) -> bool:
        """A node has it; whether there was such a word."""
        event = self._events.pop(reel, None)
        if event is not None:
            self._ended.pop(_ends(event) or "", None)
        return event is not None


def _ends(event: Event) -> str | None:
    """The feed's name for a recording that is over with this final event, None while it goes on."""
    return None if event.get("next") else event.get("series") or event["recording"]

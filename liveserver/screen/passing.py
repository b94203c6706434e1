"""Which frames of a track may be shown, by what was seen of them. Pure.

Frames are numbered in the order they are decoded. One passes when its own picture was looked at and found
right, when it looks like the picture that was, or when it lies between two that were: then nothing that is
shown for longer than the time between two looks can be among them (`screen.pace`). A picture that is refused
ends the *run*: nothing after the last frame that passed is ever shown, up to the next keyframe.
"""

from __future__ import annotations

Span = tuple[int, int]
"""The first and the last of the frames that have newly passed."""
MOST_WAITING = 1_000


class Passing:
    """The frames of one track since the last that passed."""

    def __init__(self) -> None:
        self._waiting: dict[int, bool] = {}  # in order: number → whether its picture was seen
        self._keyframes: list[int] = []  # those among them
        self._open = False  # a run is under way

    def fed(self, number: int, *, keyframe: bool) -> None:
        """The frame is about to be decoded."""
        if len(self._waiting) >= MOST_WAITING:
            self.refused()
        self._open = self._open or keyframe
        if self._open:
            self._waiting[number] = False
        if keyframe:
            self._keyframes.append(number)

    def seen(self, number: int) -> None:
        """There is a picture of the frame, or it has none to show."""
        if number in self._waiting:
            self._waiting[number] = True

    def passed(self, number: int) -> Span | None:
        """The frame's picture is right, or like one that was: so are those before it, if all were seen.

        Pictures may come in another order than frames, so what was not seen may still come, and holds up
        what is behind it; but not once a keyframe has been seen: that needs nothing of what was before.
        """
        key = max((key for key in self._keyframes if key <= number and self._waiting[key]), default=0)
        if not all(seen for waiting, seen in self._waiting.items() if waiting < key):
            self._forget([waiting for waiting in self._waiting if waiting < key])
        ready: list[int] = []
        for waiting, is_seen in self._waiting.items():
            if not is_seen or waiting > number:
                break
            ready.append(waiting)
        self._forget(ready)
        return (ready[0], ready[-1]) if ready else None

    def refused(self) -> None:
        """The picture may not be shown, or cannot be decoded: nothing passes before the next keyframe."""
        self._forget(list(self._waiting))
        self._open = False

    def _forget(self, numbers: list[int]) -> None:
        for number in numbers:
            del self._waiting[number]
        self._keyframes = [key for key in self._keyframes if key in self._waiting]

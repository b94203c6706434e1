"""Questions of a random check: what they may be, what is shown of them, and which answer is right. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from liveserver.core.errors import PeerError
from liveserver.core.ledger import storable

MAX_TEXT = 300  # characters
MAX_OPTIONS = 8
MAX_OPTION_TEXT = 120
MAX_NUMBER = 10**9


class QuestionKind(StrEnum):
    """How it is answered; `slide` is a single choice about what is on the slide now."""

    SINGLE = "single"
    MULTIPLE = "multiple"
    ARITHMETIC = "arithmetic"
    SLIDE = "slide"


@dataclass(frozen=True, slots=True)
class Question:
    """`right`: the indices of the right options, or for arithmetic the number itself."""

    kind: QuestionKind
    text: str
    options: tuple[str, ...] = ()
    right: frozenset[int] = frozenset()

    def shown(self) -> dict[str, Any]:
        """What a learner is sent: nothing of the right answer."""
        return {"kind": self.kind, "text": self.text, "options": list(self.options)}

    def as_json(self) -> dict[str, Any]:
        """As `parse` reads it."""
        right = sorted(self.right)
        if self.kind is QuestionKind.ARITHMETIC:
            return {"kind": self.kind, "text": self.text, "right": right}
        return {"kind": self.kind, "text": self.text, "options": list(self.options), "right": right}

    def grade(self, answer: Sequence[int]) -> bool:
        """Whether `answer` is right: indices of options, or one number for arithmetic."""
        return len(set(answer)) == len(answer) and frozenset(answer) == self.right

    def shuffled(self, order: Sequence[int]) -> Question:
        """The same with its options in another order: `order[new place] = old place`."""
        if sorted(order) != list(range(len(self.options))):
            raise ValueError("not an order of the options")
        places = {old: new for new, old in enumerate(order)}
        return Question(
            self.kind,
            self.text,
            tuple(self.options[old] for old in order),
            frozenset(places[old] for old in self.right),
        )


def parse(data: Mapping[str, Any]) -> Question:
    """A question of a bank: {"kind", "text", "options"?, "right"}. Raises PeerError `bad_question`."""
    try:
        kind = QuestionKind(data.get("kind", ""))
    except ValueError:
        raise _bad("kind is single, multiple, arithmetic or slide") from None
    if unknown := set(data) - {"kind", "text", "options", "right"}:
        raise _bad(f"unknown: {', '.join(sorted(unknown))[:80]}")
    text = _text(data.get("text"), MAX_TEXT, "text")
    right = _numbers(data.get("right"))
    if kind is QuestionKind.ARITHMETIC:
        if data.get("options") or len(right) != 1:
            raise _bad("arithmetic has one right number and no options")
        return Question(kind, text, (), right)
    options = data.get("options")
    if not isinstance(options, list) or not 2 <= len(options) <= MAX_OPTIONS:
        raise _bad(f"2 to {MAX_OPTIONS} options")
    shown = tuple(_text(option, MAX_OPTION_TEXT, "an option") for option in options)
    if len(set(shown)) != len(shown):
        raise _bad("two options are the same")
    if not right or not all(0 <= index < len(shown) for index in right):
        raise _bad("right names options by their place, from 0 on")
    if kind is not QuestionKind.MULTIPLE and len(right) != 1:
        raise _bad("one option is right")
    return Question(kind, text, shown, right)


def arithmetic(draw: int) -> Question:
    """A sum or difference within 100, which `draw` (0 or more) decides; readable in every language."""
    first, second = 11 + draw % 79, 2 + (draw // 79) % 9
    if (draw // 711) % 2:
        return Question(QuestionKind.ARITHMETIC, f"{first} - {second} = ?", (), frozenset({first - second}))
    return Question(QuestionKind.ARITHMETIC, f"{first} + {second} = ?", (), frozenset({first + second}))


def _text(value: object, most: int, name: str) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > most:
        raise _bad(f"{name} has 1 to {most} characters")
    return storable(value.strip())


def _numbers(value: object) -> frozenset[int]:
    if not isinstance(value, list) or len(value) > MAX_OPTIONS:
        raise _bad("right is a list of whole numbers")
    for item in value:
        if not isinstance(item, int) or isinstance(item, bool) or abs(item) > MAX_NUMBER:
            raise _bad("right is a list of whole numbers")
    return frozenset(value)


def _bad(detail: str) -> PeerError:
    return PeerError("bad_question", detail)

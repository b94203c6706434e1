"""Makes texts from a grammar: adverts, abuse, hard negatives, classroom talk. Deterministic.

A grammar file has sets (`name = one | other`), labels (`[gambling]`) and below each label its templates, a
line each. In a template `{name}` is one of a set, `{a|b|}` one of these, `{#100-5000}` a number, and `{qq}`,
`{wx}`, `{phone}`, `{site}`, `{ip}`, `{money}` are made up here. What sets hold may have braces again. After a
label, `[gambling x3]` makes its templates three times as many.

`disguise` then writes some of them as adverts are written: homophones, split words, emoji, other alphabets.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from models.chat.folding import TABLES, sounds

GRAMMAR = Path(__file__).with_name("grammar")
TRAINING, DEVELOPMENT, HELD_OUT = "training", "development", "heldout"
"""Folders below `GRAMMAR`, whose templates have nothing in common."""
_MAX_DEPTH = 8


class GrammarError(ValueError):
    """A grammar file is wrong; the message names the file and what."""


@dataclass(slots=True)
class Grammar:
    """Sets by name, templates by label."""

    sets: dict[str, list[str]] = field(default_factory=dict)
    templates: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def read(self, text: str, name: str) -> None:
        """Add what a grammar file says. Raises `GrammarError`."""
        label, times = "", 1
        for number, line in enumerate(text.splitlines(), 1):
            heading = re.fullmatch(r"\[([a-z_]+)(?: x(\d+))?\]", line)
            if heading:
                label, times = heading[1], int(heading[2] or 1)
            elif line.startswith("#") or not line.strip():
                continue
            elif found := re.fullmatch(r"(\w+) = (.*)", line):
                if found[1] in self.sets:
                    raise GrammarError(f"{name}:{number}: there is a set {found[1]} already")
                self.sets[found[1]] = _alternatives(found[2])
            elif label:
                self.templates[label].extend([line] * times)
            else:
                raise GrammarError(f"{name}:{number}: a template before the first label")

    def expand(self, template: str, dice: random.Random) -> str:
        """One text of a template. Raises `GrammarError` for a set that nobody defined."""
        for _ in range(_MAX_DEPTH):
            filled = _SLOT.sub(lambda found: self._fill(found[1], dice), template)
            if filled == template:
                return filled
            template = filled
        raise GrammarError(f"{template}: sets within sets without end")

    def _fill(self, slot: str, dice: random.Random) -> str:
        if slot in _MADE:
            return _MADE[slot](dice)
        if slot.startswith("#"):
            low, high = map(int, slot[1:].split("-"))
            return str(dice.randint(low, high))
        if "|" in slot:
            return dice.choice(slot.split("|"))
        if slot not in self.sets:
            raise GrammarError(f"there is no set {slot}")
        return dice.choice(self.sets[slot])


def load(folder: str) -> Grammar:
    """The grammar of one of the folders, and the sets that all have. Raises `GrammarError`."""
    grammar = Grammar()
    for path in [*sorted(GRAMMAR.glob("sets*.txt")), *sorted((GRAMMAR / folder).glob("*.txt"))]:
        grammar.read(path.read_text(encoding="utf-8"), path.name)
    return grammar


def texts(grammar: Grammar, label: str, count: int, dice: random.Random) -> Iterator[str]:
    """`count` texts of a label; each template has its turn before any comes again."""
    templates = grammar.templates[label]
    for turn in range(count):
        if turn % len(templates) == 0:
            order = dice.sample(templates, len(templates))
        yield grammar.expand(order[turn % len(templates)], dice).strip()


def _alternatives(text: str) -> list[str]:
    """The parts between bars outside of braces."""
    return [part.strip() for part in re.split(r"\|(?![^{]*\})", text) if part.strip()]


def _some(letters: str, low: int, high: int, dice: random.Random) -> str:
    return "".join(dice.choices(letters, k=dice.randint(low, high)))


_LETTERS, _DIGITS = "abcdefghijklmnopqrstuvwxyz", "0123456789"
_ENDINGS = ("top", "cc", "com", "vip", "xyz", "cn", "net", "me", "one", "app", "club", "pw", "us", "tv")


def _account(dice: random.Random) -> str:
    start = _some(_LETTERS, 1, 6, dice)
    return start + _some(_DIGITS, 2, 7, dice) + (dice.choice(_LETTERS) if dice.random() < 0.2 else "")


def _site(dice: random.Random) -> str:
    name = _some(_LETTERS, 0, 4, dice) + _some(_DIGITS, 1, 5, dice) + _some(_LETTERS, 0, 3, dice)
    start = dice.choice(("", "", "", "", "www.", "http://", "https://"))
    path = dice.choice(
        ("", "", "", "", f"/{_some(_LETTERS, 2, 6, dice)}", f"/?code={_some(_DIGITS, 4, 8, dice)}")
    )
    return f"{start}{name}{dice.choice(('.', '.', '.', '。', '点', ' .'))}{dice.choice(_ENDINGS)}{path}"


def _ip(dice: random.Random) -> str:
    return (
        "https://"
        + ".".join(str(dice.randint(1, 254)) for _ in range(4))
        + f":{dice.randint(1000, 60000)}/#/"
    )


def _money(dice: random.Random) -> str:
    amount = dice.choice(
        (f"{dice.randint(1, 9)}00", f"{dice.randint(1, 30)}000", f"{dice.randint(1, 99)}", "五百", "上千")
    )
    return amount + dice.choice(("", "", "元", "块", "米", "r", "💰", "+", "➕", "左右"))


_MADE: dict[str, Callable[[random.Random], str]] = {
    "qq": lambda dice: dice.choice("123456789") + _some(_DIGITS, 5, 9, dice),
    "wx": _account,
    "phone": lambda dice: "1" + dice.choice("3456789") + _some(_DIGITS, 9, 9, dice),
    "site": _site,
    "ip": _ip,
    "money": _money,
}
_SLOT = re.compile(r"\{([^{}]*)\}")


def disguise(text: str, dice: random.Random) -> str:
    """`text` as it is written to get past a filter: one or two of the usual ways, here and there."""
    for way in dice.sample(_WAYS, dice.choice((1, 1, 2))):
        text = way(text, dice)
    return text


def _homophones(text: str, dice: random.Random) -> str:
    """Some characters become others of the same sound, common ones."""
    return "".join(dice.choice(_alike(one)) if dice.random() < 0.25 else one for one in text)


def _alike(one: str) -> str:
    return _HOMOPHONES.get(sounds(one), one)


def _spelled(text: str, dice: random.Random) -> str:
    """One or two characters as pinyin."""
    places = [place for place, one in enumerate(text) if one in _SPELLINGS]
    chosen = set(dice.sample(places, min(len(places), dice.choice((1, 2)))))
    return "".join(_SPELLINGS[one] if place in chosen else one for place, one in enumerate(text))


def _split(text: str, dice: random.Random) -> str:
    """Something between the characters, of all or of a stretch."""
    between = dice.choice("-. 。·*~_|/+、丶★☆")
    start = 0 if dice.random() < 0.5 else dice.randrange(max(1, len(text) // 2))
    end = min(len(text), start + dice.randint(3, 12))
    return text[:start] + between.join(text[start:end]) + text[end:]


def _invisible(text: str, dice: random.Random) -> str:
    return "".join(
        one + (dice.choice("\u200b\u200d\u2060\ufeff") if dice.random() < 0.3 else "") for one in text
    )


def _other_letters(text: str, dice: random.Random) -> str:
    """Latin letters and digits of a decorative alphabet."""
    small, digit = dice.choice(
        ((0x1D41A, 0x1D7CE), (0x1D552, 0x1D7D8), (0x1D5BA, 0x1D7E2), (0xFF41, 0xFF10), (0x24D0, 0))
    )
    changed = []
    for one in text:
        if "a" <= one <= "z":
            changed.append(chr(small + ord(one) - ord("a")))
        elif one.isdigit() and one.isascii() and digit:
            changed.append(chr(digit + int(one)))
        else:
            changed.append(one)
    return "".join(changed)


def _marks(text: str, dice: random.Random) -> str:
    mark = dice.choice("\u0332\u0336\u20d0\u0fc6\u0489")
    return "".join(one + mark if dice.random() < 0.4 else one for one in text)


def _emotes(text: str, dice: random.Random) -> str:
    """Emotes at the end, at the start or in the middle."""
    emote = dice.choice(("/玫瑰", "[em]e163[/em]", "🌹", "🔥", "[比心]", "❤️", "💰")) * dice.randint(1, 3)
    place = dice.choice((0, len(text), len(text), dice.randrange(len(text) + 1)))
    return text[:place] + emote + text[place:]


def _repeated(text: str, dice: random.Random) -> str:
    if len(text) < 12 and dice.random() < 0.5:
        return " ".join([text] * dice.randint(2, 4))
    place = dice.randrange(len(text) or 1)
    return text[: place + 1] + text[place : place + 1] * dice.randint(1, 3) + text[place + 1 :]


def _traditional(text: str, dice: random.Random) -> str:
    del dice
    return "".join(_TRADITIONAL.get(one, one) for one in text)


def _tables() -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """Sound → common characters, character → pinyin, simplified → traditional."""
    old, new = (TABLES / "simplified.txt").read_text(encoding="utf-8").splitlines()
    alike: dict[str, str] = {}
    spelled: dict[str, str] = {}
    for line in (TABLES / "syllables.txt").read_text(encoding="utf-8").splitlines():
        letters, characters = line.split(" ")
        common = "".join(one for one in characters if _is_common(one))
        if common:
            alike[sounds(common[0])] = common
        spelled |= dict.fromkeys(common, letters)
    return alike, spelled, dict(zip(new, old, strict=True))


def _is_common(one: str) -> bool:
    """Of the 3,755 characters of the first level of GB 2312."""
    try:
        code = one.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return len(code) == 2 and 0xB0 <= code[0] <= 0xD7


_HOMOPHONES, _SPELLINGS, _TRADITIONAL = _tables()
_WAYS = (
    _homophones,
    _homophones,
    _spelled,
    _split,
    _split,
    _invisible,
    _other_letters,
    _marks,
    _emotes,
    _repeated,
    _traditional,
)

"""The model cards there are, and where their weights lie.

A card is a TOML file beside this module (`models/cards/NAME.toml`), or in the operator's own folder beside
his weights. An unknown key, a missing one, or a value of the wrong type is a `ModelError` that names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from models.card import Card, Kind
from models.card_file import parse
from models.errors import ModelError

CARDS = Path(__file__).with_name("cards")
WEIGHTS = Path(__file__).with_name("weights")
"""Where the project's own weights are: those in git, and those that `make models` fetched."""
MAX_CARD_BYTES = 64 * 1024
MAX_CARDS = 64  # in one folder


def own() -> dict[str, Card]:
    """The project's own cards by their name."""
    return folder(CARDS)


def missing() -> list[str]:
    """Names of the project's own models whose weights are not there."""
    return [card.name for card in own().values() if not card.is_in(WEIGHTS)]


def of_kind(cards: Mapping[str, Card], kind: Kind) -> list[Card]:
    """Those of one kind, by name."""
    return [card for _, card in sorted(cards.items()) if card.kind is kind]


def folder(path: Path) -> dict[str, Card]:
    """Every card (`*.toml`) in a folder by its name. Raises `ModelError`, also for two of one name."""
    if not path.is_dir():
        raise ModelError(f"{path}: there is no such folder")
    files = sorted(path.glob("*.toml"))
    if len(files) > MAX_CARDS:
        raise ModelError(f"{path}: more than {MAX_CARDS} model cards")
    cards: dict[str, Card] = {}
    for file in files:
        card = load(file)
        if card.name in cards:
            raise ModelError(f"{file}: there is another card {card.name}")
        cards[card.name] = card
    return cards


def load(path: Path) -> Card:
    """The card in one file. Raises `ModelError`."""
    try:
        if path.stat().st_size > MAX_CARD_BYTES:
            raise ModelError(f"{path}: a card has at most {MAX_CARD_BYTES} bytes")
        return parse(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{path}: the card cannot be read") from error
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error

"""Which of the models are there, said before anything needs them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from liveserver.config import Config
from liveserver.config.checks import ConfigError
from models import cards
from models.card import Kind
from models.cards import WEIGHTS
from models.errors import ModelError

OFF = "off"


def speech_activity(configured: str) -> str:
    """The recorder's speech model: as configured, else the fetched one; empty where loudness has to do."""
    if configured:
        return "" if configured == OFF else configured
    (card,) = cards.of_kind(cards.own(), Kind.SPEECH)
    return str(WEIGHTS / card.file) if card.is_in(WEIGHTS) else ""


def lacking() -> list[str]:
    """The project's models that `make models` did not fetch, by name. Their hashes wait for loading."""
    found = []
    for card in cards.own().values():
        path = WEIGHTS / card.file
        if not path.is_file() or path.stat().st_size != card.size:
            found.append(card.name)
    return found


def told(config: Config) -> Iterator[str]:
    """Lines for the operator. Raises `ConfigError` for a model of his own that cannot be used."""
    missing = cards.missing()
    there = len(cards.own()) - len(missing)
    yield f"models: {there} are there" + (f"; missing: {', '.join(missing)} (make models)" if missing else "")
    if config.screening.models:
        yield from _own(Path(config.screening.models))
    if not config.screening.speech:
        yield "speech: no recogniser is part of this; what is said is not screened (screening.speech)"
        return
    from models.speech import recogniser  # onnxruntime takes a moment to load

    try:
        recogniser(config.screening.speech)
    except ModelError as error:
        raise ConfigError(f"screening.speech: {error}") from error
    yield "speech: the recogniser can be used; what is said in lessons is not screened by it yet"


def _own(folder: Path) -> Iterator[str]:
    """What the operator's models of pictures find. Raises `ConfigError`."""
    from models.frames import FrameModels

    try:
        models = FrameModels.load(folder)
    except ModelError as error:
        raise ConfigError(f"screening.models: {error}") from error
    yield f"pictures are scored for {', '.join(models.categories)} by {', '.join(models.hashes)}"

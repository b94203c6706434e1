"""What is said in a lesson: where somebody speaks, and, with a recogniser of the operator's own, which words.

Where somebody speaks is Silero's model. No recogniser is part of this project: whoever has one as ONNX writes
a card of kind `speech-text` for it. `CtcRecogniser` runs those that take log mel features and answer by CTC,
as icefall and WeNet export them; without one what is said is not screened, and `check-config` says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models import cards, runtime
from models.card import Card, Kind
from models.errors import ModelError
from models.fbank import RATE, Sound, fbank

BLOCK = 512  # samples, 32 ms: what the model of speech activity takes
_CONTEXT = 64  # samples of the block before, put in front of each
_STATE = (2, 1, 128)
LONGEST_S = 15.0  # an utterance is cut off after that
_SILENCE_BLOCKS = 16  # half a second of silence ends an utterance
_LEAST_BLOCKS = 8  # what is shorter is a cough
_MAX_TOKENS = 100_000


class SpeechActivity:
    """Told sound block after block, in order. Use by `load`."""

    def __init__(self, card: Card, folder: Path) -> None:
        self._session = runtime.load(folder / card.file, card.sha256)
        self._threshold = card.number("threshold")
        self._state: NDArray[np.float32] = np.zeros(_STATE, dtype=np.float32)
        self._context: NDArray[np.float32] = np.zeros(_CONTEXT, dtype=np.float32)
        self.hashes = {card.name: card.sha256}

    @classmethod
    def load(cls, folder: Path = cards.WEIGHTS) -> SpeechActivity:
        """The project's own model, its weights in `folder`. Raises `ModelError`."""
        (card,) = cards.of_kind(cards.own(), Kind.SPEECH)
        return cls(card, folder)

    def is_speech(self, block: Sound) -> bool:
        """Whether somebody speaks in `BLOCK` samples: int16, 16 kHz, mono."""
        samples = block.astype(np.float32) / np.float32(32768)
        window = np.concatenate([self._context, samples])[None]
        inputs = {"input": window, "state": self._state, "sr": np.array(RATE, dtype=np.int64)}
        likely, self._state = self._session.run(None, inputs)
        self._context = samples[-_CONTEXT:]
        return bool(likely[0][0] >= self._threshold)


class Activity(Protocol):
    """What tells speech from the rest."""

    def is_speech(self, block: Sound) -> bool: ...


@dataclass(frozen=True, slots=True)
class Utterance:
    """Somebody spoke from `at_ms` of the sound on; `sound` is int16, 16 kHz, mono."""

    at_ms: int
    sound: Sound


class Utterances:
    """Cuts a sound into what was said between silences, at most `LONGEST_S` long each."""

    def __init__(self, activity: Activity) -> None:
        self._activity = activity
        self._rest = np.zeros(0, dtype=np.int16)
        self._spoken: list[Sound] = []
        self._silent = self._blocks = 0

    def push(self, sound: Sound) -> Iterator[Utterance]:
        """What has ended within these samples."""
        self._rest = np.concatenate([self._rest, sound])
        while len(self._rest) >= BLOCK:
            block, self._rest = self._rest[:BLOCK], self._rest[BLOCK:]
            self._blocks += 1
            if self._take(block):
                yield from self.end()

    def end(self) -> Iterator[Utterance]:
        """What was being said, when the sound ends."""
        spoken, silent = self._spoken, self._silent
        self._spoken, self._silent = [], 0
        if len(spoken) - silent >= _LEAST_BLOCKS:
            at_ms = (self._blocks - len(spoken)) * BLOCK * 1000 // RATE
            yield Utterance(at_ms, np.concatenate(spoken[: len(spoken) - max(0, silent - 1)]))

    def _take(self, block: Sound) -> bool:
        """Whether an utterance ends with this block."""
        speaks = self._activity.is_speech(block)
        if not speaks and not self._spoken:
            return False
        self._spoken.append(block)
        self._silent = 0 if speaks else self._silent + 1
        return self._silent >= _SILENCE_BLOCKS or len(self._spoken) * BLOCK >= LONGEST_S * RATE


class Recogniser(Protocol):
    """Writes down what is said."""

    @property
    def hashes(self) -> dict[str, str]: ...

    def text(self, sound: Sound) -> str:
        """The words in int16 samples at 16 kHz, mono."""


class CtcRecogniser:
    """An operator's model by its card: features (1, frames, bins) in, likelihoods (1, steps, tokens) out.

    Parameters: `bins`; `tokens` (a file beside the card: a token in each line, its number behind it if it
    likes) and `tokens_sha256`; `features` and, where the model takes them, `lengths` (names of inputs);
    `full_scale` (of the samples it learnt from: 32768, or 1); `blank` (default 0).
    """

    def __init__(self, card: Card, folder: Path) -> None:
        self._session = runtime.load(folder / card.file, card.sha256)
        self._card = card
        self._bins, self._full_scale = int(card.number("bins")), card.number("full_scale")
        self._blank = int(card.number("blank")) if "blank" in card.parameters else 0
        self._tokens = _tokens(card, folder)
        self._features = str(card.parameters.get("features", "x"))
        self._lengths = str(card.parameters.get("lengths", ""))
        self.hashes = {card.name: card.sha256}
        self.text(np.zeros(RATE, dtype=np.int16))  # does it run?

    def text(self, sound: Sound) -> str:
        """The words in int16 samples at 16 kHz, mono. Raises `ModelError`."""
        features = fbank(sound.astype(np.float32) * (self._full_scale / 32768), self._bins)
        if not len(features):
            return ""
        inputs: dict[str, NDArray[np.float32] | NDArray[np.int64]] = {self._features: features[None]}
        if self._lengths:
            inputs[self._lengths] = np.array([len(features)], dtype=np.int64)
        try:
            steps = self._session.run(None, inputs)[0][0].argmax(axis=1)
        except Exception as error:  # onnxruntime's own exceptions have no common class but this
            raise ModelError(f"{self._card.name}: does not run ({type(error).__name__})") from error
        changes = np.concatenate([[True], steps[1:] != steps[:-1]])
        numbers = [number for number in steps[changes] if number != self._blank]
        if any(number >= len(self._tokens) for number in numbers):
            raise ModelError(f"{self._card.name}: its tokens are more than those in its file")
        return "".join(self._tokens[number] for number in numbers).replace("▁", " ").strip()


def recogniser(card: str) -> Recogniser | None:
    """The operator's model whose card is at this path; None for an empty one. Raises `ModelError`."""
    if not card:
        return None
    path = Path(card)
    loaded = cards.load(path)
    if loaded.kind is not Kind.SPEECH_TEXT:
        raise ModelError(f"{path}: a card of kind {Kind.SPEECH_TEXT} is expected, not {loaded.kind}")
    return CtcRecogniser(loaded, path.parent)


def _tokens(card: Card, folder: Path) -> list[str]:
    name, digest = card.parameters.get("tokens"), card.parameters.get("tokens_sha256")
    if not isinstance(name, str) or not isinstance(digest, str) or Path(name).name != name:
        raise ModelError(f"card {card.name}: parameters.tokens and tokens_sha256 are expected")
    try:
        lines = runtime.read(folder / name, digest).decode().splitlines()
    except UnicodeDecodeError as error:
        raise ModelError(f"{name}: tokens are UTF-8") from error
    if not 0 < len(lines) <= _MAX_TOKENS:
        raise ModelError(f"{name}: 1 to {_MAX_TOKENS} tokens are expected")
    return [_token(line) for line in lines]


def _token(line: str) -> str:
    """A line of the file without the number behind it."""
    text, space, number = line.rpartition(" ")
    return text if space and number.isdigit() else line

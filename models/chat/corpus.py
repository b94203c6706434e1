"""The texts that the classifier is trained and measured on. Needs the data folder; nothing of it ships.

Trained on: COLD and JADE, dialogues (CrossWOZ, Egret Wenda, ChatterBot), nine tenths of each, and texts of
the training grammar. Measured on: the last tenth, the texts of the held-out grammar, all of
`train_handwritten` and all of ChineseHarm-Bench (CC BY-NC 4.0: measured, never trained on; who wrote the
grammar has read one half of it, to see what kinds of adverts there are, and not the other). In between are
the development texts: not trained on either, but errors on them were read and led to changes.
"""

from __future__ import annotations

import csv
import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from models.chat import adverts
from models.chat.labels import BENIGN
from models.chat.normal import normal

DATA = Path(__file__).parents[3] / "shared" / "data" / "chat"
"""Beside a checkout."""
_PUBLIC = {
    "COLD": ("train_cold_1.tsv", "train_cold_2.tsv"),
    "JADE": ("train_jade.tsv",),
    "dialogue": ("train_benign_dialogue.tsv",),
}
_HELD_OUT_OF_256 = 26
_COUNTS = {
    "gambling": 14000,
    "fraud": 22000,
    "illicit_ad": 14000,
    "porn": 16000,
    "drugs": 13000,
    "violence": 11000,
    "abuse": 11000,
    "classroom": 32000,
    "hard_negative": 36000,
    "everyday": 13000,
}
"""Texts made by the training grammar, by its labels; doubles fall out."""
INNOCENT = {label: _COUNTS[label] for label in ("classroom", "hard_negative", "everyday")}
_BENIGN_KINDS = ("classroom", "hard_negative", "everyday", "last_classroom", "last_hard_negative")
_SEED = 20251128


@dataclass(frozen=True, slots=True)
class Sample:
    """A text, what it is, and where it comes from."""

    label: str
    text: str
    source: str


def training(folder: Path = DATA) -> list[Sample]:
    """All that is trained on. Raises `OSError` when the folder lacks a file."""
    public = [sample for sample in _public(folder) if not _is_held_out(sample)]
    return public + list(made(adverts.TRAINING, _COUNTS, disguised=True))


def held_out(folder: Path = DATA) -> dict[str, list[Sample]]:
    """What is measured on, by its source. Raises `OSError` when the folder lacks a file."""
    found: dict[str, list[Sample]] = {}
    for sample in _public(folder):
        if _is_held_out(sample):
            found.setdefault(sample.source, []).append(sample)
    for sample in _read(folder / "train_chineseharm_NONCOMMERCIAL.tsv", "ChineseHarm"):
        was_read = hashlib.sha256(sample.text.encode()).digest()[0] < 128
        found.setdefault("ChineseHarm, half read" if was_read else "ChineseHarm, never read", []).append(
            sample
        )
    for row in _rows(folder / "train_handwritten.tsv"):
        kind = row["orig_label"] if row["label"] == BENIGN else "harmful"
        found.setdefault(f"handwritten {kind}", []).append(Sample(row["label"], row["text"], "handwritten"))
    return found | development() | held_out_made()


def development() -> dict[str, list[Sample]]:
    """Lines by which features and strengths were chosen; figures on them flatter."""
    grammar = adverts.load(adverts.DEVELOPMENT)
    counts = {label: len(templates) for label, templates in grammar.templates.items()}
    samples = list(made(adverts.DEVELOPMENT, counts, disguised=False))
    return {
        "development adverts and abuse": [sample for sample in samples if sample.label != BENIGN],
        "development hard negatives": [sample for sample in samples if sample.source == "made hard_negative"],
        "development classroom": [sample for sample in samples if sample.source == "made classroom"],
    }


def held_out_made() -> dict[str, list[Sample]]:
    """What the held-out grammar makes: each template once, and once more in disguise."""
    grammar = adverts.load(adverts.HELD_OUT)
    counts = {label: len(templates) for label, templates in grammar.templates.items()}
    plain = list(made(adverts.HELD_OUT, counts, disguised=False))
    dice = random.Random(_SEED)  # noqa: S311 - no secret
    return {
        "held-out adverts and abuse": [sample for sample in plain if sample.label != BENIGN],
        "the same in disguise": [
            Sample(sample.label, adverts.disguise(sample.text, dice), "disguised")
            for sample in plain
            if sample.label != BENIGN
        ],
        "held-out hard negatives": [sample for sample in plain if sample.source == "made hard_negative"],
        "held-out classroom": [sample for sample in plain if sample.source == "made classroom"],
        "last hard negatives": [sample for sample in plain if sample.source == "made last_hard_negative"],
        "last classroom": [sample for sample in plain if sample.source == "made last_classroom"],
    }


def made(folder: str, counts: dict[str, int], *, disguised: bool) -> Iterator[Sample]:
    """Texts of a grammar, no normal form twice."""
    grammar, dice = adverts.load(folder), random.Random(_SEED)  # noqa: S311
    for label, count in counts.items():
        known = set()
        for text in adverts.texts(grammar, label, count, dice):
            written = text
            if disguised and dice.random() < _disguised_share(label):
                written = adverts.disguise(text, dice)
            form = normal(written).text
            if form not in known:
                known.add(form)
                yield Sample(BENIGN if label in _BENIGN_KINDS else label, written, f"made {label}")


def _disguised_share(label: str) -> float:
    """Innocent texts are written so too, less often: titles with spaces, typing errors, emoji. Were none, the
    writing alone would be taken for an advert."""
    return 0.2 if label in _BENIGN_KINDS else 0.35


def _public(folder: Path) -> Iterator[Sample]:
    for source, names in _PUBLIC.items():
        for name in names:
            yield from _read(folder / name, source)


def _read(path: Path, source: str) -> Iterator[Sample]:
    return (Sample(row["label"], row["text"], source) for row in _rows(path))


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def _is_held_out(sample: Sample) -> bool:
    """A tenth, by the text itself, so that it stays the same tenth whatever is added."""
    return hashlib.sha256(b"held out" + sample.text.encode()).digest()[0] < _HELD_OUT_OF_256

"""Measures chat screening as a whole, lists and classifier: `python -m models.chat.evaluate [DATA] [--card]`.

Prints, for each source of `corpus.held_out`, how much of it is flagged and what of it is right, then
precision, recall and F1 by category. `--card` writes the figures into the classifier's card.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from models import cards
from models.chat import corpus
from models.chat.classifier import NAME
from models.chat.corpus import Sample
from models.chat.labels import BENIGN, HARMFUL, LABELS
from models.chat.screen import ChatScreen

FLAGGED = 0.6
"""From here on a text counts as flagged, as the default policy has it."""


def label_of(scores: Mapping[str, float]) -> str:
    """The likeliest category, `benign` below `FLAGGED`."""
    label = max(HARMFUL, key=lambda one: scores.get(one, 0.0))
    return label if scores.get(label, 0.0) >= FLAGGED else BENIGN


def f1(found: Sequence[str], right: Sequence[str], label: str) -> tuple[float, float, float]:
    """Precision, recall and F1 of one category; 0 where there is nothing to divide by."""
    hits = sum(a == b == label for a, b in zip(found, right, strict=True))
    precision = hits / max(1, sum(a == label for a in found))
    recall = hits / max(1, sum(b == label for b in right))
    return precision, recall, 2 * precision * recall / ((precision + recall) or 1)


def as_harmful(labels: Sequence[str]) -> list[str]:
    """The same, harmful or not."""
    return [BENIGN if label == BENIGN else "harmful" for label in labels]


def macro_f1(found: Sequence[str], right: Sequence[str]) -> float:
    """Mean F1 of the categories that occur."""
    occurring = [label for label in LABELS if label in right]
    return sum(f1(found, right, label)[2] for label in occurring) / len(occurring)


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    folders = [Path(one) for one in given if not one.startswith("--")]
    screen = ChatScreen.load()
    figures: dict[str, float] = {}
    everything: list[tuple[str, str]] = []
    for source, samples in corpus.held_out(folders[0] if folders else corpus.DATA).items():
        found, seconds = _screened(screen, samples)
        right = [sample.label for sample in samples]
        everything += zip(found, right, strict=True)
        _print_source(source, found, right, seconds)
        key = source.lower().replace(", ", "_").replace(" ", "_").replace("-", "_")
        if set(right) == {BENIGN}:
            figures[f"{key}_flagged"] = round(1 - found.count(BENIGN) / len(found), 4)
        else:
            figures[f"{key}_harmful_f1"] = round(f1(as_harmful(found), as_harmful(right), "harmful")[2], 3)
            figures[f"{key}_macro_f1"] = round(macro_f1(found, right), 3)
    found_all, right_all = [a for a, _ in everything], [b for _, b in everything]
    sys.stdout.write("\n| category | texts | precision | recall | F1 |\n|---|---|---|---|---|\n")
    for label in LABELS:
        precision, recall, score = f1(found_all, right_all, label)
        count = right_all.count(label)
        sys.stdout.write(f"| {label} | {count} | {precision:.2f} | {recall:.2f} | {score:.2f} |\n")
    if "--card" in given:
        _write(figures)
    return 0


def _screened(screen: ChatScreen, samples: Sequence[Sample]) -> tuple[list[str], float]:
    """The labels, and the CPU seconds that they took."""
    started = time.process_time()
    found = [label_of(screen.screen(sample.text).scores) for sample in samples]
    return found, time.process_time() - started


def _print_source(source: str, found: Sequence[str], right: Sequence[str], seconds: float) -> None:
    flagged = 1 - found.count(BENIGN) / len(found)
    parts = [
        f"{source}: {len(found)} texts, {flagged:.1%} flagged, {1000 * seconds / len(found):.2f} ms each"
    ]
    if set(right) != {BENIGN}:
        precision, recall, score = f1(as_harmful(found), as_harmful(right), "harmful")
        parts.append(f"harmful or not: precision {precision:.2f}, recall {recall:.2f}, F1 {score:.3f}")
        parts.append(f"macro F1 {macro_f1(found, right):.3f}")
        each = [f"{label} {f1(found, right, label)[2]:.2f}" for label in LABELS if label in right]
        parts.append("F1 by category: " + ", ".join(each))
    sys.stdout.write("; ".join(parts) + "\n")


def _write(figures: Mapping[str, float]) -> None:
    """Put the figures at the end of the card, in the place of earlier ones."""
    path = cards.CARDS / f"{NAME}.toml"
    text = path.read_text(encoding="utf-8").split("\n[figures]\n")[0].rstrip("\n")
    lines = [f"{name} = {value}" for name, value in figures.items()]
    path.write_text(
        "\n".join([text, "", "[figures]", f"flagged_from = {FLAGGED}", *lines, ""]), encoding="utf-8"
    )


if __name__ == "__main__":
    sys.exit(main())

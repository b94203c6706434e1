"""Makes `lexicon.tsv`, the list that ships: `python -m models.chat.build_lexicon [FOLDER]`.

Two parts. The first is pruned from public lists (FOLDER/lexicons/lexicon_categorised.tsv:
konsheng/Sensitive-lexicon, MIT; fwwdn/sensitive-stop-words, Apache-2.0; houbb/sensitive-word, Apache-2.0),
which cannot be used as they are: common words are in them. A word stays when it occurs in no benign text of
the training data, when a pattern (`grammar/lexicon_patterns.txt`) says that it is an offer of something
unlawful or plain abuse, not a mention, and when no shorter word that stays is in it. The second part,
`grammar/lexicon_own.tsv`, is hand-written (CC0). Nothing political is in either: that list is the operator's.

A word of either that innocent texts of the training grammar name (替考 in a lesson about the law) proves
nothing by itself: its score is lowered below what is flagged, and the classifier says what the text is.
"""

from __future__ import annotations

import csv
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from models.chat import adverts, corpus
from models.chat.labels import BENIGN
from models.chat.lexicon import EXCUSE, Entry, Lexicon, parse
from models.chat.normal import normal

HERE = Path(__file__).parent
SHIPPED = HERE / "lexicon.tsv"
OWN = HERE / "grammar" / "lexicon_own.tsv"
PATTERNS = HERE / "grammar" / "lexicon_patterns.txt"
DATA = HERE.parents[2] / "shared" / "data" / "chat"
"""Beside a checkout."""
LICENSED = frozenset({"konsheng", "fwwdn", "houbb"})

# Words that the patterns let through although they can be innocent, and those about persons and politics.
_CONTACT = re.compile(r"^qq|qq$|tel$|电话$|^(?:qq)?\d+(?!式)")
_MIN_LENGTH, _MAX_LENGTH = 3, 9
_NAMED, _SIGNAL = 3, 0.5
"""In so many innocent texts a word is named, and what it scores then."""
_NOT = re.compile(r"党|习|毛|江|胡|温|政府|独立|共和|中央|领导|主席|法轮|官|台湾|政治|局|部|社|总理|警")


def patterns(text: str) -> dict[str, list[tuple[re.Pattern[str], float]]]:
    """Category → what says that a word means it, and the score that it gives then."""
    sets: dict[str, str] = {}
    found: dict[str, list[tuple[re.Pattern[str], float]]] = defaultdict(list)
    for line in text.splitlines():
        if " = " in line:
            name, words = line.split(" = ")
            sets[f"{{{name}}}"] = f"(?:{words})"
        elif line and not line.startswith("#"):
            category, severity, pattern = line.split(" ", 2)
            for name, words in sets.items():
                pattern = pattern.replace(name, words)
            found[category].append((re.compile(pattern), float(severity)))
    return found


def pruned(rows: Iterator[dict[str, str]], own: list[Entry]) -> list[Entry]:
    """What stays of the public lists beside our own words, the shortest first."""
    known = patterns(PATTERNS.read_text(encoding="utf-8"))
    found = [entry for row in rows if _may_stay(row) for entry in _candidates(row, known)]
    kept = {normal(entry.word).text: entry for entry in own if entry.category != EXCUSE}
    first = len(kept)
    for entry in sorted(found, key=lambda entry: (len(entry.word), entry.word, -entry.severity)):
        text = normal(entry.word).text
        parts = (text[a:b] for a in range(len(text)) for b in range(a + 2, len(text) + 1))
        if len(text) >= _MIN_LENGTH and not any(part in kept for part in parts):
            kept[text] = entry
    return list(kept.values())[first:]


def _may_stay(row: dict[str, str]) -> bool:
    known = set(row["sources"].split("|")) <= LICENSED
    return known and row["benign_train_hits"] == "0" and _NOT.search(row["word"]) is None


def _candidates(
    row: dict[str, str], known: dict[str, list[tuple[re.Pattern[str], float]]]
) -> Iterator[Entry]:
    word = _CONTACT.sub("", row["word"])  # with a contact it is the same word
    for category in row["categories"].split("|"):
        for pattern, severity in known.get(category, ()):
            if pattern.search(word) and len(word) <= _MAX_LENGTH:
                yield Entry(word, category, severity)


def weighed(entries: Iterable[Entry]) -> list[Entry]:
    """The entries, those that innocent texts name with a lower score."""
    listed = list(entries)
    texts = corpus.made(adverts.TRAINING, corpus.INNOCENT, disguised=False)
    lexicon = Lexicon("own", listed)
    named = Counter(
        hit.entry
        for sample in texts
        if sample.label == BENIGN
        for hit in lexicon.search(normal(sample.text))
        if not hit.heard
    )
    return [
        replace(entry, severity=_SIGNAL)
        if entry.category != EXCUSE and entry.severity > _SIGNAL and named[entry] >= _NAMED
        else entry
        for entry in listed
    ]


def main(arguments: list[str]) -> int:
    """Entry point; returns the exit code."""
    folder = Path(arguments[0]) if arguments else DATA
    own, errors = parse(OWN.read_bytes())
    with (folder / "lexicons" / "lexicon_categorised.tsv").open(encoding="utf-8", newline="") as file:
        public = pruned(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE), own)
    if errors:
        sys.stderr.write("".join(f"{OWN.name}:{error.row}: {error.detail}\n" for error in errors))
        return 1
    rows = sorted(weighed([*own, *public]), key=lambda entry: (entry.category, entry.word))
    lines = [f"{entry.word}\t{entry.category}\t{entry.severity:g}\n" for entry in rows]
    head = "# Made by models.chat.build_lexicon; sources and licences are named there.\n"
    SHIPPED.write_text(head + "".join(lines), encoding="utf-8")
    sys.stdout.write(f"{len(lines)} words: {len(own)} own, {len(lines) - len(own)} from the public lists\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

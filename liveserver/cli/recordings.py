"""`liveserver recording check` and `liveserver verify`: what a file is, judged without a server.

`verify` takes an evidence bundle as it is, or a recording with its manifest.

Exit codes: 0 it fits, or is intact; 1 it does not; 2 there is no such file, or it is no manifest.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

from liveserver.cli import stamps
from liveserver.core.bundle import command
from recorder import profile, verify

MISUSE = 2
_VIDEOS = (".mp4", ".mkv")


def add_commands(commands: Any) -> None:
    """Put both under `commands`, argparse's subparsers."""
    recording = commands.add_parser("recording", help="look into recordings", allow_abbrev=False)
    inner = recording.add_subparsers(title="commands", metavar="COMMAND", required=True)
    checked = inner.add_parser(
        "check",
        help="check a video file against the course format, clause by clause",
        description=_check.__doc__,
        allow_abbrev=False,
    )
    checked.add_argument("file", type=Path, metavar="FILE")
    checked.add_argument("--strict", action="store_true", help="waive nothing, take advice as a rule")
    checked.add_argument("--json", action="store_true", help="print one JSON object")
    checked.set_defaults(command=_check)

    verified = commands.add_parser(
        "verify",
        help="prove an evidence bundle, or a recording by its manifest, offline",
        description=_verify.__doc__,
        allow_abbrev=False,
    )
    verified.add_argument("file", type=Path, metavar="FILE", help="a bundle (.zip), or a recording")
    verified.add_argument("--manifest", type=Path, metavar="M", help="of a recording: its .jsonl file")
    command.add_options(verified)
    verified.add_argument(
        "--tsa-roots", type=Path, metavar="FILE",
        help="certificates (PEM) of those who vouch for time stamp authorities: each stamp must lead to one",
    )  # fmt: skip
    verified.add_argument(
        "--chain", type=_chain, metavar="HEX", help="a chain value that is known, from the ledger"
    )
    verified.add_argument(
        "--previous", type=Path, metavar="P", help="the manifest of the part before, of a long recording"
    )
    verified.add_argument("--json", action="store_true", help="print one JSON object")
    verified.set_defaults(command=_verify)


def _chain(text: str) -> str:
    if re.fullmatch(r"[0-9A-Fa-f]{64}", text) is None:
        raise argparse.ArgumentTypeError("64 hexadecimal digits are expected")
    return text


def _check(given: argparse.Namespace) -> int:
    """Say for each clause of the course format (REQ-P1 to P10) what the file has and whether that fits.
    Clauses that are waived say why; they do not decide, unless --strict is given."""
    try:
        report = profile.examine(given.file)
    except OSError as error:
        return _misuse(f"cannot read {given.file}: {error.strerror}")
    fits = report.fits(strict=given.strict)
    if given.json:
        _print(json.dumps(report.as_dict(strict=given.strict)))
        return 0 if fits else 1
    for clause in report.clauses:
        mark = "yes" if clause.fits else "waived" if clause.waived and not given.strict else "NO"
        _print(f"{clause.clause:<8} {mark:<7} {clause.requires}: {clause.found}")
        if clause.waived and not given.strict:
            _print(f"{'':<16} {clause.waived}")
    _print(f"{given.file.name} {'fits' if fits else 'does not fit'} the format.")
    return 0 if fits else 1


def _verify(given: argparse.Namespace) -> int:
    """Of a bundle: hash every entry, reckon the signed root and everybody's hours again, and name the first
    entry, fragment or field that does not fit. Of a recording: compare it with its manifest, the chain of
    lines, the file's SHA-256, and if that differs each fragment, so that what was altered, deleted, inserted
    or cut off is named. Needs no server, no network."""
    if given.manifest is None:
        if given.file.suffix.lower() in _VIDEOS:
            return _misuse("a recording is proven by its manifest: give it with --manifest")
        try:
            further = None if given.tsa_roots is None else stamps.further(given.tsa_roots)
        except (OSError, ValueError):
            return _misuse(f"there is no certificate in {given.tsa_roots}")
        return command.run(given, further)
    try:
        verdict = verify.verify(given.file, given.manifest, given.chain or "", given.previous)
    except OSError as error:
        return _misuse(f"cannot read {error.filename}: {error.strerror}")
    except verify.NotAManifestError as error:
        return _misuse(str(error))
    if given.json:
        _print(json.dumps(verdict.as_dict()))
        return 0 if verdict.intact else 1
    for found in verdict.findings:
        _print(found.detail)
    if verdict.intact:
        _print(f"{given.file.name} is {verdict.key}, intact: all {verdict.fragments} fragments.")
        _print(f"The manifest's chain ends with {verdict.chain}.")
        if verdict.continues:
            joined = "proven" if given.previous else "to prove that, give its manifest with --previous"
            _print(f"It is part {verdict.reel} and goes on from {verdict.continues} ({joined}).")
        if verdict.next:
            _print(f"{verdict.next} goes on from it.")
        if not given.chain:
            _print("Compare that with the ledger's value (--chain): both files could have been written anew.")
    else:
        _print(f"{given.file.name} is not what was recorded.")
    return 0 if verdict.intact else 1


def _misuse(text: str) -> int:
    sys.stderr.write(f"liveserver: {text}\n")
    return MISUSE


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")

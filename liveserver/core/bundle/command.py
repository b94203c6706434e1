"""The checker as a command: `liveserver verify BUNDLE.zip`, and `verify.py` in every bundle.

Exit codes: 0 everything fits, 1 something does not, 2 there is no such file.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from liveserver.core.bundle.check import Report, check
from liveserver.core.bundle.faces import two_faces
from liveserver.core.bundle.outside import Kept, Stamped, Trusted
from liveserver.core.bundle.reading import Misfit
from liveserver.core.times import china_time

MISUSE = 2
_CUTS = ("cut", "restore")


def add_options(parser: argparse.ArgumentParser) -> None:
    """What a checker may be told that the bundle cannot say of itself."""
    parser.add_argument(
        "--log", type=_id, metavar="ID", help="the ledger's id, as it is known from elsewhere"
    )
    parser.add_argument(
        "--witness", type=_id, action="append", default=[], metavar="ID",
        help="the id of a trusted witness's key, which must have answered; may be given again",
    )  # fmt: skip
    parser.add_argument(
        "--tsa-fingerprint", type=_fingerprint, action="append", default=[], metavar="SHA256",
        help="SHA-256 of the certificate of a time stamp authority you trust, which must have stamped; "
        "may be given again",
    )  # fmt: skip
    parser.add_argument(
        "--against", type=Path, metavar="FILE", help="another bundle: does it show the same ledger?"
    )


def main(arguments: Sequence[str]) -> int:
    """`verify.py BUNDLE.zip`; exits by SystemExit(2) on misuse, as argparse has it."""
    parser = argparse.ArgumentParser(prog="verify.py", description=__doc__, allow_abbrev=False)
    parser.add_argument("file", type=Path, metavar="BUNDLE.zip")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    add_options(parser)
    given = parser.parse_args(arguments)
    return run(given)


Further = Callable[[Report], list[str]]


def run(given: argparse.Namespace, further: Further | None = None) -> int:
    """Check and say what was found. `given`: what `add_options` reads, with `file` and `json`; `further` is
    asked about a bundle that fits, and what it says is said too. It raises Misfit for what does not fit."""
    path, against = given.file, given.against
    said: list[str] = []
    try:
        with path.open("rb") as file:
            report = check(file, given.log, Trusted(given.witness, given.tsa_fingerprint))
            contradiction = _against(file, against, report) if against is not None else ""
    except OSError as error:
        sys.stderr.write(f"cannot read {error.filename}: {error.strerror}\n")
        return MISUSE
    if report.fits and further is not None:
        try:
            said = further(report)
        except Misfit as misfit:
            report.misfit = misfit
    if given.json:
        text = json.dumps(as_dict(report) | {"contradiction": contradiction}, ensure_ascii=False)
    else:
        text = "\n".join([*words(path.name, report), *said, *_faces(path, against, contradiction)])
    sys.stdout.write(text + "\n")
    return 0 if report.fits and not contradiction else 1


def _against(file: BinaryIO, path: Path, report: Report) -> str:
    """What another bundle says against this one; one that does not fit itself is no witness."""
    with path.open("rb") as other:
        found = check(other)
        if found.misfit is not None:
            return f"{path.name} does not fit itself: {_where(found.misfit)}"
        return two_faces(file, other) if report.fits else ""


def _faces(path: Path, against: Path | None, contradiction: str) -> list[str]:
    if against is None:
        return []
    if not contradiction:
        return [f"{path.name} and {against.name} do not contradict each other."]
    return [f"{path.name} and {against.name} do NOT show the same ledger: {contradiction}. Keep both."]


def words(name: str, report: Report) -> list[str]:
    """The report for somebody who is no engineer."""
    if report.misfit is not None:
        return [
            f"{name} does NOT prove what it says.",
            f"The first thing that does not fit: {_where(report.misfit)}",
        ]
    assert report.head is not None
    of = f"the lesson {report.title!r} ({report.lesson})"
    about = of if report.person is None else f"the part of {report.person} in {of}"
    learners = "hours" if report.learners == 1 else f"hours of {report.learners} learners"
    state = (
        "provisional: the lesson is not settled yet" if report.provisional else "as the ledger settled them"
    )
    lines = [
        f"{name} proves {about}.",
        f"{report.entries} entries stand unaltered at their places in a ledger of {report.head.size}, whose "
        f"head was signed on {china_time(report.head.at_ms)}.",
        f"The {learners} were reckoned again from the facts: the same ({state}).",
    ]
    cuts = sum(report.types[kind] for kind in _CUTS)
    if cuts:
        lines.append(
            f"The lesson was cut or restored {cuts} times; who, when, why and how fast is in its entries."
        )
    for recording, digest in report.recordings:
        lines.append(f"Recording {recording}: the video must have the SHA-256 {digest}.")
    for witness, size, at_ms in report.witnesses:
        when = china_time(at_ms)
        lines.append(
            f"The witness {witness} saw this ledger with {size} entries on {when}: it only grew since."
        )
    lines += map(_stamped, report.stamps)
    lines += map(_kept, report.kept)
    lines.append(f"The ledger's id is {report.log}.")
    return [*lines, *(f"Note: {note}" for note in report.notes)]


def as_dict(report: Report) -> dict[str, Any]:
    misfit, head = report.misfit, report.head
    return {
        "fits": report.fits,
        "misfit": misfit and {"member": misfit.member, "place": misfit.place, "words": misfit.words},
        "kind": report.kind,
        "lesson": report.lesson,
        "title": report.title,
        "person": report.person,
        "log": report.log,
        "head": head and {"size": head.size, "root": head.root, "at_ms": head.at_ms},
        "entries": report.entries,
        "learners": report.learners,
        "provisional": report.provisional,
        "witnesses": [{"name": name, "size": size, "at_ms": at} for name, size, at in report.witnesses],
        "stamps": [
            {
                "size": one.size,
                "at_ms": one.stamp.at_ms,
                "serial": str(one.stamp.serial),
                "authority": one.stamp.authority,
                "certificate": one.stamp.certificate,
                "is_known": one.is_known,
            }
            for one in report.stamps
        ],
        "kept": [asdict(one) for one in report.kept],
        "recordings": [{"id": name, "sha256": digest} for name, digest in report.recordings],
        "notes": report.notes,
    }


def _stamped(one: Stamped) -> str:
    late_s = round((one.stamp.at_ms - one.head_ms) / 1000)
    known = (
        "It is one of those that you named."
        if one.is_known
        else "Its signature fits that certificate; who issued the certificate was not checked. Whether you "
        "trust this authority is for you to decide: compare the SHA-256 with the one it publishes."
    )
    return (
        f"The time stamp authority {one.stamp.authority!r} signed that the ledger's head over {one.size} "
        f"entries was there on {china_time(one.stamp.at_ms)}; by the server's clock it was signed {late_s} s "
        f"before. The authority's certificate has the SHA-256 {one.stamp.certificate}. {known}"
    )


def _kept(one: Kept) -> str:
    until_ms = one.locked_until_ms
    locked = "without a lock" if until_ms is None else f"locked until {china_time(until_ms)}"
    version = f", version {one.version!r}" if one.version else ""
    return (
        f"The server's record says that the bucket {one.bucket!r} holds the head over {one.size} entries, "
        f"{locked}. The record fits this ledger; that the bucket really holds it, only the bucket can say: "
        f"ask its owner for the object {one.key!r}{version}, which must have the SHA-256 {one.sha256}."
    )


def _where(misfit: Misfit) -> str:
    part = f"in {misfit.member}, " if misfit.member else ""
    place = f"{misfit.place}: " if misfit.place else ""
    return f"{part}{place}{misfit.words}."


def _fingerprint(text: str) -> str:
    """As openssl prints it, too: `AB:CD:…`."""
    return _id(text.replace(":", "").lower())


def _id(text: str) -> str:
    if re.fullmatch(r"[0-9a-f]{64}", text) is None:
        raise argparse.ArgumentTypeError("64 hexadecimal digits are expected")
    return text

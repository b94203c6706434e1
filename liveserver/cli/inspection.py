"""`liveserver inspect`: an inspection in one command, from anywhere, with the inspector's own token (REL-E9).

A sample is drawn by a seed that goes into the ledger; the bundle of every lesson in it is fetched and checked
here; with --videos the sealed recordings too, against the hashes in their bundles. What was fetched stays.
Exit codes: 0 all of it fits; 1 something does not, or was refused; 2 misuse.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from liveserver.cli.rest import Bounds, RefusedError, Server
from liveserver.config.units import Size
from liveserver.core.bundle.archive import MAX_BYTES
from liveserver.core.bundle.check import Report, check

MISUSE = 2
FILES_MAX = 1_000_000
TOKEN = "LIVESERVER_TOKEN"  # noqa: S105 - the variable's name
_FOR_ALL = ("no_answer", "too_much", "too_many_files", "token_expired")
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def add_commands(commands: Any) -> None:
    """Put it under `commands`, argparse's subparsers."""
    parser = commands.add_parser(
        "inspect",
        help="draw a sample of lessons, fetch what proves them, and check it",
        description=_inspect.__doc__,
        allow_abbrev=False,
    )
    parser.add_argument("url", help="the server, such as https://class.example")
    parser.add_argument("--since", type=_day, required=True, metavar="DAY", help="first day, 2026-03-01")
    parser.add_argument("--until", type=_day, required=True, metavar="DAY", help="last day")
    parser.add_argument("--percent", type=int, default=10, metavar="N", help="of the hours at least (10-100)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where everything is kept")
    parser.add_argument("--videos", action="store_true", help="fetch the sealed recordings too")
    parser.add_argument(
        "--most-file", type=_size, default=Size.parse("20GiB"), metavar="SIZE",
        help="of one file (20GiB); a bundle is never larger than 2GiB",
    )  # fmt: skip
    parser.add_argument(
        "--most", type=_size, default=Size.parse("500GiB"), metavar="SIZE", help="of all files (500GiB)"
    )
    parser.add_argument(
        "--most-files", type=_files, default=20_000, metavar="N", help="how many files (20000)"
    )
    parser.add_argument(
        "--ca", type=Path, metavar="FILE", help="certificates to trust instead of the system's"
    )
    parser.set_defaults(command=_inspect)


def _day(text: str) -> str:
    if _DAY.fullmatch(text) is None:
        raise argparse.ArgumentTypeError("a day such as 2026-03-01 is expected")
    return text


def _size(text: str) -> Size:
    try:
        return Size.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _files(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= FILES_MAX:
        raise argparse.ArgumentTypeError(f"a number from 1 to {FILES_MAX} is expected")
    return int(text)


def _inspect(given: argparse.Namespace) -> int:
    """Draw at least so many per cent of the lesson hours between two days, fetch the evidence bundle of each
    lesson that was drawn, and check it here, whatever the server says of it. The inspector's own token is
    read from LIVESERVER_TOKEN."""
    token = os.environ.get(TOKEN, "")
    if not token or not given.url.startswith(("http://", "https://")):
        sys.stderr.write(f"liveserver: an address, and the inspector's token in {TOKEN}, are needed\n")
        return MISUSE
    try:
        given.out.mkdir(parents=True, exist_ok=True)
        bounds = Bounds(given.most_file.bytes, given.most.bytes, given.most_files)
        server = Server(given.url, token, ca=given.ca, bounds=bounds)
        order = {"since": given.since, "until": given.until, "percent": given.percent}
        sample = server.json("POST", "/inspections/samples", order)
        (given.out / "sample.json").write_text(json.dumps(sample, ensure_ascii=False, indent=1))
        lessons = _drawn(sample)
        _say(f"drawn {len(lessons)} of {sample.get('population')} lessons by the seed {sample.get('seed')}")
        return max([_lesson(server, one, given) for one in lessons], default=0)
    except (RefusedError, OSError) as error:
        sys.stderr.write(f"liveserver: {error}\n")
        return 1


def _drawn(sample: dict[str, Any]) -> list[dict[str, Any]]:
    """The lessons of a sample. Raises RefusedError."""
    lessons = sample.get("lessons")
    rows: list[Any] = lessons if isinstance(lessons, list) else [None]
    if not all(isinstance(one, dict) and _ID.fullmatch(str(one.get("id"))) for one in rows):
        raise RefusedError("bad_answer", "the server's sample names no lessons")
    return rows


def _lesson(server: Server, lesson: dict[str, Any], given: argparse.Namespace) -> int:
    """Fetch and check one; 0 if it fits. Raises RefusedError where the others cannot be asked for either."""
    wrong: list[str] = []
    entries = 0
    try:
        report = _bundle(server, lesson["id"], given.out)
        entries = report.entries
        if not report.fits:
            wrong.append(str(report.misfit))
        elif report.lesson != lesson["id"]:
            wrong.append("it is the bundle of another lesson")
        elif given.videos:
            wrong += _videos(server, lesson["id"], report, given.out)
    except RefusedError as error:
        if error.code in _FOR_ALL:
            raise
        wrong.append(str(error))
    title = f"{lesson['id']}  {lesson.get('title')}"
    _say(f"{title}: {'; '.join(wrong)}" if wrong else f"{title}: fits, {entries} entries")
    return 1 if wrong else 0


def _bundle(server: Server, lesson: str, folder: Path) -> Report:
    path = folder / f"{lesson}.zip"
    server.fetch(f"/lessons/{lesson}/evidence", path, MAX_BYTES)
    with path.open("rb") as file:
        return check(file)


def _videos(server: Server, lesson: str, report: Report, folder: Path) -> Iterator[str]:
    """What is wrong with the recordings that the bundle names."""
    told = {one.get("id"): one for one in server.items(f"/lessons/{lesson}/recordings")}
    for name, digest in report.recordings:
        url = told.get(name, {}).get("url")
        if not isinstance(url, str):
            yield f"recording {name} is not there"
            continue
        path = folder / f"{_plain(name)}.mp4"
        if server.fetch(url, path) != digest:
            yield f"recording {name} is not the one that was sealed"


def _plain(name: str) -> str:
    """An id as a file's name, whatever a server calls it."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", name)[:100]


def _say(text: str) -> None:
    """Without what a title could do to a terminal."""
    sys.stdout.write("".join(letter if letter.isprintable() else "?" for letter in text) + "\n")

"""`liveserver inspect`: an inspection in one command, from anywhere, with the inspector's own token (REL-E9).

A sample is drawn by a seed that goes into the ledger; the bundle of every lesson in it is fetched and checked
here; with --videos the sealed recordings too, against the hashes in their bundles. What was fetched stays.
Exit codes: 0 all of it fits; 1 something does not, or was refused; 2 misuse.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import json
import os
import re
import ssl
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from liveserver.core.bundle.check import Report, check
from liveserver.http.api import PREFIX

MISUSE = 2
TOKEN = "LIVESERVER_TOKEN"  # noqa: S105 - the variable's name
_TIMEOUT_S = 60.0
_PIECE = 1024 * 1024
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


class RefusedError(Exception):
    """The server cannot be asked, or said no; the message is one sentence."""


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
        "--ca", type=Path, metavar="FILE", help="certificates to trust instead of the system's"
    )
    parser.set_defaults(command=_inspect)


def _day(text: str) -> str:
    if _DAY.fullmatch(text) is None:
        raise argparse.ArgumentTypeError("a day such as 2026-03-01 is expected")
    return text


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
        trust = ssl.create_default_context(cafile=given.ca) if given.ca else None
        server = _Server(given.url.rstrip("/"), token, trust)
        order = {"since": given.since, "until": given.until, "percent": given.percent}
        sample = server.json("POST", "/inspections/samples", order)
        (given.out / "sample.json").write_text(json.dumps(sample, ensure_ascii=False, indent=1))
        _say(f"drawn {len(sample['lessons'])} of {sample['population']} lessons by the seed {sample['seed']}")
        return max((_lesson(server, one, given) for one in sample["lessons"]), default=0)
    except (RefusedError, OSError) as error:
        sys.stderr.write(f"liveserver: {error}\n")
        return 1


def _lesson(server: _Server, lesson: dict[str, Any], given: argparse.Namespace) -> int:
    """Fetch and check one; 0 if it fits."""
    path = given.out / f"{_plain(lesson['id'])}.zip"
    server.fetch(f"/lessons/{lesson['id']}/evidence", path)
    with path.open("rb") as file:
        report = check(file)
    wrong = [] if report.fits else [str(report.misfit)]
    if report.fits and report.lesson != lesson["id"]:
        wrong.append("it is the bundle of another lesson")
    if given.videos and not wrong:
        wrong += list(_videos(server, lesson["id"], report, given.out))
    title = f"{lesson['id']}  {lesson['title']}"
    _say(f"{title}: {'; '.join(wrong)}" if wrong else f"{title}: fits, {report.entries} entries")
    return 1 if wrong else 0


def _videos(server: _Server, lesson: str, report: Report, folder: Path) -> Iterator[str]:
    """What is wrong with the recordings that the bundle names."""
    told = {one["id"]: one for one in server.json("GET", f"/lessons/{lesson}/recordings")["items"]}
    for name, digest in report.recordings:
        url = told.get(name, {}).get("url")
        if not url:
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


@dataclass(frozen=True, slots=True)
class _Server:
    base: str
    token: str
    trust: ssl.SSLContext | None

    def json(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """One request. Raises RefusedError."""
        with self._asked(method, f"{self.base}{PREFIX}{path}", body) as answer:
            found: dict[str, Any] = json.loads(answer.read())
            return found

    def fetch(self, where: str, path: Path) -> str:
        """Write what is at a path of the API, or an address, to `path`; its SHA-256. Raises RefusedError."""
        url = where if where.startswith("http") else f"{self.base}{PREFIX}{where}"
        digest = hashlib.sha256()
        with self._asked("GET", url) as answer, path.open("wb") as file:
            while piece := answer.read(_PIECE):
                digest.update(piece)
                file.write(piece)
        return digest.hexdigest()

    @contextmanager
    def _asked(self, method: str, url: str, body: Any = None) -> Iterator[Any]:
        if not url.startswith(("http://", "https://")):
            raise RefusedError("the server names an address that is none")
        headers = {"Content-Type": "application/json"}
        if url.startswith(f"{self.base}{PREFIX}/"):  # a recording's address may lead to a bucket elsewhere
            headers["Authorization"] = f"Bearer {self.token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310 - checked above
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S, context=self.trust) as answer:  # noqa: S310
                yield answer
        except urllib.error.HTTPError as refusal:
            with refusal:
                raise RefusedError(f"the server refused with {refusal.code}") from None
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise RefusedError(f"no answer from the server: {getattr(error, 'reason', error)}") from None

"""A server's REST API as a command asks it: trusted for nothing, so everything it sends has a bound.

Bytes of an answer, of a file and of all files, their number, time without a byte and pace are bounded. The
token goes to the API's own address alone: an answer that leads elsewhere is not followed with it.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote, urlsplit

from liveserver.http.api import PREFIX

TIMEOUT_S = 60.0
"""Without a byte."""
SLOWEST_BYTES_S = 16 * 1024
"""What comes slower than this, on average, is given up: a server could send a byte a minute for ever."""
ANSWER_MAX_BYTES = 32 * 1024 * 1024
PAGES_MAX = 200
_PAGE = 200
_PROBLEM_MAX_BYTES = 65_536
_PIECE_BYTES = 1024 * 1024
_CODE = re.compile(r"[a-z][a-z0-9_]{0,63}")


class RefusedError(Exception):
    """The server cannot be asked, said no, or sends more than is taken; the message is one sentence.

    `code` is stable: the server's own where it refused, else `bad_address`, `no_answer`, `bad_answer`,
    `too_slow`, `too_large` (one answer or file), `too_much` (all files), `too_many_files`.
    """

    def __init__(self, code: str, words: str):
        super().__init__(f"{words} ({code})")
        self.code = code


@dataclass(frozen=True, slots=True)
class Bounds:
    """Of what is fetched into files: bytes of one, of all, and how many."""

    file: int
    total: int
    files: int


class Server:
    """One server, asked with one token. `ca`: certificates (PEM) to trust instead of the system's.

    Raises RefusedError for an address that is none, OSError for a file without certificates.
    """

    def __init__(
        self,
        base: str,
        token: str,
        *,
        ca: Path | None = None,
        timeout_s: float = TIMEOUT_S,
        bounds: Bounds | None = None,
    ):
        self.base = base.rstrip("/")
        _checked(self.base)
        self._token = token
        self._timeout_s = timeout_s
        self._bounds = bounds or Bounds(0, 0, 0)
        self._files = self._total = 0
        trust = ssl.create_default_context(cafile=ca)
        https = urllib.request.HTTPSHandler(context=trust)
        self._opener = urllib.request.build_opener(https, _Redirects)

    def json(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """What a path of the API answers. Raises RefusedError."""
        with self._asked(method, f"{self.base}{PREFIX}{path}", body) as answer:
            text = b"".join(self._pieces(answer, ANSWER_MAX_BYTES))
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise RefusedError("bad_answer", f"the server's answer to {path} is no JSON object")
        return found

    def items(self, path: str) -> Iterator[dict[str, Any]]:
        """A list of the API, page after page. Raises RefusedError, for more than `PAGES_MAX` pages too."""
        after = ""
        for _ in range(PAGES_MAX):
            page = self.json("GET", f"{path}?limit={_PAGE}{after}")
            items, following = page.get("items"), page.get("next")
            if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
                raise RefusedError("bad_answer", f"the server's answer to {path} is no list")
            yield from items
            if following is None:
                return
            after = f"&after={quote(str(following), safe='')}"
        raise RefusedError("too_large", f"the server's list of {path} does not end")

    def fetch(self, where: str, path: Path, most: int | None = None) -> str:
        """Write what is at a path of the API, or at an address, to `path`; its SHA-256. `most`: bytes, where
        it may have fewer than any file.

        A file that is not whole is not left there. Raises RefusedError, OSError.
        """
        if self._files >= self._bounds.files:
            raise RefusedError("too_many_files", f"more than {self._bounds.files} files would be fetched")
        self._files += 1
        url = where if where.startswith("http") else f"{self.base}{PREFIX}{where}"
        digest, part = hashlib.sha256(), path.with_name(f"{path.name}.part")
        try:
            with self._asked("GET", url) as answer, part.open("wb") as file:
                for piece in self._pieces(answer, min(self._bounds.file, most or self._bounds.file)):
                    self._total += len(piece)
                    if self._total > self._bounds.total:
                        raise RefusedError("too_much", f"all files have more than {self._bounds.total} bytes")
                    digest.update(piece)
                    file.write(piece)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        return digest.hexdigest()

    def _pieces(self, answer: http.client.HTTPResponse, most: int) -> Iterator[bytes]:
        """The body as it comes. Raises RefusedError beyond `most` bytes, or where it comes too slowly."""
        began_s, size = time.monotonic(), 0
        if (answer.length or 0) > most:
            raise RefusedError("too_large", f"the server sends {answer.length} bytes, more than {most}")
        while piece := self._read(answer):
            size += len(piece)
            if size > most:
                raise RefusedError("too_large", f"the server sends more than {most} bytes")
            if time.monotonic() - began_s > self._timeout_s + size / SLOWEST_BYTES_S:
                raise RefusedError("too_slow", f"{size} bytes came from the server, and too slowly")
            yield piece
        if answer.length:
            raise RefusedError("no_answer", "the server's answer was cut off")

    def _read(self, answer: http.client.HTTPResponse) -> bytes:
        try:
            return answer.read1(_PIECE_BYTES)
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise RefusedError("no_answer", f"the server's answer was cut off: {error}") from None

    def _asked(self, method: str, url: str, body: Any = None) -> http.client.HTTPResponse:
        """An answer that said yes, to be read and closed."""
        _checked(url)
        headers = {"Content-Type": "application/json"}
        if url.startswith(f"{self.base}{PREFIX}/"):  # a recording's address may lead to a bucket elsewhere
            headers["Authorization"] = f"Bearer {self._token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310 - checked above
        try:
            answer: http.client.HTTPResponse = self._opener.open(request, timeout=self._timeout_s)
        except urllib.error.HTTPError as refusal:
            with refusal:
                raise _refused(self.base, refusal) from None
        except (OSError, ValueError, http.client.HTTPException) as error:
            why = getattr(error, "reason", error)
            raise RefusedError("no_answer", f"no server answers at {self.base}: {why}") from None
        return answer


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Elsewhere by http and https alone, from https to https, and never with the token."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        _checked(newurl)
        if req.has_header("Authorization") or (
            req.full_url.startswith("https:") > newurl.startswith("https:")
        ):
            return None
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _checked(url: str) -> None:
    """Raises RefusedError unless `url` is an address of the web."""
    try:
        parts = urlsplit(url)
        good = (
            parts.scheme in ("http", "https") and bool(parts.hostname) and url.isascii() and url.isprintable()
        )
    except ValueError:
        good = False
    if not good or " " in url:
        raise RefusedError("bad_address", "an address such as https://class.example is expected")


def _refused(base: str, refusal: urllib.error.HTTPError) -> RefusedError:
    """With the code of the problem (RFC 9457), where the server says one."""
    try:
        found = json.loads(refusal.read(_PROBLEM_MAX_BYTES)).get("code")
    except (OSError, ValueError, RecursionError, AttributeError, http.client.HTTPException):
        found = None
    code = found if isinstance(found, str) and _CODE.fullmatch(found) else f"http_{refusal.code}"
    return RefusedError(code, f"the server at {base} refused with {refusal.code}")

"""Small files served from memory: entity tags, revalidation, and gzip where it pays.

Addresses carry no version (the pages are not built), so browsers keep a file and ask each time whether it
changed: `no-cache` with a strong ETag, answered by 304 (RFC 9110 13, RFC 9111 5.2.2.4).
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aiohttp import hdrs, web

_MIN_GZIP_BYTES = 860  # below it, one packet carries the file anyway
_TYPES = {".js": "text/javascript", ".mjs": "text/javascript", ".svg": "image/svg+xml", ".webp": "image/webp"}
_TEXT = ("text/", "application/json", "image/svg+xml", "application/manifest+json")


@dataclass(frozen=True, slots=True)
class Asset:
    """One file, plain and (where that is at least a tenth smaller) compressed once."""

    content_type: str
    plain: bytes
    compressed: bytes | None
    tag: str

    @classmethod
    def of(cls, content: bytes, content_type: str) -> Asset:
        compressed = None
        if len(content) >= _MIN_GZIP_BYTES and content_type.startswith(_TEXT):
            smaller = gzip.compress(content, compresslevel=9, mtime=0)
            compressed = smaller if len(smaller) * 10 <= len(content) * 9 else None
        if content_type.startswith("text/"):
            content_type += "; charset=utf-8"
        return cls(content_type, content, compressed, hashlib.sha256(content).hexdigest()[:32])

    def answer(self, request: web.Request, headers: Mapping[str, str] | None = None) -> web.Response:
        """The file as this client can take it, or 304 when it has it."""
        body, tag, coded = self.plain, self.tag, {}
        if self.compressed is not None and _takes_gzip(request):
            body, tag, coded = self.compressed, f"{self.tag}-gzip", {"Content-Encoding": "gzip"}
        kept = {"ETag": f'"{tag}"', "Cache-Control": "no-cache", "Vary": "Accept-Encoding", **(headers or {})}
        # GET and HEAD compare weakly (RFC 9110 13.1.2): only the value counts.
        known = {etag.value for etag in request.if_none_match or ()}
        if tag in known or "*" in known:
            return web.Response(status=304, headers=kept)
        return web.Response(body=body, headers={"Content-Type": self.content_type, **kept, **coded})


def _takes_gzip(request: web.Request) -> bool:
    """Whether Accept-Encoding lists gzip without refusing it by `q=0` (RFC 9110 12.5.3)."""
    for part in request.headers.get(hdrs.ACCEPT_ENCODING, "").split(","):
        coding, _, weight = part.strip().partition(";")
        if coding.strip().lower() in ("gzip", "*"):
            return weight.strip().replace(" ", "").rstrip("0.") != "q="
    return False


def folder(root: Path) -> dict[str, Asset]:
    """Every file below `root` by its path from there: `lib/api.js`."""
    found = {}
    for path in sorted(root.rglob("*")):
        if path.is_file() and not path.name.startswith("."):
            guessed = (
                _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
            )
            found[path.relative_to(root).as_posix()] = Asset.of(path.read_bytes(), guessed)
    return found

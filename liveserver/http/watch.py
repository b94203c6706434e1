"""What the player's page plays: chapters, their thumbnails and versions, under the recording's own link.

`GET /recordings/{id}/about?link=…` tells what there is, `GET /recordings/{id}/{object}?link=…` gives one of
them. A link opens one recording until its time, and nothing that is asked with it makes a longer one; the
other reels of a long recording have links of their own in the answer, which end with it.
"""

from __future__ import annotations

import asyncio
import re
from itertools import islice
from pathlib import Path
from typing import Any

from aiohttp import web

from liveserver import shapes
from liveserver.core.errors import PeerError
from liveserver.http.answers import json_answer
from liveserver.http.context import AnyCall, Call, base_url
from liveserver.http.playback import LINK_KIND, PlaybackQuery, Sent, opened, sealed, send
from liveserver.http.ports.recordings import StoredObject
from liveserver.http.routes import RECORDING, Route, Scope
from recorder.objects import ObjectError, checked

CHAPTERS = "chapters.vtt"
CAPTIONS = "captions.vtt"
# Names after the recording's own (docs/PROTOCOL.md section 5): what is not one of these is never looked for.
_OBJECT = (
    r"{object:(?:chapters|captions)\.vtt|chapter\.[0-9]{2,4}\.jpg|(?:web|archive|parts)\.[0-9]{2,4}\.mp4}"
)
_TYPES = {".vtt": "text/vtt; charset=utf-8", ".jpg": "image/jpeg"}
# One picture made for players, the lighter one first; `parts` has every track beside the others, as sent.
_PLAYED = ("web", "archive")
_LIST_MAX_BYTES = 256 * 1024
_CHAPTERS_MAX = 500
_CUE = re.compile(r"^(\d+):(\d\d):(\d\d)\.(\d{3}) --> (\d+):(\d\d):(\d\d)\.(\d{3})$", re.MULTILINE)

Span = tuple[int, int]


async def about(call: Call[None, PlaybackQuery]) -> web.Response:
    link = opened(call)
    recording = await call.services.rooms.playback.recording(link.subject)
    call.services.rooms.playback.may_play(recording["lesson"], link.person, link.role)
    return json_answer(await shown(call, recording, call.query.link))


async def piece(call: Call[None, PlaybackQuery]) -> web.StreamResponse:
    """A chapter's file or picture, or the list of chapters; answers range requests."""
    recording = await sealed(call)
    name = call.request.match_info["object"]
    suffix = name[name.rindex(".") :]
    sent = Sent(f"{recording.id}.{name}", _TYPES.get(suffix, "video/mp4"), direct=suffix not in _TYPES)
    return await send(call, _key(recording.path, name), sent)


async def shown(call: AnyCall, recording: dict[str, Any], link: str) -> dict[str, Any]:
    """What the player shows of `recording` and of the reels beside it, every address in it with `link` or one
    that ends with it and is for the same person; none of what is not sealed."""
    services = call.services
    now_s = services.clock.wall_s()
    made = services.tokens.verify_link(LINK_KIND, link, now_s)
    ttl_s = max(1, made.expires_at_s - now_s)
    reels = []
    for reel in await services.rooms.playback.reels(recording["id"]):
        own = link
        if reel["id"] != recording["id"]:
            own = services.tokens.sign_link(
                LINK_KIND, reel["id"], now_s, ttl_s, made.name, made.person, made.role
            )
        reels.append(await _reel(call, reel, own))
    asked = next((reel for reel in reels if reel["recording"]["id"] == recording["id"]), None)
    return {
        **(asked or await _reel(call, recording, link)),
        "viewer": made.name,
        "expires_at": shapes.time(made.expires_at_s * 1000),
        "reels": reels,
    }


async def _reel(call: AnyCall, recording: dict[str, Any], link: str) -> dict[str, Any]:
    is_sealed = recording["state"] == "sealed"
    address = f"{base_url(call.request)}/recordings/{recording['id']}"
    chapters: list[dict[str, Any]] = []
    captions = None
    if is_sealed:
        stored = await call.services.store.recordings.one(recording["id"])
        files = _Files(call, "" if stored is None else stored.path)
        await files.look()
        captions = await files.first(CAPTIONS)
        for number, (from_ms, to_ms) in enumerate(await files.spans(), 1):
            picture = await files.first(f"chapter.{number:02}.jpg")
            played = await files.first(*(f"{version}.{number:02}.mp4" for version in _PLAYED))
            chapters.append(
                {
                    "from_ms": from_ms,
                    "to_ms": to_ms,
                    "thumbnail": picture and f"{address}/{picture}?link={link}",
                    "url": played and f"{address}/{played}?link={link}",
                }
            )
    return {
        "recording": {**recording, "url": f"{address}?link={link}" if is_sealed else None},
        "chapters": chapters,
        "chapters_url": f"{address}/{CHAPTERS}?link={link}" if chapters else None,
        "captions_url": captions and f"{address}/{captions}?link={link}",
    }


class _Files:
    """The objects of one recording, on the disk and in the bucket."""

    def __init__(self, call: AnyCall, path: str):
        self._services = call.services
        self._path = path
        self._local: frozenset[str] = frozenset()

    async def look(self) -> None:
        """Read once which objects are on the disk."""
        self._local = await asyncio.to_thread(_names, (self._services.config.objects_dir / self._path).parent)

    async def first(self, *names: str) -> str | None:
        """The first of `names` that is there."""
        for name in names:
            key = _key(self._path, name)
            if Path(key).name in self._local or await self._stored(key) is not None:
                return name
        return None

    async def spans(self) -> list[Span]:
        """The chapters; none where they are not made yet or cannot be had now."""
        key = _key(self._path, CHAPTERS)
        try:
            if Path(key).name in self._local:
                folder = self._services.config.objects_dir
                return parse(await asyncio.to_thread(_read, folder / key))
            found, keeper = await self._stored(key), self._services.keeper
            if found is None or keeper is None:
                return []
            bucket = await keeper.remote()
            body = await asyncio.to_thread(bucket.open_range, found.key, 0, found.version)
            try:
                return parse(await asyncio.to_thread(body.read, _LIST_MAX_BYTES))
            finally:
                await asyncio.to_thread(body.close)
        except (ObjectError, OSError):
            return []  # the recording itself can be played all the same

    async def _stored(self, key: str) -> StoredObject | None:
        keeper = self._services.keeper
        return None if keeper is None else await keeper.located(key)


def parse(data: bytes) -> list[Span]:
    """The spans of a WebVTT list as `recorder.chapters` writes it, in ms; at most 500."""
    found: list[Span] = []
    for cue in islice(_CUE.finditer(data.decode("utf-8", "replace")), _CHAPTERS_MAX):
        h, m, s, ms, to_h, to_m, to_s, to_ms = map(int, cue.groups())
        found.append((((h * 60 + m) * 60 + s) * 1000 + ms, ((to_h * 60 + to_m) * 60 + to_s) * 1000 + to_ms))
    return found


def _key(path: str, name: str) -> str:
    """The key of the object `name` beside the sealed file at `path`. Raises PeerError `not_found`."""
    try:
        return checked(f"{path.removesuffix('.mp4')}.{name}")
    except ObjectError as error:
        raise PeerError("not_found", "the recording's file is not here", status=404) from error


def _names(folder: Path) -> frozenset[str]:
    try:
        return frozenset(path.name for path in folder.iterdir())
    except OSError:
        return frozenset()


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_LIST_MAX_BYTES)


ROUTES = (
    Route(
        "GET",
        f"/recordings/{RECORDING}/about",
        about,
        "A recording with its chapters and gaps, for whoever holds a link to it",
        Scope.OPEN,
        {200: ("What the player shows", "Watch")},
        query=PlaybackQuery,
    ),
    Route(
        "GET",
        f"/recordings/{RECORDING}/{_OBJECT}",
        piece,
        "A chapter's file, its thumbnail, the list of chapters, or captions; answers range requests",
        Scope.OPEN,
        {
            200: ("The file", "application/octet-stream"),
            206: ("A part of it", "application/octet-stream"),
            302: ("It is played from the bucket, at the address in Location", None),
        },
        query=PlaybackQuery,
    ),
)

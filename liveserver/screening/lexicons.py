"""The operator's lists of words: uploaded, tried out on the recent chat, kept in versions, used at once.

`sensitive` is what the operator must look for (it ships empty), `house` what he adds of other kinds, and
`whitelist` whole texts that are never acted upon. A version is kept as its rows in order, so its SHA-256 is
the one that receipts name (`models.chat.lexicon.Lexicon.version`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from liveserver import shapes
from liveserver.clock import Clock
from liveserver.core.errors import PeerError
from liveserver.core.ledger import JSON, Fact
from liveserver.core.messages import Json
from liveserver.core.screening import Action, Kind, Policy, TextFinding
from liveserver.log import Event, get_logger
from liveserver.screening.words import TSV, WHITELIST, Words, form_of, read
from liveserver.store import ChatLine, Store, Version
from models.chat.lexicon import Lexicon
from models.chat.normal import normal

NAMES = ("sensitive", "house", WHITELIST)
MAX_BYTES = 1024**2
RECENT_MS = 7 * 86_400_000
RECENT_LINES = 5_000
MAX_HITS = 200
_log = get_logger()


class ChatScreen(Protocol):
    """What is used of `models.chat.screen.ChatScreen`."""

    def screen(self, text: str) -> TextFinding: ...

    def replace_list(self, name: str, lexicon: Lexicon) -> None: ...


class Lexicons:
    """Owned by the main loop. `changed` is called when lists begin to say something else."""

    def __init__(self, store: Store, clock: Clock, screen: ChatScreen | None):
        self._store = store
        self._kept = store.rules.lexicons
        self._clock = clock
        self._screen = screen
        self.changed: Callable[[], None] = lambda: None
        self._writing = asyncio.Lock()  # versions are put in place in the order in which they are kept
        self._words = {name: Words(name) for name in NAMES}
        self._lexicons = {name: Lexicon(name) for name in NAMES}

    async def start(self) -> None:
        """Use the newest version of each list."""
        for name in NAMES:
            newest = await self._kept.get(name)
            if newest is not None:
                await self._use(await asyncio.to_thread(read, name, newest.body, TSV))

    def excused(self, text: str) -> bool:
        """Whether the whitelist has this text, in whatever way it is written."""
        texts = self._words[WHITELIST].texts
        return bool(texts) and form_of(text) in texts

    def searched(self) -> Iterator[tuple[str, str]]:
        """The name and the rows (TSV) of each list that texts are searched for."""
        return ((name, words.body) for name, words in self._words.items() if name != WHITELIST)

    async def listed(self) -> list[Json]:
        """Each list with its newest version; version 0 of one that is empty still."""
        newest = {version.name: version for version in await self._kept.newest()}
        return [{"name": name} | shapes.version(newest.get(name) or _nothing(name)) for name in NAMES]

    async def shown(self, name: str, version: int | None) -> Json:
        """One version with its rows, and all there are. Raises PeerError `not_found` (404)."""
        found = await self._kept.get(_known(name), version)
        if found is None and version:
            raise PeerError("not_found", "the list has no such version", status=404)
        history = [shapes.version(one) for one in await self._kept.history(name)]
        found = found or _nothing(name)
        return {"name": name, "text": found.body, "versions": history} | shapes.version(found)

    async def take(
        self, name: str, text: str, media_type: str, by: str, policy: Policy, *, dry_run: bool
    ) -> Json:
        """Read an upload; unless it is a dry run or has errors, it is the list from now on.

        The answer says what changed and which lines of the recent chat fare otherwise under `policy`.
        """
        before = self._words[_known(name)]
        words = await asyncio.to_thread(read, name, text, media_type)
        old, new = set(before.rows), set(words.rows)
        looked_at, hits = await self._tried(before, words, policy)
        version = None
        if not dry_run and not words.errors:
            async with self._writing:
                version = (await self._keep(words, by)).version
        return {
            "name": name,
            "version": version,
            "entries": len(words.rows),
            "added": len(new - old),
            "removed": len(old - new),
            "errors": [{"row": e.row, "code": e.code, "detail": e.detail} for e in words.errors],
            "looked_at": looked_at,
            "hits": hits,
        }

    async def roll_back(self, name: str, version: int, by: str) -> Json:
        """An earlier version's rows as a new one. Raises PeerError `not_found` (404)."""
        found = await self._kept.get(_known(name), version)
        if found is None:
            raise PeerError("not_found", "the list has no such version", status=404)
        words = await asyncio.to_thread(read, name, found.body, TSV)
        async with self._writing:
            return {"name": name} | shapes.version(await self._keep(words, by, version))

    async def whitelist(self, text: str, by: str) -> None:
        """One more text that is never acted upon. Raises PeerError `bad_request` for one that cannot be."""
        async with self._writing:
            words = self._words[WHITELIST]
            if form_of(text) in words.texts:
                return
            body = f"{words.body}{_one_line(text)}\n"
            more = await asyncio.to_thread(read, WHITELIST, body, TSV)
            if more.errors:
                raise PeerError("bad_request", f"the whitelist does not take it: {more.errors[0].detail}")
            await self._keep(more, by)

    # --- inside ---

    async def _keep(self, words: Words, by: str, rolled_back_to: int | None = None) -> Version:
        now_ms, before = self._clock.wall_ms(), await self._kept.get(words.name)

        def fact(version: Version) -> Fact:
            data: dict[str, JSON] = {
                "by": by,
                "name": version.name,
                "version": version.version,
                "entries": version.entries,
                "before": before.sha256 if before else None,
                "after": version.sha256,
                "rolled_back_to": rolled_back_to,
            }
            return Fact("lexicon", None, now_ms, data)

        version = await self._kept.add(words.name, words.body, len(words.rows), now_ms, by, fact)
        await self._use(words)
        _log.info(Event.LEXICON_CHANGED, lexicon=words.name, version=version.version, entries=version.entries)
        return version

    async def _use(self, words: Words) -> None:
        """From the next text on; built elsewhere, put in place in one step."""
        lexicon = await asyncio.to_thread(words.lexicon)
        self._words[words.name], self._lexicons[words.name] = words, lexicon
        if self._screen is not None and words.name != WHITELIST:
            self._screen.replace_list(words.name, lexicon)
        self.changed()

    async def _tried(self, before: Words, after: Words, policy: Policy) -> tuple[int, list[Json]]:
        """How many recent lines were looked at, and those that another action would follow from."""
        if self._screen is None:
            return 0, []
        lines = await self._store.chat.recent(self._clock.wall_ms() - RECENT_MS, RECENT_LINES)
        lexicon = await asyncio.to_thread(after.lexicon)
        changed = await asyncio.to_thread(
            _touched, lines, before, after, self._lexicons[before.name], lexicon
        )
        hits = []
        for line in changed:
            hit = self._compare(line, after, lexicon, policy)
            if hit is not None:
                hits.append(hit)
            if len(hits) >= MAX_HITS:
                break
            await asyncio.sleep(0)
        return len(lines), hits

    def _compare(self, line: ChatLine, after: Words, lexicon: Lexicon, policy: Policy) -> Json | None:
        """The line under the lists as they are, and as they would be; nothing else runs in between."""
        screen = self._screen
        assert screen is not None, "asked for by _tried"
        now = policy.decide(Kind.CHAT, screen.screen(line.text).scores)
        if self.excused(line.text):
            now = policy.decide(Kind.CHAT, {})
        if after.name == WHITELIST:
            excused = form_of(line.text) in after.texts
            then = policy.decide(Kind.CHAT, {} if excused else screen.screen(line.text).scores)
        else:
            screen.replace_list(after.name, lexicon)
            try:
                then = policy.decide(Kind.CHAT, screen.screen(line.text).scores)
            finally:
                screen.replace_list(after.name, self._lexicons[after.name])
        if now.action is then.action:
            return None
        category = then.category if then.action is not Action.ALLOW else now.category
        return {
            "line": line.id,
            "lesson": line.lesson,
            "name": line.name,
            "text": line.text,
            "at": shapes.time(line.at_ms),
            "category": category,
            "now": now.action,
            "then": then.action,
        }


def _touched(
    lines: Sequence[ChatLine], before: Words, after: Words, old: Lexicon, new: Lexicon
) -> Iterator[ChatLine]:
    """The lines, newest first, of which the two lists say different things; in a thread."""
    touched = []
    for line in reversed(lines):
        form, whole = normal(line.text), form_of(line.text)
        if (whole in before.texts) != (whole in after.texts) or old.search(form) != new.search(form):
            touched.append(line)
    return iter(touched)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _known(name: str) -> str:
    if name not in NAMES:
        raise PeerError("not_found", f"lists are {', '.join(NAMES)}", status=404)
    return name


def _nothing(name: str) -> Version:
    return Version(name, 0, "", "", 0, 0, "")

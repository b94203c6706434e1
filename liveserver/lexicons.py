"""The operator's lists of words: uploaded, tried out on the recent chat, kept in versions, used at once.

`sensitive` is what the operator must look for (it ships empty), `house` what he adds of other kinds, and
`whitelist` whole texts that are never acted upon. A version is kept as its rows in order, so its SHA-256 is
the one that receipts name (`models.chat.lexicon.Lexicon.version`).
"""

from __future__ import annotations

import asyncio
import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from liveserver import shapes
from liveserver.clock import Clock
from liveserver.core.errors import PeerError
from liveserver.core.ledger import JSON, Fact, storable
from liveserver.core.messages import Json
from liveserver.core.screening import Action, Kind, Policy
from liveserver.log import Event, get_logger
from liveserver.screening import ChatFinding
from liveserver.store import ChatLine, Store, Version
from models.chat.folding import fold
from models.chat.labels import SENSITIVE
from models.chat.lexicon import EXCUSE, MAX_ERRORS, Entry, Lexicon, RowError, parse
from models.chat.normal import normal

WHITELIST = "whitelist"
NAMES = ("sensitive", "house", WHITELIST)
MAX_BYTES = 1024**2
CSV, TSV = "text/csv", "text/tab-separated-values"
MAX_WHITELISTED = 500
"""Characters of a whitelisted text: a chat line has no more."""
MAX_WHITELIST_ROWS = 20_000
RECENT_MS = 7 * 86_400_000
RECENT_LINES = 5_000
MAX_HITS = 200
_COLUMNS = 3
_log = get_logger()


class ChatScreen(Protocol):
    """What is used of `models.chat.screen.ChatScreen`."""

    def screen(self, text: str) -> ChatFinding: ...

    def replace_list(self, name: str, lexicon: Lexicon) -> None: ...


@dataclass(frozen=True, slots=True)
class Words:
    """A list that was read. `rows`: its canonical rows, in order; `texts` of a whitelist, by `_key`."""

    name: str
    rows: tuple[str, ...] = ()
    entries: tuple[Entry, ...] = ()
    texts: frozenset[str] = frozenset()
    errors: tuple[RowError, ...] = field(default=(), compare=False)

    @property
    def body(self) -> str:
        return "".join(f"{row}\n" for row in self.rows)

    def lexicon(self) -> Lexicon:
        return Lexicon(self.name, self.entries)


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
        return bool(texts) and _key(text) in texts

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
            if _key(text) in words.texts:
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
        lines = await self._store.recent_chat(self._clock.wall_ms() - RECENT_MS, RECENT_LINES)
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
            excused = _key(line.text) in after.texts
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


def read(name: str, text: str, media_type: str) -> Words:
    """A list out of an upload, with what is wrong with its other rows. Never raises."""
    if name == WHITELIST:
        return _read_whitelist(text)
    rows = "\n".join(_tabbed(name, line, media_type) for line in text.split("\n"))
    entries, errors = parse(rows.encode("utf-8", "surrogatepass"))
    if name == SENSITIVE:
        errors += [
            RowError(0, "category", f"{entry.word}: this list takes {SENSITIVE} and {EXCUSE} only")
            for entry in entries
            if entry.category not in (SENSITIVE, EXCUSE)
        ]
    lines = sorted(f"{entry.word}\t{entry.category}\t{entry.severity:.4f}" for entry in entries)
    return Words(
        name,
        tuple(lines),
        tuple(sorted(entries, key=lambda one: (one.word, one.category))),
        errors=tuple(errors[:MAX_ERRORS]),
    )


def _tabbed(name: str, line: str, media_type: str) -> str:
    """A row as `models.chat.lexicon.parse` takes it; what is left out is sensitive, 1."""
    line = line.removesuffix("\r").removeprefix("\ufeff")
    if not line.strip() or line.startswith("#"):
        return ""
    try:
        cells = next(csv.reader([line]), []) if media_type == CSV else line.split("\t")
    except csv.Error:
        cells = [line, ""]
    cells = [cell.strip().replace("\t", " ") for cell in cells]
    while len(cells) > 1 and not cells[-1]:
        cells.pop()
    return "\t".join(cells + [SENSITIVE, "1"][len(cells) - 1 :] if len(cells) < _COLUMNS else cells)


def _read_whitelist(text: str) -> Words:
    rows: dict[str, str] = {}
    errors: list[RowError] = []
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        row = line.strip()
        if not row or row.startswith("#"):
            continue
        detail = _whitelist_fault(row, rows)
        if detail:
            errors.append(RowError(number, "word", detail))
        else:
            rows[_key(row)] = row
        if len(errors) >= MAX_ERRORS or len(rows) > MAX_WHITELIST_ROWS:
            break
    if len(rows) > MAX_WHITELIST_ROWS:
        errors.append(RowError(0, "too_large", f"a whitelist has at most {MAX_WHITELIST_ROWS} texts"))
    return Words(WHITELIST, tuple(sorted(rows.values())), texts=frozenset(rows), errors=tuple(errors))


def _whitelist_fault(row: str, rows: dict[str, str]) -> str:
    try:
        storable(row)
    except PeerError as error:
        return error.detail
    if len(row) > MAX_WHITELISTED:
        return f"at most {MAX_WHITELISTED} characters are expected"
    form = _key(row)
    if not form:
        return "nothing but signs"
    return "this text is there already, in this or another writing" if form in rows else ""


def _touched(
    lines: Sequence[ChatLine], before: Words, after: Words, old: Lexicon, new: Lexicon
) -> Iterator[ChatLine]:
    """The lines, newest first, of which the two lists say different things; in a thread."""
    touched = []
    for line in reversed(lines):
        form, key = normal(line.text), _key(line.text)
        if (key in before.texts) != (key in after.texts) or old.search(form) != new.search(form):
            touched.append(line)
    return iter(touched)


def _key(text: str) -> str:
    """One text whatever its writing, but each number and account as it is: those make it another advert."""
    return "".join(fold(text).split())


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _known(name: str) -> str:
    if name not in NAMES:
        raise PeerError("not_found", f"lists are {', '.join(NAMES)}", status=404)
    return name


def _nothing(name: str) -> Version:
    return Version(name, 0, "", "", 0, 0, "")

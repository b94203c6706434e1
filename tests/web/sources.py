"""The pages' files as the tests read them: texts, and the modules that each page loads."""

from __future__ import annotations

import json
import posixpath
import re
from functools import cache
from pathlib import Path

import web

ROOT = web.root()
STATIC = ROOT / "static"
MODULES = {path.relative_to(STATIC).as_posix(): path.read_text() for path in sorted(STATIC.rglob("*.js"))}
CATALOGUES = ("zh", "en")

_IMPORT = re.compile(r"^(?:import|export)\b[^'\"]*?from '([^']+)'|^import '([^']+)'", re.MULTILINE)


def code() -> dict[str, str]:
    """Every module but the catalogues."""
    return {name: text for name, text in MODULES.items() if not name.startswith("i18n/")}


def catalogue(language: str) -> dict[str, str]:
    """The texts of a language: the module is one JSON object after `export default`."""
    text = MODULES[f"i18n/{language}.js"]
    found = json.loads(text[text.index("{\n") : text.rindex("}") + 1], object_pairs_hook=_without_doubles)
    assert isinstance(found, dict)
    return found


def _without_doubles(pairs: list[tuple[str, str]]) -> dict[str, str]:
    assert len(dict(pairs)) == len(pairs), "a key occurs twice"
    return dict(pairs)


def imports(module: str) -> list[str]:
    """What a module imports, as paths below `static/`."""
    names = [first or second for first, second in _IMPORT.findall(MODULES[module])]
    return [posixpath.normpath(posixpath.join(posixpath.dirname(module), name)) for name in names]


@cache
def graph(*entries: str) -> frozenset[str]:
    """The modules that a page's entries load, themselves included."""
    found: set[str] = set()
    waiting = list(entries)
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.add(module)
            waiting += imports(module)
    return frozenset(found)


def linked(page: str, pattern: str) -> list[str]:
    """The addresses below `/static/` that match `pattern` (one group) in a page's shell."""
    return re.findall(pattern, web.shell(page))


def entries(page: str) -> list[str]:
    return linked(page, r'<script type="module"[^>]* src="/static/([^"]+)"')


def shell_path(page: str) -> Path:
    return ROOT / "pages" / f"{page}.html"

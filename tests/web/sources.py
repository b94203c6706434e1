"""The pages' files as the tests read them: texts, and the modules that each page loads."""

from __future__ import annotations

import json
import posixpath
import re
from functools import cache

import web
from web.modules import imports

ROOT = web.root()
STATIC = ROOT / "static"
MODULES = {path.relative_to(STATIC).as_posix(): path.read_text() for path in sorted(STATIC.rglob("*.js"))}
CATALOGUES = ("zh", "en")

_LATER = re.compile(r"\bimport\('([^']+)'\)")


def code() -> dict[str, str]:
    """Every module but the catalogues."""
    return {name: text for name, text in MODULES.items() if not name.startswith("i18n/")}


def catalogues(language: str) -> dict[str, dict[str, str]]:
    """The catalogues of a language by module: the one all pages share, and those of some pages."""
    names = [name for name in MODULES if re.fullmatch(rf"i18n/(?:\w+\.)?{language}\.js", name)]
    return {name: _texts(MODULES[name]) for name in names}


def catalogue(language: str) -> dict[str, str]:
    """All texts of a language."""
    return _without_doubles([pair for texts in catalogues(language).values() for pair in texts.items()])


def _texts(module: str) -> dict[str, str]:
    """A catalogue is one JSON object after `export default`."""
    found = json.loads(
        module[module.index("{\n") : module.rindex("}") + 1], object_pairs_hook=_without_doubles
    )
    assert isinstance(found, dict)
    return found


def _without_doubles(pairs: list[tuple[str, str]]) -> dict[str, str]:
    assert len(dict(pairs)) == len(pairs), "a key occurs twice"
    return dict(pairs)


def imports_later(module: str) -> list[str]:
    """What a module loads after the first paint, by `import(…)`."""
    return _resolved(module, _LATER.findall(MODULES[module]))


def _resolved(module: str, names: list[str]) -> list[str]:
    return [posixpath.normpath(posixpath.join(posixpath.dirname(module), name)) for name in names]


@cache
def graph(*entries: str, later: bool = False) -> frozenset[str]:
    """The modules that a page's entries load, themselves too; `later`: also after the first paint."""
    found: set[str] = set()
    waiting = list(entries)
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.add(module)
            waiting += [*imports(module), *(imports_later(module) if later else ())]
    return frozenset(found)


def linked(page: str, pattern: str) -> list[str]:
    """The addresses below `/static/` that match `pattern` (one group) in a page's shell."""
    return re.findall(pattern, web.shell(page))


def entries(page: str) -> list[str]:
    return linked(page, r'<script type="module"[^>]* src="/static/([^"]+)"')

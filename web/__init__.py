"""The pages 讲台 Lectern: one HTML shell and the plain ES modules, styles and texts that pages load.

Nothing here is built: what lies in `static/` is what the browser gets, under `/static/`. The server
serves `shell(...)` for a page's address, the same for every lesson and person; who asks and for which
lesson is read by the page itself, from its address and its token.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path
from types import MappingProxyType

from web.modules import loaded

__all__ = ["PAGES", "Page", "root", "shell"]

_PRODUCT = "讲台 Lectern"
_STYLES = ("tokens", "base", "components")


@dataclass(frozen=True, slots=True)
class Page:
    """`name`: as its title says; `entry`: the module it is; `styles`: beyond those that all have.

    `first`: a module that need not wait for what is drawn. `cuts`: whether it reaches the control port.
    """

    name: str
    entry: str
    styles: tuple[str, ...] = ()
    first: str = ""
    cuts: bool = False


PAGES: Mapping[str, Page] = MappingProxyType(
    {
        "portal": Page("直播课堂", "pages/portal.js", ("desk", "portal")),
        "teach": Page("授课", "pages/teach.js", ("room",)),
        "learn": Page("听课", "pages/learn.js", ("room", "check"), first="pages/learn/join.js"),
        "moderate": Page("巡课", "pages/moderate.js", ("desk", "screening", "wall"), cuts=True),
        "admin": Page("管理", "pages/admin.js", ("desk", "screening", "people")),
        "inspect": Page("检查", "pages/inspect.js", ("desk",)),
        "watch": Page("录像", "pages/watch.js", ("watch",)),
        "hours": Page("我的学时", "pages/hours.js", ("desk",)),
    }
)


def root() -> Path:
    """The folder that holds the shell and `static/`, all of which is served under `/static/`."""
    return Path(__file__).parent


def shell(page: str, control_url: str = "") -> str:
    """The HTML of one of `PAGES`, with the origin of the control port, which takes cuts, filled in.

    All modules that the page will load are asked for at once. Raises `KeyError` for a name that is no page.
    """
    chosen = PAGES[page]
    title = _PRODUCT if page == "portal" else f"{chosen.name} · {_PRODUCT}"
    links = "\n".join(_links(chosen, control_url))
    filled = {"title": title, "name": chosen.name, "links": links}
    text = _template()
    for name, value in filled.items():
        text = text.replace(f"{{{{{name}}}}}", value)
    return text


@cache
def _template() -> str:
    return (root() / "shell.html").read_text(encoding="utf-8")


def _links(page: Page, control_url: str) -> Iterator[str]:
    if page.cuts:
        yield f'<meta name="control-url" content="{escape(control_url, quote=True)}">'
    early = loaded(page.first) if page.first else ()
    if page.first:
        yield f'<script type="module" async src="/static/{page.first}"></script>'
        yield from map(_preload, early[1:])
    for style in (*_STYLES, *page.styles):
        yield f'<link rel="stylesheet" href="/static/css/{style}.css">'
    yield from (_preload(module) for module in loaded(page.entry)[1:] if module not in early)
    yield f'<script type="module" src="/static/{page.entry}"></script>'


def _preload(module: str) -> str:
    return f'<link rel="modulepreload" href="/static/{module}">'

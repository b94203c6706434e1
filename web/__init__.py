"""The pages 讲台 Lectern: HTML shells and the plain ES modules, styles and texts they load.

Nothing here is built: what lies in `static/` is what the browser gets, under `/static/`. The server
serves `shell(...)` for a page's address, the same for every lesson and person; who asks and for which
lesson is read by the page itself, from its address and its token.
"""

from __future__ import annotations

from html import escape
from pathlib import Path

__all__ = ["PAGES", "root", "shell"]

PAGES = ("portal", "teach", "learn", "moderate", "admin", "inspect", "watch", "hours")

_CONTROL_URL = "{{control_url}}"


def root() -> Path:
    """The folder that holds `pages/` (the shells) and `static/` (all that is served under `/static/`)."""
    return Path(__file__).parent


def shell(page: str, control_url: str = "") -> str:
    """The HTML of one of `PAGES`, with the origin of the control port, which takes cuts, filled in.

    Raises `KeyError` for a name that is no page.
    """
    if page not in PAGES:
        raise KeyError(page)
    text = (root() / "pages" / f"{page}.html").read_text(encoding="utf-8")
    return text.replace(_CONTROL_URL, escape(control_url, quote=True))

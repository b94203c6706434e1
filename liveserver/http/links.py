"""Links that people are given: an address and the token behind `#`, which browsers never send to a server."""

from __future__ import annotations

from collections.abc import Mapping

from liveserver.core.permissions import Role
from liveserver.tokens import ALL_LESSONS, Tokens

SETUP = "setup"
"""The kind of the link that makes the first administrator."""
_FIRST = "first-administrator"

# Roles whose work spans lessons are given tokens that do, and pages without a lesson in the address.
_EVERYWHERE = frozenset({Role.MODERATOR, Role.ADMIN, Role.INSPECTOR})


def reach(role: Role, lesson: str) -> str:
    """What a demo's token of `role` covers: `lesson`, or every lesson for those who look after many."""
    return ALL_LESSONS if role in _EVERYWHERE else lesson


def addresses(base_url: str, lesson: str, role: Role) -> dict[str, str]:
    """Each page that is for `role`, without a token: whoever opens one has it, or is asked to sign in."""
    return {page: base_url + path for page, (of, path) in _pages(lesson).items() if of is role}


def pages(base_url: str, lesson: str, tokens: Mapping[Role, str]) -> dict[str, str]:
    """Each page's address with its role's token, for the roles that `tokens` holds."""
    return {
        page: f"{base_url}{path}#token={tokens[role]}"
        for page, (role, path) in _pages(lesson).items()
        if role in tokens
    }


def setup(base_url: str, tokens: Tokens, now_s: int, ttl_s: int) -> str:
    """The page on which the first administrator is made, once, within `ttl_s`."""
    return f"{base_url}/admin#setup={tokens.sign_link(SETUP, _FIRST, now_s, ttl_s)}"


def _pages(lesson: str) -> dict[str, tuple[Role, str]]:
    return {
        "teach": (Role.INSTRUCTOR, f"/teach/{lesson}"),
        "learn": (Role.LEARNER, f"/learn/{lesson}"),
        "learn_h5": (Role.LEARNER, f"/learn/{lesson}?transport=hls"),
        "moderate": (Role.MODERATOR, "/moderate"),
        "admin": (Role.ADMIN, "/admin"),
        "inspect": (Role.INSPECTOR, "/inspect"),
    }

"""Where a request comes from, and whether it comes from a page of our own."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable
from urllib.parse import urlsplit

from aiohttp import hdrs, web

from liveserver.core.errors import PeerError
from liveserver.http.context import EDGE, base_url
from liveserver.log_in.proving import Client
from liveserver.log_in.signing_in import AGENT_MOST

_FORWARDED = "X-Forwarded-For"
_HOUSEHOLD_BITS = 64  # what one subscriber has of IPv6 at least (RFC 6177)


def client_of(request: web.Request) -> Client:
    """The client, as the nearest of `accounts.proxies` names it, else the other end of the connection."""
    agent = request.headers.get(hdrs.USER_AGENT, "")[:AGENT_MOST]
    proxies = request.app[EDGE].config.accounts.proxies
    address = address_of(request.remote or "", request.headers.getall(_FORWARDED, ()), proxies)
    return Client(address, "".join(letter for letter in agent if letter.isprintable()))


def address_of(other_end: str, forwarded: Iterable[str], proxies: Collection[str]) -> str:
    """The client's address, of IPv6 its household's; `forwarded` are the lines of X-Forwarded-For."""
    address = other_end
    if address in proxies:
        hops = [hop.strip() for line in forwarded for hop in line.split(",")]
        # The last one was written by the proxy we trust; what stands before it anybody may have written.
        address = next((hop for hop in reversed(hops) if hop not in proxies), address)
    return _network(address)


def require_own_page(request: web.Request) -> None:
    """Pass, or raise PeerError `cross_site` (403) where a page of another origin is behind the request.

    Browsers name the origin of every POST and DELETE (Fetch 3.2); what is no browser has no cookie to abuse.
    """
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    origin = request.headers.get(hdrs.ORIGIN)
    foreign = origin is not None and urlsplit(origin)[:2] != urlsplit(base_url(request))[:2]
    if foreign or site not in ("same-origin", "none"):
        raise PeerError("cross_site", "asked for by a page of another site", status=403)


def _network(address: str) -> str:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, _HOUSEHOLD_BITS), strict=False))
    return str(found)

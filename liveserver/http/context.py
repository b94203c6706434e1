"""What every handler is given: the node's parts, and one call's verified input."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from aiohttp import web

from liveserver.clock import Clock
from liveserver.config import Config
from liveserver.core.errors import PeerError
from liveserver.core.trail import Refusals
from liveserver.http.ports.hours import Hours, Questions
from liveserver.http.ports.ledger import Bundles, Inspections, Notary, Store
from liveserver.http.ports.people import People
from liveserver.http.ports.recordings import Keeper
from liveserver.http.ports.rooms import Drills, Rooms
from liveserver.http.ports.screening import Inventory, Moderation, Rules, Wall
from liveserver.log_in import LogIn
from liveserver.metrics import Metrics
from liveserver.tokens import Claims, Tokens
from liveserver.turn import Turn

Body = TypeVar("Body")
Query = TypeVar("Query")

# Letters, digits, dots, dashes, a port, or an IPv6 address in brackets: nothing that could leave the
# authority part of an address we write back (RFC 3986 3.2.2).
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[0-9A-Za-z._\-]{1,253})(:\d{1,5})?")


@dataclass(frozen=True, slots=True)
class Edge:
    """What every HTTP port of a node needs, the guard's control port too. Safe to use from its thread."""

    config: Config
    tokens: Tokens
    metrics: Metrics
    clock: Clock


@dataclass(frozen=True, slots=True)
class Services(Edge):
    """The node's parts as the public port sees them. Owned by the main loop."""

    rooms: Rooms
    store: Store
    wall: Wall
    moderation: Moderation
    rules: Rules
    inventory: Inventory
    drills: Drills
    questions: Questions
    control_url: str = ""
    """Address of the guard's control port, as it is to be reached from this host."""
    checks: Callable[[], Awaitable[Mapping[str, bool]]] | None = None
    """Each part's readiness by name, for /readyz."""
    turn: Turn | None = None
    """Signs credentials for the configured relays."""
    hours: Hours | None = None
    """Attendance and lesson hours; none in a node without a store of its own."""
    keeper: Keeper | None = None
    """Where recordings are kept, and how long; none in a node that keeps none."""
    notary: Notary | None = None
    """Who signs the ledger."""
    people: People | None = None
    """People and classes; none in a node without a store of its own."""
    log_in: LogIn | None = None
    """Accounts, and signing in."""
    bundles: Bundles | None = None
    """Makes evidence bundles."""
    inspections: Inspections | None = None
    """Samples, and what inspectors looked at."""
    refusals: Refusals = field(default_factory=Refusals)
    """Attempts of administrators that were refused."""


@dataclass(frozen=True, slots=True)
class Call(Generic[Body, Query]):
    """One request after its token, path, query and body were checked."""

    request: web.Request
    edge: Edge
    claims: Claims | None
    body: Body
    query: Query
    began_ns: int
    """When its handling began, by the monotonic clock."""

    @property
    def services(self) -> Services:
        assert isinstance(self.edge, Services), "a route of the public port"
        return self.edge

    @property
    def bearer(self) -> Claims:
        """Whose token this is. Only a route that is open to all has none."""
        if self.claims is None:
            raise PeerError("token_missing", "a token is needed", status=401)
        return self.claims

    @property
    def lesson(self) -> str:
        return self.request.match_info["lesson"]


AnyCall = Call[Any, Any]
EDGE = web.AppKey("edge", Edge)


def base_url(request: web.Request) -> str:
    """`https://class.example`: the configured address, else the one the client used.

    PeerError `bad_request` when the client named a host that is none.
    """
    configured = request.app[EDGE].config.http.base_url
    if configured:
        return configured.rstrip("/")
    host = request.headers.get("Host", "")
    if _HOST.fullmatch(host) is None:
        raise PeerError("bad_request", "the Host header is not a host name")
    return f"{request.scheme}://{host}"

"""What any rule may ask for: a fact in the ledger, words to connections, the end of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from liveserver.core.events.chat import ChatSaved
from liveserver.core.messages import Json
from liveserver.core.permissions import Permission


@dataclass(frozen=True, slots=True)
class Append:
    """A fact for the ledger."""

    type: str
    data: Mapping[str, Any]
    chat: ChatSaved | None = None


@dataclass(frozen=True, slots=True)
class Send:
    connection: str
    message: Json


@dataclass(frozen=True, slots=True)
class Tell:
    """The same words to several connections."""

    connections: tuple[str, ...]
    message: Json


@dataclass(frozen=True, slots=True)
class Broadcast:
    """To every connection, or to those whose role may `to`."""

    message: Json
    to: Permission | None = None


@dataclass(frozen=True, slots=True)
class Close:
    """End one connection with a WebSocket close code."""

    connection: str
    code: int
    reason: str

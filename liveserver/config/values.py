"""Single values of the configuration, from TOML or from text, into the types of their keys."""

from __future__ import annotations

import dataclasses
import ipaddress
import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from liveserver.config.sections import TurnUrls
from liveserver.config.units import Duration, LogLevel, Size
from liveserver.core.challenge import CheckKind
from liveserver.core.log_in import SamePerson
from liveserver.core.permissions import STAFF, Role

VERSIONS = ("web", "archive", "parts")  # what can be made of a sealed recording
MAX_TURN_URLS = 8  # each costs every client an allocation

# RFC 7065 3.1; nothing in it could leave a Link header's angle brackets.
_TURN_URL = re.compile(
    r"turns?:(\[[0-9A-Fa-f:.]{2,45}\]|[0-9A-Za-z.\-]{1,253})(:\d{1,5})?(\?transport=(udp|tcp))?"
)


def convert(definition: dataclasses.Field[Any], value: object) -> object:
    """One value from TOML or text. The field's annotation, a string here, names the type."""
    converted = CONVERTERS[str(definition.type)](value)
    limits = definition.metadata.get("between")
    if limits and isinstance(converted, int) and not limits[0] <= converted <= limits[1]:
        raise ValueError(f"a number from {limits[0]} to {limits[1]} is expected")
    return converted


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("a text in quotes is expected")
    return value


def _boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return value == "true"
    raise ValueError("true or false is expected")


def _integer(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and re.fullmatch(r"\d{1,9}", value):
        return int(value)
    raise ValueError("a whole number is expected")


def _texts(value: object, expected: str) -> tuple[str, ...]:
    items = [item.strip() for item in value.split(",") if item.strip()] if isinstance(value, str) else value
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise ValueError(expected)
    return tuple(items)


def _versions(value: object) -> tuple[str, ...]:
    expected = f"a list out of {', '.join(VERSIONS)} is expected"
    items = _texts(value, expected)
    if set(items) - set(VERSIONS) or len(set(items)) < len(items):
        raise ValueError(expected)
    return items


def _factors(value: object) -> tuple[str, ...]:
    known = ("auto", *sorted((*STAFF, Role.INSTRUCTOR)))
    expected = f"a list out of {', '.join(known)} is expected"
    items = _texts(value, expected)
    if set(items) - set(known):
        raise ValueError(expected)
    return items


def _addresses(value: object) -> tuple[str, ...]:
    items = _texts(value, "a list of IP addresses is expected")
    for item in items:
        try:
            ipaddress.ip_address(item)
        except ValueError:
            raise ValueError(f"{item!r} is not an IP address") from None
    return items


def _turn_urls(value: object) -> TurnUrls:
    expected = f"at most {MAX_TURN_URLS} addresses such as turn:relay.example:3478?transport=udp are expected"
    items = _texts(value, expected)
    if len(items) > MAX_TURN_URLS or not all(map(_TURN_URL.fullmatch, items)):
        raise ValueError(expected)
    return items


def _one_of(options: type[StrEnum]) -> Callable[[object], StrEnum]:
    def convert(value: object) -> StrEnum:
        try:
            return options(_string(value))
        except ValueError:
            raise ValueError(f"one of {', '.join(options)} is expected") from None

    return convert


CONVERTERS: Mapping[str, Callable[[object], object]] = {
    "str": _string,
    "bool": _boolean,
    "int": _integer,
    "Path": lambda value: Path(_string(value)),
    "Duration": lambda value: Duration.parse(_string(value)),
    "Size": lambda value: Size.parse(_string(value)),
    "LogLevel": _one_of(LogLevel),
    "CheckKind": _one_of(CheckKind),
    "SamePerson": _one_of(SamePerson),
    "tuple[str, ...]": _addresses,
    "TurnUrls": _turn_urls,
    "Versions": _versions,
    "Factors": _factors,
}

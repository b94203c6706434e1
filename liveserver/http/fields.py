"""JSON bodies and query strings as dataclasses: parsed strictly, and described by the same words in OpenAPI.

@dataclass(frozen=True, slots=True)
class NewLesson:
    title: str = text(1, 200)

parse(NewLesson, {"title": "消防安全"})
"""

from __future__ import annotations

import dataclasses
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any, TypeVar

from multidict import MultiMapping

from liveserver.core.errors import PeerError

T = TypeVar("T")
_REQUIRED: Any = dataclasses.MISSING


def text(low: int, high: int, *, default: Any = _REQUIRED, controls: bool = False, called: str = "") -> Any:
    """`low` to `high` characters; without control characters unless `controls`.

    `called`: its name outside, where that is a word of Python's.
    """

    def check(value: object) -> str:
        if not isinstance(value, str) or not low <= len(value) <= high:
            raise ValueError(f"a text of {low} to {high} characters is expected")
        if not controls and any(unicodedata.category(letter) in ("Cc", "Cs") for letter in value):
            raise ValueError("control characters are not allowed")
        if low and not value.strip():
            raise ValueError("the text is blank")
        return value

    return _field(check, {"type": "string", "minLength": low, "maxLength": high}, default, called)


def whole(low: int, high: int, *, default: Any = _REQUIRED) -> Any:
    """A whole number from `low` to `high`; in a query string, its decimal digits."""

    def check(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"a whole number from {low} to {high} is expected")
        return value

    return _field(check, {"type": "integer", "minimum": low, "maximum": high}, default)


def flag(*, default: Any = _REQUIRED) -> Any:
    """True or false; in a query string, those words."""

    def check(value: object) -> bool:
        if not isinstance(value, bool):
            raise ValueError("true or false is expected")
        return value

    return _field(check, {"type": "boolean"}, default)


def choice(options: type[StrEnum], *, default: Any = _REQUIRED) -> Any:
    """One of an enumeration's values."""
    listed = [str(option) for option in options]

    def check(value: object) -> StrEnum:
        if not isinstance(value, str) or value not in listed:
            raise ValueError(f"one of {', '.join(listed)} is expected")
        return options(value)

    return _field(check, {"type": "string", "enum": listed}, default)


def several(most: int, length: int, options: type[StrEnum] | None = None, *, default: Any = _REQUIRED) -> Any:
    """A list of at most `most` different texts of 1 to `length` characters, or of an enumeration's values."""
    known = None if options is None else {str(option) for option in options}
    words = "texts" if known is None else f"of {', '.join(sorted(known))}"

    def check(value: object) -> tuple[str, ...]:
        if not isinstance(value, list) or len(value) > most:
            raise ValueError(f"a list of at most {most} {words} is expected")
        for item in value:
            if not isinstance(item, str) or not 1 <= len(item) <= length or (known and item not in known):
                raise ValueError(f"a list {words} is expected")
        if len(set(value)) != len(value):
            raise ValueError("one of the list is there twice")
        return tuple(value)

    item: dict[str, object] = {"type": "string", "minLength": 1, "maxLength": length}
    if known is not None:
        item["enum"] = sorted(known)
    return _field(check, {"type": "array", "items": item, "maxItems": most, "uniqueItems": True}, default)


def record(read: Callable[[Mapping[str, Any]], Any], known: Mapping[str, object], *, default: Any) -> Any:
    """A JSON object that `read` makes something of, or refuses with PeerError; `known` is its schema."""

    def check(value: object) -> Any:
        if not isinstance(value, dict):
            raise ValueError("a JSON object is expected")
        return read(value)

    return _field(check, {"type": "object", **known}, default)


def records(
    read: Callable[[Mapping[str, Any]], Any], known: Mapping[str, object], least: int, most: int
) -> Any:
    """A list of `least` to `most` JSON objects, each as `record` takes one; a wrong one is numbered."""

    def check(value: object) -> Any:
        if not isinstance(value, list) or not least <= len(value) <= most:
            raise ValueError(f"a list of {least} to {most} JSON objects is expected")
        made = []
        for number, item in enumerate(value, 1):
            if not isinstance(item, dict):
                raise ValueError(f"number {number} is no JSON object")
            try:
                made.append(read(item))
            except PeerError as error:
                raise PeerError(
                    error.code, f"number {number}: {error.detail}", status=error.status
                ) from error
        return tuple(made)

    item = {"type": "object", **known}
    return _field(check, {"type": "array", "items": item, "minItems": least, "maxItems": most}, _REQUIRED)


def wholes(most: int, low: int, high: int, *, default: Any = _REQUIRED) -> Any:
    """A list of at most `most` whole numbers from `low` to `high`."""

    def check(value: object) -> tuple[int, ...]:
        if not isinstance(value, list) or len(value) > most:
            raise ValueError(f"a list of at most {most} whole numbers is expected")
        for item in value:
            if isinstance(item, bool) or not isinstance(item, int) or not low <= item <= high:
                raise ValueError(f"a list of whole numbers from {low} to {high} is expected")
        return tuple(value)

    item = {"type": "integer", "minimum": low, "maximum": high}
    return _field(check, {"type": "array", "items": item, "maxItems": most}, default)


def partial(kind: type[Any], without: Iterable[str] = (), required: Iterable[str] = ()) -> type[Any]:
    """A dataclass of the same fields, of which only `required` have to be there; the others may be None."""
    made = []
    for d in sorted(_definitions(kind), key=lambda d: d.name not in required):
        if d.name in without:
            continue
        shown = {name: value for name, value in d.metadata["schema"].items() if name != "default"}
        default = _REQUIRED if d.name in required else None
        made.append(
            (d.name, Any, dataclasses.field(default=default, metadata={**d.metadata, "schema": shown}))
        )
    return dataclasses.make_dataclass(f"Some{kind.__name__}", made, frozen=True, slots=True)


def given(value: Any) -> dict[str, Any]:
    """The fields of a `partial` that were given."""
    fields = {d.name: getattr(value, d.name) for d in _definitions(value)}
    return {name: content for name, content in fields.items() if content is not None}


def _field(
    check: Callable[[object], object], schema: dict[str, object], default: Any, called: str = ""
) -> Any:
    if default is not _REQUIRED and default is not None:
        schema = {**schema, "default": default}
    metadata = {"check": check, "schema": schema, "called": called}
    return dataclasses.field(default=default, metadata=metadata)


def parse(kind: type[T], value: object) -> T:
    """An instance of `kind` from a JSON object; PeerError `bad_request` names the field that is wrong."""
    if not isinstance(value, dict):
        raise PeerError("bad_request", "a JSON object is expected")
    definitions = {_called(definition): definition for definition in _definitions(kind)}
    for name in value:
        if name not in definitions:
            raise PeerError("bad_request", f"unknown field {_shown(name)}")
    checked = {}
    for name, definition in definitions.items():
        if name not in value:
            if definition.default is _REQUIRED:
                raise PeerError("bad_request", f"field {name} is missing")
            continue
        if value[name] is None and definition.default is None:
            continue
        try:
            checked[definition.name] = definition.metadata["check"](value[name])
        except ValueError as error:
            raise PeerError("bad_request", f"field {name}: {error}") from error
    return kind(**checked)


def parse_query(kind: type[T], query: MultiMapping[str]) -> T:
    """An instance of `kind` from a query string; a parameter given twice is refused."""
    values: dict[str, object] = {}
    types = {_called(d): d.metadata["schema"]["type"] for d in _definitions(kind)}
    for name, value in query.items():
        if name in values:
            raise PeerError("bad_request", f"parameter {_shown(name)} is given twice")
        values[name] = _typed(types.get(name), value)
    return parse(kind, values)


def _typed(kind: str | None, value: str) -> object:
    """A parameter as its schema's type, or as it came: the check then says what is wrong."""
    if kind == "boolean":
        return {"true": True, "false": False}.get(value, value)
    if kind == "integer" and value.isascii() and value.lstrip("-").isdigit() and len(value) <= 18:
        return int(value) if value.count("-") <= 1 else value
    return value


def schema(kind: type[Any]) -> dict[str, object]:
    """`kind` as a JSON Schema (2020-12) for the OpenAPI document."""
    definitions = _definitions(kind)
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [_called(d) for d in definitions if d.default is _REQUIRED],
        "properties": {_called(d): d.metadata["schema"] for d in definitions},
    }


def parameters(kind: type[Any]) -> list[Mapping[str, object]]:
    """`kind` as OpenAPI query parameters."""
    return [
        {
            "name": _called(d),
            "in": "query",
            "required": d.default is _REQUIRED,
            "schema": d.metadata["schema"],
        }
        for d in _definitions(kind)
    ]


def _called(definition: dataclasses.Field[Any]) -> str:
    name: str = definition.metadata["called"] or definition.name
    return name


def _definitions(kind: Any) -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(kind)


def _shown(name: str) -> str:
    """A field's name from outside, short enough to be said back."""
    return repr(name if len(name) <= 64 else name[:64] + "…")

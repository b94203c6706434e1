"""Reads a model card (TOML), strictly and purely: an unknown key, a missing one, or a value of the wrong type
is a `ModelError` that names it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from typing import Any

from models.card import Card, Kind, Origin, Output, Picture, Value
from models.errors import ModelError

_NAME = r"[a-z0-9][a-z0-9._-]{0,63}"
_FILE = r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}"  # no path
_SHA256 = r"[0-9a-f]{64}"
_CATEGORY = r"[a-z][a-z_]{0,31}"


def parse(text: str) -> Card:
    """The card in a TOML document. Raises `ModelError`."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ModelError(f"no valid TOML: {error}") from error
    given = {key: value for key, value in document.items() if key not in _SECTIONS}
    card = _table(given, _CARD, _NEEDED, "")
    kind = Kind(card.pop("kind"))
    outputs = document.get("output", [])
    if not isinstance(outputs, list):
        raise ModelError("output: [[output]] tables are expected")
    return Card(
        **card,
        kind=kind,
        origin=_origin(document.get("origin")),
        picture=_picture(document["picture"]) if "picture" in document else None,
        outputs=tuple(
            Output(**_table(item, _OUTPUT, ("index", "category"), f"output[{at}]."))
            for at, item in enumerate(outputs)
        ),
        parameters=_free(document.get("parameters", {}), "parameters."),
        figures=_free(document.get("figures", {}), "figures."),
    )


def _origin(given: object) -> Origin:
    origin = Origin(**_table(given, _ORIGIN, (), "origin."))
    if not (origin.package or origin.script or origin.note):
        raise ModelError("origin: a package, a script or a note is expected")
    if origin.package and not (origin.version and origin.archive_sha256 and origin.member):
        raise ModelError("origin.package: version, archive_sha256 and member belong to it")
    return origin


def _picture(given: object) -> Picture:
    picture = Picture(**_table(given, _PICTURE, ("width", "height"), "picture."))
    if len(picture.mean) != 3 or len(picture.scale) != 3:
        raise ModelError("picture.mean and picture.scale: three numbers are expected, in the order of colour")
    if picture.jpeg and (picture.width % 16 or picture.height % 16 or not picture.width * picture.height):
        raise ModelError("picture.jpeg: width and height must be multiples of 16")
    return picture


def _table(
    given: object, readers: Mapping[str, Callable[[Any], Any]], needed: tuple[str, ...], where: str
) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise ModelError(f"{where.rstrip('.')}: a table is expected")
    for key in given:
        if key not in readers:
            raise ModelError(f"unknown key {where}{key}")
    for key in needed:
        if key not in given:
            raise ModelError(f"{where}{key} is missing")
    values = {}
    for key, value in given.items():
        try:
            values[key] = readers[key](value)
        except ValueError as error:
            raise ModelError(f"{where}{key}: {error}") from error
    return values


def _free(given: object, where: str) -> dict[str, Value]:
    """Names with plain values, or lists of them."""
    if not isinstance(given, dict):
        raise ModelError(f"{where.rstrip('.')}: a table is expected")
    values: dict[str, Value] = {}
    for key, value in given.items():
        if isinstance(value, str | bool | int | float):
            values[key] = value
        elif isinstance(value, list) and all(isinstance(item, str) for item in value):
            values[key] = tuple(value)
        elif isinstance(value, list) and all(_is_number(item) for item in value):
            values[key] = tuple(map(float, value))
        else:
            raise ModelError(f"{where}{key}: a text, a number, or a list of one of them is expected")
    return values


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("a text is expected")
    return value.strip()


def _matching(pattern: str, expected: str) -> Callable[[object], str]:
    def read(value: object) -> str:
        if not isinstance(value, str) or re.fullmatch(pattern, value) is None:
            raise ValueError(f"{expected} is expected")
        return value

    return read


def _one_of(*words: str) -> Callable[[object], str]:
    return _matching("|".join(map(re.escape, words)), f"one of {', '.join(words)}")


def _between(least: int, most: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise ValueError(f"a whole number from {least} to {most} is expected")
        return value

    return read


def _number(value: object) -> float:
    if not _is_number(value):
        raise ValueError("a number is expected")
    return float(value)  # type: ignore[arg-type]


def _numbers(value: object) -> tuple[float, ...]:
    if not isinstance(value, list):
        raise ValueError("a list of numbers is expected")
    return tuple(map(_number, value))


_SECTIONS = ("origin", "picture", "output", "parameters", "figures")
_NEEDED = ("name", "kind", "version", "file", "sha256", "size", "licence", "used_for")
_CARD: Mapping[str, Callable[[Any], Any]] = {
    "name": _matching(_NAME, "a name of small letters, digits, dots and dashes"),
    "kind": _one_of(*Kind),
    "version": _text,
    "file": _matching(_FILE, "a file name without folders"),
    "sha256": _matching(_SHA256, "64 hexadecimal digits"),
    "size": _between(1, 1 << 30),
    "licence": _text,
    "used_for": _text,
    "author": _text,
    "limits": _text,
}
_ORIGIN: Mapping[str, Callable[[Any], Any]] = {
    "package": _matching(_FILE, "a package's name"),
    "version": _text,
    "archive_sha256": _matching(_SHA256, "64 hexadecimal digits"),
    "member": _matching(r"[A-Za-z0-9_./-]{1,200}", "a path in the archive"),
    "member_sha256": _matching(_SHA256, "64 hexadecimal digits"),
    "script": _matching(r"models(\.[a-z_0-9]+)+", "a module of this project"),
    "note": _text,
}
_PICTURE: Mapping[str, Callable[[Any], Any]] = {
    "width": _between(0, 4096),
    "height": _between(0, 4096),
    "layout": _one_of("NCHW", "NHWC"),
    "colour": _one_of("RGB", "BGR"),
    "jpeg": _between(0, 100),
    "crop": _between(0, 1024),
    "mean": _numbers,
    "scale": _numbers,
}
_OUTPUT: Mapping[str, Callable[[Any], Any]] = {
    "index": _between(0, 100_000),
    "category": _matching(_CATEGORY, "a category"),
    "gain": _number,
    "offset": _number,
}

"""FACTS of `liveserver hours`: JSON in, `hours.Facts` out, and the answer as JSON again (DESIGN section 7).

Strict: an unknown key, a wrong type or a time that is none is refused with the place where it stands, as a
JSONPath (RFC 9535): `$.presence[3][1]: not a time …`. Every key may be missing but for one of `teaching`
and `playback`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from decimal import ROUND_FLOOR, Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Any, TypeVar

from liveserver.core.checks import Check, CheckMode, CheckResult
from liveserver.core.earning import CLAUSES, Reason
from liveserver.core.errors import PeerError
from liveserver.core.hours import Facts, Hours, Kind, Other, Policy
from liveserver.core.playback import Playback
from liveserver.core.times import china_time, parse_rfc3339

MAX_ITEMS = 100_000
"""Of one list; a year of seconds has 300 times as many, a lesson a thousandth."""
_MAX_TEXT = 256
_MAX_S = 10**9  # some thirty years
_SLOWEST, _FASTEST = Decimal("0.01"), Decimal(100)  # browsers play at 0.0625 to 16
_MAX_MINUTES = 1440

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)
Reader = Callable[[object, str], T]


def read(text: str | bytes) -> Facts:
    """Raises PeerError `bad_facts` that names the place."""
    return facts_of(_loads(text))


def facts_of(value: object) -> Facts:
    """The same from JSON that was read: numbers are int, Decimal or finite float."""
    given = _object(value, "$", _FACTS)
    if "teaching" not in given and "playback" not in given:
        raise _wrong("$", "neither teaching nor playback is there")
    return Facts(**{"planned_ms" if name == "planned_s" else name: found for name, found in given.items()})


def policy_of(value: object, place: str = "$") -> Policy:
    """A policy from its JSON, as `policy_json` makes it."""
    return Policy(**_object(value, place, _POLICY))


def policy_json(policy: Policy) -> dict[str, Any]:
    """Every key; `max_rate` as a text, for the ledger knows whole numbers only."""
    return {
        "check_mode": policy.check_mode,
        "foreground_required_live": policy.foreground_required_live,
        "cap_to_plan": policy.cap_to_plan,
        "max_rate": f"{Decimal(policy.max_rate.numerator) / policy.max_rate.denominator:f}",
        "daily_cap_s": policy.daily_cap_s,
        "lecturer_gap_s": policy.lecturer_gap_s,
        "check_slot_min": policy.check_slot_min,
    }


def answer(hours: Hours, clauses: Mapping[Reason, str] = CLAUSES) -> dict[str, Any]:
    """What `liveserver hours` prints."""
    return {
        "credited_s": hours.credited_s,
        "lesson_hours_full": hours.lesson_hours_full,
        "lesson_hours": hours.lesson_hours,
        "status": list(hours.status),
        "void": [
            {
                "from": china_time(void.from_ms),
                "to": china_time(void.to_ms),
                "reason": void.reason,
                "clause": clauses[void.reason],
            }
            for void in hours.voids
        ],
        "days": dict(hours.days),
    }


def _loads(text: str | bytes) -> object:
    try:
        given = text.decode("utf-8-sig") if isinstance(text, bytes) else text
        return json.loads(
            given, object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_fraction
        )
    except (ValueError, RecursionError) as error:
        words = "nested too deep" if isinstance(error, RecursionError) else str(error)
        raise _wrong("$", f"not valid JSON: {words}") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key occurs twice in one object")
    return found


def _fraction(digits: str) -> Decimal:
    try:
        return Decimal(digits)
    except ArithmeticError as error:
        raise ValueError("a number has too large an exponent") from error


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _wrong(place: str, words: str) -> PeerError:
    return PeerError("bad_facts", f"{place}: {words}")


def _object(value: object, place: str, readers: Mapping[str, Reader[Any]]) -> dict[str, Any]:
    """The known keys of an object, each read; null is as good as missing."""
    if not isinstance(value, dict):
        raise _wrong(place, "an object is expected")
    for name in value:
        if name not in readers:
            raise _wrong(place, f"unknown key {json.dumps(name[:_MAX_TEXT])}")
    return {
        name: reader(value[name], f"{place}.{name}")
        for name, reader in readers.items()
        if value.get(name) is not None
    }


def _record(
    value: object, place: str, readers: Mapping[str, Reader[Any]], **otherwise: Any
) -> dict[str, Any]:
    """As `_object`, but every key must be there that has no value `otherwise`."""
    found = otherwise | _object(value, place, readers)
    for name in readers:
        if name not in found:
            raise _wrong(place, f"{name} is missing")
    return found


def _list(reader: Reader[T]) -> Reader[tuple[T, ...]]:
    def read_list(value: object, place: str) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise _wrong(place, "a list is expected")
        if len(value) > MAX_ITEMS:
            raise _wrong(place, f"more than {MAX_ITEMS} items")
        return tuple(reader(item, f"{place}[{number}]") for number, item in enumerate(value))

    return read_list


def _time(value: object, place: str) -> int:
    if not isinstance(value, str):
        raise _wrong(place, "a time as RFC 3339 has it is expected")
    try:
        return parse_rfc3339(value)
    except ValueError as error:
        raise _wrong(place, str(error)) from error


def _span(value: object, place: str) -> tuple[int, int]:
    if not isinstance(value, list) or len(value) != 2:
        raise _wrong(place, "a pair of times is expected")
    start, end = _time(value[0], f"{place}[0]"), _time(value[1], f"{place}[1]")
    if end < start:
        raise _wrong(place, "ends before it begins")
    return start, end


def _text(value: object, place: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_TEXT:
        raise _wrong(place, f"a text of 1 to {_MAX_TEXT} characters is expected")
    return value


def _flag(value: object, place: str) -> bool:
    if not isinstance(value, bool):
        raise _wrong(place, "true or false is expected")
    return value


def _one_of(options: type[E]) -> Reader[E]:
    def read_one(value: object, place: str) -> E:
        if not isinstance(value, str) or value not in {str(option) for option in options}:
            raise _wrong(place, f"one of {', '.join(options)} is expected")
        return options(value)

    return read_one


def _whole(highest: int) -> Reader[int]:
    def read_whole(value: object, place: str) -> int:
        number = _decimal(value, place)
        if number != number.to_integral_value() or not 0 <= number <= highest:
            raise _wrong(place, f"a whole number from 0 to {highest} is expected")
        return int(number)

    return read_whole


def _decimal(value: object, place: str) -> Decimal:
    """A number of a size that can be reckoned with."""
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        raise _wrong(place, "a number is expected")
    number = Decimal(value)
    if not number.is_finite() or not -_MAX_S <= number <= _MAX_S:
        raise _wrong(place, f"a number up to {_MAX_S} is expected")
    return number


def _seconds(value: object, place: str) -> int:
    """Seconds as whole milliseconds; what is finer is cut off."""
    number = _decimal(value, place)
    if number < 0:
        raise _wrong(place, "a number of seconds from 0 on is expected")
    return int((number * 1000).to_integral_value(ROUND_FLOOR))


def _rate(value: object, place: str) -> Fraction:
    """A number, or its digits as a text as the ledger has them."""
    if isinstance(value, str) and value.isascii() and value.replace(".", "", 1).isdigit():
        value = Decimal(value[:_MAX_TEXT])
    number = _decimal(value, place)
    if not _SLOWEST <= number <= _FASTEST:
        raise _wrong(place, f"a rate from {_SLOWEST} to {_FASTEST} is expected")
    return Fraction(number.quantize(Decimal("0.000001")))


def _check(value: object, place: str) -> Check:
    found = _record(value, place, {"at": _time, "result": _one_of(CheckResult)})
    return Check(found["at"], found["result"])


def _playback(value: object, place: str) -> Playback:
    found = _record(value, place, _PLAYBACK, rate=Fraction(1))
    if found["to_s"] < found["from_s"]:
        raise _wrong(place, "ends before it begins")
    return Playback(
        found["media"], found["duration_s"], found["from_s"], found["to_s"], found["at"], found["rate"]
    )


def _other(value: object, place: str) -> Other:
    found = _record(value, place, _OTHER)
    if found["to"] < found["from"]:
        raise _wrong(place, "ends before it begins")
    return Other(found["id"], found["kind"], found["from"], found["to"], found["started"])


_PLAYBACK: Mapping[str, Reader[Any]] = {
    "media": _text,
    "duration_s": _seconds,
    "from_s": _seconds,
    "to_s": _seconds,
    "at": _time,
    "rate": _rate,
}
_OTHER: Mapping[str, Reader[Any]] = {
    "id": _text,
    "kind": _one_of(Kind),
    "from": _time,
    "to": _time,
    "started": _time,
}
_POLICY: Mapping[str, Reader[Any]] = {
    "check_mode": _one_of(CheckMode),
    "foreground_required_live": _flag,
    "cap_to_plan": _flag,
    "max_rate": _rate,
    "daily_cap_s": _whole(_MAX_S),
    "lecturer_gap_s": _whole(_MAX_S),
    "check_slot_min": _whole(_MAX_MINUTES),
}
_FACTS: Mapping[str, Reader[Any]] = {
    "policy": policy_of,
    "planned_s": _seconds,
    "teaching": _list(_span),
    "lecturer": _list(_span),
    "presence": _list(_span),
    "hidden": _list(_span),
    "checks": _list(_check),
    "playback": _list(_playback),
    "other": _list(_other),
    "id": _text,
}

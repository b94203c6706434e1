"""Reading DER (X.690 section 10) strictly, as certificates and time stamps are written in it.

Each value has one form: a tag of one byte, a definite length in its shortest form, nothing left over. Values
are read one below the other by whoever knows what must be there, so nothing here recurses, and a text can
cost no more than its length.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

BOOLEAN, INTEGER, BITS, OCTETS, OID, UTC_TIME, TIME = 0x01, 0x02, 0x03, 0x04, 0x06, 0x17, 0x18
SEQUENCE, SET = 0x30, 0x31
_LENGTH_BYTES = 3
_TIME = re.compile(rb"((?:19|20)?\d{12})(?:\.(\d{1,6}))?Z")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class DerError(ValueError):
    """It is not DER, or another value than the one that belongs there."""


def inner(number: int) -> int:
    """The tag `[number]` of a context, constructed."""
    return 0xA0 | number


def oid(dotted: str) -> bytes:
    """The content of an object identifier (X.690 8.19)."""
    first, second, *rest = map(int, dotted.split("."))
    content = bytearray([first * 40 + second])
    for arc in rest:
        groups = [arc & 0x7F]
        while arc := arc >> 7:
            groups.append(arc & 0x7F | 0x80)
        content += bytes(reversed(groups))
    return bytes(content)


@dataclass(frozen=True, slots=True)
class Value:
    """`whole`: with tag and length."""

    tag: int
    content: bytes
    whole: bytes

    def integer(self) -> int:
        """Raises DerError for one that is not in its shortest form."""
        content = self.content
        if self.tag != INTEGER or not content:
            raise DerError("a whole number is expected")
        if len(content) > 1 and content[0] in (0, 0xFF) and content[0] >> 7 == content[1] >> 7:
            raise DerError("a whole number is not in its shortest form")
        return int.from_bytes(content, "big", signed=True)

    def bits(self) -> bytes:
        """Of a string of whole bytes."""
        if self.tag != BITS or self.content[:1] != b"\0":
            raise DerError("a string of bits is expected")
        return self.content[1:]

    def time_ms(self) -> int:
        """GeneralizedTime or UTCTime (RFC 5280 4.1.2.5) with seconds, milliseconds since 1970."""
        found = _TIME.fullmatch(self.content)
        if found is None or len(found[1]) != {UTC_TIME: 12, TIME: 14}.get(self.tag):
            raise DerError("a time is expected")
        digits = found[1].decode()
        if self.tag == UTC_TIME:
            digits = ("20" if digits[0] < "5" else "19") + digits
        try:
            moment = datetime.strptime(digits + "+0000", "%Y%m%d%H%M%S%z")
        except ValueError:
            raise DerError("there is no such time") from None
        return (moment - _EPOCH) // timedelta(milliseconds=1) + int((found[2] or b"0")[:3].ljust(3, b"0"))

    def fields(self) -> Fields:
        """What it is made of, in order."""
        return Fields(self.content)


class Fields:
    """The values of a constructed one. Whoever reads takes one after the other and ends."""

    def __init__(self, data: bytes):
        self._data = data
        self._place = 0

    def more(self) -> bool:
        return self._place < len(self._data)

    def any(self) -> Value:
        value = _value(self._data, self._place)
        self._place += len(value.whole)
        return value

    def take(self, tag: int) -> Value:
        """The next one, which must have this tag. Raises DerError."""
        value = self.any()
        if value.tag != tag:
            raise DerError(f"tag {tag:#04x} is expected, {value.tag:#04x} is there")
        return value

    def maybe(self, tag: int) -> Value | None:
        """The next one if it has this tag."""
        if not self.more() or self._data[self._place] != tag:
            return None
        return self.any()

    def end(self) -> None:
        if self.more():
            raise DerError("there is more than belongs there")


def whole(data: bytes, tag: int) -> Value:
    """The one value that `data` is. Raises DerError."""
    fields = Fields(data)
    value = fields.take(tag)
    fields.end()
    return value


def _value(data: bytes, place: int) -> Value:
    if len(data) < place + 2 or data[place] & 0x1F == 0x1F:
        raise DerError("no value begins there")
    tag, length, start = data[place], data[place + 1], place + 2
    if length & 0x80:
        count = length & 0x7F
        digits = data[start : start + count]
        if not 1 <= count <= _LENGTH_BYTES or len(digits) != count:
            raise DerError("a length is not definite, or too large")
        length, start = int.from_bytes(digits, "big"), start + count
        if digits[0] == 0 or length < 0x80:
            raise DerError("a length is not in its shortest form")
    if start + length > len(data):
        raise DerError("a value is cut off")
    return Value(tag, data[start : start + length], data[place : start + length])

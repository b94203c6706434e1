"""Personal data as it may be shown to those who need not know it all (003 L23: masked export)."""

from __future__ import annotations

_STAR = "*"


def masked_name(name: str) -> str:
    """The first character and a star; of three and more the last as well.

    >>> [masked_name(name) for name in ("王", "王伟", "欧阳锋", "Li Lei")]
    ['*', '王*', '欧*锋', 'L****i']
    """
    if len(name) < 2:
        return _STAR if name else ""
    if len(name) == 2:
        return name[0] + _STAR
    return name[0] + _STAR * (len(name) - 2) + name[-1]


def masked_number(number: str) -> str:
    """An identity number or telephone number: the first three and the last four characters.

    >>> masked_number("11010519491231002X")
    '110***********002X'
    """
    if len(number) <= 7:
        return _STAR * len(number)
    return number[:3] + _STAR * (len(number) - 7) + number[-4:]


def guarded(text: str) -> str:
    """`text` so that no spreadsheet runs it: what begins like a formula gets an apostrophe before it."""
    return "'" + text if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text

"""What several commands take: numbers and ports."""

from __future__ import annotations

import argparse

MAX_COUNT = 10_000


def port(text: str) -> str:
    """A TCP port in digits, 0 for any."""
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError("a port from 0 to 65535 is expected")
    return text


def count(text: str) -> int:
    """A whole number, not larger than a class may be."""
    if not text.isascii() or not text.isdigit() or int(text) > MAX_COUNT:
        raise argparse.ArgumentTypeError(f"a number from 0 to {MAX_COUNT} is expected")
    return int(text)

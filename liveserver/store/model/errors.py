"""What goes wrong with the store."""

from __future__ import annotations


class StoreError(Exception):
    """The store cannot do what was asked: not reachable, in use, damaged, or newer than this program."""

"""A self-hosted live classroom server for regulated vocational training."""

__version__ = "0.1.0"

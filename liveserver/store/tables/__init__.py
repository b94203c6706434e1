"""The tables, as they are after the newest migration (a test compares the two)."""

"""Lessons as they run: the rooms of a node, who is in them, how many may be."""

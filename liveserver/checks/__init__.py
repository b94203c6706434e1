"""Random checks: whom they ask, what they ask, and photos of faces."""

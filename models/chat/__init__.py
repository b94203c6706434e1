"""Chat screening."""

"""The kill switch: the guard's thread, kill files, what nodes tell each other, drills."""

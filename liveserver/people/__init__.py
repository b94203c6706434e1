"""People and classes over the store: what refers to what, rosters, gates, timetables, lists to take away."""

"""The schema's history. One file a step in `versions`, written by hand, never changed once released.

`liveserver.store.database.migrate` runs them when a store opens. A new step takes the next number, states
its `down_revision`, and creates what it needs in the words of that time: it does not import
`liveserver.store.tables`, which will have moved on.
"""

"""A collection in memory, the journal of its changes, and the rows it is stored in."""

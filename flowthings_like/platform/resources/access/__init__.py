"""Who calls, what they may do, and where."""

"""The database of one account: its state in memory, its requests one at a time, its commits and tables."""

"""The database of one account: its state in memory, one request at a time, commits to the tables."""

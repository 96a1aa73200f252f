"""Pools of database connections, as Twisted's adbapi has them, in blocking style."""

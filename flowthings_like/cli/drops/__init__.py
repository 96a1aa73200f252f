"""Drops on the command line: as text, and as the rows of files."""

"""Runs the tasks of a folder: it fetches what they ask for, and makes drops of it."""

"""Which process serves a folder: the one that holds a lock in it.

The others find its address in the lock's file.
"""

"""Finds mistakes in how this process runs green threads: the doctor, its checks, and the block monitor."""

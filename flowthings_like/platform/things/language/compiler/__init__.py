"""Compiles a syntax tree to Python functions."""

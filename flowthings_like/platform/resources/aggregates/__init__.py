"""Aggregates over a flow's drops."""

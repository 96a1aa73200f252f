"""Drops: how they are checked, stored, indexed, found and tracked."""

"""TStorage connections."""

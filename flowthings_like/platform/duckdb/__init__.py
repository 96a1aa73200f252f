"""A DuckDB file in the platform's folder, for the families that keep their data in one."""

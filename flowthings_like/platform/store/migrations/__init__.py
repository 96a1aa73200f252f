"""Brings tables of an earlier version up to date: Alembic's revisions, one module a version of the schema."""

"""The revisions, in Alembic's form. Each is called as the version of the schema that it leads to."""

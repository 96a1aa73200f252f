"""The first tables. Nothing older exists."""

revision = "1"
down_revision = None


def upgrade() -> None:
    """Nothing to do: where there are no tables, they are made as they are now."""

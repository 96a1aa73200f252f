"""Columns and indexes for the elements that flows index."""

from alembic import op

revision = "3"
down_revision = "2"

SLOTS = [f"s{number}" for number in range(8)]


def upgrade() -> None:
    """SQLite only: the first version on PostgreSQL was 3."""
    op.execute(
        "CREATE UNIQUE INDEX IF NOT EXISTS one_drop_a_hash ON drops (flow_id, fhash) WHERE fhash IS NOT NULL"
    )
    op.execute("ALTER TABLE drops ADD COLUMN indexed BIGINT")
    for name in SLOTS:
        op.execute(f"ALTER TABLE drops ADD COLUMN {name} BLOB")
    op.execute(
        f"CREATE INDEX drops_indexed ON drops (flow_id, indexed, id, {', '.join(SLOTS)}) "
        "WHERE indexed IS NOT NULL"
    )
    for name in SLOTS:
        op.execute(f"CREATE INDEX drops_by_{name} ON drops (flow_id, {name}, id) WHERE {name} IS NOT NULL")

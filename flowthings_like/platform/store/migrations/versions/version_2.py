"""The order of arrival, apart from the ids, whose beginning is the creation time.

In the tables of version 1 a constraint keeps the hashes unique, not an index.
"""

from alembic import op

revision = "2"
down_revision = "1"


def upgrade() -> None:
    """SQLite only: the first version on PostgreSQL was 3."""
    op.execute("ALTER TABLE drops ADD COLUMN arrived BIGINT NOT NULL DEFAULT 0")
    op.execute("ALTER TABLE sizes ADD COLUMN arrivals BIGINT NOT NULL DEFAULT 0")
    op.execute(
        "UPDATE drops SET arrived = numbered.arrived FROM ("
        "SELECT flow_id, id, row_number() OVER (PARTITION BY flow_id ORDER BY id) AS arrived FROM drops"
        ") AS numbered WHERE drops.flow_id = numbered.flow_id AND drops.id = numbered.id"
    )
    op.execute("UPDATE sizes SET arrivals = count")
    op.execute("CREATE INDEX drops_by_arrival ON drops (flow_id, arrived)")

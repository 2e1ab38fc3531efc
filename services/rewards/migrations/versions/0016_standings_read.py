"""How far decisions were read for the standings: those of before there were any are read once."""

from __future__ import annotations

from typing import Final

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

READ: Final = """
CREATE TABLE rewards.standings_read (
    -- Of the decisions' topic; -1 is the archive of decisions, with ids of blobs for offsets.
    log_partition integer PRIMARY KEY,
    -- Every decision before it is in the standings.
    next_offset bigint NOT NULL,
    -- Until every decision before it is, nobody's tier is certain.
    until_offset bigint NOT NULL
) WITH (fillfactor = 50);
"""

ROLE: Final = """
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'goodword_rewards') THEN
        GRANT SELECT, INSERT, UPDATE ON rewards.standings_read TO goodword_rewards;
    END IF;
END $$;
"""


def upgrade() -> None:
    for statements in (READ, ROLE):
        # As the driver takes it: SQLAlchemy would look for `:name` in it, and the driver looks for `%`.
        op.get_bind().exec_driver_sql(statements.replace("%", "%%"))


def downgrade() -> None:
    """A ledger is not dropped by a migration."""
    raise RuntimeError("the ledger cannot be migrated away; restore a backup instead")

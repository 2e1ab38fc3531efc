"""Snapshots of balances, from which any instant is a short way."""

from __future__ import annotations

from typing import Final

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

TABLES: Final = """
-- All of it is derived: it can be dropped at any time, and answers stay the same, only slower.
CREATE TABLE rewards.snapshots (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    by_time text NOT NULL CHECK (by_time IN ('effective', 'booked')),
    -- What is before it counts.
    until timestamptz NOT NULL,
    made_at timestamptz NOT NULL,
    UNIQUE (by_time, until)
);
-- No foreign key: it would cost more than all else when a million rows are written.
CREATE TABLE rewards.balance_snapshots (
    snapshot_id bigint NOT NULL,
    account_id bigint NOT NULL,
    unit text NOT NULL,
    minor bigint NOT NULL,
    PRIMARY KEY (snapshot_id, account_id, unit)
) WITH (fillfactor = 95);

-- One row: all snapshots count the transfers of the blocks up to this one, and nothing of later ones.
CREATE TABLE rewards.snapshots_made (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    block bigint NOT NULL,
    -- Transfers counted since the newest snapshot by each time.
    effective_count bigint NOT NULL,
    booked_count bigint NOT NULL
) WITH (fillfactor = 10);
INSERT INTO rewards.snapshots_made (block, effective_count, booked_count)
SELECT c.block, n.count, n.count FROM rewards.chain c, (SELECT count(*) FROM rewards.transfers) n;
"""

ROLE: Final = """
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'goodword_rewards') THEN
        GRANT SELECT, INSERT ON rewards.snapshots TO goodword_rewards;
        GRANT SELECT, INSERT ON rewards.balance_snapshots TO goodword_rewards;
        GRANT UPDATE (minor) ON rewards.balance_snapshots TO goodword_rewards;
        GRANT SELECT, UPDATE ON rewards.snapshots_made TO goodword_rewards;
    END IF;
END $$;
"""


def upgrade() -> None:
    for statements in (TABLES, ROLE):
        # As the driver takes it: SQLAlchemy would look for `:name` in it, and the driver looks for `%`.
        op.get_bind().exec_driver_sql(statements.replace("%", "%%"))


def downgrade() -> None:
    """A ledger is not dropped by a migration."""
    raise RuntimeError("the ledger cannot be migrated away; restore a backup instead")

"""Lots: what was granted and expires, spent oldest first."""

from __future__ import annotations

from typing import Final

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

LOTS: Final = """
ALTER TABLE rewards.lives
    ADD COLUMN expires_at_ms bigint,
    -- What of the lot has not been closed by its date, taken back or voided; spending does not say which lot it took.
    ADD COLUMN lot_minor bigint NOT NULL DEFAULT 0 CHECK (lot_minor >= 0),
    ADD COLUMN expired_minor bigint NOT NULL DEFAULT 0 CHECK (expired_minor >= 0),
    ADD COLUMN is_announced boolean NOT NULL DEFAULT false,
    DROP CONSTRAINT lives_resolved_once,
    ADD CONSTRAINT lives_resolved_once CHECK (
        pending_minor <= granted_minor - taken_minor - expired_minor
        AND lot_minor <= granted_minor - taken_minor - expired_minor
    );
CREATE INDEX lives_expiring ON rewards.lives (expires_at_ms) WHERE lot_minor > 0;
CREATE INDEX lives_lots ON rewards.lives (beneficiary, unit) WHERE lot_minor > 0;
"""

ROLE: Final = """
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'goodword_rewards') THEN
        -- Not the date: nobody changes it afterwards.
        GRANT UPDATE (lot_minor, expired_minor, is_announced) ON rewards.lives TO goodword_rewards;
    END IF;
END $$;
"""


def upgrade() -> None:
    for statements in (LOTS, ROLE):
        # As the driver takes it: SQLAlchemy would look for `:name` in it, and the driver looks for `%`.
        op.get_bind().exec_driver_sql(statements.replace("%", "%%"))


def downgrade() -> None:
    """A ledger is not dropped by a migration."""
    raise RuntimeError("the ledger cannot be migrated away; restore a backup instead")

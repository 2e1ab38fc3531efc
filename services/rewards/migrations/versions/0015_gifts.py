"""Gifts: proposed by one person, decided by another, out of a budget."""

from __future__ import annotations

from typing import Final

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

GIFTS: Final = """
CREATE TABLE rewards.gifts (
    id uuid PRIMARY KEY,
    programme text NOT NULL,
    -- Given by whoever proposes: the same key is the same gift.
    key text NOT NULL,
    beneficiary text NOT NULL,
    budget text NOT NULL,
    -- Empty for a budget without periods.
    period text NOT NULL,
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    unit text NOT NULL,
    decimals smallint,
    reason text NOT NULL,
    proposed_by text NOT NULL,
    proposed_at_ms bigint NOT NULL,
    state text NOT NULL CHECK (state IN ('proposed', 'granted', 'rejected')),
    decided_by text,
    decided_at_ms bigint,
    decided_because text,
    UNIQUE (programme, key),
    CONSTRAINT gifts_decided_once CHECK ((state = 'proposed') = (decided_at_ms IS NULL)),
    CONSTRAINT gifts_by_two CHECK (state <> 'granted' OR lower(decided_by) <> lower(proposed_by))
) WITH (fillfactor = 80);
CREATE INDEX gifts_of_person ON rewards.gifts (beneficiary, unit) WHERE state = 'granted';
CREATE INDEX gifts_proposed ON rewards.gifts (id) WHERE state = 'proposed';
"""

ROLE: Final = """
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'goodword_rewards') THEN
        GRANT SELECT, INSERT ON rewards.gifts TO goodword_rewards;
        -- Not what was proposed: nobody changes that afterwards.
        GRANT UPDATE (state, decided_by, decided_at_ms, decided_because) ON rewards.gifts TO goodword_rewards;
    END IF;
END $$;
"""


def upgrade() -> None:
    for statements in (GIFTS, ROLE):
        # As the driver takes it: SQLAlchemy would look for `:name` in it, and the driver looks for `%`.
        op.get_bind().exec_driver_sql(statements.replace("%", "%%"))


def downgrade() -> None:
    """A ledger is not dropped by a migration."""
    raise RuntimeError("the ledger cannot be migrated away; restore a backup instead")

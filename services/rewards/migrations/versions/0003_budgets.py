"""Budgets: a row per budget and period, and decisions that wait for one."""

from __future__ import annotations

from typing import Final

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

BUDGETS: Final = """
-- What is left equals the balance of the budget's account; kept here too, to be read under one lock with the rest.
CREATE TABLE rewards.budgets (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    programme text NOT NULL,
    budget text NOT NULL,
    -- Empty for a budget for ever.
    period text NOT NULL,
    unit text NOT NULL,
    -- The newest revision that claimed it, and what that puts in.
    revision integer NOT NULL DEFAULT -1,
    ruled_minor bigint NOT NULL DEFAULT 0,
    left_minor bigint NOT NULL DEFAULT 0,
    allotments integer NOT NULL DEFAULT 0,
    waiting integer NOT NULL DEFAULT 0 CHECK (waiting >= 0),
    last_waiting_no bigint NOT NULL DEFAULT 0,
    UNIQUE (programme, budget, period, unit)
) WITH (fillfactor = 50);

ALTER TABLE rewards.lives
    DROP CONSTRAINT lives_state_check,
    ADD CONSTRAINT lives_state_check CHECK (state IN ('posted', 'waiting', 'denied', 'refused')),
    ADD COLUMN waits_for_budget bigint,
    ADD COLUMN waiting_no bigint;
CREATE UNIQUE INDEX lives_queue ON rewards.lives (waits_for_budget, waiting_no) WHERE waits_for_budget IS NOT NULL;
"""

TELL: Final = """
CREATE FUNCTION rewards.tell(p_facts bytea) RETURNS void LANGUAGE sql AS $$
-- Facts of what happened without a transfer leave as a block of their own, in the order of the commits.
WITH next AS (UPDATE rewards.chain SET block = block + 1 RETURNING block)
INSERT INTO rewards.outbox (block, facts) SELECT block, p_facts FROM next
$$;
"""

ROLE: Final = """
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'goodword_rewards') THEN
        GRANT SELECT, INSERT, UPDATE ON rewards.budgets TO goodword_rewards;
        GRANT UPDATE (waits_for_budget, waiting_no) ON rewards.lives TO goodword_rewards;
    END IF;
END $$;
"""


def upgrade() -> None:
    for statements in (BUDGETS, TELL, ROLE):
        # As the driver takes it: SQLAlchemy would look for `:name` in it, and the driver looks for `%`.
        op.get_bind().exec_driver_sql(statements.replace("%", "%%"))


def downgrade() -> None:
    """A ledger is not dropped by a migration."""
    raise RuntimeError("the ledger cannot be migrated away; restore a backup instead")

"""Any instant of the ledger: transfers are found by the ranges of their times, accounts by what they begin with."""

from __future__ import annotations

from typing import Final

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

INDEXES: Final = """
-- Rows lie in the order of their posting: some kilobytes of index find a range of times in gigabytes of them. Summed
-- up as the table grows, else its end would be read whole until the next vacuum.
CREATE INDEX transfers_times ON rewards.transfers
    USING brin (posted_at, event_at timestamptz_minmax_multi_ops) WITH (pages_per_range = 32, autosummarize = on);
-- The few that do not count from their event on.
CREATE INDEX transfers_news ON rewards.transfers (news_at) WHERE news_at IS NOT NULL;
-- In the order in which they are listed, whatever the database's own collation.
CREATE INDEX accounts_listed ON rewards.accounts (address COLLATE "C");
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(INDEXES)


def downgrade() -> None:
    """A ledger is not dropped by a migration."""
    raise RuntimeError("the ledger cannot be migrated away; restore a backup instead")

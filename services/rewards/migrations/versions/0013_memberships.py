"""Paid memberships, and what the rules are to be told of them."""

from __future__ import annotations

from typing import Final

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

MEMBERSHIPS: Final = """
CREATE TABLE rewards.memberships (
    id uuid PRIMARY KEY,
    programme text NOT NULL,
    -- Given by whoever sells: the same key is the same membership.
    key text NOT NULL,
    beneficiary text NOT NULL,
    tier text NOT NULL,
    -- The tier afterwards, unless the partner stands in another one by then.
    back_to text NOT NULL,
    per text NOT NULL CHECK (per IN ('month', 'quarter', 'year', 'ever')),
    price_minor bigint NOT NULL CHECK (price_minor > 0),
    unit text NOT NULL,
    decimals smallint,
    -- What names a payment elsewhere; NULL: fees are charged to what is available.
    paid_outside text,
    renews boolean NOT NULL,
    bought_at_ms bigint NOT NULL,
    bought_by text NOT NULL,
    -- The present term, counted from 0, and its bounds; one that never ends has no end.
    term integer NOT NULL,
    from_ms bigint NOT NULL,
    until_ms bigint,
    -- What the term's fee took from which lots: [[decision, minor], …].
    parts jsonb NOT NULL,
    state text NOT NULL CHECK (state IN ('active', 'ended', 'refunded')),
    closed_at_ms bigint,
    closed_by text,
    reason text,
    refunded_minor bigint NOT NULL CHECK (refunded_minor BETWEEN 0 AND price_minor),
    told integer NOT NULL,
    UNIQUE (programme, key),
    CONSTRAINT memberships_closed_once CHECK ((state = 'active') = (closed_at_ms IS NULL))
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX memberships_one_at_a_time ON rewards.memberships (programme, beneficiary) WHERE state = 'active';
CREATE INDEX memberships_by_beneficiary ON rewards.memberships (beneficiary, id);
CREATE INDEX memberships_over ON rewards.memberships (until_ms) WHERE state = 'active';

CREATE TABLE rewards.tier_tellings (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id text NOT NULL UNIQUE,
    programme text NOT NULL,
    partner text NOT NULL,
    tier text NOT NULL,
    at_ms bigint NOT NULL,
    told_at_ms bigint
) WITH (fillfactor = 80);
CREATE INDEX tier_tellings_due ON rewards.tier_tellings (id) WHERE told_at_ms IS NULL;
"""

ROLE: Final = """
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'goodword_rewards') THEN
        GRANT SELECT, INSERT ON rewards.memberships, rewards.tier_tellings TO goodword_rewards;
        -- Not what was bought, by whom, nor for how much: nobody changes that afterwards.
        GRANT UPDATE (term, from_ms, until_ms, parts, state, closed_at_ms, closed_by, reason, refunded_minor, told)
            ON rewards.memberships TO goodword_rewards;
        GRANT UPDATE (told_at_ms) ON rewards.tier_tellings TO goodword_rewards;
    END IF;
END $$;
"""


def upgrade() -> None:
    for statements in (MEMBERSHIPS, ROLE):
        # As the driver takes it: SQLAlchemy would look for `:name` in it, and the driver looks for `%`.
        op.get_bind().exec_driver_sql(statements.replace("%", "%%"))


def downgrade() -> None:
    """A ledger is not dropped by a migration."""
    raise RuntimeError("the ledger cannot be migrated away; restore a backup instead")

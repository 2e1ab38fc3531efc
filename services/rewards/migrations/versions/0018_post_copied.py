"""Large batches are copied into the ledger: what is left to do once their rows are in it."""

from __future__ import annotations

from typing import Final

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

FUNCTIONS: Final = """
CREATE FUNCTION rewards.is_any_known(p_ids uuid[]) RETURNS boolean LANGUAGE sql STABLE AS $$
-- Whether one of these ids, which are sorted, was posted or refused. The range lets months be left out.
SELECT EXISTS (SELECT FROM rewards.refusals r WHERE r.id = ANY (p_ids))
    OR EXISTS (
        SELECT FROM rewards.transfers t
        WHERE t.id BETWEEN p_ids[1] AND p_ids[cardinality(p_ids)] AND t.id = ANY (p_ids))
$$;

CREATE FUNCTION rewards.post_copied(
    p_ids uuid[], p_accounts bigint[], p_units text[], p_minors text[], p_row_hashes bytea, p_facts bytea
) RETURNS void LANGUAGE plpgsql AS $$
-- Balances, block and facts of transfers that were copied in this transaction, sorted by id.
-- What a balance moves by comes as text: a sum that no balance can hold shall be told as such.
BEGIN
    IF octet_length(p_row_hashes) <> 32 * cardinality(p_ids) THEN
        RAISE EXCEPTION 'a hash for each row, not % bytes for %', octet_length(p_row_hashes), cardinality(p_ids);
    END IF;
    -- Refused since `is_any_known` was asked: as good as an id that is there.
    IF EXISTS (SELECT FROM rewards.refusals r WHERE r.id = ANY (p_ids)) THEN
        RAISE EXCEPTION 'refused before' USING ERRCODE = 'unique_violation';
    END IF;
    -- In a fixed order, as rewards.post does it: nobody waits in a circle.
    INSERT INTO rewards.balances AS b (account_id, unit, minor)
    SELECT m.account_id, m.unit, m.minor::bigint
    FROM unnest(p_accounts, p_units, p_minors) AS m (account_id, unit, minor)
    ORDER BY m.account_id, m.unit
    -- What goes in and out again in one batch, as a hold that is over, leaves the balance as it is.
    ON CONFLICT (account_id, unit) DO UPDATE SET minor = b.minor + excluded.minor WHERE excluded.minor <> 0;
    INSERT INTO rewards.outbox (block, facts) VALUES (rewards.seal(p_ids, p_row_hashes), p_facts);
END $$;
"""


def upgrade() -> None:
    # As the driver takes it: SQLAlchemy would look for `:name` in it, and the driver looks for `%`.
    op.get_bind().exec_driver_sql(FUNCTIONS.replace("%", "%%"))


def downgrade() -> None:
    """A ledger is not dropped by a migration."""
    raise RuntimeError("the ledger cannot be migrated away; restore a backup instead")

"""Doors: keys of those who work with the ledger over HTTP, and requests with their answers."""

from __future__ import annotations

from typing import Final

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

DOORS: Final = """
CREATE TABLE rewards.keys (
    key_id text PRIMARY KEY,
    secret_sha256 bytea NOT NULL,
    -- Who acts with it: a person with two keys is one person.
    owner text NOT NULL CHECK (owner <> ''),
    roles text[] NOT NULL CHECK (cardinality(roles) > 0 AND roles <@ ARRAY['viewer', 'finance', 'approver']),
    made_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz,
    revoked_by text
);

-- Written in the transaction of what the request did, so that there is an answer exactly when it was done.
CREATE TABLE rewards.requests (
    who text NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    status smallint NOT NULL,
    media_type text NOT NULL,
    body bytea NOT NULL,
    answered_at timestamptz NOT NULL,
    PRIMARY KEY (who, key)
);
CREATE INDEX requests_answered ON rewards.requests (answered_at);
"""

ROLE: Final = """
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'goodword_rewards') THEN
        GRANT SELECT, INSERT ON rewards.keys TO goodword_rewards;
        -- Nothing of a key changes but that it ends.
        GRANT UPDATE (revoked_at, revoked_by) ON rewards.keys TO goodword_rewards;
        GRANT SELECT, INSERT, UPDATE, DELETE ON rewards.requests TO goodword_rewards;
    END IF;
END $$;
"""


def upgrade() -> None:
    for statements in (DOORS, ROLE):
        # As the driver takes it: SQLAlchemy would look for `:name` in it, and the driver looks for `%`.
        op.get_bind().exec_driver_sql(statements.replace("%", "%%"))


def downgrade() -> None:
    """A ledger is not dropped by a migration."""
    raise RuntimeError("the ledger cannot be migrated away; restore a backup instead")

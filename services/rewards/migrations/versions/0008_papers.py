"""Papers: who issues them, the numbers of each year, and what was issued, which nobody can alter."""

from __future__ import annotations

from typing import Final

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TABLES: Final = """
-- Locked by whoever issues, so that numbers follow each other; papers keep a copy of what it says.
CREATE TABLE rewards.issuers (
    issuer text PRIMARY KEY,
    prefix text NOT NULL UNIQUE,
    data bytea NOT NULL,
    -- The day of its last paper: a day of issue never goes back.
    last_on date
);
CREATE TABLE rewards.invoice_series (
    issuer text NOT NULL REFERENCES rewards.issuers (issuer),
    year integer NOT NULL,
    last_no bigint NOT NULL CHECK (last_no > 0),
    PRIMARY KEY (issuer, year)
);
-- `data` is all that the paper says (services/rewards/papers/invoice.py); the other columns are for finding it.
CREATE TABLE rewards.invoices (
    number text PRIMARY KEY,
    issuer text NOT NULL,
    year integer NOT NULL,
    no bigint NOT NULL CHECK (no > 0),
    kind text NOT NULL CHECK (kind IN ('invoice', 'credit-note')),
    -- What it is about: issued once for each.
    reference text NOT NULL UNIQUE,
    corrects text REFERENCES rewards.invoices (number),
    supplier text NOT NULL,
    payout text NOT NULL,
    currency text NOT NULL,
    gross_minor bigint NOT NULL CHECK (gross_minor > 0),
    issued_on date NOT NULL,
    issued_at timestamptz NOT NULL,
    data bytea NOT NULL,
    sha256 bytea NOT NULL CONSTRAINT invoices_sha256 CHECK (sha256 = sha256(data)),
    UNIQUE (issuer, year, no),
    FOREIGN KEY (issuer, year) REFERENCES rewards.invoice_series (issuer, year),
    CHECK ((kind = 'credit-note') = (corrects IS NOT NULL))
);
CREATE INDEX invoices_corrects ON rewards.invoices (corrects) WHERE corrects IS NOT NULL;
CREATE INDEX invoices_supplier ON rewards.invoices (supplier);
CREATE INDEX invoices_payout ON rewards.invoices (payout) WHERE payout <> '';
"""

APPEND_ONLY: Final = """
CREATE FUNCTION rewards.refuse_change_of_papers() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'issued papers are append only: % refused', TG_OP
        USING ERRCODE = 'restrict_violation', HINT = 'issue a credit note instead';
END $$;
CREATE TRIGGER invoices_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON rewards.invoices
    FOR EACH STATEMENT EXECUTE FUNCTION rewards.refuse_change_of_papers();
ALTER TABLE rewards.invoices ENABLE ALWAYS TRIGGER invoices_append_only;
"""

ROLE: Final = """
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'goodword_rewards') THEN
        GRANT SELECT, INSERT, UPDATE ON rewards.issuers, rewards.invoice_series TO goodword_rewards;
        GRANT SELECT, INSERT ON rewards.invoices TO goodword_rewards;
    END IF;
END $$;
"""


def upgrade() -> None:
    for statements in (TABLES, APPEND_ONLY, ROLE):
        # As the driver takes it: SQLAlchemy would look for `:name` in it, and the driver looks for `%`.
        op.get_bind().exec_driver_sql(statements.replace("%", "%%"))


def downgrade() -> None:
    """What was issued is not dropped by a migration."""
    raise RuntimeError("issued papers cannot be migrated away; restore a backup instead")

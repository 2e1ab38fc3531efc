"""Payouts: payees, plans, runs and what became of each payout, exchange rates, conversions, who did what."""

from __future__ import annotations

from typing import Final

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

TABLES: Final = """
-- What the running service asks for; whoever writes from elsewhere keeps to it as well.
CREATE TABLE rewards.policy (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    require_approval boolean NOT NULL
);

-- The newest exchange rates that were published, as goodword.rates told them.
CREATE TABLE rewards.rates (
    programme text NOT NULL,
    base text NOT NULL,
    quote text NOT NULL,
    day date NOT NULL,
    -- An exact decimal, as it was written.
    rate text NOT NULL,
    source text NOT NULL,
    PRIMARY KEY (programme, base, quote, day)
);

-- How to pay each beneficiary: services/rewards/payouts/payee.py as JSON.
CREATE TABLE rewards.payees (
    beneficiary text PRIMARY KEY,
    payee text NOT NULL,
    changed_at_ms bigint NOT NULL,
    changed_by text NOT NULL
);

-- Minimum, fee, schedule and payer of a programme's currency: services/rewards/payouts/plan.py as JSON.
CREATE TABLE rewards.payout_plans (
    programme text NOT NULL,
    unit text NOT NULL,
    plan text NOT NULL,
    changed_at_ms bigint NOT NULL,
    changed_by text NOT NULL,
    PRIMARY KEY (programme, unit)
);

CREATE TABLE rewards.payout_runs (
    id uuid PRIMARY KEY,
    reference text NOT NULL,
    programme text NOT NULL,
    unit text NOT NULL,
    period text NOT NULL,
    state text NOT NULL CHECK (state IN ('preparing', 'prepared', 'approved', 'sent', 'finished', 'cancelled')),
    terms text NOT NULL,
    day text NOT NULL,
    prepared_at_ms bigint NOT NULL,
    prepared_by text NOT NULL,
    is_requested boolean NOT NULL,
    next_account bigint NOT NULL,
    approved_by text,
    approved_at_ms bigint,
    sent_by text,
    sent_at_ms bigint,
    note text NOT NULL
);
CREATE INDEX payout_runs_open ON rewards.payout_runs (programme, unit) WHERE state NOT IN ('finished', 'cancelled');

-- What a payout is, never changes; its state and what the bank said of it do.
CREATE TABLE rewards.payouts (
    id uuid PRIMARY KEY,
    run_id uuid NOT NULL REFERENCES rewards.payout_runs (id),
    reference text NOT NULL,
    beneficiary text NOT NULL,
    programme text NOT NULL,
    unit text NOT NULL,
    gross_minor bigint NOT NULL CHECK (gross_minor > 0),
    fee_minor bigint NOT NULL CHECK (fee_minor >= 0),
    fee_borne_by text NOT NULL CHECK (fee_borne_by IN ('partner', 'programme')),
    currency text NOT NULL,
    pay_minor bigint NOT NULL CHECK (pay_minor > 0),
    rate text,
    payee text NOT NULL,
    prepared_at_ms bigint NOT NULL,
    state text NOT NULL
        CHECK (state IN ('prepared', 'approved', 'sent', 'settled', 'returned', 'cancelled')),
    changed_at_ms bigint NOT NULL,
    sent_at_ms bigint,
    settled_at_ms bigint,
    bank_reference text NOT NULL,
    reason text NOT NULL,
    UNIQUE (run_id, beneficiary)
) WITH (fillfactor = 80);
CREATE INDEX payouts_open ON rewards.payouts (state, changed_at_ms) WHERE state IN ('prepared', 'approved', 'sent');
CREATE INDEX payouts_beneficiary ON rewards.payouts (beneficiary);

-- Whom a run left out, and why.
CREATE TABLE rewards.payouts_left_out (
    run_id uuid NOT NULL REFERENCES rewards.payout_runs (id),
    beneficiary text NOT NULL,
    code text NOT NULL,
    message text NOT NULL,
    minor bigint NOT NULL,
    PRIMARY KEY (run_id, beneficiary)
);

-- What was converted at each rate and not taken back: times the rate, rounded once, it is what the conversion account
-- gave.
CREATE TABLE rewards.conversions (
    programme text NOT NULL,
    from_unit text NOT NULL,
    to_unit text NOT NULL,
    rate text NOT NULL,
    numerator numeric NOT NULL CHECK (numerator > 0),
    denominator numeric NOT NULL CHECK (denominator > 0),
    from_minor numeric NOT NULL CHECK (from_minor >= 0),
    PRIMARY KEY (programme, from_unit, to_unit, rate)
);

-- Who did what to payees, plans, policy and runs.
CREATE TABLE rewards.payout_audit (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at_ms bigint NOT NULL,
    who text NOT NULL,
    action text NOT NULL,
    subject text NOT NULL,
    details jsonb NOT NULL
);
CREATE INDEX payout_audit_subject ON rewards.payout_audit (subject, number);
"""

APPEND_ONLY: Final = """
CREATE FUNCTION rewards.refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit of payouts is append only: % refused', TG_OP USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER payout_audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON rewards.payout_audit
    FOR EACH STATEMENT EXECUTE FUNCTION rewards.refuse_audit_change();
ALTER TABLE rewards.payout_audit ENABLE ALWAYS TRIGGER payout_audit_append_only;
"""

ROLE: Final = """
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'goodword_rewards') THEN
        GRANT SELECT, INSERT, UPDATE ON rewards.policy, rewards.payees, rewards.payout_plans TO goodword_rewards;
        GRANT SELECT, INSERT ON rewards.rates, rewards.payout_runs, rewards.payouts, rewards.payouts_left_out,
            rewards.conversions, rewards.payout_audit TO goodword_rewards;
        GRANT UPDATE (rate, source) ON rewards.rates TO goodword_rewards;
        GRANT UPDATE (from_minor) ON rewards.conversions TO goodword_rewards;
        -- Not the terms of a run, nor whom it pays what.
        GRANT UPDATE (state, next_account, approved_by, approved_at_ms, sent_by, sent_at_ms, note)
            ON rewards.payout_runs TO goodword_rewards;
        GRANT UPDATE (state, changed_at_ms, sent_at_ms, settled_at_ms, bank_reference, reason)
            ON rewards.payouts TO goodword_rewards;
    END IF;
END $$;
"""


def upgrade() -> None:
    for statements in (TABLES, APPEND_ONLY, ROLE):
        # As the driver takes it: SQLAlchemy would look for `:name` in it, and the driver looks for `%`.
        op.get_bind().exec_driver_sql(statements.replace("%", "%%"))


def downgrade() -> None:
    """A ledger is not dropped by a migration."""
    raise RuntimeError("the ledger cannot be migrated away; restore a backup instead")

"""Restatements: what was decided in the past, put right by adjusting decisions that somebody else approved."""

from __future__ import annotations

from typing import Final

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TABLES: Final = """
CREATE TABLE rules.restatements (
    programme text NOT NULL,
    number integer NOT NULL CHECK (number > 0),
    -- The rules that the past is decided by; revision is null where they were not published.
    revision integer,
    label text NOT NULL,
    digest text NOT NULL,
    source_text text NOT NULL,
    -- Local days of the programme, both inclusive; null: to the end.
    from_day date NOT NULL,
    to_day date,
    -- How many restatements of the programme had been posted when this one was proposed: another one since makes its
    -- lines wrong.
    follows integer NOT NULL,
    events bigint NOT NULL,
    state text NOT NULL CHECK (state IN ('proposed', 'approved', 'posted', 'rejected')),
    proposed_by text NOT NULL,
    proposed_at timestamptz NOT NULL,
    note text NOT NULL,
    decided_by text,
    decided_at timestamptz,
    posted_at timestamptz,
    PRIMARY KEY (programme, number),
    CHECK ((state = 'proposed') = (decided_by IS NULL)),
    CHECK ((state = 'posted') = (posted_at IS NOT NULL))
);
-- One at a time is being posted; it is finished before anything else is proposed or approved.
CREATE UNIQUE INDEX restatements_one_approved ON rules.restatements (programme) WHERE state = 'approved';

CREATE TABLE rules.restatement_lines (
    programme text NOT NULL,
    number integer NOT NULL,
    line integer NOT NULL CHECK (line > 0),
    decision_id uuid NOT NULL,
    partner text NOT NULL,
    rule text NOT NULL,
    beneficiary text NOT NULL,
    unit text NOT NULL,
    decimals integer,
    event_at timestamptz NOT NULL,
    event_source text NOT NULL,
    event_id text NOT NULL,
    -- Of the decision that is corrected.
    occasion text NOT NULL,
    -- What the log decided, what has been paid with all restatements before, and what should have been.
    decided_minor bigint NOT NULL,
    paid_minor bigint NOT NULL,
    due_minor bigint NOT NULL,
    amount_minor bigint NOT NULL CHECK (amount_minor = due_minor - paid_minor AND amount_minor <> 0),
    -- The adjusting decision, as it goes to the bus.
    decision bytea NOT NULL,
    PRIMARY KEY (programme, number, line),
    FOREIGN KEY (programme, number) REFERENCES rules.restatements
);
CREATE INDEX restatement_lines_by_time ON rules.restatement_lines (programme, event_at);
CREATE UNIQUE INDEX restatement_lines_by_decision ON rules.restatement_lines (decision_id);

-- What was proposed is what is approved: its lines, rules and days never change.
CREATE FUNCTION rules.keep_restatement() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND TG_TABLE_NAME = 'restatements' THEN
        IF (NEW.programme, NEW.number, NEW.revision, NEW.digest, NEW.source_text, NEW.from_day, NEW.to_day, NEW.follows,
            NEW.proposed_by, NEW.proposed_at)
            IS NOT DISTINCT FROM (OLD.programme, OLD.number, OLD.revision, OLD.digest, OLD.source_text, OLD.from_day,
                                  OLD.to_day, OLD.follows, OLD.proposed_by, OLD.proposed_at)
            AND (OLD.state, NEW.state) IN
                (('proposed', 'approved'), ('proposed', 'rejected'), ('approved', 'posted')) THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'a restatement is never changed: % refused', TG_OP
        USING ERRCODE = 'restrict_violation', HINT = 'reject it and propose another one';
END $$;
CREATE TRIGGER restatements_keep BEFORE UPDATE OR DELETE ON rules.restatements
    FOR EACH ROW EXECUTE FUNCTION rules.keep_restatement();
CREATE TRIGGER restatement_lines_keep BEFORE UPDATE OR DELETE ON rules.restatement_lines
    FOR EACH ROW EXECUTE FUNCTION rules.keep_restatement();
ALTER TABLE rules.restatements ENABLE ALWAYS TRIGGER restatements_keep;
ALTER TABLE rules.restatement_lines ENABLE ALWAYS TRIGGER restatement_lines_keep;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'goodword_rules') THEN
        GRANT SELECT, INSERT, UPDATE ON rules.restatements TO goodword_rules;
        GRANT SELECT, INSERT ON rules.restatement_lines TO goodword_rules;
    END IF;
END $$;
"""


def upgrade() -> None:
    # As the driver takes it: SQLAlchemy would look for `:name` in it, and the driver looks for `%`.
    op.get_bind().exec_driver_sql(TABLES.replace("%", "%%"))


def downgrade() -> None:
    """What was posted stands in the ledger, so what it rests on is not dropped."""
    raise RuntimeError("restatements cannot be migrated away; restore a backup instead")

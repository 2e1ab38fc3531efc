"""Shadows: a revision that is not in force, decided beside the one that is; what differs, and how far it has come."""

from __future__ import annotations

from typing import Final

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TABLES: Final = """
CREATE TABLE rules.shadows (
    number integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    programme text NOT NULL,
    revision integer NOT NULL,
    share_ppm integer NOT NULL CHECK (share_ppm BETWEEN 1 AND 1000000),
    state text NOT NULL CHECK (state IN ('running', 'ended', 'failed')),
    started_by text NOT NULL,
    started_at timestamptz NOT NULL,
    ended_by text,
    ended_at timestamptz,
    -- Why it failed.
    reason text NOT NULL DEFAULT '',
    FOREIGN KEY (programme, revision) REFERENCES rules.revisions,
    CHECK ((state = 'running') = (ended_at IS NULL))
);
-- One at a time, so that what shadows cost stays bounded.
CREATE UNIQUE INDEX shadows_one_running ON rules.shadows (state) WHERE state = 'running';

CREATE TABLE rules.shadow_positions (
    number integer NOT NULL REFERENCES rules.shadows ON DELETE CASCADE,
    partition integer NOT NULL,
    -- Where the log ended when the shadow began: before it only the past is learnt, from there on both sides decide.
    starts_at bigint NOT NULL,
    next_offset bigint NOT NULL,
    events bigint NOT NULL DEFAULT 0,
    rejected_before bigint NOT NULL DEFAULT 0,
    rejected_after bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (number, partition)
);

-- States of the fold, as they are in the state store: side 0 is what is in force, side 1 the draft.
CREATE TABLE rules.shadow_states (
    number integer NOT NULL REFERENCES rules.shadows ON DELETE CASCADE,
    partition integer NOT NULL,
    side smallint NOT NULL,
    key bytea NOT NULL,
    value bytea NOT NULL,
    PRIMARY KEY (number, partition, side, key)
);

CREATE TABLE rules.shadow_sums (
    number integer NOT NULL REFERENCES rules.shadows ON DELETE CASCADE,
    partition integer NOT NULL,
    rule text NOT NULL,
    -- Empty for what is granted without an amount, a tier above all.
    unit text NOT NULL,
    local_day date NOT NULL,
    granted_before bigint NOT NULL,
    granted_after bigint NOT NULL,
    differing bigint NOT NULL,
    before_minor numeric NOT NULL,
    after_minor numeric NOT NULL,
    PRIMARY KEY (number, partition, rule, unit, local_day)
);

CREATE TABLE rules.shadow_partners (
    number integer NOT NULL REFERENCES rules.shadows ON DELETE CASCADE,
    partner text NOT NULL,
    unit text NOT NULL,
    before_minor numeric NOT NULL,
    after_minor numeric NOT NULL,
    PRIMARY KEY (number, partner, unit)
);

CREATE TABLE rules.shadow_examples (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    number integer NOT NULL REFERENCES rules.shadows ON DELETE CASCADE,
    rule text NOT NULL,
    partner text NOT NULL,
    beneficiary text NOT NULL,
    event_source text NOT NULL,
    event_id text NOT NULL,
    event_at timestamptz NOT NULL,
    unit text NOT NULL,
    -- Null where that side granted nothing; its reason then.
    before_minor bigint,
    after_minor bigint,
    before text NOT NULL,
    after text NOT NULL
);
CREATE INDEX shadow_examples_by_rule ON rules.shadow_examples (number, rule);

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'goodword_rules') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON rules.shadows, rules.shadow_positions, rules.shadow_states,
            rules.shadow_sums, rules.shadow_partners, rules.shadow_examples TO goodword_rules;
    END IF;
END $$;
"""


def upgrade() -> None:
    # As the driver takes it: SQLAlchemy would look for `:name` in it, and the driver looks for `%`.
    op.get_bind().exec_driver_sql(TABLES.replace("%", "%%"))


def downgrade() -> None:
    op.execute(
        "DROP TABLE rules.shadow_examples, rules.shadow_partners, rules.shadow_sums, rules.shadow_states,"
        " rules.shadow_positions, rules.shadows"
    )

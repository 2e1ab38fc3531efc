"""The ledger: accounts, transfers that nobody can alter, balances, the outbox, and the archive of decisions."""

from __future__ import annotations

from typing import Final

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES: Final = """
CREATE TABLE rewards.accounts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    address text NOT NULL UNIQUE
);

-- Ids sort by the event's time, so the primary key grows at its end, and PARTITION BY RANGE (id) stays possible:
-- this table then becomes the first partition, unchanged.
CREATE TABLE rewards.transfers (
    id uuid NOT NULL,
    group_id uuid NOT NULL,
    decision_id uuid NOT NULL,
    -- No foreign keys here: every transfer touches both balances in the same statement, and those have them.
    debit_id bigint NOT NULL,
    credit_id bigint NOT NULL,
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    event_hash bigint NOT NULL,
    event_at timestamptz NOT NULL,
    posted_at timestamptz NOT NULL,
    revision integer NOT NULL,
    stage text NOT NULL,
    unit text NOT NULL,
    programme text NOT NULL,
    rule text NOT NULL,
    partner text NOT NULL,
    event_source text NOT NULL,
    event_id text NOT NULL,
    customer text,
    deal text,
    lead text,
    PRIMARY KEY (id),
    CONSTRAINT transfers_two_accounts CHECK (debit_id <> credit_id)
);
CREATE INDEX transfers_event ON rewards.transfers (event_hash);
CREATE INDEX transfers_debit ON rewards.transfers (debit_id, posted_at);
CREATE INDEX transfers_credit ON rewards.transfers (credit_id, posted_at);

-- Credits minus debits. Half-empty pages let the one row of a hot account be updated in place (HOT).
CREATE TABLE rewards.balances (
    account_id bigint NOT NULL REFERENCES rewards.accounts (id),
    unit text NOT NULL,
    minor bigint NOT NULL,
    PRIMARY KEY (account_id, unit)
) WITH (fillfactor = 50);

-- A posting that the ledger would not take keeps its answer: a redelivery is refused as well, and never pays by luck.
CREATE TABLE rewards.refusals (
    id uuid PRIMARY KEY,
    reason text NOT NULL,
    message text NOT NULL,
    fact bytea NOT NULL,
    refused_at timestamptz NOT NULL
);

-- An id that came again with other data: kept with both versions and the names of the fields that differ.
CREATE TABLE rewards.conflicts (
    transfer_id uuid NOT NULL,
    digest text NOT NULL,
    fields text[] NOT NULL,
    stored jsonb NOT NULL,
    received jsonb NOT NULL,
    seen_at timestamptz NOT NULL,
    PRIMARY KEY (transfer_id, digest)
);

-- One row. Taking the next number is the last thing a posting does, and its lock lasts to the commit, so the numbers
-- are the commit order and have no gaps: the relay needs no waiting for numbers that are still to come.
CREATE TABLE rewards.chain (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    block bigint NOT NULL
) WITH (fillfactor = 10);
INSERT INTO rewards.chain (block) VALUES (0);

CREATE TABLE rewards.outbox (
    block bigint PRIMARY KEY,
    -- The facts of one posting, packed by services/rewards/outbox.py.
    facts bytea NOT NULL,
    -- Which of them were really posted, each once; NULL for all.
    posted_ids uuid[]
);
-- It is packed already.
ALTER TABLE rewards.outbox ALTER COLUMN facts SET STORAGE EXTERNAL;

-- Every decision, granted or denied: bodies in one compressed blob per batch, and a narrow row to find each by.
CREATE TABLE rewards.decision_blobs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    format smallint NOT NULL,
    archived_at timestamptz NOT NULL,
    body bytea NOT NULL
);
ALTER TABLE rewards.decision_blobs ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE TABLE rewards.decisions (
    id uuid PRIMARY KEY,
    event_hash bigint NOT NULL,
    blob_id bigint NOT NULL,
    position integer NOT NULL
);
CREATE INDEX decisions_event ON rewards.decisions (event_hash);

-- The few senders there are, so that an event can be found by its id alone.
CREATE TABLE rewards.event_sources (source text PRIMARY KEY);
"""

APPEND_ONLY: Final = """
CREATE FUNCTION rewards.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'transfers are append only: % refused', TG_OP
        USING ERRCODE = 'restrict_violation', HINT = 'post a reversing transfer instead';
END $$;

CREATE TRIGGER transfers_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON rewards.transfers
    FOR EACH STATEMENT EXECUTE FUNCTION rewards.refuse_change();
-- ALWAYS: else session_replication_role = replica would walk past it.
ALTER TABLE rewards.transfers ENABLE ALWAYS TRIGGER transfers_append_only;
"""

POST: Final = """
CREATE FUNCTION rewards.post(
    p_ids uuid[], p_groups uuid[], p_decisions uuid[], p_debits bigint[], p_credits bigint[], p_amounts bigint[],
    p_event_hashes bigint[], p_event_ats timestamptz[], p_posted_ats timestamptz[], p_revisions integer[],
    p_stages text[], p_units text[], p_programmes text[], p_rules text[], p_partners text[],
    p_event_sources text[], p_event_ids text[], p_customers text[], p_deals text[], p_leads text[],
    p_facts bytea,
    OUT posted integer, OUT inserted uuid[], OUT refused uuid[], OUT conflicting jsonb
) LANGUAGE plpgsql AS $$
-- Posts transfers sorted by id, all or none. Sorted, so that two writers with the same ids cannot deadlock.
-- `inserted` is NULL when all were new; `refused` names ids with a stored refusal, and then nothing was posted.
#variable_conflict use_column
DECLARE
    v_inserted uuid[];
    v_block bigint;
BEGIN
    posted := 0;
    SELECT array_agg(r.id) INTO refused FROM rewards.refusals r WHERE r.id = ANY (p_ids);
    IF refused IS NOT NULL THEN
        RETURN;
    END IF;

    WITH new AS (
        INSERT INTO rewards.transfers (
            id, group_id, decision_id, debit_id, credit_id, amount_minor, event_hash, event_at, posted_at, revision,
            stage, unit, programme, rule, partner, event_source, event_id, customer, deal, lead)
        SELECT t.id, t.group_id, t.decision_id, t.debit_id, t.credit_id, t.amount_minor, t.event_hash, t.event_at,
            t.posted_at, t.revision, t.stage, t.unit, t.programme, t.rule, t.partner, t.event_source, t.event_id,
            t.customer, t.deal, t.lead
        FROM unnest(
            p_ids, p_groups, p_decisions, p_debits, p_credits, p_amounts, p_event_hashes, p_event_ats, p_posted_ats,
            p_revisions, p_stages, p_units, p_programmes, p_rules, p_partners, p_event_sources, p_event_ids,
            p_customers, p_deals, p_leads
        ) AS t (
            id, group_id, decision_id, debit_id, credit_id, amount_minor, event_hash, event_at, posted_at, revision,
            stage, unit, programme, rule, partner, event_source, event_id, customer, deal, lead)
        ON CONFLICT (id) DO NOTHING
        RETURNING id, debit_id, credit_id, amount_minor, unit
    ), moved AS (
        -- In a fixed order, and each row once: a hot account is locked once a batch, and nobody waits in a circle.
        INSERT INTO rewards.balances AS b (account_id, unit, minor)
        SELECT p.account_id, p.unit, sum(p.minor)::bigint
        FROM (
            SELECT debit_id AS account_id, unit, -amount_minor AS minor FROM new
            UNION ALL
            SELECT credit_id, unit, amount_minor FROM new
        ) p
        GROUP BY p.account_id, p.unit ORDER BY p.account_id, p.unit
        ON CONFLICT (account_id, unit) DO UPDATE SET minor = b.minor + excluded.minor
    )
    SELECT array_agg(id), count(*) INTO v_inserted, posted FROM new;

    IF posted < cardinality(p_ids) THEN
        inserted := coalesce(v_inserted, '{}');
        conflicting := rewards.keep_conflicts(
            p_ids, p_groups, p_decisions, p_debits, p_credits, p_amounts, p_event_hashes, p_event_ats, p_posted_ats,
            p_revisions, p_stages, p_units, p_programmes, p_rules, p_partners, p_event_sources, p_event_ids,
            p_customers, p_deals, p_leads);
    END IF;
    IF posted > 0 THEN
        UPDATE rewards.chain c SET block = c.block + 1 RETURNING c.block INTO v_block;
        INSERT INTO rewards.outbox (block, facts, posted_ids) VALUES (v_block, p_facts, inserted);
    END IF;
END $$;

CREATE FUNCTION rewards.keep_conflicts(
    p_ids uuid[], p_groups uuid[], p_decisions uuid[], p_debits bigint[], p_credits bigint[], p_amounts bigint[],
    p_event_hashes bigint[], p_event_ats timestamptz[], p_posted_ats timestamptz[], p_revisions integer[],
    p_stages text[], p_units text[], p_programmes text[], p_rules text[], p_partners text[],
    p_event_sources text[], p_event_ids text[], p_customers text[], p_deals text[], p_leads text[]
) RETURNS jsonb LANGUAGE sql AS $$
-- Keeps every given row that differs from the stored one under its id; returns those not known before.
WITH received AS (
    SELECT * FROM unnest(
        p_ids, p_groups, p_decisions, p_debits, p_credits, p_amounts, p_event_hashes, p_event_ats, p_revisions,
        p_stages, p_units, p_programmes, p_rules, p_partners, p_event_sources, p_event_ids, p_customers, p_deals,
        p_leads
    ) AS t (
        id, group_id, decision_id, debit_id, credit_id, amount_minor, event_hash, event_at, revision,
        stage, unit, programme, rule, partner, event_source, event_id, customer, deal, lead)
), differing AS (
    SELECT r.id, to_jsonb(r) AS received, to_jsonb(s) - 'posted_at' AS stored
    FROM received r JOIN rewards.transfers s ON s.id = r.id
    WHERE (r.group_id, r.decision_id, r.debit_id, r.credit_id, r.amount_minor, r.event_hash, r.event_at, r.revision,
           r.stage, r.unit, r.programme, r.rule, r.partner, r.event_source, r.event_id, r.customer, r.deal, r.lead)
        IS DISTINCT FROM
          (s.group_id, s.decision_id, s.debit_id, s.credit_id, s.amount_minor, s.event_hash, s.event_at, s.revision,
           s.stage, s.unit, s.programme, s.rule, s.partner, s.event_source, s.event_id, s.customer, s.deal, s.lead)
), kept AS (
    INSERT INTO rewards.conflicts (transfer_id, digest, fields, stored, received, seen_at)
    SELECT d.id, md5(d.received::text),
        ARRAY(SELECT f.key FROM jsonb_each(d.received) f WHERE f.value IS DISTINCT FROM d.stored -> f.key ORDER BY 1),
        d.stored, d.received, p_posted_ats[1]
    FROM differing d ORDER BY 1, 2
    ON CONFLICT DO NOTHING
    RETURNING transfer_id, fields
)
SELECT jsonb_build_object(
    'rows', (SELECT count(*) FROM differing),
    'new', coalesce((SELECT jsonb_agg(jsonb_build_object('transfer', transfer_id, 'fields', fields)) FROM kept), '[]'))
$$;

CREATE FUNCTION rewards.archive(
    p_ids uuid[], p_event_hashes bigint[], p_format smallint, p_body bytea, p_archived_at timestamptz
) RETURNS integer LANGUAGE plpgsql AS $$
-- Keeps the decisions that are not kept yet; returns how many. A batch of nothing new leaves no blob.
DECLARE
    v_blob bigint := nextval(pg_get_serial_sequence('rewards.decision_blobs', 'id'));
    v_new integer;
BEGIN
    INSERT INTO rewards.decisions (id, event_hash, blob_id, position)
    SELECT d.id, d.event_hash, v_blob, d.position - 1
    FROM unnest(p_ids, p_event_hashes) WITH ORDINALITY AS d (id, event_hash, position)
    ORDER BY d.id
    ON CONFLICT (id) DO NOTHING;
    GET DIAGNOSTICS v_new = ROW_COUNT;
    IF v_new > 0 THEN
        INSERT INTO rewards.decision_blobs (id, format, archived_at, body) OVERRIDING SYSTEM VALUE
        VALUES (v_blob, p_format, p_archived_at, p_body);
    END IF;
    RETURN v_new;
END $$;
"""

ROLE: Final = """
-- The service takes this role on every connection, so that even its own mistakes cannot alter a transfer. Where the
-- migrating user may not create roles, an operator creates it; until then the trigger alone refuses.
DO $$
BEGIN
    BEGIN
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'goodword_rewards') THEN
            CREATE ROLE goodword_rewards NOLOGIN;
        END IF;
        EXECUTE format('GRANT goodword_rewards TO %I', current_user);
    EXCEPTION
        -- Roles belong to the whole cluster: another database may be making it at this moment.
        WHEN duplicate_object OR unique_violation THEN NULL;
        WHEN insufficient_privilege THEN RAISE WARNING 'role goodword_rewards: %', SQLERRM;
    END;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'goodword_rewards') THEN
        GRANT USAGE ON SCHEMA rewards TO goodword_rewards;
        GRANT SELECT, INSERT ON rewards.accounts, rewards.transfers, rewards.refusals, rewards.conflicts,
            rewards.decision_blobs, rewards.decisions, rewards.event_sources TO goodword_rewards;
        GRANT SELECT, INSERT, UPDATE ON rewards.balances TO goodword_rewards;
        GRANT SELECT, UPDATE ON rewards.chain TO goodword_rewards;
        GRANT SELECT, INSERT, DELETE ON rewards.outbox TO goodword_rewards;
        GRANT USAGE ON SEQUENCE rewards.decision_blobs_id_seq TO goodword_rewards;
    END IF;
END $$;
"""


def upgrade() -> None:
    for statements in (TABLES, APPEND_ONLY, POST, ROLE):
        # As the driver takes it: SQLAlchemy would look for `:name` in it, and the driver looks for `%`.
        op.get_bind().exec_driver_sql(statements.replace("%", "%%"))


def downgrade() -> None:
    """A ledger is not dropped by a migration."""
    raise RuntimeError("the ledger cannot be migrated away; restore a backup instead")

"""The hash chain: every block of transfers seals the ones before it; what there was is sealed now."""

from __future__ import annotations

from typing import Final

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

TABLES: Final = """
ALTER TABLE rewards.chain
    ADD COLUMN hash bytea NOT NULL DEFAULT decode(repeat('00', 32), 'hex'),
    ADD COLUMN previous bytea NOT NULL DEFAULT decode(repeat('00', 32), 'hex');

-- services/rewards/chain/encoding.py says what is hashed. Ids and hashes of rows are in the order of the ids.
CREATE TABLE rewards.blocks (
    number bigint PRIMARY KEY,
    hash_version smallint NOT NULL,
    previous bytea NOT NULL,
    hash bytea NOT NULL,
    count integer NOT NULL,
    sealed_at timestamptz NOT NULL,
    ids uuid[] NOT NULL,
    row_hashes bytea NOT NULL,
    CONSTRAINT blocks_whole CHECK (
        octet_length(previous) = 32 AND octet_length(hash) = 32
        AND count = cardinality(ids) AND octet_length(row_hashes) = 32 * count)
);
-- Hashes cannot be compressed.
ALTER TABLE rewards.blocks ALTER COLUMN ids SET STORAGE EXTERNAL, ALTER COLUMN row_hashes SET STORAGE EXTERNAL;

-- Heads that were signed, and told on the bus.
CREATE TABLE rewards.heads (
    block bigint PRIMARY KEY,
    hash bytea NOT NULL,
    signed_at timestamptz NOT NULL,
    public_key bytea NOT NULL,
    signature bytea NOT NULL
);

CREATE OR REPLACE FUNCTION rewards.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append only: % refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation', HINT = 'post a reversing transfer instead';
END $$;
CREATE TRIGGER blocks_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON rewards.blocks
    FOR EACH STATEMENT EXECUTE FUNCTION rewards.refuse_change();
ALTER TABLE rewards.blocks ENABLE ALWAYS TRIGGER blocks_append_only;
CREATE TRIGGER heads_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON rewards.heads
    FOR EACH STATEMENT EXECUTE FUNCTION rewards.refuse_change();
ALTER TABLE rewards.heads ENABLE ALWAYS TRIGGER heads_append_only;
"""

ENCODING: Final = """
CREATE FUNCTION rewards.sized(p_value bytea) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
SELECT coalesce(int4send(octet_length(p_value)) || p_value, '\\xffffffff'::bytea)
$$;

CREATE FUNCTION rewards.row_bytes_1(t rewards.transfers, p_debit text, p_credit text) RETURNS bytea
LANGUAGE sql STABLE AS $$
-- FROZEN: the fields of a transfer as version 1 hashes them, in its order.
SELECT rewards.sized(uuid_send(t.id)) || rewards.sized(uuid_send(t.group_id)) || rewards.sized(uuid_send(t.decision_id))
    || rewards.sized(int8send(t.amount_minor)) || rewards.sized(int8send(t.event_hash))
    || rewards.sized(timestamptz_send(t.event_at)) || rewards.sized(timestamptz_send(t.posted_at))
    || rewards.sized(int4send(t.revision)) || rewards.sized(convert_to(t.stage, 'UTF8'))
    || rewards.sized(convert_to(t.unit, 'UTF8')) || rewards.sized(convert_to(t.programme, 'UTF8'))
    || rewards.sized(convert_to(t.rule, 'UTF8')) || rewards.sized(convert_to(t.partner, 'UTF8'))
    || rewards.sized(convert_to(t.event_source, 'UTF8')) || rewards.sized(convert_to(t.event_id, 'UTF8'))
    || rewards.sized(convert_to(t.customer, 'UTF8')) || rewards.sized(convert_to(t.deal, 'UTF8'))
    || rewards.sized(convert_to(t.lead, 'UTF8')) || rewards.sized(timestamptz_send(t.available_at))
    || rewards.sized(timestamptz_send(t.expires_at)) || rewards.sized(uuid_send(t.takes_back))
    || rewards.sized(convert_to(t.reason, 'UTF8')) || rewards.sized(convert_to(t.booked_by, 'UTF8'))
    || rewards.sized(timestamptz_send(t.news_at)) || rewards.sized(convert_to(p_debit, 'UTF8'))
    || rewards.sized(convert_to(p_credit, 'UTF8'))
$$;

CREATE FUNCTION rewards.seal(p_ids uuid[], p_row_hashes bytea) RETURNS bigint LANGUAGE plpgsql AS $$
-- Appends a block; the chain's row stays locked to the commit, so the order of blocks is the order of commits.
DECLARE
    v_rows bytea := sha256(p_row_hashes);  -- Before the lock.
    v_at timestamptz;
    v_new record;
BEGIN
    -- FOR UPDATE first, so that the time is taken under the lock and never goes back.
    PERFORM FROM rewards.chain FOR UPDATE;
    v_at := clock_timestamp();
    UPDATE rewards.chain c SET block = c.block + 1, previous = c.hash, hash = sha256(
        'goodword/ledger/block/1'::bytea || int8send(c.block + 1) || c.hash || int4send(cardinality(p_ids))
        || timestamptz_send(v_at) || v_rows)
    RETURNING c.block, c.previous, c.hash INTO v_new;
    INSERT INTO rewards.blocks (number, hash_version, previous, hash, count, sealed_at, ids, row_hashes)
    VALUES (v_new.block, 1, v_new.previous, v_new.hash, cardinality(p_ids), v_at, p_ids, p_row_hashes);
    RETURN v_new.block;
END $$;
"""

POST: Final = """
DROP FUNCTION rewards.post(
    uuid[], uuid[], uuid[], bigint[], bigint[], bigint[], bigint[], timestamptz[], timestamptz[], integer[], text[],
    text[], text[], text[], text[], text[], text[], text[], text[], text[], timestamptz[], timestamptz[], text[],
    text[], text[], timestamptz[], bytea);

CREATE FUNCTION rewards.post(
    p_ids uuid[], p_groups uuid[], p_decisions uuid[], p_debits bigint[], p_credits bigint[], p_amounts bigint[],
    p_event_hashes bigint[], p_event_ats timestamptz[], p_posted_ats timestamptz[], p_revisions integer[],
    p_stages text[], p_units text[], p_programmes text[], p_rules text[], p_partners text[],
    p_event_sources text[], p_event_ids text[], p_customers text[], p_deals text[], p_leads text[],
    p_available_ats timestamptz[], p_expires_ats timestamptz[], p_takes_backs text[], p_reasons text[],
    p_booked_bys text[], p_news_ats timestamptz[], p_row_hashes bytea, p_facts bytea,
    OUT posted integer, OUT inserted uuid[], OUT refused uuid[], OUT conflicting jsonb
) LANGUAGE plpgsql AS $$
-- Posts transfers sorted by id, all or none. Sorted, so that two writers with the same ids cannot deadlock.
-- `inserted` is NULL when all were new; `refused` names ids with a stored refusal, and then nothing was posted.
-- The last arrays may be NULL, where no transfer has such a value.
#variable_conflict use_column
DECLARE
    v_inserted uuid[];
    v_hashes bytea;
    v_block bigint;
BEGIN
    posted := 0;
    IF octet_length(p_row_hashes) <> 32 * cardinality(p_ids) THEN
        RAISE EXCEPTION 'a hash for each row, not % bytes for %', octet_length(p_row_hashes), cardinality(p_ids);
    END IF;
    SELECT array_agg(r.id) INTO refused FROM rewards.refusals r WHERE r.id = ANY (p_ids);
    IF refused IS NOT NULL THEN
        RETURN;
    END IF;

    WITH new AS (
        INSERT INTO rewards.transfers (
            id, group_id, decision_id, debit_id, credit_id, amount_minor, event_hash, event_at, posted_at, revision,
            stage, unit, programme, rule, partner, event_source, event_id, customer, deal, lead, available_at,
            expires_at, takes_back, reason, booked_by, news_at)
        SELECT t.id, t.group_id, t.decision_id, t.debit_id, t.credit_id, t.amount_minor, t.event_hash, t.event_at,
            t.posted_at, t.revision, t.stage, t.unit, t.programme, t.rule, t.partner, t.event_source, t.event_id,
            t.customer, t.deal, t.lead, t.available_at, t.expires_at, t.takes_back::uuid, t.reason, t.booked_by,
            t.news_at
        FROM unnest(
            p_ids, p_groups, p_decisions, p_debits, p_credits, p_amounts, p_event_hashes, p_event_ats, p_posted_ats,
            p_revisions, p_stages, p_units, p_programmes, p_rules, p_partners, p_event_sources, p_event_ids,
            p_customers, p_deals, p_leads, p_available_ats, p_expires_ats, p_takes_backs, p_reasons, p_booked_bys,
            p_news_ats
        ) AS t (
            id, group_id, decision_id, debit_id, credit_id, amount_minor, event_hash, event_at, posted_at, revision,
            stage, unit, programme, rule, partner, event_source, event_id, customer, deal, lead, available_at,
            expires_at, takes_back, reason, booked_by, news_at)
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
            p_customers, p_deals, p_leads, p_available_ats, p_expires_ats, p_takes_backs, p_reasons, p_booked_bys);
        -- Of an id that came twice, the first one was posted.
        SELECT array_agg(r.id ORDER BY r.id), string_agg(r.hash, '' ORDER BY r.id) INTO v_inserted, v_hashes FROM (
            SELECT DISTINCT ON (u.id) u.id, substring(p_row_hashes, (32 * u.position - 31)::integer, 32) AS hash
            FROM unnest(p_ids) WITH ORDINALITY AS u (id, position)
            WHERE u.id = ANY (v_inserted) ORDER BY u.id, u.position
        ) r;
    ELSE
        v_inserted := p_ids;
        v_hashes := p_row_hashes;
    END IF;
    IF posted > 0 THEN
        v_block := rewards.seal(v_inserted, v_hashes);
        INSERT INTO rewards.outbox (block, facts, posted_ids) VALUES (v_block, p_facts, inserted);
    END IF;
END $$;

CREATE OR REPLACE FUNCTION rewards.tell(p_facts bytea) RETURNS void LANGUAGE sql AS $$
-- Facts of what happened without a transfer leave as a block of their own, in the order of the commits.
INSERT INTO rewards.outbox (block, facts) SELECT rewards.seal('{}', ''), p_facts
$$;
"""

SEALED: Final = """
-- What was posted before there was a chain is sealed as it stands now, by id: its blocks of old are not known any more.
DO $$
DECLARE
    v_after uuid := '00000000-0000-0000-0000-000000000000';
    v_ids uuid[];
    v_hashes bytea;
BEGIN
    LOOP
        SELECT array_agg(r.id ORDER BY r.id),
            string_agg(sha256(rewards.row_bytes_1(r, d.address, c.address)), '' ORDER BY r.id)
        INTO v_ids, v_hashes
        FROM (SELECT * FROM rewards.transfers t WHERE t.id > v_after ORDER BY t.id LIMIT 4000) r
        LEFT JOIN rewards.accounts d ON d.id = r.debit_id LEFT JOIN rewards.accounts c ON c.id = r.credit_id;
        EXIT WHEN v_ids IS NULL;
        PERFORM rewards.seal(v_ids, v_hashes);
        v_after := v_ids[cardinality(v_ids)];
    END LOOP;
END $$;
"""

ROLE: Final = """
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'goodword_rewards') THEN
        GRANT SELECT, INSERT ON rewards.blocks, rewards.heads TO goodword_rewards;
    END IF;
END $$;
"""


def upgrade() -> None:
    for statements in (TABLES, ENCODING, POST, SEALED, ROLE):
        # As the driver takes it: SQLAlchemy would look for `:name` in it, and the driver looks for `%`.
        op.get_bind().exec_driver_sql(statements.replace("%", "%%"))


def downgrade() -> None:
    """A ledger is not dropped by a migration."""
    raise RuntimeError("the ledger cannot be migrated away; restore a backup instead")

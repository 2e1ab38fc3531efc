"""The life of a revision: drafts, approvals, activations, back-tests seen, keys, and the audit log of all that.

What was published before is kept: each revision has been activated once, by its author, under its own number.
"""

from __future__ import annotations

from typing import Final

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

REVISIONS: Final = """
ALTER TABLE rules.revisions
    ALTER COLUMN effective_from_at DROP NOT NULL,
    ALTER COLUMN published_at DROP NOT NULL,
    ADD COLUMN submitted_at timestamptz DEFAULT now(),
    ADD COLUMN note text NOT NULL DEFAULT '',
    -- The revision that was active when this one was submitted: what its reviewers compared it with.
    ADD COLUMN base_revision integer,
    ADD COLUMN approved_by text,
    ADD COLUMN approved_at timestamptz,
    -- Of a rollback, the revision whose text it brings back.
    ADD COLUMN restores_revision integer;
UPDATE rules.revisions SET submitted_at = published_at;
ALTER TABLE rules.revisions
    ALTER COLUMN submitted_at SET NOT NULL,
    DROP CONSTRAINT revisions_state_check,
    ADD CONSTRAINT revisions_state_check CHECK (state IN (
        'draft', 'tested', 'approved', 'publishing', 'canary', 'active', 'superseded', 'rejected', 'withdrawn'));
CREATE UNIQUE INDEX revisions_one_canary ON rules.revisions (programme) WHERE state = 'canary';

-- Every broadcast, in order. It is recorded first, then sent to every partition of the log, then it has `broadcast_at`;
-- what a crash leaves without one is sent again.
CREATE TABLE rules.activations (
    programme text NOT NULL,
    activation integer NOT NULL CHECK (activation > 0),
    revision integer NOT NULL,
    -- all: in force for everybody; canary: for some partners first; end: everybody is back under `revision`.
    kind text NOT NULL CHECK (kind IN ('all', 'canary', 'end')),
    canary jsonb CHECK ((canary IS NOT NULL) = (kind = 'canary')),
    effective_from_at timestamptz NOT NULL,
    activated_at timestamptz NOT NULL,
    activated_by text NOT NULL,
    broadcast_at timestamptz,
    PRIMARY KEY (programme, activation),
    FOREIGN KEY (programme, revision) REFERENCES rules.revisions
);
CREATE UNIQUE INDEX activations_one_pending ON rules.activations (programme) WHERE broadcast_at IS NULL;
INSERT INTO rules.activations (programme, activation, revision, kind, effective_from_at, activated_at, activated_by,
                               broadcast_at)
SELECT programme, revision, revision, 'all', effective_from_at, published_at, author,
       CASE WHEN state = 'publishing' THEN NULL ELSE published_at END
FROM rules.revisions;

CREATE FUNCTION rules.keep_revision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND (NEW.programme, NEW.revision, NEW.digest, NEW.path, NEW.source_text, NEW.author,
                             NEW.submitted_at, NEW.base_revision, NEW.restores_revision)
        IS NOT DISTINCT FROM (OLD.programme, OLD.revision, OLD.digest, OLD.path, OLD.source_text, OLD.author,
                              OLD.submitted_at, OLD.base_revision, OLD.restores_revision) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'the text of a revision is never changed: % refused', TG_OP
        USING ERRCODE = 'restrict_violation', HINT = 'submit another revision instead';
END $$;
CREATE TRIGGER revisions_keep_text BEFORE UPDATE OR DELETE ON rules.revisions
    FOR EACH ROW EXECUTE FUNCTION rules.keep_revision();
CREATE TRIGGER revisions_keep_all BEFORE TRUNCATE ON rules.revisions
    FOR EACH STATEMENT EXECUTE FUNCTION rules.keep_revision();
-- ALWAYS: else session_replication_role = replica would walk past it.
ALTER TABLE rules.revisions ENABLE ALWAYS TRIGGER revisions_keep_text;
ALTER TABLE rules.revisions ENABLE ALWAYS TRIGGER revisions_keep_all;
"""

BACKTESTS: Final = """
-- Which text was replayed against which revision, and what came out.
CREATE TABLE rules.backtests (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    programme text NOT NULL,
    digest text NOT NULL,
    -- Null: against nothing, before the first revision.
    against_revision integer,
    finished_at timestamptz NOT NULL,
    summary jsonb NOT NULL,
    by text NOT NULL
);
CREATE INDEX backtests_of ON rules.backtests (programme, digest, number);
"""

KEYS: Final = """
CREATE TABLE rules.keys (
    key_id text PRIMARY KEY,
    secret_sha256 bytea NOT NULL,
    -- Who acts with it: a person with two keys is one person.
    owner text NOT NULL CHECK (owner <> ''),
    roles text[] NOT NULL CHECK (cardinality(roles) > 0 AND roles <@ ARRAY['editor', 'approver']),
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz
);

-- What the running service asks of a publication, so that the command line asks no less.
CREATE TABLE rules.policy (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    require_approval boolean NOT NULL,
    require_backtest boolean NOT NULL,
    told_at timestamptz NOT NULL
);
"""

AUDIT: Final = """
CREATE TABLE rules.audit (
    number bigint PRIMARY KEY,
    at timestamptz NOT NULL,
    programme text,
    revision integer,
    digest text,
    action text NOT NULL,
    who text NOT NULL,
    note text NOT NULL,
    details jsonb NOT NULL,
    previous_hash bytea NOT NULL,
    hash bytea NOT NULL
);
CREATE INDEX audit_of ON rules.audit (programme, number);

-- Frozen: what a row's hash is taken of. Another encoding would make every row look altered.
CREATE FUNCTION rules.audit_hash(a rules.audit) RETURNS bytea LANGUAGE sql STABLE AS $$
    SELECT sha256(a.previous_hash || convert_to(jsonb_build_array(
        a.number, extract(epoch FROM a.at)::text, a.programme, a.revision, a.digest, a.action, a.who, a.note,
        a.details)::text, 'UTF8'))
$$;

-- Whoever inserts, the number and the hashes are given here, one row at a time.
CREATE FUNCTION rules.chain_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('rules/audit', 0));
    SELECT a.number + 1, a.hash INTO NEW.number, NEW.previous_hash
        FROM rules.audit a ORDER BY a.number DESC LIMIT 1;
    IF NOT FOUND THEN
        NEW.number := 1;
        NEW.previous_hash := '';
    END IF;
    NEW.hash := rules.audit_hash(NEW);
    RETURN NEW;
END $$;
CREATE TRIGGER audit_chained BEFORE INSERT ON rules.audit FOR EACH ROW EXECUTE FUNCTION rules.chain_audit();
ALTER TABLE rules.audit ENABLE ALWAYS TRIGGER audit_chained;

CREATE FUNCTION rules.refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append only: % refused', TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON rules.audit
    FOR EACH STATEMENT EXECUTE FUNCTION rules.refuse_audit_change();
ALTER TABLE rules.audit ENABLE ALWAYS TRIGGER audit_append_only;

INSERT INTO rules.audit (at, programme, revision, digest, action, who, note, details)
SELECT published_at, programme, revision, digest, 'activated', author, '', '{"before": "the audit log"}'
FROM rules.revisions ORDER BY published_at, programme, revision;
"""

ROLE: Final = """
-- Whatever changes a revision takes this role, so that even our own mistakes cannot alter the audit log. Where the
-- migrating user may not create roles, an operator creates it; until then the triggers alone refuse.
DO $$
BEGIN
    BEGIN
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'goodword_rules') THEN
            CREATE ROLE goodword_rules NOLOGIN;
        END IF;
        EXECUTE format('GRANT goodword_rules TO %I', current_user);
    EXCEPTION
        -- Roles belong to the whole cluster: another database may be making it at this moment.
        WHEN duplicate_object OR unique_violation THEN NULL;
        WHEN insufficient_privilege THEN RAISE WARNING 'role goodword_rules: %', SQLERRM;
    END;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'goodword_rules') THEN
        GRANT USAGE ON SCHEMA rules TO goodword_rules;
        GRANT SELECT, INSERT ON rules.audit, rules.backtests TO goodword_rules;
        GRANT SELECT, INSERT, UPDATE ON rules.revisions, rules.activations, rules.keys, rules.policy TO goodword_rules;
    END IF;
END $$;
"""


def upgrade() -> None:
    for statements in (REVISIONS, BACKTESTS, KEYS, AUDIT, ROLE):
        # As the driver takes it: SQLAlchemy would look for `:name` in it, and the driver looks for `%`.
        op.get_bind().exec_driver_sql(statements.replace("%", "%%"))


def downgrade() -> None:
    """An audit log is not dropped by a migration."""
    raise RuntimeError("the audit log cannot be migrated away; restore a backup instead")

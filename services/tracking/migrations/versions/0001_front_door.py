"""Keys, partners, links, click secrets, and events that nobody could be named for."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE tracking.keys (
            key_id text PRIMARY KEY,
            secret_sha256 bytea NOT NULL,
            name text NOT NULL,
            sources text[] NOT NULL CHECK (cardinality(sources) > 0),
            may_name_partner boolean NOT NULL,
            types text[],
            created_at timestamptz NOT NULL DEFAULT now(),
            revoked_at timestamptz
        )
        """
    )
    op.execute(
        """
        CREATE TABLE tracking.partners (
            programme text NOT NULL,
            partner text NOT NULL,
            profile jsonb NOT NULL,
            joined_at timestamptz NOT NULL,
            -- Set after partner.registered is durable in the log; until then every sight of the partner announces it.
            announced boolean NOT NULL DEFAULT false,
            changed_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (programme, partner)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE tracking.links (
            code text PRIMARY KEY,
            programme text NOT NULL,
            partner text NOT NULL,
            target text NOT NULL,
            channel text,
            campaign text,
            created_at timestamptz NOT NULL DEFAULT now()
        )
        """
    )
    op.execute("CREATE INDEX links_by_partner ON tracking.links (programme, partner)")
    op.execute(
        """
        CREATE TABLE tracking.click_secrets (
            -- The newest signs, all verify: delete a row to make its click ids invalid.
            number integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            secret bytea NOT NULL CHECK (length(secret) >= 32),
            created_at timestamptz NOT NULL DEFAULT now()
        )
        """
    )
    op.execute(
        """
        CREATE TABLE tracking.unattributed (
            source text NOT NULL,
            event_id text NOT NULL,
            type text NOT NULL,
            happened_at timestamptz NOT NULL,
            recorded_at timestamptz NOT NULL,
            programme text NOT NULL,
            customer text,
            reason text NOT NULL,
            traceparent text NOT NULL,
            -- As it came; a claim adds the partner and publishes it under the same source and id.
            data jsonb NOT NULL,
            claimed_at timestamptz,
            claimed_for text,
            PRIMARY KEY (source, event_id)
        )
        """
    )
    op.execute("CREATE INDEX unattributed_open ON tracking.unattributed (programme, customer) WHERE claimed_at IS NULL")


def downgrade() -> None:
    op.execute(
        "DROP TABLE tracking.unattributed, tracking.click_secrets, tracking.links, tracking.partners, tracking.keys"
    )

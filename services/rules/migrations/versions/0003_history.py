"""The events of the referral log by partner and by id, for explanations; a copy, filled from the log."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("CREATE SEQUENCE rules.history_chunk_ids")
    op.execute(
        """
        CREATE TABLE rules.history_chunks (
            id bigint PRIMARY KEY,
            partition integer NOT NULL,
            first_offset bigint NOT NULL,
            -- services.rules.explaining.chunks.FORMAT
            format smallint NOT NULL,
            -- EXTERNAL: it is compressed already.
            body bytea STORAGE EXTERNAL NOT NULL
        )
        """
    )
    op.execute(
        """
        CREATE TABLE rules.history_partners (
            -- Hash of the record's key; 0: broadcasts.
            partner_hash bigint NOT NULL,
            partition integer NOT NULL,
            chunk_id bigint NOT NULL
        )
        """
    )
    op.execute("CREATE INDEX history_partners_by_partner ON rules.history_partners (partner_hash, partition)")
    op.execute("CREATE TABLE rules.history_events (event_hash bigint NOT NULL, chunk_id bigint NOT NULL)")
    op.execute("CREATE INDEX history_events_by_hash ON rules.history_events (event_hash)")
    op.execute("CREATE TABLE rules.history_sources (source text PRIMARY KEY)")
    op.execute("CREATE TABLE rules.history_positions (partition integer PRIMARY KEY, next_offset bigint NOT NULL)")


def downgrade() -> None:
    op.execute(
        "DROP TABLE rules.history_positions, rules.history_sources, rules.history_events, rules.history_partners,"
        " rules.history_chunks"
    )
    op.execute("DROP SEQUENCE rules.history_chunk_ids")

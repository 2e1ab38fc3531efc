"""Mails, each once; the address book; numbers for sending processes."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE notify.mails (
            fact_id uuid NOT NULL,
            kind text NOT NULL,
            -- pending: to be sent from due_at_ms on; sending: a process has it in hand. All others are final, but
            -- that a process that is alive after all may still tell what became of a mail we called unknown.
            state text NOT NULL CHECK (state IN (
                'pending', 'sending', 'sent', 'failed', 'unknown', 'too-old', 'no-address', 'suppressed')),
            programme text NOT NULL,
            partner text NOT NULL,
            time_ms bigint NOT NULL,
            created_at_ms bigint NOT NULL,
            due_at_ms bigint,
            claimed_by integer,
            claimed_at_ms bigint,
            settled_at_ms bigint,
            attempts integer NOT NULL DEFAULT 0,
            address text,
            reason text,
            trace text,
            -- What the text needs; null where it will never be written.
            details json,
            -- Fact ids begin with their time, so history arrives in index order and stays cheap.
            PRIMARY KEY (fact_id, kind)
        )
        """
    )
    op.execute("CREATE INDEX mails_pending ON notify.mails (due_at_ms) WHERE state = 'pending'")
    op.execute("CREATE INDEX mails_waiting ON notify.mails (programme, partner) WHERE state = 'pending'")
    op.execute("CREATE INDEX mails_sending ON notify.mails (claimed_by) WHERE state = 'sending'")
    op.execute(
        """
        CREATE INDEX mails_unusual ON notify.mails (state, fact_id)
        WHERE state IN ('failed', 'unknown', 'no-address', 'suppressed')
        """
    )
    op.execute(
        """
        CREATE TABLE notify.partners (
            programme text NOT NULL,
            partner text NOT NULL,
            name text,
            -- Null also when the address we were told is not one.
            email text,
            language text,
            status text,
            PRIMARY KEY (programme, partner)
        )
        """
    )
    # Each sending process holds the advisory lock of its number for life; a number is never used twice.
    op.execute("CREATE SEQUENCE notify.sender_numbers AS integer")


def downgrade() -> None:
    op.execute("DROP SEQUENCE notify.sender_numbers")
    op.execute("DROP TABLE notify.partners")
    op.execute("DROP TABLE notify.mails")

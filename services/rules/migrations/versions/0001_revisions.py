"""Revisions of rule sets: published text, never changed, and which one is in force."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE rules.revisions (
            programme text NOT NULL,
            revision integer NOT NULL CHECK (revision > 0),
            digest text NOT NULL,
            path text NOT NULL,
            source_text text NOT NULL,
            effective_from_at timestamptz NOT NULL,
            published_at timestamptz NOT NULL,
            author text NOT NULL,
            -- publishing: stored, but perhaps not in every partition of the log yet; the next publish or
            -- service start finishes it. Only then is it active, and the one before superseded.
            state text NOT NULL CHECK (state IN ('publishing', 'active', 'superseded')),
            PRIMARY KEY (programme, revision)
        )
        """
    )
    op.execute("CREATE UNIQUE INDEX revisions_one_active ON rules.revisions (programme) WHERE state = 'active'")
    op.execute("CREATE UNIQUE INDEX revisions_one_publishing ON rules.revisions (programme) WHERE state = 'publishing'")


def downgrade() -> None:
    op.execute("DROP TABLE rules.revisions")

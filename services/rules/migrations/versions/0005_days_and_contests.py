"""Days that closed, the standings of contests, and their results."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("CREATE TABLE rules.closed_days (programme text PRIMARY KEY, closed_on date NOT NULL)")
    # Standings follow the log of decisions: they can be emptied together with their offsets, and fill again.
    op.execute(
        """
        CREATE TABLE rules.contest_scores (
            programme text NOT NULL,
            contest text NOT NULL,
            partner text NOT NULL,
            -- Minor units, a count, or an average in millionths; sums may go beyond 64 bits.
            value numeric NOT NULL,
            unit text,
            reached_at timestamptz NOT NULL,
            PRIMARY KEY (programme, contest, partner)
        )
        """
    )
    op.execute("CREATE TABLE rules.contest_offsets (partition integer PRIMARY KEY, next_offset bigint NOT NULL)")
    op.execute(
        """
        CREATE TABLE rules.contests_closed (
            programme text NOT NULL,
            contest text NOT NULL,
            -- The end of the last day that had closed in every partition; the time of `contest.closed`.
            closed_at timestamptz NOT NULL,
            partners integer NOT NULL,
            -- Null until contest.closed of every winner is in the log.
            announced_at timestamptz,
            PRIMARY KEY (programme, contest)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE rules.contest_results (
            programme text NOT NULL,
            contest text NOT NULL,
            rank integer NOT NULL CHECK (rank > 0),
            partner text NOT NULL,
            value numeric NOT NULL,
            unit text,
            reached_at timestamptz NOT NULL,
            PRIMARY KEY (programme, contest, rank),
            UNIQUE (programme, contest, partner),
            FOREIGN KEY (programme, contest) REFERENCES rules.contests_closed
        )
        """
    )


def downgrade() -> None:
    op.execute(
        "DROP TABLE rules.contest_results, rules.contests_closed, rules.contest_offsets, rules.contest_scores,"
        " rules.closed_days"
    )

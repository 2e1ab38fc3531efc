"""What a publication asks besides tests and both engines: a second person, a back-test.

The running service writes its settings into the database, and whoever publishes, the command line too, asks for
whatever these or its own settings ask. Otherwise a shell without the variables would be a way round the approval.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Final

from psycopg.rows import class_row

from runtime.clock import Clock
from runtime.database import Connection
from services.rules.lifecycle.audit import note_in_audit
from services.rules.lifecycle.connect import connect
from services.rules.lifecycle.record import moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What is required before a revision is activated."""

    require_approval: bool = False
    require_backtest: bool = False

    def __or__(self, other: Policy) -> Policy:
        return Policy(
            require_approval=self.require_approval or other.require_approval,
            require_backtest=self.require_backtest or other.require_backtest,
        )


NOTHING_MORE: Final = Policy()


async def told_policy(connection: Connection) -> Policy:
    """What the service asks; nothing when none has ever started."""
    async with connection.cursor(row_factory=class_row(Policy)) as cursor:
        await cursor.execute("SELECT require_approval, require_backtest FROM rules.policy")
        return await cursor.fetchone() or NOTHING_MORE


async def tell_policy(postgres: str, policy: Policy, clock: Clock) -> None:
    """The service's settings from now on; a change is noted in the audit log."""
    now_ms = clock.now_ms()
    async with connect(postgres) as connection, connection.transaction():
        # Several processes of the service may start together.
        await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('rules/policy', 0))")
        before = await told_policy(connection)
        await connection.execute(
            "INSERT INTO rules.policy (require_approval, require_backtest, told_at)"
            " VALUES (%(require_approval)s, %(require_backtest)s, %(told_at)s)"
            " ON CONFLICT (is_only) DO UPDATE SET require_approval = EXCLUDED.require_approval,"
            " require_backtest = EXCLUDED.require_backtest, told_at = EXCLUDED.told_at",
            {**asdict(policy), "told_at": moment(now_ms)},
        )
        if before != policy:
            await note_in_audit(
                connection,
                "policy",
                at_ms=now_ms,
                who="settings of the rules service",
                details={"before": asdict(before), "after": asdict(policy)},
            )

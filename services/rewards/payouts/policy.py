"""Whether a second person must approve: as the running service is set, for whoever writes from elsewhere too.

The service writes its setting into the database, and a shell without the variable is no way round it.
"""

from __future__ import annotations

from runtime.clock import Clock
from runtime.database import Connection, Database
from services.rewards.payouts.audit import note
from services.rewards.store import SETUP


async def requires_approval(connection: Connection) -> bool:
    """What the service asks for; nothing when none has ever started."""
    row = await (await connection.execute("SELECT require_approval FROM rewards.policy")).fetchone()
    return bool(row and row[0])


async def tell_policy_to(postgres: str, *, require_approval: bool, clock: Clock) -> None:
    """`tell_policy` for a service that has no connections yet. Raises one of `runtime.database.OUTAGES`."""
    database = Database(postgres, application="rewards-policy", connections_max=1, setup=SETUP)
    await database.start()
    try:
        await tell_policy(database, require_approval=require_approval, clock=clock)
    finally:
        await database.stop()


async def tell_policy(database: Database, *, require_approval: bool, clock: Clock) -> None:
    """The service's setting from now on; a change is noted."""
    async with database.connection() as connection, connection.transaction():
        # Several processes of the service may start together.
        await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('rewards/policy', 0))")
        before = await requires_approval(connection)
        await connection.execute(
            "INSERT INTO rewards.policy (require_approval) VALUES (%s)"
            " ON CONFLICT (is_only) DO UPDATE SET require_approval = EXCLUDED.require_approval",
            (require_approval,),
        )
        if before != require_approval:
            await note(
                connection,
                "policy",
                "policy",
                who="settings of the rewards service",
                at_ms=clock.now_ms(),
                details={"require_approval": require_approval},
            )

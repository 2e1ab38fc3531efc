"""The clock of payouts: prepares runs on the days of their schedules, and nothing more: people approve and send.

Promises: each day once, whoever runs and however often, for a run's id is made from its day; a day that nobody was
there on is made up for. Time is the clock's, handed in.
"""

from __future__ import annotations

from datetime import date

from contracts.errors import PermanentError
from runtime import log
from runtime.clock import Clock
from runtime.database import Database
from services.rewards.payouts.directory import list_plans
from services.rewards.payouts.payout import run_id
from services.rewards.payouts.preparing import BY_SCHEDULE, Asked, Preparer
from services.rewards.payouts.schedule import newest_due, today_in
from services.rewards.payouts.store import find_run
from services.rewards.store import outages_are_transient

logger = log.get(__name__)


class PayoutClock:
    """What is due, in rounds (`runtime.rounds`) of `tick`."""

    def __init__(self, database: Database, preparer: Preparer, *, clock: Clock) -> None:
        self._database = database
        self._preparer = preparer
        self._clock = clock

    async def tick(self) -> list[str]:
        """Prepare all that is due now; the references of runs that were not there before, or not whole.

        Raises:
            TransientError: The database is away.
        """
        with outages_are_transient():
            async with self._database.connection() as connection:
                plans = await list_plans(connection)
                due = []
                for plan in plans:
                    today = today_in(plan.zone, self._clock.now_ms())
                    day = newest_due(plan.schedule, today, since=date.fromisoformat(plan.from_day))
                    if day is None:
                        continue
                    run = await find_run(connection, run_id(plan.programme, plan.currency, day.isoformat()))
                    if run is None or run.state == "preparing":
                        due.append(Asked(programme=plan.programme, unit=plan.currency, day=day))
        made = []
        for asked in due:
            try:
                run = await self._preparer.prepare(asked, who=BY_SCHEDULE)
            except PermanentError as error:
                # One programme's bad settings keep no other's partners waiting.
                logger.warning("a payout run that is due cannot be prepared", run=str(asked), reason=str(error))
            else:
                made.append(run.reference)
                logger.info("payout run prepared", run=run.reference, state=run.state)
        return made

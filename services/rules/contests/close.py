"""A contest is closed: its ranks are fixed, and each winner is told in the winner's own partition.

Promises:
- Ranks are fixed once, when the contest's last day has closed in every partition and every decision from before that is
  in the standings; what comes later changes no rank.
- A contest that was over when its rules were published counts history, which may still be coming in: its ranks are
  fixed when somebody is in it and nothing has come since the last pass, at the latest with the day of the publishing.
- The results (PostgreSQL) come first, then the events, then the mark that they are in the log. A crash in between
  appends the same events again, under the same ids, which the fold knows.
"""

from __future__ import annotations

from contracts.decisions import DECISIONS_SOURCE
from contracts.events import ContestResult, EventData, encode_data, event_headers
from contracts.ruleset import Contest
from contracts.topics import DECISIONS, REFERRALS
from runtime import log
from runtime.bus.port import Bus, Record
from runtime.clock import Clock
from runtime.database import Connection
from services.rules.clock.calendar import Zone
from services.rules.contests import store as standings
from services.rules.contests.ranks import Ranked, ranked
from services.rules.standing import closed_everywhere_ms
from services.rules.store import StateStore

logger = log.get(__name__)


class ContestCloser:
    """Closes contests when their time has come."""

    def __init__(self, *, bus: Bus, store: StateStore, clock: Clock) -> None:
        self._bus = bus
        self._store = store
        self._clock = clock
        self._ends: dict[tuple[str, str], dict[int, int]] = {}
        self._logs: dict[tuple[str, str], tuple[dict[int, int], dict[int, int]]] = {}

    async def close(
        self, connection: Connection, programme: str, contest: Contest, timezone: str, *, published_ms: int
    ) -> bool:
        """Close the contest if it is time, and tell the winners; returns whether nothing is left to do.

        `published_ms` is when the rules in force were published.
        """
        is_announced = await standings.is_announced(connection, programme, contest.id)
        if is_announced is None:
            if not await self._fix(connection, programme, contest, timezone, published_ms):
                return False
        elif is_announced:
            return True
        await self._announce(connection, programme, contest)
        return True

    async def _fix(
        self, connection: Connection, programme: str, contest: Contest, timezone: str, published_ms: int
    ) -> bool:
        ended_ms = Zone(timezone).start_ms(contest.to_day + 1) - 1
        if self._clock.now_ms() <= ended_ms:
            return False
        key = programme, contest.id
        partitions = await self._bus.partition_count(REFERRALS.name)
        closed_ms = await closed_everywhere_ms(self._store, programme, partitions)
        if closed_ms is None or closed_ms < ended_ms:
            return False
        # What was decided before the day closed is in the log of decisions by now; the standings have to reach there.
        ends = self._ends.get(key)
        if ends is None:
            ends = self._ends[key] = await self._bus.end_offsets(DECISIONS.name)
        reached = await standings.offsets(connection)
        if any(reached.get(partition, 0) < end for partition, end in ends.items()):
            return False
        places = ranked(await standings.scores_of(connection, programme, contest.id))
        is_history = ended_ms < published_ms and closed_ms < published_ms
        if is_history and not (await self._is_quiet(key) and places):
            self._ends.pop(key)
            return False
        async with connection.transaction():
            await standings.close(connection, programme, contest.id, closed_ms=closed_ms, places=places)
        self._ends.pop(key)
        self._logs.pop(key, None)
        logger.info("contest closed", programme=programme, contest=contest.id, partners=len(places))
        return True

    async def _is_quiet(self, key: tuple[str, str]) -> bool:
        """Whether nothing has come or was decided since this was last asked about the contest."""
        logs = (await self._bus.end_offsets(REFERRALS.name), await self._bus.end_offsets(DECISIONS.name))
        before = self._logs.get(key)
        self._logs[key] = logs
        return logs == before

    async def _announce(self, connection: Connection, programme: str, contest: Contest) -> None:
        results = await standings.results_of(connection, programme, contest.id)
        assert results is not None, "the ranks are fixed before anybody is told"
        closed_ms, places = results
        now_ms = self._clock.now_ms()
        winners = places[: len(contest.prizes)]
        records = [closed_record(programme, contest.id, each, len(places), closed_ms, now_ms) for each in winners]
        if records:
            await self._bus.publish(REFERRALS.name, records)
        await standings.mark_announced(connection, programme, contest.id, now_ms)


def closed_record(programme: str, contest: str, place: Ranked, partners: int, closed_ms: int, now_ms: int) -> Record:
    """`contest.closed` of one winner; its time is the end of the last day that had closed everywhere."""
    headers = event_headers(
        type="contest.closed",
        source=DECISIONS_SOURCE,
        id=f"contest-{programme}-{contest}-{place.rank}",
        time_ms=closed_ms,
        recorded_at_ms=now_ms,
    )
    result = ContestResult(id=contest, rank=place.rank, partners=partners, value=place.value, unit=place.unit)
    value = encode_data(EventData(programme=programme, partner=place.partner, contest=result))
    return Record(place.partner.encode(), value, headers)

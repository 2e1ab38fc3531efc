"""The second engine's opinion of a rule file, as the gate asks for it: on the tests in it, and on the newest events."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from contracts.errors import Problem
from contracts.events import Event
from contracts.ruleset import RuleSet
from contracts.topics import REFERRALS
from runtime.bus.port import Bus
from services.rules.engines import Opinion, second_opinion, second_opinion_apart
from services.rules.engines.durable import DurableEngine
from services.rules.engines.port import Engine
from services.rules.records.decode import decode_records

HISTORY_RECORDS_MAX: Final = 4_000
"""Newest records of the log that are looked through, over all partitions; judging them takes a second or two."""
_TOLD_MAX: Final = 5


async def newest_events(bus: Bus, programme: str) -> list[Event]:
    """The newest events of the programme, each partition's in order."""
    ends = await bus.end_offsets(REFERRALS.name)
    each_max = max(1, HISTORY_RECORDS_MAX // max(1, len(ends)))
    events: list[Event] = []
    for partition, end in sorted(ends.items()):
        start = max(0, end - each_max)
        if start < end:
            chunks = bus.read(REFERRALS.name, partition, start=start, end=end, batch_records_max=each_max)
            async for records in chunks:
                events += [each for each in decode_records(records).events if each.data.programme == programme]
    return events


def opinion_on(text: str, path: str, events: Sequence[Event], engine: Callable[[RuleSet], Engine]) -> Opinion:
    """What the engine makes of it; the one in C has a process of its own, where it can crash. Blocks for seconds."""
    if engine is DurableEngine:
        return second_opinion_apart(text, path, events)
    return second_opinion(text, path, events, engine=engine)


def opinion_problem(opinion: Opinion, path: str) -> Problem | None:
    """Why the second engine stands in the way; None when it agrees."""
    if opinion.missing:
        return Problem(
            code="second-opinion-missing",
            message=f"SECOND OPINION MISSING: only one engine has judged this rule set; {opinion.missing}",
            where=path,
            help="`make durable` adds the other one; --without-second-opinion goes on, and stands in the audit log",
        )
    if opinion.agrees:
        return None
    told = "; ".join(str(each) for each in opinion.disagreements[:_TOLD_MAX])
    return Problem(
        code="second-opinion-differs",
        message=f"the two engines disagree {opinion.disagreements_count} times: {told}",
        where=path,
        help="one of them is wrong: please report this with the file; nothing is to be paid by it meanwhile",
    )


def verdict_of(opinion: Opinion) -> str:
    """`agrees`, `differs` or `missing`."""
    return "missing" if opinion.missing else "agrees" if opinion.agrees else "differs"

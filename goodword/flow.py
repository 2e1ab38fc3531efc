"""How far the log was worked off: lag per consumer group, and waiting until what was sent has reached the ledger.

A stage is one consumer group on one topic. Waiting freezes the end of a topic first and then waits for its
groups to commit that far, topic by topic in the order of the flow, so that events which others send
meanwhile do not make it wait for ever.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from contracts.errors import PermanentError, Problem
from contracts.topics import DECISIONS, LEDGER, PARTNERS, RATES, REFERRALS
from goodword.target import Target
from runtime.bus.open import open_bus
from runtime.bus.port import Bus, BusUnavailable
from runtime.settings import Settings

WAIT_S_MAX: Final = 600.0
"""How long without any progress before waiting ends with a message."""
_POLL_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Stage:
    """One consumer group on one topic."""

    service: str
    topic: str
    group: str


RULES: Final = Stage("rules", REFERRALS.name, "rules")
HISTORY: Final = Stage("rules", REFERRALS.name, "rules-history")
REWARDS: Final = Stage("rewards", DECISIONS.name, "rewards")
ARCHIVE: Final = Stage("rewards", DECISIONS.name, "rewards-archive")
REWARDS_RATES: Final = Stage("rewards", RATES.name, "rewards-rates")
NOTIFY_DECISIONS: Final = Stage("notify", DECISIONS.name, "notify-decisions")
NOTIFY_LEDGER: Final = Stage("notify", LEDGER.name, "notify-ledger")
NOTIFY_PARTNERS: Final = Stage("notify", PARTNERS.name, "notify-partners")
STAGES: Final = (RULES, HISTORY, REWARDS, ARCHIVE, REWARDS_RATES, NOTIFY_DECISIONS, NOTIFY_LEDGER, NOTIFY_PARTNERS)

TO_THE_LEDGER: Final = ((RULES,), (REWARDS, ARCHIVE))
"""What `--wait` waits for, in this order."""

PATIENCE_S: Final = 30.0
"""Of a command that publishes: somebody sits there who would only type it again. A service has its own callers."""

Report = Callable[[str, int, int], None]
"""Called with what is waited for, records done, and records in all."""
IsServing = Callable[[str], Awaitable[str]]
"""Of a service: `ready`, or why it is not."""


@asynccontextmanager
async def open_target_bus(target: Target) -> AsyncIterator[Bus]:
    """The bus of the stack, started, for as long as the block runs."""
    security = Settings().kafka_security
    bus = open_bus(
        kafka=target.kafka,
        postgres=target.postgres,
        client="command-line",
        security=security,
        publish_wait_s_max=PATIENCE_S,
    )
    await bus.start()
    try:
        yield bus
    finally:
        await bus.close()


async def lag(bus: Bus, stage: Stage) -> int:
    """Records of the topic that the group has not committed yet."""
    ends = await bus.end_offsets(stage.topic)
    return _behind(await bus.committed(stage.topic, stage.group), ends)


async def wait_until_reached(
    bus: Bus,
    order: Sequence[Sequence[Stage]] = TO_THE_LEDGER,
    *,
    report: Report,
    is_serving: IsServing,
    wait_s_max: float = WAIT_S_MAX,
) -> None:
    """Return when the groups have committed all that is in their topics now, topic after topic.

    Raises:
        PermanentError: `still-behind`: no group moved for `wait_s_max` seconds; the message names the stage, how far
            it is behind, and whether its service answers.
    """
    for stages in order:
        await _wait_for_topic(bus, stages, report=report, is_serving=is_serving, wait_s_max=wait_s_max)


async def _wait_for_topic(
    bus: Bus, stages: Sequence[Stage], *, report: Report, is_serving: IsServing, wait_s_max: float
) -> None:
    ends = await bus.end_offsets(stages[0].topic)
    behind: dict[Stage, int] = {}
    most: dict[Stage, int] = {}
    moved_at = time.monotonic()
    while True:
        for stage in stages:
            now_behind = behind.get(stage, 1)
            if now_behind:
                try:
                    now_behind = _behind(await bus.committed(stage.topic, stage.group), ends)
                except BusUnavailable:
                    continue  # It may come back; the time without progress is bounded below.
            most.setdefault(stage, now_behind)
            if now_behind != behind.get(stage):
                moved_at = time.monotonic()
            behind[stage] = now_behind
            report(f"{stage.service} ({stage.group})", most[stage] - now_behind, most[stage])
        if len(behind) == len(stages) and not any(behind.values()):
            return
        if time.monotonic() - moved_at > wait_s_max:
            raise await _still_behind(behind, is_serving, wait_s_max)
        await asyncio.sleep(_POLL_S)


async def _still_behind(behind: Mapping[Stage, int], is_serving: IsServing, wait_s_max: float) -> PermanentError:
    late = [stage for stage, count in behind.items() if count]
    if not late:
        return PermanentError(Problem(code="still-behind", message="the log does not answer", help="`goodword status`"))
    stage = late[0]
    state = await is_serving(stage.service)
    return PermanentError(
        Problem(
            code="still-behind",
            message=f"the {stage.service} service is {behind[stage]} records behind on {stage.topic} "
            f"and did not move for {wait_s_max:g} s",
            where=stage.group,
            help="nothing is lost: it goes on where it stopped; it answers and is "
            + ("ready, so its log says what it retries" if state == "ready" else f"not ready: {state}"),
        )
    )


def _behind(committed: Mapping[int, int], ends: Mapping[int, int]) -> int:
    return sum(max(0, end - committed.get(partition, 0)) for partition, end in ends.items())

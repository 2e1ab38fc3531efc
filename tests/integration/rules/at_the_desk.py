"""A programme whose revisions differ in one amount, and the steps of their life at a desk whose clock goes on."""

from __future__ import annotations

from collections.abc import Awaitable

import pytest

from contracts.errors import PermanentError
from contracts.events import parse_time_ms
from services.rules.lifecycle import CanaryAsked, Desk, GateRefused, list_revisions, publish_rule_set

TEXT = """\
schema: goodword/v1
programme: saas
currency: USD
timezone: UTC
rewards:
  - id: won
    on: deal.won
    give: {amount} USD
"""


class StepClock:
    """A minute later at each look."""

    def __init__(self) -> None:
        self.ms = parse_time_ms("2026-11-22T12:00:00Z")

    def now_ms(self) -> int:
        self.ms += 60_000
        return self.ms


def text(amount: int, more: str = "") -> str:
    return TEXT.format(amount=amount) + more


async def publish(desk: Desk, amount: int, who: str = "ana", canary: CanaryAsked | None = None, more: str = "") -> str:
    return (await publish_rule_set(desk, text(amount, more), "saas.yaml", who=who, canary=canary)).state


async def states(desk: Desk) -> list[str]:
    return [each.state for each in await list_revisions(desk.postgres, "saas")]


async def refused(step: Awaitable[object]) -> list[str]:
    """The codes of all reasons."""
    with pytest.raises(PermanentError) as refusal:
        await step
    error = refusal.value
    return [each.code for each in error.problems] if isinstance(error, GateRefused) else [error.problem.code]

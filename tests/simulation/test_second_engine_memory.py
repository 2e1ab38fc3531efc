"""The second engine takes as many events as one likes in one process: no crash, flat memory.

Aim: durable-rules keeps something of each message in careless use (a `sid` per partner crashes it after some tens of
thousands). Method: one engine judges events with ever new values, half of them far from its literals; the resident
memory is read a hundred times. `make sim` runs a million with GOODWORD_SECOND_EVENTS=1000000; CI a small part of it.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from contracts.events import Amount
from services.rules.engines.port import Facts, when_of
from services.rules.language import read_rule_set
from tests.support.rules import random_rule_set

pytest.importorskip("durable_rules_engine", reason="durable-rules is not installed: make durable")
from services.rules.engines.durable import DurableEngine

EVENTS = int(os.environ.get("GOODWORD_SECOND_EVENTS", "20000"))
GROWTH_KIB_MAX = 4_096
_PAGE_KIB = 4


def resident_kib() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_KIB


@pytest.mark.timeout(3_600)
def test_events_without_end_leave_nothing_behind() -> None:
    seed = int(os.environ.get("GOODWORD_SEED", "1"))
    draw = random.Random(seed)
    rules = read_rule_set(random_rule_set(seed), path="seed.yaml")
    engine = DurableEngine(rules)
    names = [when_of(reward.id) for reward in rules.rewards if reward.when is not None]
    seen: list[int] = []
    for number in range(EVENTS):
        values = {
            "customer.id": f"c{number}",
            "customer.country": draw.choice(("US", "CA", f"x{number}")),
            "customer.employees": draw.randrange(1_000),
            "deal.amount": Amount(draw.randrange(10**6), "USD"),
            "deal.product": f"Pro {number}",
            "sold": draw.randrange(10**6),
            "wins": number,
            "score": (number, 7),
            "tier": "bronze",
        }
        engine.judge(names, Facts(values))
        if number % max(1, EVENTS // 100) == 0:
            seen.append(resident_kib())
    print("KiB:", seen[0], seen[len(seen) // 10], seen[-1])
    warm = seen[len(seen) // 10 :]
    assert warm[-1] - warm[0] < GROWTH_KIB_MAX, f"seed {seed}, KiB: {seen}"

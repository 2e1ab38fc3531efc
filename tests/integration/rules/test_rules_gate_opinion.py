"""The gate asks a second engine: where there is none somebody must say so, and what it reads differently stays out."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from contracts.ruleset import RuleSet
from contracts.topics import REFERRALS
from services.rules.engines.compiled import CompiledEngine
from services.rules.engines.port import Engine, Facts, SecondEngineMissing, Verdict
from services.rules.lifecycle import Desk, activate, publish_rule_set, read_audit, rollback, run_checks, submit_draft
from tests.integration.rules.at_the_desk import publish, refused, states, text
from tests.integration.rules.harness import START_MS, record
from tests.support.second_engine import needs_second_engine


def not_installed(_: RuleSet) -> Engine:
    raise SecondEngineMissing("durable-rules cannot be imported")


class Contrary(CompiledEngine):
    """Judges everything the other way round."""

    def judge(self, names: Sequence[str], facts: Facts) -> dict[str, Verdict]:
        return {name: not verdict for name, verdict in super().judge(names, facts).items()}


WITH_WHEN = "    when:\n      - deal.amount >= 5 USD\n"
ONE_TEST = "tests: [{name: a deal, events: [{type: deal.won, deal.amount: 5 USD}], expect: [won: 1 USD]}]\n"


async def test_without_a_second_engine_somebody_must_say_so_and_it_is_recorded(desk: Desk) -> None:
    desk = dataclasses.replace(desk, second_engine=not_installed)
    assert await refused(publish(desk, 1)) == ["second-opinion-missing"]
    assert await states(desk) == []
    await submit_draft(desk, text(1), "saas.yaml", who="ana")
    tested, checked, problems = await run_checks(desk, "saas", 1, who="ana")
    assert (tested.state, checked.second_opinion, problems) == ("tested", "missing", [])
    assert await refused(activate(desk, "saas", 1, who="ana")) == ["second-opinion-missing"]
    published = await publish_rule_set(desk, text(1), "saas.yaml", who="ana", without_second_opinion=True)
    assert (published.state, published.second_opinion) == ("active", "missing")
    (row,) = [row for row in await read_audit(desk.postgres) if row.action == "activated"]
    assert row.details["second_opinion"]["verdict"] == "missing"
    await publish_rule_set(desk, text(2), "saas.yaml", who="ana", without_second_opinion=True)
    assert (await rollback(desk, "saas", who="ana")).state == "active", "an emergency does not wait for an engine"


@needs_second_engine
async def test_a_rule_set_that_the_engines_read_differently_is_refused_whatever_anybody_says(desk: Desk) -> None:
    contrary = dataclasses.replace(desk, second_engine=Contrary)
    more = WITH_WHEN + ONE_TEST
    assert await refused(publish(contrary, 1, more=more)) == ["second-opinion-differs"]
    assert await refused(
        publish_rule_set(contrary, text(1, more), "saas.yaml", who="ana", without_second_opinion=True)
    ) == ["second-opinion-differs"]
    assert await publish(desk, 1, more=more) == "active"


@needs_second_engine
async def test_the_second_engine_judges_the_newest_events_as_well(desk: Desk) -> None:
    """The file has no test here, so only the history can tell."""
    contrary = dataclasses.replace(desk, second_engine=Contrary)
    deal = {"programme": "saas", "partner": "p1", "deal": {"id": "d1", "amount": {"minor": 900, "currency": "USD"}}}
    await desk.bus.publish(REFERRALS.name, [record("p1", "deal.won", "e1", START_MS, deal)])
    assert await refused(publish(contrary, 1, more=WITH_WHEN)) == ["second-opinion-differs"]
    assert await publish(desk, 1, more=WITH_WHEN) == "active"
    (row,) = [row for row in await read_audit(desk.postgres) if row.action == "activated"]
    assert row.details["second_opinion"] == {"verdict": "agrees", "tests": 0, "events": 1, "not_asked": {}}

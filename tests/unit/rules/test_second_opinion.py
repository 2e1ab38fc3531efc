"""The second opinion on whole rule sets: it agrees on what we ship and on random programmes, and finds what is wrong.

Wrong on purpose are an operator, a gate that lets everything through, an index that loses a rule and a tier that is
never looked at again: each must be found by the events that meet it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from contracts.events import Amount, Customer, Deal, Event, Lead, PartnerProfile, Survey
from services.rules.deciding import considered, judge
from services.rules.engines import Opinion, second_opinion, second_opinion_apart
from services.rules.engines.port import SecondEngineMissing
from services.rules.generate import gate, tiers
from tests.support.rules import START_MS, event, random_history, random_rule_set

pytest.importorskip("durable_rules_engine", exc_type=ImportError, reason="durable-rules is not installed: make durable")

RULES = """
schema: goodword/v1
programme: saas
currency: USD
timezone: UTC
eligible:
  partner:
    - partner.status == active
qualified:
  lead:
    - customer.employees >= 500
metrics:
  wins: {count: deal.won}
  score: {mean: survey.score, on: survey.answered}
tiers:
  - id: bronze
  - id: silver
    when:
      - wins >= 2
rewards:
  - id: commission
    on: deal.won
    when:
      - deal.product starts_with Pro
      - any:
        - score >= 7
        - score missing
    give: 10 USD
  - id: lead
    on: lead.qualified
    give: 5 USD
tests:
  - name: a deal earns
    events:
      - {type: deal.won, deal.product: Pro X}
    expect:
      - commission: 10 USD
"""


def opinion(text: str, events: Sequence[Event]) -> Opinion:
    return second_opinion(text, "rules.yaml", events)


def history() -> list[Event]:
    deals = [
        event(
            "deal.won",
            f"e{number}",
            START_MS + number,
            deal=Deal(id=f"d{number}", product=product, amount=Amount(1, "USD")),
        )
        for number, product in enumerate(("Pro X", "Basic", "Pro Y", None))
    ]
    return [
        event("partner.registered", "new", START_MS - 1, profile=PartnerProfile(status="registered")),
        event("deal.won", "early", START_MS, deal=Deal(id="early", product="Pro X", amount=Amount(1, "USD"))),
        event("partner.registered", "joined", START_MS, profile=PartnerProfile(status="active")),
        *deals,
        event("survey.answered", "s", START_MS + 9, survey=Survey(kind="nps", score=7)),
        event("deal.won", "e9", START_MS + 10, deal=Deal(id="d9", product="Pro X", amount=Amount(1, "USD"))),
        event("lead.registered", "l1", START_MS + 11, lead=Lead(id="l1"), customer=Customer(id="c", employees=500)),
        event("lead.registered", "l2", START_MS + 12, lead=Lead(id="l2"), customer=Customer(id="c", employees=499)),
        event("lead.qualified", "l3", START_MS + 13, lead=Lead(id="l2"), customer=Customer(id="c")),
    ]


def test_both_engines_agree_on_a_file_its_tests_and_a_history() -> None:
    found = opinion(RULES, history())
    assert found.agrees
    assert (found.tests, found.events, found.disagreements) == (1, len(history()), [])
    assert found.verdicts > 30


@pytest.mark.parametrize("seed", range(8))
def test_both_engines_agree_on_random_programmes(seed: int) -> None:
    found = opinion(random_rule_set(seed), random_history(seed, 120))
    assert found.agrees, f"seed {seed}: {[str(each) for each in found.disagreements]}"


@pytest.mark.parametrize(
    "path", sorted(Path("goodword/demo").glob("*.yaml")) + sorted(Path("examples").glob("*/programme.yaml")), ids=str
)
def test_both_engines_agree_on_the_tests_of_what_we_ship(path: Path) -> None:
    found = second_opinion(path.read_text(), str(path))
    assert found.agrees, [str(each) for each in found.disagreements]
    assert found.tests


def test_a_wrong_operator_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(judge._ORDER, "==", lambda value, literal: value != literal)
    found = opinion(RULES, history())
    assert not found.agrees
    assert "the event" in {each.what for each in found.disagreements}


def test_a_gate_that_lets_everything_through_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate.Gate, "_write_partner", lambda self, reads, is_shown: None)
    found = opinion(RULES, history())
    assert ("the event", "may earn", "earns nothing") in {
        (each.what, each.first, each.second) for each in found.disagreements
    }
    assert ("reward commission", "granted", "denied") in {
        (each.what, each.first, each.second) for each in found.disagreements
    }


def test_an_index_that_loses_a_rule_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    rewards = [f"  - {{id: r{n}, on: deal.won, when: [deal.product == P{n}], give: 1 USD}}" for n in range(20)]
    text = "schema: goodword/v1\nprogramme: saas\ncurrency: USD\ntimezone: UTC\nrewards:\n" + "\n".join(rewards)
    events = [event("deal.won", "e", START_MS, deal=Deal(id="d", product="P7", amount=Amount(1, "USD")))]
    assert opinion(text, events).agrees
    masks = considered._masks
    monkeypatch.setattr(
        considered, "_masks", lambda path, tests: (masks(path, tests)[0] | {"P7": 0}, masks(path, tests)[1])
    )
    (wrong,) = opinion(text, events).disagreements
    assert (wrong.what, wrong.first, wrong.second) == ("reward r7", "not considered", "considered")
    assert wrong.saw == {"deal.product": "P7"}


def test_a_tier_that_is_not_looked_at_again_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiers.Tiers, "unsettled", lambda self: "False")
    found = opinion(RULES, history())
    assert ("the tier", "bronze", "silver") in {(each.what, each.first, each.second) for each in found.disagreements}


def test_without_the_second_engine_the_opinion_is_missing_and_says_why() -> None:
    def absent(rules: Any) -> Any:
        raise SecondEngineMissing("durable-rules cannot be imported")

    found = second_opinion(RULES, "rules.yaml", history(), engine=absent)
    assert not found.agrees
    assert found.missing == "durable-rules cannot be imported"
    assert found.events == 0


def test_an_opinion_is_told_to_programs() -> None:
    told = opinion(RULES, history()).as_json()
    assert told["agrees"] is True
    assert msgspec.json.encode(told)


def test_the_second_engine_in_a_process_of_its_own_agrees() -> None:
    found = second_opinion_apart(RULES, "rules.yaml", history())
    assert found.agrees
    assert (found.tests, found.events) == (1, len(history()))


def test_a_second_engine_that_crashes_costs_the_opinion_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crash = tmp_path / "crash_of_the_engine.py"
    crash.write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    found = second_opinion_apart(RULES, "rules.yaml", module=crash.stem)
    assert not found.agrees
    assert "ended with -11" in found.missing

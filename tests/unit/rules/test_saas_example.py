"""The example that uses the whole language pays what its page says."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import msgspec

from contracts.events import Event, EventData, RulesetActivated, decode_data, parse_time_ms
from contracts.money import Money, format_money
from services.rules.fold import Fold
from services.rules.language import digest_of, read_rule_set
from services.rules.testing import run_tests
from tests.support.rules import Store

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "saas-partners"
PROGRAMME = (EXAMPLE / "programme.yaml").read_text()


def test_its_own_tests_pass() -> None:
    assert run_tests(PROGRAMME, "programme.yaml").is_good


def test_everybody_gets_what_its_page_says() -> None:
    activated = RulesetActivated(revision=1, digest=digest_of(PROGRAMME), effective_from_ms=0, source_text=PROGRAMME)
    data = EventData(programme="saas-partners", ruleset=activated)
    events = [Event(type="ruleset.activated", source="goodword/rules", id="ruleset-1", time_ms=0, data=data)]
    for line in (EXAMPLE / "events.ndjson").read_bytes().splitlines():
        each = msgspec.json.decode(line)
        payload = decode_data(msgspec.json.encode(each["data"]))
        events.append(Event(each["type"], each["source"], each["id"], parse_time_ms(each["time"]), payload))
    result = Store().run(Fold(0), events)
    assert not result.rejected

    earned: defaultdict[tuple[str, str], int] = defaultdict(int)
    for decision in result.decisions:
        if decision.granted and decision.amount_minor is not None and decision.unit is not None:
            earned[decision.beneficiary, decision.unit] += decision.amount_minor
    decimals = {unit.id: unit.decimals for unit in read_rule_set(PROGRAMME, path="programme.yaml").units}
    rows = [
        f"| `{who}` | {format_money(Money(minor, unit), decimals.get(unit))} |"
        for (who, unit), minor in sorted(earned.items())
    ]
    assert "\n".join(rows) in (EXAMPLE / "README.md").read_text(), "\n".join(rows)

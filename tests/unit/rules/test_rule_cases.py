"""Cases of the rule language as files that anybody can read: a note, rules, events, and the decisions wanted.

Each case is a file's worth of rules (the sections of the file's `base`, replaced by the case's own) and events of one
partner, run through `evaluate`; `rates.published` lines are told in between. `want` lists what the decisions of all
events must be, in order: `+` granted, `-` denied; then the rule, the amount or tier, whom it pays when that is not the
partner, `at` which occasion, what was clamped, when it is available and expires (UTC), the budgets that cover it, after
`:` what the reason must contain, and after `~` what a line of the trace must.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from contracts.decisions import Decision
from contracts.errors import PermanentError
from contracts.events import Event, EventData, RatesPublished, format_time, parse_time_ms
from contracts.money import Money, format_money
from services.rules.amounts.rates import Rates
from services.rules.compile import compile_rule_set
from services.rules.evaluate import evaluate
from services.rules.language import read_rule_set
from services.rules.language.values import read_amount
from services.rules.states.state import PartnerState

FILES = sorted((Path(__file__).parents[2] / "cases" / "rules").glob("*.yaml"))
DECIMALS = {"POINTS": 0, "CREDIT": 2}


def _cases() -> list[Any]:
    cases = []
    for file in FILES:
        content = yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
        for case in content["cases"]:
            rules = {**content["base"], **case.get("rules", {})}
            cases.append(pytest.param(rules, case, id=f"{file.stem}: {case['note']}"))
    return cases


@pytest.mark.parametrize(("rules", "case"), _cases())
def test_events_are_decided_as_the_case_wants(rules: dict[str, Any], case: dict[str, Any]) -> None:
    rule_set = read_rule_set(yaml.dump(rules, sort_keys=False, allow_unicode=True), path="case.yaml")
    revision = compile_rule_set(rule_set, revision=1)
    state = PartnerState(programme="saas", partner="moses")
    state.rates = Rates()
    told, traces = [], []
    for number, line in enumerate(case["events"]):
        if line["type"] == "rates.published":
            pairs = {pair: rate for pair, rate in line.items() if "/" in pair}
            state.rates.take(RatesPublished(line["day"], pairs))
            continue
        event = _event(number, line)
        try:
            state, decisions = evaluate(state, event, None if "no_programme" in line else revision)
        except PermanentError as error:
            told.append(f"! {error.problem.message}")
            traces.append("")
            continue
        told += [_told(decision) for decision in decisions]
        traces += [_traced(decision) for decision in decisions]
    wanted = case["want"] or []
    assert len(told) == len(wanted), told
    for line, trace, want in zip(told, traces, wanted, strict=True):
        wanted_line, _, seen = want.partition(" ~ ")
        assert seen in trace, trace
        start, _, reason = wanted_line.partition(": ")
        assert line.partition(": ")[0].startswith(start), told
        assert reason in line, told


def test_there_are_enough_cases() -> None:
    assert len(_cases()) >= 60


def _told(decision: Decision) -> str:
    parts = ["+" if decision.granted else "-", decision.rule]
    if decision.amount_minor is not None:
        # At the scale that the decision itself tells, as its readers do.
        parts.append(format_money(Money(decision.amount_minor, decision.unit or ""), decision.decimals))
    if decision.tier_to is not None:
        parts.append(decision.tier_to)
    if not decision.beneficiary.startswith("partner:"):
        parts.append(f"to {decision.beneficiary.replace(':', ' ')}")
    if decision.occasion and decision.takes_back is None:
        parts.append(f"at {decision.occasion}")
    if decision.granted and decision.amount_minor is None and decision.base_minor is not None:
        parts.append(f"counts {decision.base_minor}")
    if decision.raises is not None:
        parts.append(f"raises {decision.raises} by {decision.percent_ppm}")
    if decision.clamped_minor:
        parts.append(f"clamped {decision.clamped_minor}")
    for word, time_ms in (("available", decision.available_at_ms), ("expires", decision.expires_at_ms)):
        if time_ms is not None:
            parts.append(f"{word} {format_time(time_ms)[:16]}Z")
    parts += [f"{claim.budget} {claim.period}".strip() for claim in decision.budgets]
    return " ".join(parts) + (f": {decision.reason}" if decision.reason else "")


def _traced(decision: Decision) -> str:
    return "\n".join(f"{line.condition} | {line.saw} | {line.verdict}" for line in decision.trace)


def _event(number: int, line: dict[str, str]) -> Event:
    """An event from `{type: deal.won, at: 2026-01-02, deal.amount: 500 USD, …}`; ids are numbered unless given."""
    data: dict[str, Any] = {"programme": "saas", "partner": "moses", "attributes": {}}
    for path, text in line.items():
        section, _, field = path.partition(".")
        if path in ("type", "at", "id", "no_programme"):
            continue
        if section == "attributes":
            data["attributes"][field] = _scalar(text)
        elif field:
            data.setdefault(section, {})[field] = _value(path, text)
        else:
            data[section] = int(text) if section == "share_ppm" else text
    kind = line["type"]
    for section in ("deal", "lead"):
        if kind.startswith(f"{section}."):
            data.setdefault(section, {}).setdefault("id", f"{section}-{number}")
    if "customer" in data:
        data["customer"].setdefault("id", "cancity")
    if kind == "survey.answered":
        data.setdefault("survey", {}).setdefault("kind", "nps")
    at = line.get("at", f"2026-03-01T00:00:{number:02d}Z")
    time_ms = parse_time_ms(at if "T" in at else f"{at}T12:00:00Z")
    return Event(
        type=kind,
        source="crm",
        id=line.get("id", f"e{number}"),
        time_ms=time_ms,
        data=msgspec.convert(data, EventData),
    )


def _value(path: str, text: str) -> Any:
    if path in ("deal.amount", "customer.annual_revenue"):
        amount = read_amount(text, DECIMALS)
        assert isinstance(amount, Money)
        return {"minor": amount.amount_minor, "currency": amount.unit}
    if path in ("customer.employees", "survey.score", "activity.quantity") or path.startswith("contest."):
        if path in ("contest.id", "contest.unit"):
            return text
        return int(text)
    if path == "profile.groups":
        return text.split()
    return _scalar(text) if path == "profile.agreement_signed" else text


def _scalar(text: str) -> Any:
    if text in ("true", "false"):
        return text == "true"
    return int(text) if text.lstrip("-").isdigit() else text

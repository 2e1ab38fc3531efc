"""An explanation for eyes: transfers, the decisions behind them, and each condition with what it saw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from rich.markup import escape
from rich.tree import Tree

from contracts.decisions import RULE_EVENT, RULE_LEAD_QUALIFIED, RULE_TIER
from contracts.events import format_time
from contracts.facts import LEDGER_SOURCE
from contracts.money import PPM
from goodword.amounts import Amounts
from goodword.origins import Origin
from goodword.terminal import out

_MARKS: Final = {"met": "[green]✓[/]", "not met": "[red]✗[/]", "unknown": "[yellow]?[/]"}


def events_of(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Source and id of every event behind an explanation; not of what the ledger itself did."""
    named = [(one["event_source"], one["event_id"]) for one in (*found["decisions"], *found["transfers"])]
    return [event for event in dict.fromkeys(named) if event[0] != LEDGER_SOURCE]


def print_explanation(found: Mapping[str, Any], origins: Sequence[Origin], amounts: Amounts) -> None:
    """What `services.rewards.reads.explain` answers, and where it came from, as trees on standard output."""
    for origin in origins:
        out.print(_origin_line(origin))
    decisions: Sequence[Mapping[str, Any]] = found["decisions"]
    if decisions:
        first = decisions[0]
        out.print(
            f"[bold]{escape(first['event_type'])}[/] {escape(first['event_id'])} from {escape(first['event_source'])}, "
            f"{first['event_at']}, partner {escape(first['partner'])}"
        )
    by_decision: dict[str, list[Mapping[str, Any]]] = {}
    for transfer in found["transfers"]:
        by_decision.setdefault(transfer["decision"], []).append(transfer)
    courses = {course["decision"]: course for course in found["courses"]}
    for decision in decisions:
        tree = decision_tree(decision, by_decision.pop(decision["id"], []), amounts)
        for line in _course_lines(courses.get(decision["id"]), amounts):
            tree.add(line)
        out.print(tree)
    for transfers in by_decision.values():
        for transfer in transfers:
            is_own = transfer["booked_by"] or transfer["event_source"] == LEDGER_SOURCE
            note = "" if is_own else " (its decision is not archived yet)"
            out.print(_transfer_line(transfer, amounts) + note)
    for drawn in found["drawn"]:
        out.print(_drawn_line(drawn, amounts))
    for refusal in found["refusals"]:
        out.print(f"[yellow]refused by the ledger[/]: {escape(refusal['message'])} ({escape(refusal['reason'])})")
    for conflict in found["conflicts"]:
        fields = ", ".join(conflict["fields"])
        out.print(f"[bold red]conflict[/]: transfer {conflict['transfer']} came again with other {escape(fields)}")


def _origin_line(origin: Origin) -> str:
    by = f", attributed by {escape(origin.attribution)}" if origin.attribution else ""
    code = f" {escape(origin.referral_code)}" if origin.referral_code and origin.attribution == "code" else ""
    click = origin.click
    behind = f" {escape(click.id)} on link {escape(click.link)} at {click.at}" if click else ""
    return (
        f"[dim]in the log:[/] {escape(origin.type)} {escape(origin.id)} from {escape(origin.source)}, {origin.time}"
        f"{by}{code}{behind}"
    )


def _drawn_line(drawn: Mapping[str, Any], amounts: Amounts) -> str:
    amount = amounts.show(drawn["minor"], drawn["unit"])
    did = "took" if drawn["kind"] == "redemption" else "paid out afterwards"
    return (
        f"{escape(drawn['reference'])} {did} {amount} of {escape(drawn['beneficiary'])}, {drawn['state']} {drawn['at']}"
    )


def decision_tree(decision: Mapping[str, Any], transfers: Sequence[Mapping[str, Any]], amounts: Amounts) -> Tree:
    """One decision with all that it rests on; `transfers` are those it led to, as far as somebody knows them."""
    verdict = "[green]granted[/]" if decision["granted"] else "[red]denied[/]"
    tree = Tree(f"{verdict} [bold]{escape(_rule_name(decision))}[/]{escape(_what(decision, amounts))}")
    if decision["reason"]:
        tree.add(f"because: {escape(decision['reason'])}")
    if decision["revision"]:
        tier = f", tier used: {escape(decision['tier'])}" if decision.get("tier") else ""
        tree.add(f"programme {escape(decision['programme'])}, revision {decision['revision']}{tier}")
    if decision.get("percent_ppm") is not None and decision.get("base_minor") is not None:
        base = amounts.show(decision["base_minor"], decision["base_unit"])
        tree.add(f"{_percent(decision['percent_ppm'])} of {base}")
    if decision.get("share_ppm", PPM) != PPM:
        tree.add(f"share of this partner: {_percent(decision['share_ppm'])}")
    if decision.get("clamped_minor"):
        tree.add(f"a ceiling took off {amounts.show(decision['clamped_minor'], decision['unit'])}")
    for line in _bounds(decision, amounts):
        tree.add(line)
    if decision["trace"]:
        conditions = tree.add("conditions")
        for line in decision["trace"]:
            mark = _MARKS.get(line["verdict"], "?")
            conditions.add(
                f"{mark} {escape(line['condition'])}  [dim]saw {escape(line['saw'])} ({escape(line['part'])})[/]"
            )
    for transfer in transfers:
        tree.add(_transfer_line(transfer, amounts))
    return tree


def _course_lines(course: Mapping[str, Any] | None, amounts: Amounts) -> Iterator[str]:
    """What the ledger made of a decision, beyond its transfers."""
    if course is None:
        return
    if course["state"] != "posted" or course["reason"]:
        yield f"[yellow]{course['state']} in the ledger[/]: {escape(course['reason'])}"
    for name, what in (("pending", "still on hold"), ("taken", "taken back so far"), ("expired", "expired")):
        if course[f"{name}_minor"]:
            yield f"{what}: {amounts.show(course[f'{name}_minor'], course['unit'])}"


def _bounds(decision: Mapping[str, Any], amounts: Amounts) -> Iterator[str]:
    """What holds a reward back, takes it away or adds to it."""
    if decision.get("available_at_ms") is not None:
        yield f"on hold until {format_time(decision['available_at_ms'])}"
    if decision.get("expires_at_ms") is not None:
        yield f"expires unspent at {format_time(decision['expires_at_ms'])}"
    for claim in decision.get("budgets") or ():
        period = f" of {claim['period']}" if claim["period"] else ""
        spent = "waits" if claim["when_spent"] == "hold" else "is not paid"
        amount = amounts.show(claim["amount_minor"], claim["unit"])
        yield f"covered by the budget {escape(claim['budget'])}{escape(period)}: {amount}; what goes over it {spent}"
    if decision.get("raises") and decision.get("percent_ppm") is not None:
        yield f"{escape(decision['raises'])} gives {_percent(decision['percent_ppm'])} more from now on"
    if decision.get("takes_back"):
        yield f"takes back from decision {escape(decision['takes_back'])}"
    if decision.get("restates"):
        yield f"corrects the past: restatement {escape(decision['restates'])}"


def _rule_name(decision: Mapping[str, Any]) -> str:
    names = {RULE_LEAD_QUALIFIED: "lead qualified", RULE_TIER: "tier", RULE_EVENT: "the event as a whole"}
    rule = str(decision["rule"])
    return names.get(rule, rule)


def _what(decision: Mapping[str, Any], amounts: Amounts) -> str:
    if decision.get("tier_to"):
        return f": {decision.get('tier') or 'none'} → {decision['tier_to']}"
    if decision.get("amount_minor") is not None and decision.get("unit"):
        return f": {amounts.show(decision['amount_minor'], decision['unit'])} to {decision['beneficiary']}"
    return ""


def _transfer_line(transfer: Mapping[str, Any], amounts: Amounts) -> str:
    amount = amounts.show(transfer["minor"], transfer["unit"])
    return (
        f"transfer {transfer['id']}: {amount} from {escape(transfer['debit'])} to {escape(transfer['credit'])}, "
        f"{transfer['stage'].replace('_', ' ')} {transfer['posted_at']}"
        + (f" by {escape(transfer['booked_by'])}: {escape(transfer['reason'])}" if transfer["booked_by"] else "")
    )


def _percent(ppm: int) -> str:
    whole, part = divmod(ppm, 10_000)
    decimals = f"{part:04d}".rstrip("0")
    return f"{whole}.{decimals} %" if decimals else f"{whole} %"

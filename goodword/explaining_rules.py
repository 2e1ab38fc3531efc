"""An explanation of the rules for eyes: the event, what became of it, every rule, and the numbers behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.markup import escape
from rich.tree import Tree

from goodword.amounts import Amounts
from goodword.explaining import decision_tree
from goodword.terminal import out
from services.rules.explaining.told import Explanation, MetricTold

_LOOKS: Final = {"decided": "green", "counted": "green", "waiting": "yellow", "unattributed": "yellow"}


def print_explanations(told: Sequence[Explanation]) -> None:
    """What `services.rules.explaining.explain` answers, as trees on standard output."""
    for number, each in enumerate(told):
        if number:
            out.print()
        _print(each)


def _print(told: Explanation) -> None:
    event = told.event
    whom = f"partner {event.partner}" if event.partner else "no partner"
    out.print(
        f"[bold]{escape(event.type)}[/] {escape(event.id)} from {escape(event.source)}, {event.time}, {escape(whom)}"
        f" [dim](partition {event.partition}, offset {event.offset})[/]"
    )
    look = _LOOKS.get(told.outcome, "red")
    out.print(f"[{look}]{told.outcome}[/]: {escape(told.because)}")
    for each in told.arrivals if len(told.arrivals) > 1 else ():
        out.print(f"  at offset {each.offset}, {each.recorded_at}: {each.outcome}, {escape(each.because)}")
    for revision in told.revisions:
        name = f"revision {revision.revision}, from {revision.effective_from} on"
        if revision.is_in_force:
            out.print(f"[bold]{name}[/]: in force, {escape(revision.because)}")
        else:
            out.print(f"[dim]{name}: not in force, {escape(revision.because)}[/]")
    if told.tier or told.tier_after:
        moved = f" → {escape(told.tier_after or 'none')} after it" if told.tier_after != told.tier else ""
        out.print(f"tier before the event: {escape(told.tier or 'none')}{moved}")
    amounts = Amounts(_decimals(told.decisions))
    for decision in (*told.decisions, *told.ruled_out):
        out.print(decision_tree(decision, (), amounts))
    if told.left_out:
        out.print(f"ruled out too, and not shown: {escape(', '.join(told.left_out))}")
    if told.not_asked:
        out.print(f"[dim]not for {escape(event.type)}: {escape(', '.join(told.not_asked))}[/]")
    if told.taken_by:
        out.print(f"counts from now on in: {escape(', '.join(told.taken_by))}")
    for metric in told.metrics:
        out.print(_metric_tree(metric))


def _metric_tree(told: MetricTold) -> Tree:
    window = f"{told.from_day or 'the beginning'} … {told.to_day}"
    whose = ", of this customer" if told.per_customer else ""
    tree = Tree(f"[bold]{escape(told.metric)}[/] = {escape(told.value or 'no value')} [dim]({window}{whose})[/]")
    for each in told.behind:
        where = f"[dim]from {escape(each.source)}, {each.day}[/]"
        added = f"{escape(each.added)}  " if each.added else ""
        tree.add(f"{added}{escape(each.type)} {escape(each.id)} {where}")
    if told.events > len(told.behind):
        tree.add(f"[dim]and {told.events - len(told.behind):,} earlier ones[/]")
    return tree


def _decimals(decisions: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Of the units whose scale the decisions themselves tell."""
    return {each["unit"]: each["decimals"] for each in decisions if each.get("decimals") is not None}

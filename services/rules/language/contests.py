"""The contests section: partners ranked by a number between two days."""

from __future__ import annotations

from typing import Final

from contracts.money import Money
from contracts.ruleset import Contest
from services.rules.language.durations import read_days
from services.rules.language.fields import Fields, expect_list, expect_map, limited, texts_of
from services.rules.language.located import Fault
from services.rules.language.metrics import read_counted
from services.rules.language.rule_names import note_unread, take_name
from services.rules.language.scope import Scope
from services.rules.language.source import ListNode, Node, TextNode
from services.rules.language.values import read_given_amount

CONTESTS_MAX: Final = 200
PRIZES_MAX: Final = 1_000
CONTEST_KEYS: Final = ("id", "metric", "from", "to", "prizes")


def read_contests(node: Node, scope: Scope) -> tuple[Contest, ...]:
    items = expect_list(node, scope, '"contests"', "write each after a dash: - id: spring-race")
    contests = []
    for item in limited(items, scope, "contests", CONTESTS_MAX):
        mapping = expect_map(item, scope, "a contest", "write it as: - id: spring-race")
        if mapping is None:
            continue
        errors_before = scope.problems.errors_count
        fields = Fields(mapping, scope, "a contest", CONTEST_KEYS)
        id = fields.require_text("id")
        contest = _read_contest(id, fields, scope)
        if take_name(id, "contest", scope) and id is not None:
            contests += [contest] if contest is not None else []
            note_unread(id.text, errors_before, scope)
    return tuple(contests)


def _read_contest(id: TextNode | None, fields: Fields, scope: Scope) -> Contest | None:
    for key in ("from", "to"):
        fields.require(key, f"say the {'first' if key == 'from' else 'last'} day: {key}: 2026-03-01")
    first, last = read_days(fields, scope)
    prizes = _read_prizes(fields, scope)
    node = fields.require("metric", "say what is counted: metric: {sum: deal.amount, on: deal.won}")
    mapping = expect_map(node, scope, '"metric"', "such as {sum: deal.amount, on: deal.won}") if node else None
    if mapping is None:
        return None
    name = id or fields.keys["metric"]
    counted = read_counted(name, mapping, scope)
    if counted is None:
        return None
    return Contest(
        id=name.text,
        kind=counted.kind,
        of=counted.of,
        on=counted.on,
        from_day=first or 0,
        to_day=last or 0,
        prizes=prizes,
        minus=counted.minus,
        unit=counted.unit,
        line=name.span.line,
    )


def _read_prizes(fields: Fields, scope: Scope) -> tuple[Money, ...]:
    node = fields.require("prizes", "from the first rank on: prizes: [5_000 USD, 1_000 USD]")
    prizes = []
    if isinstance(node, ListNode):
        limited(node, scope, "prizes", PRIZES_MAX)
    for text in texts_of(node, scope, '"prizes"')[:PRIZES_MAX] if node is not None else ():
        amount = read_given_amount(text.text, scope.decimals_of)
        if isinstance(amount, Fault):
            scope.add(text.span, amount)
        else:
            prizes.append(amount)
    return tuple(prizes)

"""From the text of a rule file to a rule set, or to all of its faults at once, in file order.

Pure but for the time zone database. Whatever the text is, nothing but `RuleSetErrors` is raised, and hostile files
are refused within limits that have names. Grammar and meaning: docs/rules.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Final, TypeVar

from contracts.ruleset import Condition, RuleSet
from services.rules.language.budgets import read_budgets
from services.rules.language.checks import always_false, file_over_limit, unreadable_value
from services.rules.language.conditions import Place, expect_conditions
from services.rules.language.consistency import refuse_contradictions
from services.rules.language.contests import read_contests
from services.rules.language.expectations import refuse_idle_tests
from services.rules.language.fields import Fields, expect_map
from services.rules.language.groups import read_groups
from services.rules.language.inactivity import read_inactivity
from services.rules.language.located import (
    PROBLEMS_MAX,
    LocatedProblem,
    Problems,
    RuleSetErrors,
    TooManyProblemsError,
)
from services.rules.language.metrics import read_metrics
from services.rules.language.milestones import read_milestones
from services.rules.language.programme import read_head
from services.rules.language.reachability import refuse_unreachable_rewards
from services.rules.language.rewards import read_rewards
from services.rules.language.rule_tests import read_tests
from services.rules.language.scope import Scope
from services.rules.language.source import ListNode, MapNode, Node, parse_source
from services.rules.language.terms import read_terms
from services.rules.language.tiers import read_tiers

SECTIONS: Final = (
    "schema",
    "programme",
    "currency",
    "timezone",
    "effective_from",
    "lock_terms",
    "units",
    "eligible",
    "qualified",
    "metrics",
    "tiers",
    "tier_review",
    "rewards",
    "groups",
    "milestones",
    "inactivity",
    "contests",
    "budgets",
    "terms",
    "tests",
)
_Part = TypeVar("_Part")


def read_rule_set(text: str, *, path: str) -> RuleSet:
    """The rule set that a file's text says.

    Args:
        text: The file's bytes as UTF-8, line ends untouched.
        path: The file's name, for messages only; nothing is opened.

    Raises:
        RuleSetErrors: With every error of the file.
    """
    rule_set, problems = _read(text, path)
    errors = [each for each in problems if each.severity == "error"]
    if errors or rule_set is None:
        raise RuleSetErrors(errors)
    return rule_set


def lint_text(text: str, path: str) -> list[LocatedProblem]:
    """All errors and warnings in file order; an empty list is a clean file."""
    return _read(text, path)[1]


def digest_of(text: str) -> str:
    """The digest of a revision: SHA-256, in hex, of the file's bytes (the text as UTF-8, line ends untouched).

    Comments and spaces count: what was reviewed is what is published.
    """
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _read(text: str, path: str) -> tuple[RuleSet | None, list[LocatedProblem]]:
    problems = Problems(path)
    try:
        rule_set = read_into(Scope(problems), text)
    except TooManyProblemsError:
        found = problems.in_file_order()[: PROBLEMS_MAX - 1]
        last = file_over_limit.too_many_problems(PROBLEMS_MAX)
        end = found[-1]
        return None, [*found, LocatedProblem(last.code, last.message, end.line, end.column, 1, last.help, path=path)]
    return (None if problems.has_errors else rule_set), problems.in_file_order()


def read_into(scope: Scope, text: str) -> RuleSet | None:
    """Read a file's text; its names and problems are in the scope then. None: it is no mapping at all."""
    root = parse_source(text, scope.problems)
    if root is None:
        return None
    mapping = expect_map(root, scope, "a rule set", "begin the file with schema: goodword/v1")
    if mapping is None:
        return None
    fields = Fields(mapping, scope, "a rule set", SECTIONS)
    head = read_head(fields, scope)
    metrics = _list("metrics", read_metrics, fields, scope)
    tiers = _list("tiers", read_tiers, fields, scope)
    eligible = _section(fields, "eligible", ("partner", "customer"), scope)
    qualified = _section(fields, "qualified", ("lead", "deal", "crm"), scope)
    rewards = _list("rewards", read_rewards, fields, scope)
    groups = _list("groups", read_groups, fields, scope)
    milestones = _list("milestones", read_milestones, fields, scope)
    inactivity = _list("inactivity", read_inactivity, fields, scope)
    contests = _list("contests", read_contests, fields, scope)
    budgets_node = fields.get("budgets")
    rule_set = RuleSet(
        programme=head.programme,
        currency=scope.currency,
        timezone=head.timezone,
        effective_from_ms=head.effective_from_ms,
        units=head.units,
        eligible_partner=_conditions(eligible, "eligible", "partner", scope),
        eligible_customer=_conditions(eligible, "eligible", "customer", scope),
        qualified_lead=_conditions(qualified, "qualified", "lead", scope),
        qualified_deal=_conditions(qualified, "qualified", "deal", scope),
        crm_qualifies=_crm_qualifies(qualified, scope),
        metrics=metrics,
        tiers=tiers,
        tier_review=head.tier_review,
        rewards=rewards,
        groups=groups,
        milestones=milestones,
        inactivity=inactivity,
        contests=contests,
        budgets=read_budgets(budgets_node, milestones, contests, scope) if budgets_node is not None else (),
        terms=_list("terms", read_terms, fields, scope),
        lock_terms=head.lock_terms,
        tests=_list("tests", read_tests, fields, scope),
    )
    refuse_unreachable_rewards(rule_set, scope)
    if not scope.problems.has_errors:  # Of rules that were not read nobody knows what they listen to.
        refuse_idle_tests(rule_set, scope)
    return rule_set


def _list(
    name: str, read: Callable[[Node, Scope], tuple[_Part, ...]], fields: Fields, scope: Scope
) -> tuple[_Part, ...]:
    """What a section says, each part in file order; nothing where the file does not have it."""
    node = fields.get(name)
    names = scope.unread.of_section(name)
    # Nobody knows what a section with an unknown name defines; nor one without content.
    is_readable = isinstance(node, MapNode if name == "metrics" else ListNode)
    if names is not None and not is_readable and (fields.has_unknown or name in fields.keys):
        names.add_any()
    return read(node, scope) if node is not None else ()


def _section(fields: Fields, name: str, known: tuple[str, ...], scope: Scope) -> Fields | None:
    node: Node | None = fields.get(name)
    mapping = expect_map(node, scope, f'"{name}"') if node is not None else None
    return Fields(mapping, scope, f'"{name}"', known) if isinstance(mapping, MapNode) else None


def _conditions(fields: Fields | None, section: str, key: str, scope: Scope) -> Condition | None:
    node = fields.get(key) if fields else None
    if node is None:
        return None
    on = ("deal.won", "deal.renewed") if (section, key) == ("qualified", "deal") else ()
    condition = expect_conditions(node, scope, Place(f"{section}.{key}", on=on))
    refuse_contradictions(condition, scope)
    return condition


def _crm_qualifies(fields: Fields | None, scope: Scope) -> bool:
    crm = fields.text("crm") if fields else None
    if fields is None or crm is None:
        return True
    if crm.text != "ignored":
        help = "write crm: ignored, or leave it away: the CRM's word counts"
        scope.add(crm.span, unreadable_value.fault(crm.text, "what can be done with the CRM's word", help))
        return True
    if "lead" not in fields.keys:
        scope.add(fields.keys["crm"].span, always_false.nothing_qualifies())
    return False

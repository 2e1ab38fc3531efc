"""Events in the shorthand of tests, written apart from any test: `- {type: deal.won, deal.amount: 1_000 USD}`.

They are read against a rule set, because only its names tell which paths there are and what type their values have.
"""

from __future__ import annotations

from typing import Final

from contracts.ruleset import RuleSet, RuleTest
from services.rules.language.fields import Fields
from services.rules.language.located import Problems, RuleSetErrors, TooManyProblemsError
from services.rules.language.read import read_into
from services.rules.language.rule_tests import read_events, read_given
from services.rules.language.scope import Scope
from services.rules.language.source import MapNode, parse_source

KEYS: Final = ("given", "events")


def read_story(rules_text: str, events_text: str, *, path: str) -> tuple[RuleSet, RuleTest]:
    """The rule set, and the events as a test without expectations: a list of events, or `given:` and `events:`.

    Raises:
        RuleSetErrors: Of the events; or of the rule set, when it has errors.
    """
    scope = Scope(Problems("rules"))
    rules = read_into(scope, rules_text)
    if rules is None or scope.problems.has_errors:
        raise RuleSetErrors([each for each in scope.problems.in_file_order() if each.severity == "error"])
    scope.problems = problems = Problems(path)
    try:
        node = parse_source(events_text, problems)
        given, events = None, node
        if isinstance(node, MapNode):
            fields = Fields(node, scope, "the events", KEYS)
            given, events = fields.get("given"), fields.require("events")
        story = RuleTest(
            name="",
            given=read_given(given, scope) if given is not None else {},
            events=read_events(events, scope) if events is not None else (),
        )
    except TooManyProblemsError:
        story = RuleTest(name="")
    errors = [each for each in problems.in_file_order() if each.severity == "error"]
    if errors:
        raise RuleSetErrors(errors)
    return rules, story

"""The second engine: durable-rules, a Rete engine in C, inside of the envelope in which it is right and does not crash.

What was found out by trying (docs/performance.md#second-opinion): one `sid`; at most 32 rules in a ruleset and fewer
than 64 that fire for one message; scalars and 64-bit integers only; a rule that tests that something is missing also
tests a field that all messages have, or it fires for the engine's own state, for ever. A message is a fact that is
asserted, fires what it fires, and is retracted, so that nothing is left of it. The rulesets of an engine are freed
with it.

The C module is used directly: the Python layer around it starts two timer threads per host.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple
from weakref import finalize

from contracts.errors import InvariantBroken
from contracts.ruleset import RuleSet
from services.rules.engines.port import Facts, SecondEngineMissing, Verdict, questions_of
from services.rules.engines.rails import Expression, Outside, Step, Steps
from services.rules.engines.views import View, Views

RULES_MAX: Final = 32
WAYS_MAX: Final = 48
"""Of all rules of one ruleset; each way fires by itself."""
FIELDS_MAX: Final = 100
_GUARD: Final = "k"
_MET: Final = "m"
_NOT_MET: Final = "n"


class _Asked(NamedTuple):
    """One ruleset: the steps in it and the fields they read."""

    handle: int
    steps: tuple[Step, ...]
    fields: tuple[tuple[str, View | int], ...]


class DurableEngine:
    """The questions of one rule set, as durable-rules judges them.

    Raises:
        SecondEngineMissing: The package is not there.
    """

    name = "durable-rules"

    def __init__(self, rules: RuleSet) -> None:
        self._rete = _imported()
        self._views = Views(rules)
        self._steps = Steps(self._views)
        self._step_of: dict[str, int] = {}
        self._not_asked: dict[str, str] = {}
        self._plans: dict[tuple[str, ...], list[_Asked]] = {}
        for name, condition in questions_of(rules):
            try:
                self._step_of[name] = self._steps.of(condition)
            except Outside as why:
                self._not_asked[name] = str(why)

    @property
    def not_asked(self) -> Mapping[str, str]:
        return self._not_asked

    def judge(self, names: Sequence[str], facts: Facts) -> dict[str, Verdict]:
        asked = tuple(name for name in names if name in self._step_of)
        plan = self._plans.get(asked)
        if plan is None:
            plan = self._plans[asked] = list(self._plan(asked))
        seen: dict[View | int, str | int | None] = {}
        for ruleset in plan:
            message: dict[str, Any] = {"id": 1, "sid": "0", _GUARD: 1}
            for field, of in ruleset.fields:
                if of not in seen:
                    seen[of] = None if isinstance(of, int) else self._views.see(of, facts)
                if seen[of] is not None:
                    message[field] = seen[of]
            self._note(ruleset, self._fired(ruleset.handle, message), seen)
        return {name: None if (verdict := seen.get(self._step_of[name])) is None else verdict == 1 for name in asked}

    def _note(self, ruleset: _Asked, fired: set[str], seen: dict[View | int, str | int | None]) -> None:
        for step in ruleset.steps:
            is_met, is_not_met = f"{_MET}{step.number}" in fired, f"{_NOT_MET}{step.number}" in fired
            if step.not_met is None:
                (only,) = step.met.fields
                is_not_met = not is_met and seen[only] is not None
            if is_met and is_not_met:
                raise InvariantBroken(f"durable-rules finds step {step.number} met and not met: {step}")
            seen[step.number] = 1 if is_met else 0 if is_not_met else None

    def _fired(self, handle: int, message: dict[str, Any]) -> set[str]:
        rete, text = self._rete, json.dumps(message)
        fired: set[str] = set()
        outcome, state = rete.assert_fact(handle, text)
        if outcome == 0:
            started = rete.start_action_for_state(handle, state)
            action = started[1] if started else None
            while action:
                fired.update(json.loads(action))
                action = rete.complete_and_start_action(handle, state)
        rete.retract_fact(handle, text)
        return fired

    def _plan(self, names: tuple[str, ...]) -> Iterator[_Asked]:
        """Rulesets in the order in which they must be asked."""
        numbers = set().union(*(self._steps.needed(self._step_of[name]) for name in names))
        steps = sorted((self._steps.all[number] for number in numbers), key=lambda step: (step.depth, step.number))
        group: list[Step] = []
        for step in steps:
            if group and (step.depth != group[0].depth or not _fit([*group, step])):
                yield self._ruleset(group)
                group = []
            group.append(step)
        if group:
            yield self._ruleset(group)

    def _ruleset(self, steps: list[Step]) -> _Asked:
        rules: dict[str, Any] = {}
        for step in steps:
            rules[f"{_MET}{step.number}"] = _rule(step.met)
            if step.not_met is not None:
                rules[f"{_NOT_MET}{step.number}"] = _rule(step.not_met)
        handle = self._rete.create_ruleset("rules", json.dumps(rules))
        finalize(self, self._rete.delete_ruleset, handle)
        fields = dict.fromkeys(field for step in steps for field in sorted(_fields(step), key=repr))
        return _Asked(handle, tuple(steps), tuple((self._steps.field(each), each) for each in fields))


def _imported() -> Any:
    try:
        import durable_rules_engine
    except ImportError as error:
        raise SecondEngineMissing(
            f"durable-rules cannot be imported ({error}); it needs Python 3.11 or 3.12 and a C compiler: make durable"
        ) from error
    return durable_rules_engine


def _rule(expression: Expression) -> dict[str, Any]:
    return {"all": [{"m": {"$and": [{_GUARD: 1}, expression.json]}}]}


def _fields(step: Step) -> frozenset[View | int]:
    return step.met.fields | (step.not_met.fields if step.not_met is not None else frozenset())


def _fit(steps: list[Step]) -> bool:
    ways = sum(step.met.ways + (step.not_met.ways if step.not_met is not None else 0) for step in steps)
    fields = frozenset().union(*(_fields(step) for step in steps))
    return 2 * len(steps) <= RULES_MAX and ways <= WAYS_MAX and len(fields) <= FIELDS_MAX

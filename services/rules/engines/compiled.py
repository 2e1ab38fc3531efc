"""The first engine behind the port: the very lines that generated functions judge conditions with, given plain facts.

What `services.rules.generate.conditions` writes and `services.rules.deciding.judge` decides is used as it is; only
where a value comes from differs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from contracts.ruleset import RuleSet
from services.rules.deciding.vocabulary import Vocabulary
from services.rules.engines.port import Facts, Verdict, questions_of
from services.rules.generate.conditions import Conditions
from services.rules.generate.reads import Reads
from services.rules.generate.source import Source

_PARAMETERS = "state, day"
"""As in generated functions; here the facts stand for the state, because rates are read from it."""


class CompiledEngine:
    """Generated code, one function for each set of questions."""

    name = "compiled"
    not_asked: Mapping[str, str] = {}

    def __init__(self, rules: RuleSet) -> None:
        self._vocabulary = Vocabulary(rules)
        self._questions = {each.name: each.condition for each in questions_of(rules)}
        self._functions: dict[tuple[str, ...], Callable[[Facts, int], tuple[Verdict, ...]]] = {}

    def judge(self, names: Sequence[str], facts: Facts) -> dict[str, Verdict]:
        asked = tuple(name for name in names if name in self._questions)
        function = self._functions.get(asked)
        if function is None:
            function = self._functions[asked] = self._function(asked)
        return dict(zip(asked, function(facts, facts.day), strict=True))

    def _function(self, asked: tuple[str, ...]) -> Callable[[Facts, int], tuple[Verdict, ...]]:
        source = Source(_PARAMETERS)
        source.add("values = state.values")
        reads = _GivenReads(source, self._vocabulary, "", 0)
        verdicts = "".join(f"{Conditions(reads, 'when').verdict(self._questions[name])}, " for name in asked)
        source.add(f"return ({verdicts})")
        function: Callable[[Facts, int], tuple[Verdict, ...]] = source.function()
        return function


class _GivenReads(Reads):
    """Every value is given."""

    def value(self, path: str, day: str = "day") -> str:
        def write(name: str) -> None:
            self.source.add(f"{name} = values.get({self.source.constant(path)})")

        return self.source.once(("given", path), "v", write)

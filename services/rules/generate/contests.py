"""Contests (docs/rules.md#contests-and-budgets): what counts for one is told as a decision, and so is the prize.

No partition sees all partners, so the fold does not know ranks. Every event that moves a partner's number in a
contest gives a granted decision without an amount, whose base is the number from then on; a projection of these ranks
the partners (`services.rules.contests`) and appends `contest.closed` for each winner, at which the prize is decided.
The functions must have the locals `state`, `day`, `tier` and `made`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from contracts.decisions import Decision, TraceLine
from contracts.events import EventData
from contracts.money import PPM, Money, format_money, round_half_even
from contracts.ruleset import Contest, RuleSet
from services.rules.amounts.measures import describe
from services.rules.amounts.whole import WholeAmounts, without_share
from services.rules.bounds.bounded import Bounds
from services.rules.clock.calendar import date_of
from services.rules.deciding.decide import Case, decide
from services.rules.deciding.vocabulary import Vocabulary, contest_metric
from services.rules.generate.case import write_case
from services.rules.generate.reads import Reads
from services.rules.states.series import series_id

CONTEST_CLOSED: Final = "contest.closed"
PART: Final = "contest"


class Contests:
    """The contests of one revision."""

    def __init__(self, rules: RuleSet, vocabulary: Vocabulary, bounds: Bounds) -> None:
        self._races = [Race(contest, vocabulary) for contest in rules.contests]
        self._prizes = {contest.id: contest.prizes for contest in rules.contests}
        self._amounts = WholeAmounts(bounds, vocabulary)
        self._decimals = vocabulary.decimals

    def write_before(self, reads: Reads, taken: Iterable[int | None]) -> list[tuple[Race, str]]:
        """Write what keeps the numbers that these series may move; returns them with the local that holds each."""
        series = set(taken)
        moved = [race for race in self._races if race.series in series]
        return [(race, race.write_value(reads)) for race in moved]

    def write_after(self, reads: Reads, kept: list[tuple[Race, str]]) -> None:
        """Write what tells the numbers that moved."""
        source = reads.source
        for race, before in kept:
            with source.block(f"if {race.from_day} <= day <= {race.to_day}:"):
                after = race.write_value(reads)
                told = source.constant(race.told)
                with source.block(f"if {after} != {before}:"):
                    source.add(f"made.append({told}({write_case(reads)}, tier, {after}))")

    def write_prize(self, reads: Reads) -> None:
        """Write what decides the prize of a contest that was closed; `blocked` and `gate` are known."""
        prize = reads.source.constant(self._prize)
        reads.source.add(f"made.append({prize}({write_case(reads)}, data, day, tier, blocked, gate))")

    def _prize(
        self, case: Case, data: EventData, day: int, tier: str | None, blocked: str, gate: tuple[TraceLine, ...]
    ) -> Decision:
        result = data.contest
        assert result is not None, "contest.closed cannot do without it"
        prizes = self._prizes.get(result.id)
        saw = str(result.value)
        if result.unit is not None:
            saw = format_money(Money(result.value, result.unit), self._decimals.get(result.unit))
        line = TraceLine(f"rank {result.rank} of {result.partners}", saw, "met", PART)
        reason = blocked
        if not reason and prizes is None:
            reason = f"no such contest: {result.id}"
        if not reason and prizes is not None and result.rank > len(prizes):
            reason = f"no prize for rank {result.rank}"
        if reason or prizes is None:
            return decide(without_share(case), result.id, reason, (*gate, line), tier)
        return self._amounts.grant(case, result.id, prizes[result.rank - 1], day, tier, (*gate, line))


class Race:
    """What one contest counts."""

    def __init__(self, contest: Contest, vocabulary: Vocabulary) -> None:
        self.metric = contest_metric(contest)
        self.series = series_id(self.metric)
        # Numbers of ours, which may stand in generated source.
        self.from_day, self.to_day = int(contest.from_day), int(contest.to_day)
        self._id = contest.id
        self._decimals = vocabulary.decimals
        self._kind = vocabulary.kind(self.metric.id)
        self._what = f"{contest.id} from {date_of(contest.from_day)} to {date_of(contest.to_day)}"

    def write_value(self, reads: Reads) -> str:
        """Write what reads the partner's number in the contest."""
        source = reads.source
        name, series = source.fresh("m"), reads.series(self.metric.id)
        nothing = "None" if self.metric.kind == "mean" else "0"
        read = f"{series}.between({self.from_day}, {self.to_day})"
        source.add(f"{name} = {read} if {series} and {self.from_day} <= day <= {self.to_day} else {nothing}")
        return name

    def told(self, case: Case, tier: str | None, value: Any) -> Decision:
        """The decision that tells the number; of an average, in millionths."""
        number = round_half_even(value[0] * PPM, value[1]) if isinstance(value, tuple) else int(value)
        line = TraceLine(self._what, describe(value, self._kind, self._decimals), "met", PART)
        return decide(without_share(case), self._id, "", (line,), tier, base_minor=number, base_unit=self.metric.unit)

"""Silences (docs/rules.md#milestones-and-inactivity): a metric took something once, and then nothing for so long.

A silence is known by the last day on which the metric took something. It holds at the close of a local day when the
window that ends there no longer reaches that day; it is told once, at the partner's next event or when the log says
that the day has closed, whichever comes first.
"""

from __future__ import annotations

from typing import Final

from contracts.decisions import Decision, TraceLine
from contracts.ruleset import Duration, Inactivity, Metric, RuleSet, Window
from services.rules.amounts.whole import without_share
from services.rules.clock.calendar import DAYS_REMEMBERED_MAX, LAST_DAY, WindowStart, date_of, later
from services.rules.deciding.decide import Case, decide
from services.rules.states.series import DistinctSeries, MeanSeries, Series, series_id
from services.rules.states.state import NO_ALARM, PartnerState

PART: Final = "inactivity"


class DueDays(dict[int, int]):
    """From the last day on which something was taken to the first one at whose close it is silent; fills itself."""

    def __init__(self, missing_for: Duration) -> None:
        super().__init__()
        self._missing_for = missing_for
        self._starts = WindowStart(Window(duration=missing_for))

    def __missing__(self, last_day: int) -> int:
        if len(self) >= DAYS_REMEMBERED_MAX:
            self.clear()
        due = later(last_day, self._missing_for)
        # Months are clipped to their ends, so that the way there and back can differ by some days.
        while due < LAST_DAY and self._starts[due] <= last_day:
            due += 1
        while due - 1 > last_day and self._starts[due - 1] > last_day:
            due -= 1
        found = self[last_day] = due if due < LAST_DAY else NO_ALARM
        return found


class _Silence:
    def __init__(self, inactivity: Inactivity, metric: Metric) -> None:
        self.id = inactivity.id
        self.text = inactivity.text
        self.series = series_id(metric)
        self.due_days = DueDays(inactivity.missing_for)


class SoonestDue(dict[int, int]):
    """From a day on which all metrics take something to the first one at which any silence is due; fills itself."""

    def __init__(self, silences: list[_Silence]) -> None:
        super().__init__()
        self._silences = silences

    def __missing__(self, day: int) -> int:
        if len(self) >= DAYS_REMEMBERED_MAX:
            self.clear()
        soonest = self[day] = min(silence.due_days[day] for silence in self._silences)
        return soonest


class Silences:
    """The silences that one revision tells.

    Attributes:
        series: The series whose silence is told.
        soonest: From the day of something taken to when that could be due first.
    """

    def __init__(self, rules: RuleSet) -> None:
        metrics = {metric.id: metric for metric in rules.metrics}
        self._silences = [_Silence(each, metrics[each.metric]) for each in rules.inactivity]
        self.series = {silence.series for silence in self._silences}
        self.soonest = SoonestDue(self._silences)

    def tell(self, case: Case, state: PartnerState, day: int) -> list[Decision]:
        """What is silent at the close of the day, and was not told before."""
        made = []
        for silence in self._silences:
            last = _untold(silence, state)
            if last is not None and silence.due_days[last] <= day:
                state.told[silence.id] = last
                line = TraceLine(
                    silence.text, f"nothing since {date_of(last)}, at the end of {date_of(day)}", "met", PART
                )
                made.append(decide(without_share(case), silence.id, "", (line,), state.tier))
        return made

    def alarm_day(self, state: PartnerState) -> int:
        """The first day at whose close there could be something to tell; NO_ALARM: none as things are."""
        days = [silence.due_days[last] for silence in self._silences if (last := _untold(silence, state)) is not None]
        return min(days, default=NO_ALARM)


def _untold(silence: _Silence, state: PartnerState) -> int | None:
    """The last day on which something was taken, unless the silence since was told or nothing was taken ever."""
    series = state.series.get(silence.series)
    if series is None:
        return None
    last = _newest_day(series)
    return None if state.told.get(silence.id) == last else last


def _newest_day(series: Series) -> int:
    if isinstance(series, DistinctSeries):
        return series.lasts[-1]
    return series.count.newest if isinstance(series, MeanSeries) else series.newest

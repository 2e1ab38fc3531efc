"""The report as one HTML page that opens offline: no scripts, nothing loaded from anywhere, charts as inline SVG.

Every text is escaped by the template engine, because partners and rules are called whatever somebody called them.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import Final

import msgspec
from jinja2 import Environment, StrictUndefined

from services.rules.backtest.report import Change, Report

PARTNERS_SHOWN_MAX: Final = 15
ROWS_SHOWN_MAX: Final = 200
BAR_WIDTH: Final = 400
"""The longest bar, in SVG units."""


class Bar(msgspec.Struct, frozen=True):
    """A line of a chart: before above after; widths in SVG units."""

    label: str
    before_width: int
    after_width: int
    before: str
    after: str
    difference: str
    is_loss: bool


class Chart(msgspec.Struct, frozen=True):
    title: str
    bars: list[Bar]


class UnitPart(msgspec.Struct, frozen=True):
    """All that is shown of one unit; no charts where nothing differs."""

    unit: str
    total: Bar
    gained: int
    lost: int
    charts: list[Chart]


def report_as_html(report: Report) -> str:
    """The page; the same report gives the same bytes."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(files(__package__).joinpath("page.html").read_text("utf-8"))
    return template.render(
        report=report,
        # What differs comes first.
        parts=[_part(report, total) for total in sorted(report.totals, key=lambda each: not report.differs(each.unit))],
        bar_width=BAR_WIDTH,
        rows_max=ROWS_SHOWN_MAX,
    )


def _part(report: Report, total: Change) -> UnitPart:
    unit = total.unit
    (whole,) = _bars(report, [total])
    if not report.differs(unit):
        return UnitPart(unit, whole, 0, 0, [])
    winners, losers = report.winners(unit), report.losers(unit)
    rules = [
        Change(
            name=rule.rule,
            unit=unit,
            before_minor=rule.before_minor,
            after_minor=rule.after_minor,
            difference_minor=rule.difference_minor,
        )
        for rule in report.rules
        if rule.unit == unit
    ]
    charts = [
        ("Partners who gain most", winners[:PARTNERS_SHOWN_MAX]),
        ("Partners who lose most", losers[:PARTNERS_SHOWN_MAX]),
        ("Months", [month for month in report.months if month.unit == unit]),
        ("Rules", rules),
        ("Tiers", [tier for tier in report.tiers if tier.unit == unit and tier.name]),
    ]
    return UnitPart(
        unit, whole, len(winners), len(losers), [Chart(title, _bars(report, found)) for title, found in charts if found]
    )


def _bars(report: Report, changes: Sequence[Change]) -> list[Bar]:
    longest = max((max(abs(change.before_minor), abs(change.after_minor)) for change in changes), default=0) or 1
    return [
        Bar(
            label=change.name,
            before_width=abs(change.before_minor) * BAR_WIDTH // longest,
            after_width=abs(change.after_minor) * BAR_WIDTH // longest,
            before=report.amount(change.before_minor, change.unit),
            after=report.amount(change.after_minor, change.unit),
            difference=report.amount(change.difference_minor, change.unit, is_signed=True),
            is_loss=change.difference_minor < 0,
        )
        for change in changes[:ROWS_SHOWN_MAX]
    ]

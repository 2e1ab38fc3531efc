"""The report as CSV: one row per difference, in the order of the report, for spreadsheets.

Amounts are decimal numbers in the unit named beside them. A name that a spreadsheet would take for a formula has a
quote in front of it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Final

from contracts.csv_cells import text_cell
from contracts.money import assumed_decimals, format_minor
from services.rules.backtest.report import Change, Report

COLUMNS: Final = ("about", "name", "detail", "unit", "before", "after", "difference")


def report_as_csv(report: Report) -> str:
    """The report with a header; lines end as RFC 4180 says."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for about, name, detail, unit, before, after in _rows(report):
        difference = after - before
        numbers = (_number(report, value, unit) for value in (before, after, difference))
        writer.writerow((about, text_cell(name), text_cell(detail), unit, *numbers))
    return text.getvalue()


def _rows(report: Report) -> Iterator[tuple[str, str, str, str, int, int]]:
    yield from _of("total", report.totals)
    yield from _of("partner", report.partners)
    for rule in report.rules:
        yield "rule", rule.rule, rule.to, rule.unit, rule.before_minor, rule.after_minor
    for rule in report.rules:
        yield "granted", rule.rule, rule.to, "", rule.before_granted, rule.after_granted
    for rule in report.rules:
        yield "clamped", rule.rule, rule.to, "", rule.before_clamped, rule.after_clamped
        yield "clamped amount", rule.rule, rule.to, rule.unit, rule.before_clamped_minor, rule.after_clamped_minor
    yield from _of("tier", report.tiers)
    yield from _of("month", report.months)
    for move in report.moves:
        for partner in move.partners:
            yield "tier move", partner, f"{move.before or '-'} to {move.after or '-'}", "", 0, 0
    for use in report.budgets:
        yield "budget", use.budget, use.period, use.unit, use.before_minor, use.after_minor
    for denial in report.denials:
        yield "denied", denial.rule, denial.reason, "", denial.before, denial.after


def _of(about: str, changes: list[Change]) -> Iterator[tuple[str, str, str, str, int, int]]:
    for change in changes:
        yield about, change.name, "", change.unit, change.before_minor, change.after_minor


def _number(report: Report, value: int, unit: str) -> str:
    return format_minor(value, report.units.get(unit, assumed_decimals(unit)) if unit else 0)

"""A back-test's report on the terminal: money first, winners and losers on top, then why."""

from __future__ import annotations

from typing import Final

from goodword.terminal import out, print_table, say
from services.rules.backtest.report import Change, Report

PARTNERS_SHOWN_MAX: Final = 10
DENIALS_SHOWN_MAX: Final = 10
_MONEY: Final = ("unit", ">before", ">after", ">difference")


def show_report(report: Report) -> None:
    """Tables on standard output; what is cut off says so."""
    days = f", counted from {report.from_day or 'the beginning'} to {report.to_day or 'the end'}"
    out.print(
        f"{report.programme}: {report.events:,} events{days if report.from_day or report.to_day else ''}; "
        f"{report.before.label} against {report.after.label}",
        markup=False,
    )
    if report.skipped:
        say(f"{report.skipped:,} records were passed over: no events, or of nobody that is known", "dim")
    if report.rejected_before or report.rejected_after:
        say(f"events that cannot be judged: {report.rejected_before:,} before, {report.rejected_after:,} after", "dim")
    if report.is_equal:
        out.print("nothing differs: no money, no tier, no denial")
    print_table(_MONEY, [_money(report, total) for total in report.totals], title="in all")
    for total in report.totals:
        _show_partners(report, f"who gains most, {total.unit}", report.winners(total.unit))
        _show_partners(report, f"who loses most, {total.unit}", report.losers(total.unit))
    _show_rules(report)
    for title, changes in (("tier", report.tiers), ("month", report.months)):
        differing = [(each.name, *_money(report, each)) for each in changes if each.name and each.difference_minor]
        if differing:
            print_table((title, *_MONEY), differing, title=f"{title}s that differ")
    _show_consequences(report)


def _money(report: Report, change: Change) -> tuple[str, str, str, str]:
    return (
        change.unit,
        report.amount(change.before_minor, change.unit),
        report.amount(change.after_minor, change.unit),
        report.amount(change.difference_minor, change.unit, is_signed=True),
    )


def _show_partners(report: Report, title: str, partners: list[Change]) -> None:
    if not partners:
        return
    shown = partners[:PARTNERS_SHOWN_MAX]
    more = f" (and {len(partners) - len(shown):,} more)" if len(partners) > len(shown) else ""
    print_table(("partner", *_MONEY), [(each.name, *_money(report, each)) for each in shown], title=title + more)


def _show_rules(report: Report) -> None:
    rows = [
        (
            rule.rule,
            rule.to,
            rule.unit,
            report.amount(rule.before_minor, rule.unit),
            report.amount(rule.after_minor, rule.unit),
            report.amount(rule.difference_minor, rule.unit, is_signed=True),
            f"{rule.before_granted:,} → {rule.after_granted:,}",
            f"{rule.before_clamped:,} → {rule.after_clamped:,}",
        )
        for rule in report.rules
    ]
    if rows:
        columns = ("rule", "to", *_MONEY, ">granted", ">cut by a limit")
        print_table(columns, rows, title="rules")


def _show_consequences(report: Report) -> None:
    if report.moves:
        rows = [
            (move.before or "(first)", move.after or "(first)", f"{len(move.partners):,}", ", ".join(move.partners[:5]))
            for move in report.moves
        ]
        print_table(("before", "after", ">partners", "such as"), rows, title="partners who end in another tier")
    if report.budgets:
        budgets = [
            (
                use.budget,
                use.period,
                use.unit,
                report.amount(use.amount_minor, use.unit),
                report.amount(use.before_minor, use.unit),
                report.amount(use.after_minor, use.unit),
                "over" if use.after_minor > use.amount_minor else "",
            )
            for use in report.budgets
        ]
        print_table(("budget", "period", "unit", ">there is", ">used before", ">after", ""), budgets, title="budgets")
    if report.denials:
        shown = report.denials[:DENIALS_SHOWN_MAX]
        more = f" ({len(report.denials) - len(shown):,} more with --json)" if len(report.denials) > len(shown) else ""
        print_table(
            ("rule", "because", ">before", ">after"),
            [(each.rule, each.reason, f"{each.before:,}", f"{each.after:,}") for each in shown],
            title=f"denials that change{more}",
        )

"""`goodword ledger reconcile`: every decision of the log against every transfer, with what explains the difference."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final

import typer

from goodword.terminal import EXIT_NO, DataOption, JsonOption, emit_json, err, out, print_table, problems_shown, say

if TYPE_CHECKING:
    from goodword.amounts import Amounts
    from goodword.target import Target
    from services.rewards.reconciling.log_side import Progress, Span
    from services.rewards.reconciling.row import Finding
    from services.rewards.reconciling.run import Reconciliation

FromOption = Annotated[
    datetime | None,
    typer.Option("--from", formats=["%Y-%m-%d"], metavar="DAY", help="Only events from this day on (UTC)."),
]
ToOption = Annotated[
    datetime | None,
    typer.Option("--to", formats=["%Y-%m-%d"], metavar="DAY", help="Only events before this day (UTC)."),
]
COLUMNS: Final = ("decided", "posted", "waiting", "denied", "refused", "unread", "not_taken", "unexplained", "extra")


def reconcile(
    start: FromOption = None,
    end: ToOption = None,
    findings: Annotated[
        int, typer.Option("--findings", min=1, max=1_000_000, help="How many findings to tell; all are counted.")
    ] = 1_000,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare every decision of the log with the ledger's transfers: missing, extra and different ones, by name.

    What waits, is denied, refused or not read yet is explained as such. Safe while everything runs; exit code 1 when
    something is not as the log says. Where the beginning of the log is gone, the archive of decisions stands for it.
    """
    from rich.progress import Progress as Bars

    from goodword.amounts import amounts_now
    from goodword.target import find_target
    from services.rewards.reconciling.log_side import Span
    from services.rewards.reconciling.run import holds

    with problems_shown():
        target = find_target(data)
        span = Span(_at_ms(start), _at_ms(end))
        with Bars(console=err, disable=not err.is_terminal) as bars:
            answer = asyncio.run(_reconcile(target, span, findings, _shown_in(bars)))
        amounts = amounts_now(target.postgres)
    if as_json:
        emit_json(answer)
    else:
        _print(answer, amounts)
    raise typer.Exit(0 if holds(answer) else EXIT_NO)


async def _reconcile(target: Target, span: Span, findings: int, progress: Progress) -> Reconciliation:
    from runtime.bus.open import open_bus
    from runtime.clock import SystemClock
    from services.rewards.reconciling.run import reconcile
    from services.rewards.settings import RewardsSettings

    settings = RewardsSettings(kafka=target.kafka, postgres=target.postgres, redis=target.redis)
    bus = open_bus(
        kafka=settings.kafka, postgres=settings.postgres, client="reconcile", security=settings.kafka_security
    )
    try:
        await bus.start()
        return await reconcile(
            bus, target.postgres, span, at_ms=SystemClock().now_ms(), findings_max=findings, progress=progress
        )
    finally:
        await bus.close()


def _at_ms(day: datetime | None) -> int | None:
    return None if day is None else int(day.replace(tzinfo=UTC).timestamp()) * 1_000


def _shown_in(bars: object) -> Progress:
    """One bar per thing that is read."""
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    assert isinstance(bars, Bars)
    tasks: dict[str, TaskID] = {}

    def show(what: str, done: int, total: int) -> None:
        if what not in tasks:
            tasks[what] = bars.add_task(what, total=total)
        bars.update(tasks[what], completed=done, total=total)

    return show


def _print(answer: Reconciliation, amounts: Amounts) -> None:
    span = f"{answer['start'] or 'the beginning'} to {answer['end'] or 'now'}"
    out.print(f"{answer['decisions']:,} decisions of the {answer['source']}, {answer['transfers']:,} transfers, {span}")
    if answer["trimmed"]:
        firsts = ", ".join(f"{partition}: {offset}" for partition, offset in answer["trimmed"].items())
        out.print(f"the log begins at (partition: offset) {firsts}; what was before is from the archive")
    rows = []
    for line in answer["lines"]:
        # Columns are the fields of a line; a literal key per column would say the same nine times.
        minors = [line[f"{name}_minor"] for name in COLUMNS]  # type: ignore[literal-required]
        shown = [amounts.show(minor, line["unit"]) if minor else "" for minor in minors]
        rows.append((line["programme"], line["decisions"], *shown, amounts.show(line["on_hold_minor"], line["unit"])))
    names = [f">{name.replace('_', ' ')}" for name in COLUMNS]
    print_table(("programme", ">decisions", *names, ">on hold"), rows)
    if answer["own"]:
        own = [
            (
                line["programme"],
                line["rule"],
                line["stage"],
                line["transfers"],
                amounts.show(line["minor"], line["unit"]),
            )
            for line in answer["own"]
        ]
        print_table(
            ("programme", "booked as", "stage", ">transfers", ">sum"), own, title="booked without a decision of the log"
        )
    for finding in answer["findings"]:
        _print_finding(finding, amounts)
    for partition in answer["gaps"]:
        say(f"partition {partition}: decisions are neither in the log nor in the archive", "bold red")
    found = sum(answer[kind] for kind in ("missing", "extra", "different"))
    if found:
        say(f"{answer['missing']} missing, {answer['extra']} extra, {answer['different']} different", "bold red")
    elif not answer["gaps"]:
        out.print("every decision is in the ledger as it was decided, and nothing else is")


def _print_finding(finding: Finding, amounts: Amounts) -> None:
    what = amounts.show(finding.minor, finding.unit) if finding.unit else ""
    name = finding.transfer or finding.decision
    out.print(f"[bold red]{finding.kind}[/] {finding.stage} {what} of {finding.partner}: {finding.why}")
    out.print(f"  {'transfer' if finding.transfer else 'decision'} {name}")
    for each in finding.differences:
        out.print(f"  {each.field}: decided {each.decided!r}, posted {each.posted!r}", markup=False)

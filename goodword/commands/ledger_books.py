"""`goodword ledger balances|trial-balance|statement`: the books now, and as they were at any instant."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from goodword.commands.invoices.fonts import FontsOption
from goodword.terminal import (
    EXIT_NO,
    DataOption,
    JsonOption,
    emit_json,
    emit_json_lines,
    out,
    print_table,
    problems_shown,
    say,
)
from services.rewards.asof.cuts import By, cut_of, period_of

if TYPE_CHECKING:
    from goodword.amounts import Amounts
    from services.rewards.asof.cuts import Period
    from services.rewards.reads import Statement

AsOfOption = Annotated[
    str | None,
    typer.Option(
        "--as-of", metavar="TIME", help="As it was then: a date (to its end, in UTC), or a time with its offset."
    ),
]
TimeOption = Annotated[
    By | None,
    typer.Option(
        "--time", help="By when transfers count (effective, the default), or by when they were posted (booked)."
    ),
]
TABLE_ROWS: Final = 1_000
CSV_PAGE: Final = 5_000
CSV_COLUMNS: Final = (
    *("line", "account", "effective_at", "posted_at", "unit", "amount", "balance", "amount_minor", "balance_minor"),
    *("other_account", "stage", "programme", "rule", "partner", "event_source", "event_id", "transfer", "reason"),
)


def show_balances(
    account: Annotated[
        str, typer.Option("--account", metavar="PREFIX", help="Only accounts that begin like this.")
    ] = "",
    as_of: AsOfOption = None,
    time: TimeOption = None,
    limit: Annotated[
        int | None,
        typer.Option("--limit", min=1, help="So many, and where to go on. [default: all as JSON, else 1,000]"),
    ] = None,
    cursor: Annotated[str | None, typer.Option("--cursor", help="Go on after an earlier page.")] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Every account with its balance, per unit; credits minus debits, so what a partner has is positive."""
    from goodword.amounts import amounts_now
    from goodword.target import find_target
    from runtime.api.pages import cursor_of, texts_of
    from services.rewards.reads import balances, each_balance

    with problems_shown():
        at = None if as_of is None else cut_of(as_of, time)
        postgres = find_target(data).postgres
        if as_json and limit is None and cursor is None:
            emit_json_lines(each_balance(postgres, at=at, starting_with=account))
            return
        count = limit or TABLE_ROWS
        last = None if cursor is None else texts_of(cursor, 2)
        after = None if last is None else (last[0], last[1])
        found = balances(postgres, at=at, starting_with=account, after=after, limit=count + 1)
        show = amounts_now(postgres).show
    rows = found[:count]
    if as_json:
        emit_json(rows)
    else:
        print_table(("account", ">balance"), [(row["account"], show(row["minor"], row["unit"])) for row in rows])
    if len(found) > count:
        say(f"more: --cursor {cursor_of(rows[-1]['account'], rows[-1]['unit'])}", "dim")


def show_trial_balance(
    as_of: AsOfOption = None, time: TimeOption = None, data: DataOption = None, as_json: JsonOption = False
) -> None:
    """The sum of all balances per unit. It is zero, or the ledger is broken: exit code 1."""
    from goodword.asking import ask
    from services.rewards.reads import trial_balance

    rows, amounts = ask(
        data, lambda postgres: trial_balance(postgres, at=None if as_of is None else cut_of(as_of, time))
    )
    if as_json:
        emit_json(rows)
    else:
        cells = [
            (
                row["unit"],
                *(amounts.show(minor, row["unit"]) for minor in (row["debits"], row["credits"], row["minor"])),
            )
            for row in rows
        ]
        print_table(("unit", ">debits", ">credits", ">sum"), cells)
    broken = [row["unit"] for row in rows if row["minor"] != 0]
    if broken:
        say(f"the ledger does not balance in {', '.join(broken)}", "bold red")
    raise typer.Exit(EXIT_NO if broken else 0)


def show_statement(
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="Such as partner:moses-frase:available.")],
    since: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="From then on: a date, or a time with its offset.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--to", metavar="TIME", help="Until before then; of a date, to its end in UTC.")
    ] = None,
    as_of: AsOfOption = None,
    time: TimeOption = None,
    unit: Annotated[str | None, typer.Option("--unit", help="Only this unit.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="Postings of a page.")] = 50,
    cursor: Annotated[str | None, typer.Option("--cursor", help="Go on after an earlier page.")] = None,
    oldest_first: Annotated[bool, typer.Option("--oldest-first", help="The oldest first.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print all of it as CSV, the oldest first.")] = False,
    pdf: Annotated[
        Path | None, typer.Option("--pdf", metavar="FILE", dir_okay=False, help="Write all of it there, on paper.")
    ] = None,
    language: Annotated[str, typer.Option("--lang", help="Of the paper: en, id, pl or pt-BR.")] = "en",
    fonts: FontsOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """The postings of an account, each with the balance after it; of a period, from its opening to its closing."""
    from goodword.amounts import amounts_now
    from goodword.target import find_target
    from services.rewards.reads import statement

    with problems_shown():
        period = period_of(since, until, as_of, time)
        postgres = find_target(data).postgres
        amounts = amounts_now(postgres)
        if as_csv:
            for line in _csv_lines(postgres, account, unit, period, amounts):
                typer.echo(line)
            return
        if pdf is not None:
            _write_pdf(pdf, postgres, account, unit, period, amounts, language, fonts)
            return
        page = statement(
            postgres, account, unit=unit, limit=limit, cursor=cursor, newest_first=not oldest_first, period=period
        )
    if as_json:
        emit_json(page)
    else:
        _print_statement(page, period, amounts)


def _write_pdf(
    file: Path,
    postgres: str,
    account: str,
    unit: str | None,
    period: Period,
    amounts: Amounts,
    language: str,
    fonts: Path | None,
) -> None:
    from datetime import UTC, datetime

    from services.rewards.papers.of_accounts import statement_of
    from services.rewards.papers.render import pdf_of
    from services.rewards.papers.shown import statement_sheet
    from services.rewards.papers.speaker import checked_language

    sheet_language = checked_language(language)
    found = statement_of(
        postgres,
        account,
        unit=unit,
        decimals_of=amounts.decimals_of,
        period=period,
        today=datetime.now(UTC).date(),
    )
    file.write_bytes(pdf_of(statement_sheet(found, sheet_language), dated=found.to_on, fonts=fonts))
    say(f"wrote {file}")


def _print_statement(page: Statement, period: Period, amounts: Amounts) -> None:
    out.print(f"[bold]{page['account']}[/]")
    shown = [("opening balance", page["opening"])] if period.since else []
    shown += [("closing balance", page["closing"])] if period.until else []
    for title, minors in (*shown, ("balance", page["balances"])):
        for unit, minor in minors.items():
            out.print(f"{title} {amounts.show(minor, unit)}")
    rows: list[tuple[Any, ...]] = []
    for posting in page["postings"]:
        transfer = posting["transfer"]
        rows.append(
            (
                transfer["posted_at"] if page["by"] == By.BOOKED else transfer["effective_at"],
                amounts.show(posting["minor"], posting["unit"]),
                amounts.show(posting["balance_minor"], posting["unit"]),
                transfer["rule"],
                posting["other_account"],
                transfer["event_id"],
                transfer["id"],
            )
        )
    time = "posted at" if page["by"] == By.BOOKED else "effective at"
    print_table((time, ">amount", ">balance", "rule", "other account", "event", "transfer"), rows)
    if page["next_cursor"]:
        say(f"more: --cursor {page['next_cursor']}", "dim")


def _csv_lines(postgres: str, account: str, unit: str | None, period: Period, amounts: Amounts) -> Iterator[str]:
    """Opening balances, postings, closing balances: all of one moment, page by page."""
    from goodword.csv_lines import csv_line
    from services.rewards.reads import open_ledger, statement

    def balances(line: str, minors: dict[str, int]) -> Iterator[str]:
        for each, minor in minors.items():
            if unit in (None, each):
                yield csv_line((line, account, "", "", each, "", amounts.plain(minor, each), "", minor))

    yield ",".join(CSV_COLUMNS)
    with open_ledger(postgres) as connection:
        page: Statement | None = None
        while page is None or page["next_cursor"]:
            cursor = None if page is None else page["next_cursor"]
            is_first = page is None
            page = statement(
                connection, account, unit=unit, limit=CSV_PAGE, cursor=cursor, newest_first=False, period=period
            )
            if is_first:
                yield from balances("opening", page["opening"])
            for posting in page["postings"]:
                transfer, of = posting["transfer"], posting["unit"]
                yield csv_line(
                    (
                        *("posting", account, transfer["effective_at"], transfer["posted_at"], of),
                        *(amounts.plain(posting["minor"], of), amounts.plain(posting["balance_minor"], of)),
                        *(posting["minor"], posting["balance_minor"], posting["other_account"], transfer["stage"]),
                        *(transfer["programme"], transfer["rule"], transfer["partner"], transfer["event_source"]),
                        *(transfer["event_id"], transfer["id"], transfer["reason"]),
                    )
                )
        yield from balances("closing", page["closing"])

"""`goodword`: the command line. One module per operation in `goodword/commands/`; this one only lists them.

What a command needs is imported inside it, so that `goodword --help` and shell completion stay fast.
"""

from __future__ import annotations

import os
from typing import Final

import typer

from goodword.commands import (
    bench,
    catalogue,
    dlq,
    doctor,
    events_import,
    gifts,
    invoices,
    keys,
    ledger,
    mails,
    memberships,
    partners,
    payouts,
    rates,
    rebuild,
    redemptions,
    rules,
    serve,
    status,
    up,
)
from runtime import log

app: Final = typer.Typer(
    name="goodword",
    help="An open engine for B2B referral, partner and loyalty programmes: events in, cents out.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    rich_markup_mode="rich",
)


def _show_version(value: bool) -> None:
    if value:
        from runtime.metrics import package_version

        typer.echo(f"goodword {package_version()}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", help="Print the version.", callback=_show_version, is_eager=True),
) -> None:
    """See the help of each command."""


app.command("up")(up.up)
app.command("status")(status.status)
app.command("serve")(serve.serve)
app.command("doctor")(doctor.doctor)
app.add_typer(events_import.app, name="events", help="Bring events in.")
app.add_typer(rules.app, name="rules", help="Check, publish and list rule sets.")
app.add_typer(rates.app, name="rates", help="Tell and list exchange rates.")
app.add_typer(partners.app, name="partners", help="Partners with their tiers.")
app.add_typer(ledger.app, name="ledger", help="Balances, statements, and why every cent is there.")
app.add_typer(invoices.app, name="invoices", help="Self-billing invoices and credit notes.")
app.add_typer(catalogue.app, name="catalogue", help="What points and other units can be redeemed for.")
app.add_typer(redemptions.app, name="redemptions", help="Redemptions: reserved, then fulfilled or cancelled.")
app.add_typer(payouts.app, name="payouts", help="Pay partners: prepare, approve, send, settle.")
app.add_typer(gifts.app, name="gifts", help="Gifts: proposed by one person, approved by another, out of a budget.")
app.add_typer(memberships.app, name="memberships", help="Tiers that partners pay for, a term at a time.")
app.add_typer(keys.app, name="keys", help="Keys of those who send events, and of those who work on rule sets.")
app.add_typer(dlq.app, name="dlq", help="Records that could not be handled, and why.")
app.add_typer(mails.app, name="mails", help="Mails to partners and what became of them.")
app.add_typer(rebuild.app, name="rebuild", help="Rebuild from the log what was lost.")
app.command("bench")(bench.bench)


def main() -> None:
    """The entry point of the `goodword` script."""
    # A database made without an encoding (SQL_ASCII) would hand out its texts as bytes; ours are UTF-8 everywhere.
    os.environ.setdefault("PGCLIENTENCODING", "UTF8")
    # Standard output is for answers, which programs read; a service configures its own log.
    log.configure("command-line", level="WARNING", as_json=False)
    app()

"""`goodword payouts …`: money on its way to partners. One module per operation; this one only lists them."""

from __future__ import annotations

from typing import Final

import typer

from goodword.commands.payouts.file import write_file
from goodword.commands.payouts.listing import list_runs, show_run
from goodword.commands.payouts.payee import app as payee
from goodword.commands.payouts.plan import app as plan
from goodword.commands.payouts.prepare import prepare
from goodword.commands.payouts.reconcile import reconcile
from goodword.commands.payouts.request import request
from goodword.commands.payouts.steps import approve, cancel, reject, return_payout, send, settle

app: Final = typer.Typer(no_args_is_help=True)


@app.callback()
def _payouts() -> None:
    """Prepare, approve, send and settle payouts; how, and to whom."""


app.add_typer(payee, name="payee", help="How, and in which currency, each beneficiary is paid.")
app.add_typer(plan, name="plan", help="Minimum, fee, schedule and payer of a programme's currency.")
app.command("prepare")(prepare)
app.command("request")(request)
app.command("list")(list_runs)
app.command("show")(show_run)
app.command("approve")(approve)
app.command("reject")(reject)
app.command("send")(send)
app.command("file")(write_file)
app.command("settle")(settle)
app.command("return")(return_payout)
app.command("cancel")(cancel)
app.command("reconcile")(reconcile)

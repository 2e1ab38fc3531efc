"""`goodword rules …`: rule sets from file to force. One module per command; this one only lists them."""

from __future__ import annotations

from typing import Final

import typer

from goodword.commands.rules.approve import approve, reject
from goodword.commands.rules.backtest import backtest
from goodword.commands.rules.diff import diff
from goodword.commands.rules.explain import explain_event
from goodword.commands.rules.lint import lint
from goodword.commands.rules.listing import history, list_rules
from goodword.commands.rules.playground import playground
from goodword.commands.rules.publish import publish, publish_to
from goodword.commands.rules.restate import restate
from goodword.commands.rules.restatement import app as restatement
from goodword.commands.rules.schema import schema
from goodword.commands.rules.shadow import shadow
from goodword.commands.rules.show import show
from goodword.commands.rules.standings import standings
from goodword.commands.rules.takeback import promote, rollback, withdraw
from goodword.commands.rules.test import run_rule_tests

__all__ = ["app", "publish_to"]

app: Final = typer.Typer(no_args_is_help=True)


@app.callback()
def _rules() -> None:
    """Check, test, publish and list rule sets, and explain what they decided."""


app.command("lint")(lint)
app.command("schema")(schema)
app.command("show")(show)
app.command("diff")(diff)
app.command("test")(run_rule_tests)
app.command("backtest")(backtest)
app.command("shadow")(shadow)
app.command("publish")(publish)
app.command("approve")(approve)
app.command("reject")(reject)
app.command("promote")(promote)
app.command("withdraw")(withdraw)
app.command("rollback")(rollback)
app.command("playground")(playground)
app.command("explain")(explain_event)
app.command("restate")(restate)
app.add_typer(restatement, name="restatement")
app.command("standings")(standings)
app.command("list")(list_rules)
app.command("history")(history)

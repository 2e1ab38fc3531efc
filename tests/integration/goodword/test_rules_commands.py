"""`goodword rules …` from a file to force and back, on real servers: what is printed, what is JSON, which exit code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner, Result

from goodword.cli import app
from runtime.migrations import migrate
from tests.support.second_engine import needs_second_engine

pytestmark = needs_second_engine

TEXT = """\
schema: goodword/v1
programme: saas
currency: USD
timezone: UTC
rewards:
  - id: won
    on: deal.won
    give: {amount} USD
"""


class Rules:
    """The command line with one rule file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __call__(self, *words: str, exit_code: int = 0) -> Result:
        result = CliRunner().invoke(app, ["rules", *words])
        assert result.exit_code == exit_code, (words, result.output, result.exception)
        return result

    def json(self, *words: str, exit_code: int = 0) -> Any:
        return json.loads(self(*words, "--json", exit_code=exit_code).stdout)

    def publish(self, amount: int, *words: str, exit_code: int = 0) -> Any:
        self.file.write_text(TEXT.format(amount=amount))
        return self.json("publish", str(self.file), *words, exit_code=exit_code)

    def states(self) -> list[str]:
        return [row["state"] for row in self.json("list", "saas")]


@pytest.fixture
def rules(postgres_url: str, valkey_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rules:
    migrate(postgres_url, "rules")
    monkeypatch.setenv("GOODWORD_POSTGRES", postgres_url)
    monkeypatch.setenv("GOODWORD_REDIS", valkey_url)
    monkeypatch.setenv("GOODWORD_PARTITIONS", "2")
    return Rules(tmp_path / "saas.yaml")


def test_one_operator_publishes_tries_promotes_and_rolls_back(rules: Rules, postgres_url: str) -> None:
    assert rules.publish(1, "--as", "ana", "--note", "the first")["state"] == "active"
    assert rules.publish(1, "--as", "ana")["is_new"] is False
    assert rules.publish(2, "--as", "ana", "--canary", "12.5")["state"] == "canary"
    assert rules.states() == ["active", "canary"]
    assert rules.json("promote", "saas", "--as", "ana")["state"] == "active"
    assert rules.publish(3, "--canary-group", "pilots")["state"] == "canary"
    assert rules.json("withdraw", "saas", "3", "--note", "too dear")["state"] == "withdrawn"
    assert rules.json("rollback", "saas", "--as", "ben")["restores_revision"] == 1
    assert rules.states() == ["superseded", "superseded", "withdrawn", "active"]
    rules("withdraw", "saas", "4", exit_code=1)
    rules("approve", "saas", "9", exit_code=1)
    rows = rules.json("history", str(rules.file), "--verify")
    assert [(row["action"], row["who"]) for row in rows if row["revision"] == 1][:3] == [
        ("submitted", "ana"),
        ("tested", "ana"),
        ("activated", "ana"),
    ]
    assert "the audit log is as it was written" in rules("history", "--verify").stdout
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("ALTER TABLE rules.audit DISABLE TRIGGER audit_append_only")
        connection.execute("UPDATE rules.audit SET note = 'another' WHERE number = 1")
    rules("history", "--verify", exit_code=1)


def test_where_two_are_asked_for_publishing_waits_and_approving_finishes(
    rules: Rules, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOODWORD_RULES_REQUIRE_APPROVAL", "true")
    waiting = rules.publish(1, "--as", "ana", exit_code=1)
    assert (waiting["state"], [each["code"] for each in waiting["waits_for"]]) == ("tested", ["approval-missing"])
    rules("approve", "saas", "1", "--as", " ANA", exit_code=1)
    assert rules.json("approve", "saas", "1", "--as", "ben", "--later")["state"] == "approved"
    assert rules.publish(1, "--as", "ana")["state"] == "active"
    assert "not in force" in rules("publish", _changed(rules), "--as", "ana", exit_code=1).stdout
    assert rules.json("approve", "saas", "2", "--as", "ben")["state"] == "active"
    rules.publish(5, "--as", "ana", exit_code=1)
    assert rules.json("reject", "saas", "3", "--as", "ben", "--note", "too much")["state"] == "rejected"


def test_every_reason_of_the_gate_is_printed_and_is_json(rules: Rules) -> None:
    tests = "tests: [{name: a deal, events: [{type: deal.won}], expect: [won: 2 USD]}]\n"
    rules.file.write_text(TEXT.format(amount=1) + tests)
    refused = rules("publish", str(rules.file), "--canary", "5", exit_code=1)
    assert "a deal" in refused.stdout
    assert "nothing was published" in refused.stderr
    found = rules.json("publish", str(rules.file), "--canary", "5", exit_code=1)
    assert [each["code"] for each in found["problems"]] == ["rule-tests-failed", "canary-without-base"]
    assert rules.states() == []


def test_a_key_of_an_approver_is_made_listed_and_revoked(rules: Rules, postgres_url: str) -> None:
    # Keys of all services are listed together.
    migrate(postgres_url, "tracking")
    migrate(postgres_url, "rewards")
    run = CliRunner()
    made = json.loads(
        run.invoke(app, ["keys", "create", "ben", "--role", "approver", "--for", "rules", "--json"]).stdout
    )
    assert (made["name"], made["roles"]) == ("ben", ["approver"])
    run.invoke(app, ["keys", "create", "crm", "--source", "crm/*"])
    listed = json.loads(run.invoke(app, ["keys", "list", "--json"]).stdout)
    assert {row["name"] for row in listed} == {"ben", "crm"}
    assert run.invoke(app, ["keys", "revoke", made["key_id"]]).exit_code == 0
    assert run.invoke(app, ["keys", "revoke", "nosuchkey"]).exit_code == 1
    actions = [row["action"] for row in rules.json("history")]
    assert actions == ["key created", "key revoked"]


def test_a_draft_is_shadowed_by_file_or_by_number_until_it_is_ended(rules: Rules) -> None:
    rules.publish(1)
    assert rules("shadow", "--status", exit_code=1).stderr.count("never was a shadow") == 1
    begun = rules("shadow", _changed(rules), "--share", "0.5%")
    assert "saas: revision 2 is decided beside what is in force, for 0.5 % of the partners" in begun.stdout
    told = rules.json("shadow", "--status")
    assert (told["revision"], told["share_ppm"], told["state"], told["events"]) == (2, 5_000, "running", 0)
    assert "one runs at a time" in rules("shadow", "saas/2", exit_code=1).stderr
    assert rules.json("shadow", "--off")["state"] == "ended"
    assert rules.json("shadow", "saas/2", "--share", "700ppm")["share_ppm"] == 700
    assert "revision 2 beside what is in force" in rules("shadow").stdout
    assert "is no longer shadowed" in rules("shadow", "--off").stdout
    for share in ("0", "101", "x", "0.5ppm"):
        assert "is no share" in rules("shadow", "saas/2", "--share", share, exit_code=2).stderr
    rules("shadow", "--off", "--status", exit_code=2)
    assert rules.states() == ["active", "draft"]


def _changed(rules: Rules) -> str:
    rules.file.write_text(TEXT.format(amount=2))
    return str(rules.file)

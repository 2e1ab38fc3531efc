"""docs/ledger.md says which command has which door over HTTP: none of either is left out, and none is invented."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from typer.core import TyperGroup
from typer.main import get_command

from goodword.cli import app
from services.rewards.api import build_api

PAGE = Path(__file__).resolve().parents[3] / "docs" / "ledger.md"
OF_THE_LEDGER = ("ledger", "payouts", "catalogue", "redemptions", "memberships", "gifts", "invoices", "keys")
ROWS = [
    (re.findall(r"`(.*?)`", row[1]), re.findall(r"`(.*?)`", row[2]), row[2])
    for row in re.finditer(
        r"^\| (.*?) \| (.*?) \|$",
        PAGE.read_text().partition("| command | over HTTP |\n|---|---|\n")[2].partition("\n\n")[0],
        re.MULTILINE,
    )
]


def commands(group: TyperGroup, before: str = "") -> Iterator[str]:
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from commands(command, f"{before}{name} ")
        else:
            yield before + name


def test_every_command_of_the_ledger_is_in_the_table() -> None:
    whole = get_command(app)
    assert isinstance(whole, TyperGroup)
    known = [name for name in commands(whole) if name.split()[0] in OF_THE_LEDGER]
    assert sorted(name for names, _, _ in ROWS for name in names) == sorted(known)


def test_every_door_is_in_the_table() -> None:
    doors = {
        f"{method.upper()} {path}"
        for path, operations in build_api(None).openapi()["paths"].items()
        for method in operations
    }
    assert {door for _, found, _ in ROWS for door in found} == doors


def test_a_command_without_a_door_says_why() -> None:
    assert [names for names, doors, text in ROWS if not doors and not text.startswith("none: ")] == []

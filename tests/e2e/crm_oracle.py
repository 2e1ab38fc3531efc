"""What the CRM rows come to under examples/crm-pipeline/programme.yaml, worked out from the files alone.

Independent on purpose: nothing of the product is imported, neither the importer nor the rules; plain lists are added
up again for every deal. When the example's numbers change, these here change by hand.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from pathlib import Path

PERCENT = {"bronze": Fraction(5), "silver": Fraction(15, 2), "gold": Fraction(10)}
COMMISSION_MAX = 1_500_00
QUALIFIED_LEAD = 25_00
BUSY_QUARTER = 10_00
WELCOME_CREDIT = 100_00
DEAL_MIN = 100_00
STAGE_EVENTS = {"Won": "won", "Lost": "lost"}


@dataclass
class Agent:
    """What is known of one sales agent while the rows are played."""

    tier: str = "bronze"
    wins: list[tuple[date, int, str]] = field(default_factory=list)
    """Day, cents and customer of every deal that counts."""


@dataclass
class Expected:
    """(account, unit) to minor, agent to tier, and how many rows gave nothing."""

    balances: dict[tuple[str, str], int]
    tiers: dict[str, str]
    events: int
    rows_without_date: int


def expected(folder: Path) -> Expected:
    accounts = {row["account"]: row for row in _rows(folder / "accounts.csv")}
    offices = {row["sales_agent"]: row["regional_office"] for row in _rows(folder / "sales_teams.csv")}
    agents: defaultdict[str, Agent] = defaultdict(Agent)
    balances: defaultdict[tuple[str, str], int] = defaultdict(int)
    steps: list[tuple[date, int, int, str, dict[str, str]]] = []
    rows = _rows(folder / "sales_pipeline.csv")
    for number, row in enumerate(rows):
        if row["engage_date"]:
            steps.append((_day(row["engage_date"]), number, 0, "lead", row))
            steps.append((_day(row["engage_date"]), number, 1, "opened", row))
            if row["deal_stage"] in STAGE_EVENTS:
                steps.append((_day(row["close_date"]), number, 2, STAGE_EVENTS[row["deal_stage"]], row))
    for day, _, _, what, row in sorted(steps, key=lambda step: step[:3]):
        name = _identifier(row["sales_agent"])
        agent, account = agents[name], accounts.get(row["account"])
        if account is not None and int(account["employees"]) >= 50:
            pay = _Payer(balances, name)
            if what == "lead" and _qualifies(account):
                pay.agent(QUALIFIED_LEAD)
            if what == "won":
                _win(agent, pay, day, row, offices[row["sales_agent"]])
        agent.tier = max(agent.tier, _tier(agent, day), key=list(PERCENT).index)
    return Expected(
        balances=dict(balances),
        tiers={name: agent.tier for name, agent in agents.items()},
        events=len(steps),
        rows_without_date=sum(1 for row in rows if not row["engage_date"]),
    )


@dataclass
class _Payer:
    balances: defaultdict[tuple[str, str], int]
    name: str

    def agent(self, cents: int) -> None:
        self._move(f"partner:{self.name}:available", cents, "USD")

    def customer(self, identifier: str, cents: int) -> None:
        self._move(f"customer:{identifier}:available", cents, "CREDIT")

    def _move(self, account: str, cents: int, unit: str) -> None:
        self.balances[account, unit] += cents
        self.balances["programme:crm-sales:cost", unit] -= cents


def _win(agent: Agent, pay: _Payer, day: date, row: dict[str, str], office: str) -> None:
    cents = int(row["close_value"]) * 100
    if cents < DEAL_MIN:
        return
    product = "GTX Pro" if row["product"] == "GTXPro" else row["product"]
    customer = _identifier(row["account"])
    pay.agent(min(_half_even(cents * PERCENT[agent.tier] / 100), COMMISSION_MAX))
    quarter = (day.year, (day.month - 1) // 3)
    if (
        sum(1 for won, *_ in agent.wins if (won.year, (won.month - 1) // 3) == quarter) >= 50
        and product != "MG Special"
    ):
        pay.agent(BUSY_QUARTER)
    if office == "Central" and product.startswith("GTX Plus"):
        pay.agent(40_00 if product == "GTX Plus Pro" else 15_00)
    if all(known != customer for *_, known in agent.wins):
        pay.customer(customer, WELCOME_CREDIT)
    agent.wins.append((day, cents, customer))


def _tier(agent: Agent, day: date) -> str:
    a_year_before = day.replace(year=day.year - 1)
    sales = sum(cents for won, cents, _ in agent.wins if a_year_before < won <= day)
    if sales >= 300_000_00 or (sales >= 200_000_00 and len({customer for *_, customer in agent.wins}) >= 28):
        return "gold"
    return "silver" if sales >= 150_000_00 else "bronze"


def _qualifies(account: dict[str, str]) -> bool:
    return int(account["employees"]) >= 2_500 or account["sector"] in {"software", "finance", "technolgy"}


def _half_even(amount: Fraction) -> int:
    return round(amount)  # Of a Fraction: to the nearest integer, ties to even, exactly.


def _identifier(name: str) -> str:
    letters = [character if character.isalnum() else " " for character in name.lower()]
    return "-".join("".join(letters).split())


def _day(text: str) -> date:
    month, day, year = text.split("/")
    return date(int(year), int(month), int(day))


def _rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))

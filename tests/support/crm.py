"""The CRM data as events, written independently of the product's importer, in plain Python over the CSV files.

Where the real rows are not on this machine (`tests.support.data`), `made_up_events` gives events of the same shape from
a seed.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.support.data import data_folder

FOLDER = "crm-sales-opportunities"
SOURCE = "crm/acme"
PROGRAMME = "crm-sales"
INDUSTRY = {"technolgy": "technology"}
PRODUCT = {"GTXPro": "GTX Pro"}
EVENT_NAMES = {"lead.registered": "lead", "deal.opened": "opened", "deal.won": "won", "deal.lost": "lost"}
COUNTRY = {
    "United States": "US", "Kenya": "KE", "Philipines": "PH", "Japan": "JP", "Italy": "IT", "Norway": "NO",
    "Korea": "KR", "Jordan": "JO", "Brazil": "BR", "Germany": "DE", "Panama": "PA", "Belgium": "BE", "Romania": "RO",
    "Poland": "PL", "China": "CN",
}  # fmt: skip


def slug(name: str) -> str:
    words = "".join(c.lower() if c.isascii() and c.isalnum() else " " for c in name).split()
    return "-".join(words)


def us_date(text: str) -> date:
    month, day, year = (int(part) for part in text.split("/"))
    return date(year, month, day)


def rows(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def minor(text: str, scale: int) -> int:
    """Decimal text times 10**scale as an integer, exactly."""
    whole, _, part = text.partition(".")
    return int(whole + part.ljust(scale, "0")) if len(part) <= scale else int("refuse")


def real_events(folder: Path) -> list[dict[str, Any]]:
    """All events of the pipeline in order of time, then row, then lead before deal; rows without a date give none."""
    accounts = {row["account"]: row for row in rows(folder, "accounts.csv")}
    teams = {row["sales_agent"]: row for row in rows(folder, "sales_teams.csv")}
    found: list[tuple[date, int, int, dict[str, Any]]] = []
    for number, row in enumerate(rows(folder, "sales_pipeline.csv")):
        if not row["engage_date"]:
            continue
        for place, (kind, day, data) in enumerate(_row_events(row, accounts, teams)):
            event = {
                "specversion": "1.0", "type": kind, "source": SOURCE,
                "id": f"opp-{row['opportunity_id']}-{EVENT_NAMES[kind]}",
                "time": f"{day.isoformat()}T00:00:00Z", "data": data,
            }  # fmt: skip
            found.append((day, number, place, event))
    found.sort(key=lambda item: item[:3])
    return [event for _, _, _, event in found]


def _row_events(
    row: dict[str, str], accounts: dict[str, dict[str, str]], teams: dict[str, dict[str, str]]
) -> Iterator[tuple[str, date, dict[str, Any]]]:
    common: dict[str, Any] = {"programme": PROGRAMME, "partner": slug(row["sales_agent"])}
    if row["account"]:
        account = accounts[row["account"]]
        common["customer"] = {
            "id": slug(account["account"]),
            "name": account["account"],
            "industry": INDUSTRY.get(account["sector"], account["sector"]),
            "employees": int(account["employees"]),
            "annual_revenue": {"minor": minor(account["revenue"], 8), "currency": "USD"},
            "country": COUNTRY[account["office_location"]],
        }
    common["attributes"] = {"office": teams[row["sales_agent"]]["regional_office"]}
    deal = {"id": row["opportunity_id"], "product": PRODUCT.get(row["product"], row["product"])}
    engaged = us_date(row["engage_date"])
    yield "lead.registered", engaged, common | {"lead": {"id": row["opportunity_id"]}}
    yield "deal.opened", engaged, common | {"deal": deal}
    if row["deal_stage"] == "Won":
        amount = {"minor": int(row["close_value"]) * 100, "currency": "USD"}
        yield "deal.won", us_date(row["close_date"]), common | {"deal": deal | {"amount": amount}}
    elif row["deal_stage"] == "Lost":
        yield "deal.lost", us_date(row["close_date"]), common | {"deal": deal}


def made_up_events(seed: int, *, deals: int = 2_000, partners: int = 30) -> list[dict[str, Any]]:
    """Events of the same shape from a seed, for machines without the rows."""
    rng = random.Random(seed)
    start = datetime(2016, 10, 20, tzinfo=UTC)
    found: list[tuple[datetime, int, dict[str, Any]]] = []
    for number in range(deals):
        partner, size = f"partner-{rng.randrange(partners)}", rng.choice([9, 180, 800, 2400, 12000])
        customer = {
            "id": f"customer-{rng.randrange(80)}",
            "employees": size,
            "industry": rng.choice(["retail", "software"]),
            "country": "US",
        }
        common = {
            "programme": PROGRAMME,
            "partner": partner,
            "customer": customer,
            "attributes": {"office": rng.choice(["East", "West"])},
        }
        deal = {"id": f"D{number}", "product": rng.choice(["GTX Basic", "GTX Pro", "GTK 500"])}
        engaged = start + timedelta(days=rng.randrange(400))
        closed = engaged + timedelta(days=rng.randrange(1, 120))
        head = {"specversion": "1.0", "source": SOURCE}
        found.append(
            (
                engaged,
                number,
                head
                | {
                    "type": "lead.registered",
                    "id": f"opp-D{number}-lead",
                    "data": common | {"lead": {"id": f"D{number}"}},
                },
            )
        )
        found.append(
            (
                engaged,
                number,
                head | {"type": "deal.opened", "id": f"opp-D{number}-opened", "data": common | {"deal": deal}},
            )
        )
        if rng.random() < 0.6:
            won = deal | {"amount": {"minor": rng.randrange(38, 30_000) * 100, "currency": "USD"}}
            found.append(
                (
                    closed,
                    number,
                    head | {"type": "deal.won", "id": f"opp-D{number}-won", "data": common | {"deal": won}},
                )
            )
        else:
            found.append(
                (
                    closed,
                    number,
                    head | {"type": "deal.lost", "id": f"opp-D{number}-lost", "data": common | {"deal": deal}},
                )
            )
    found.sort(key=lambda item: item[:2])
    return [event | {"time": f"{moment:%Y-%m-%dT%H:%M:%SZ}"} for moment, _, event in found]


def events(seed: int = 1) -> list[dict[str, Any]]:
    """The real events where they are, else made-up ones."""
    folder = data_folder(FOLDER)
    return real_events(folder) if folder else made_up_events(seed)

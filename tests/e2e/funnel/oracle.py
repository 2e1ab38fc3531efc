"""What the funnel's rows come to under programme.yaml, worked out from the files alone.

Independent on purpose: nothing of the product is imported, and nothing is remembered but lists, which are gone through
again for every event.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from fractions import Fraction
from pathlib import Path

TIERS = ("bronze", "silver", "gold")
SLICES = ((0, Fraction("0.5")), (20_000_00, Fraction("0.25")), (100_000_00, Fraction("0.0333")))
MILESTONE_EVERY, MILESTONE_MINOR = 50, 333_33


@dataclass
class Channel:
    """What is known of one channel while the rows are played."""

    tier: str = "bronze"
    clock: date | None = None
    wins: list[date] = field(default_factory=list)
    qualified: list[date] = field(default_factory=list)
    signed: list[tuple[date, int]] = field(default_factory=list)
    minor: int = 0
    points: int = 0

    def tier_at(self, day: date) -> str:
        wins = sum(1 for won in self.wins if day - timedelta(days=89) <= won <= day)
        return "gold" if wins >= 60 else "silver" if wins >= 15 else "bronze"

    def advance(self, day: date) -> None:
        today = self.clock or day
        while today < day:
            today += timedelta(days=1)
            if (today.month % 3, today.day) == (1, 1):
                self.tier = self.tier_at(today - timedelta(days=1))
        self.clock = today

    def rise(self) -> None:
        assert self.clock is not None
        self.tier = max(self.tier, self.tier_at(self.clock), key=TIERS.index)


@dataclass
class Expected:
    """Channel to minor units of BRL, channel to tier, points ever granted, events, and rows without a channel."""

    minor: dict[str, int]
    tiers: dict[str, str]
    points: int
    events: int
    nobody: int


def expected(folder: Path) -> Expected:
    leads = _rows(folder / "olist_marketing_qualified_leads_dataset.csv")
    deals = {row["mql_id"]: row for row in _rows(folder / "olist_closed_deals_dataset.csv")}
    steps: list[tuple[datetime, int, int]] = []
    for number, lead in enumerate(leads):
        steps.append((datetime.fromisoformat(lead["first_contact_date"]), number, 0))
        if lead["mql_id"] in deals:
            steps.append((datetime.fromisoformat(deals[lead["mql_id"]]["won_date"]), number, 1))
    channels: defaultdict[str, Channel] = defaultdict(Channel)
    seen: set[str] = set()
    for moment, number, is_won in sorted(steps):
        lead = leads[number]
        if not lead["origin"]:
            continue
        channel, day = channels[lead["origin"].replace("_", "-")], moment.date()
        channel.advance(day)
        if lead["mql_id"] not in seen and lead["origin"] not in ("unknown", "other"):
            seen.add(lead["mql_id"])
            _qualify(channel, day)
        if is_won:
            _win(channel, day, deals[lead["mql_id"]])
        channel.rise()
    return Expected(
        minor={name: channel.minor for name, channel in channels.items() if channel.minor},
        tiers={name: channel.tier for name, channel in channels.items()},
        points=sum(channel.points for channel in channels.values()),
        events=len(steps),
        nobody=sum(1 for lead in leads if not lead["origin"]),
    )


def _qualify(channel: Channel, day: date) -> None:
    if sum(_same_month(day, other) for other in channel.qualified) < 200:
        channel.qualified.append(day)
        channel.minor += 1_50


def _win(channel: Channel, day: date, deal: dict[str, str]) -> None:
    industry, other = (120_00, 90_00) if channel.tier == "gold" else (75_00, 50_00)
    signed = industry if deal["lead_type"] == "industry" else other
    signed = min(signed, 1_500_00 - sum(minor for other, minor in channel.signed if _same_month(day, other)))
    channel.signed.append((day, signed))
    channel.minor += signed + min(_share(int(Fraction(deal["declared_monthly_revenue"]) * 100)), 5_000_00)
    if deal["business_type"] == "manufacturer":
        channel.points += 10
    channel.wins.append(day)
    if len(channel.wins) % MILESTONE_EVERY == 0:
        channel.minor += MILESTONE_MINOR


def _share(minor: int) -> int:
    ends = [start for start, _ in SLICES[1:]] + [minor]
    parts = ((min(minor, end) - start) * percent for (start, percent), end in zip(SLICES, ends, strict=True))
    return round(sum((part for part in parts if part > 0), Fraction()) / 100)


def _same_month(one: date, other: date) -> bool:
    return (one.year, one.month) == (other.year, other.month)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))

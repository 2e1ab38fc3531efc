"""Catalogues for tests of the ledger, and what redeems by them."""

from __future__ import annotations

from typing import Any

from runtime.clock import Clock
from runtime.database import Database
from services.rewards.catalogue.publishing import Catalogues, Published
from services.rewards.redemptions.redeeming import Redemptions
from services.rewards.store import Ledger
from tests.support.ledger import SetClock

PROGRAMME = "crm-sales"


def catalogue_text(programme: str = PROGRAMME, /, **items: dict[str, Any]) -> str:
    """A catalogue of a few items; each is a perk of 60.00 USD unless told otherwise."""
    lines = ["schema: goodword/catalogue/v1", f"programme: {programme}", "tiers: [bronze, silver, gold]"]
    lines += ["decimals: {CREDIT: 2}", "items:"]
    for id, fields in items.items():
        whole = {"kind": "perk", "price": "60.00 USD", "text": "{en: Something}"} | fields
        lines.append(f"  - id: {id}")
        lines += [f"    {name}: {value}" for name, value in whole.items()]
    return "\n".join(lines) + "\n"


async def publish(database: Database, clock: Clock | None = None, **items: dict[str, Any]) -> Published:
    """A version of these items."""
    catalogues = Catalogues(database, clock=clock or SetClock())
    return await catalogues.publish(catalogue_text(**items), path="catalogue.yaml", by="ann")


def redeeming(database: Database, clock: Clock | None = None) -> Redemptions:
    """With a ledger of its own, as each process has one; reservations last 14 days."""
    return Redemptions(database, Ledger(database), clock=clock or SetClock(), reserved_days_max=14)

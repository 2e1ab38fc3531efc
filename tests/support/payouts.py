"""What tests of payouts share: payees, plans, and everything that a ledger needs to pay."""

from __future__ import annotations

from datetime import date
from typing import Any

from contracts.rates import RatePublished
from runtime.database import Database
from services.rewards.payouts.desk import PayoutDesk
from services.rewards.payouts.directory import set_payee
from services.rewards.payouts.payee import Payee
from services.rewards.payouts.plan import Payer, Terms
from services.rewards.payouts.preparing import Asked, Preparer
from services.rewards.payouts.rates import keep_rates
from services.rewards.store import Ledger
from tests.support.decisions import TIME_MS, decided
from tests.support.ledger import SetClock, deliver

IBAN = "DE89370400440532013000"
DAY = "2026-03-05"
DAY_MS = 86_400_000
PAYER = Payer(name="Goodword GmbH", iban="FR1420041010050500013M02606", bic="PSSTFRPPPAR")


def payee(partner: str = "ann", **fields: Any) -> Payee:
    known: dict[str, Any] = {
        "beneficiary": f"partner:{partner}",
        "method": "sepa",
        "currency": "EUR",
        "name": f"{partner.title()} Müller GmbH",
        "country": "DE",
        "iban": IBAN,
    } | fields
    return Payee(**known)


class Office:
    """A ledger with whoever prepares, approves and sends."""

    def __init__(self, database: Database, clock: SetClock | None = None) -> None:
        self.database = database
        self.clock = clock or SetClock(TIME_MS + 60 * DAY_MS)
        ledger = Ledger(database)
        self.preparer = Preparer(database, ledger, clock=self.clock)
        self.desk = PayoutDesk(database, ledger, clock=self.clock)
        self.grants = 0

    async def earn(self, partner: str, minor: int, unit: str = "EUR", programme: str = "crm-sales") -> None:
        """Minor units, below zero too."""
        self.grants += 1
        restates = {} if minor > 0 else {"restates": "r-1"}
        decision = decided(self.grants, partner=partner, amount_minor=minor, unit=unit, programme=programme, **restates)
        await deliver(self.database, decision, at_ms=self.clock.at_ms)

    async def know(self, *payees: Payee) -> None:
        for one in payees:
            await set_payee(self.database, one, who="finance", clock=self.clock)

    async def rate(self, pair: str, rate: str, day: str = "2026-03-01", programme: str = "crm-sales") -> None:
        await keep_rates(
            self.database, [RatePublished(programme=programme, day=day, pair=pair, rate=rate, source="goodword/rules")]
        )

    def asked(self, unit: str = "EUR", programme: str = "crm-sales", **terms: Any) -> Asked:
        return Asked(programme=programme, unit=unit, day=date.fromisoformat(DAY), terms=Terms(**terms))

"""docs/ledger.md tells the truth: every flow on it is executed, step by step, and the transfers compared."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from contracts.decisions import BudgetClaim, Decision
from contracts.facts import TransferPosted
from contracts.money import Money
from runtime.database import Database
from services.rewards.budgets.claims import BudgetKey
from services.rewards.by_hand import Bookings
from services.rewards.clockwork import Clockwork
from services.rewards.facts import unpack_facts
from services.rewards.gifts.desk import Gifts
from services.rewards.gifts.giving import Limits
from services.rewards.legs import ByHand
from services.rewards.lives.settling import Settler
from services.rewards.memberships.selling import Memberships, Offer
from services.rewards.payouts.plan import Terms
from services.rewards.payouts.preparing import Asked
from services.rewards.store import Ledger
from tests.support.catalogues import publish, redeeming
from tests.support.decisions import TIME_MS, decided
from tests.support.ledger import SetClock, assert_sound, deliver
from tests.support.payouts import Office, payee

PAGE = Path(__file__).resolve().parents[3] / "docs/ledger.md"
DAY_MS = 86_400_000
FLOWS = dict(re.findall(r"<!-- flow: ([a-z-]+) -->\n(.*?)<!-- end flow -->", PAGE.read_text(), re.DOTALL))


GRANT_ID = decided(1, time_ms=TIME_MS).id


class Steps:
    """What the column `what` may say, done to a ledger."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = SetClock()
        self.takes = 0
        self.grants = 0
        self.told = 0
        ledger = Ledger(database)
        self.redemptions = redeeming(database, self.clock)
        self.memberships = Memberships(database, ledger, clock=self.clock)
        self.gifts = Gifts(database, ledger, clock=self.clock, limits=Limits({}, {}))
        self.redeemed = self.bought = self.gift = ""
        self.office = Office(database, self.clock)
        self.clockwork = Clockwork(
            database,
            Settler(database, ledger),
            clock=self.clock,
            batch_max=10,
            expiry_notice_days=30,
            chores=[self.redemptions.cancel_overdue, self.memberships.end_terms],
        )

    async def do(self, day: int, what: str) -> list[TransferPosted]:
        self.clock.at_ms = TIME_MS + day * DAY_MS
        if what == "tick":
            await self.clockwork.tick()
        elif not await self.booked(what) and not await self.ordered(what) and not await self.paid_out(what):
            await deliver(self.database, self.decision(what), at_ms=self.clock.at_ms)
        rows = await self.database.fetch_all("SELECT facts FROM rewards.outbox ORDER BY block")
        facts = [fact for (blob,) in rows for fact in unpack_facts(blob, None)][self.told :]
        self.told += len(facts)
        return facts

    async def booked(self, what: str) -> bool:
        bookings, ann = Bookings(self.database, clock=self.clock), ByHand("as the page says", "ann")
        if found := re.fullmatch(r"void ([\d.]+) by hand", what):
            await bookings.void(GRANT_ID, Money(minor(found[1]), "USD"), ann)
        elif found := re.fullmatch(r"release ([\d.]+) by hand", what):
            await bookings.release(GRANT_ID, Money(minor(found[1]), "USD"), ann)
        elif found := re.fullmatch(r"top up ([\d.]+)", what):
            await bookings.top_up(BudgetKey("crm-sales", "yearly", "2026", "USD"), minor(found[1]), ann)
        elif what == "write off":
            await bookings.write_off("partner:ann:available", "USD", "crm-sales", None, ann)
        else:
            return False
        return True

    async def ordered(self, what: str) -> bool:
        if found := re.fullmatch(r"reserve a (?:card|credit of ([\d.]+)) at ([\d.]+)", what):
            more = {"kind": "credit", "gives": f"{found[1]} CREDIT"} if found[1] else {}
            await publish(self.database, self.clock, item={"price": f"{found[2]} USD"} | more)
            key = f"k{self.clock.at_ms}"
            wish = self.redemptions.reserve("crm-sales", "item", "partner:ann", quantity=1, key=key, by="ann")
            self.redeemed = (await wish).id
        elif what == "fulfil it":
            await self.redemptions.fulfil(self.redeemed, by="ann")
        elif found := re.fullmatch(r"buy a month at ([\d.]+), (renewing|paid outside)", what):
            paid_outside = "invoice 7" if found[2] == "paid outside" else None
            offer = Offer("plus", "bronze", "month", minor(found[1]), "USD", None, paid_outside, paid_outside is None)
            made = await self.memberships.buy("crm-sales", "partner:ann", offer, key="k", by="ann")
            self.bought = made.id
        elif what == "leave":
            await self.memberships.cancel(self.bought, reason="as the page says", by="ann")
        elif found := re.fullmatch(r"propose a gift of ([\d.]+)", what):
            whom, money = "partner:ann", Money(minor(found[1]), "USD")
            because: dict[str, Any] = {"budget": "yearly", "period": "2026", "reason": "as the page says"}
            self.gift = (await self.gifts.propose("crm-sales", whom, money, key="k", by="ann", **because)).id
        elif what == "approve it":
            await self.gifts.approve(self.gift, by="bob")
        elif what == "cancel it":
            await self.redemptions.cancel(self.redeemed, reason="as the page says", by="ann")
        else:
            return False
        return True

    async def paid_out(self, what: str) -> bool:
        desk, run = self.office.desk, "crm-sales/USD/the-page"
        if found := re.fullmatch(r"prepare payouts(?:, fee ([\d.]+))?(?: in EUR at ([\d.]+))?", what):
            await self.office.know(payee() if found[2] else payee(method="manual", currency="USD", iban=None))
            if found[2]:
                await self.office.rate("EUR/USD", found[2], day="2026-01-01")
            terms = Terms(fee_minor=minor(found[1] or "0"))
            asked = Asked(programme="crm-sales", unit="USD", period="the-page", terms=terms)
            await self.office.preparer.prepare(asked, who="ann")
        elif what == "approve them":
            await desk.approve(run, who="bob")
        elif what == "send them":
            await desk.send(run, who="bob")
        elif what == "the bank pays":
            await desk.settle_run(run, who="bank", reference="statement 7")
        elif what == "cancel them":
            await desk.cancel(run, who="bob", note="as the page says")
        elif what == "the bank returns it":
            ((id,),) = await self.database.fetch_all("SELECT id::text FROM rewards.payouts")
            await desk.return_(id, None, "AC04", who="bank")
        else:
            return False
        return True

    def decision(self, what: str) -> Decision:
        if found := re.fullmatch(r"grant ([\d.]+)(?: held (\d+) days)?", what):
            fields: dict[str, Any] = {"available_at_ms": TIME_MS + int(found[2]) * DAY_MS} if found[2] else {}
            return decided(1, time_ms=TIME_MS, amount_minor=minor(found[1]), **fields)
        if found := re.fullmatch(r"take back ([\d.]+)", what):
            self.takes += 1
            return decided(100 + self.takes, amount_minor=-minor(found[1]), takes_back=GRANT_ID)
        if found := re.fullmatch(r"grant ([\d.]+) until day (\d+)", what):
            self.grants += 1
            expires_at_ms = TIME_MS + int(found[2]) * DAY_MS
            return decided(400 + self.grants, amount_minor=minor(found[1]), expires_at_ms=expires_at_ms)
        if found := re.fullmatch(r"grant ([\d.]+) of a budget of ([\d.]+)", what):
            claim = BudgetClaim("yearly", "2026", minor(found[2]), "USD", "hold")
            self.grants += 1
            return decided(300 + self.grants, amount_minor=minor(found[1]), budgets=(claim,))
        if found := re.fullmatch(r"restate (-?[\d.]+)", what):
            return decided(200, amount_minor=minor(found[1]), restates="r-1")
        raise AssertionError(f"docs/ledger.md says {what!r}, which no step is")


def minor(text: str) -> int:
    return int(Decimal(text) * 100)


def shown(fact: TransferPosted) -> tuple[str, str, str, str]:
    unit = " EUR" if fact.unit == "EUR" else ""
    return (fact.stage, fact.debit, fact.credit, f"{Decimal(fact.amount_minor) / 100:.2f}{unit}")


@pytest.mark.parametrize("flow", FLOWS)
async def test_the_page_tells_what_the_ledger_does(flow: str, database: Database) -> None:
    steps = Steps(database)
    steps_of_page: list[tuple[str, str, list[tuple[str, ...]]]] = []
    for line in FLOWS[flow].strip().splitlines()[2:]:
        when, what, *transfer = (cell.strip() for cell in line.strip().removeprefix("|").removesuffix("|").split("|"))
        if when:
            steps_of_page.append((when, what, []))
        if any(transfer):
            steps_of_page[-1][2].append(tuple(transfer))
    for when, what, expected in steps_of_page:
        found = await steps.do(int(when.removeprefix("day ")), what)
        assert [shown(fact) for fact in found] == expected, f"{when}: {what}"
    await assert_sound(database)

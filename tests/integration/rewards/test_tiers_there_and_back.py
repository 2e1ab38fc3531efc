"""Tiers between the whole service and the rules: what they decide is known here, what is bought here they are told."""

from __future__ import annotations

import pytest

from contracts.events import decode_data
from contracts.topics import DECISIONS, REFERRALS
from runtime.clock import SystemClock
from runtime.database import Database
from services.rewards.memberships.selling import Memberships, Offer
from services.rewards.store import SETUP, Ledger
from tests.integration.rewards.test_rewards_service import read_all, record, running, sample, until
from tests.support.decisions import decided

pytestmark = pytest.mark.timeout(120)


async def test_tiers_are_learned_from_decisions_and_told_as_events(postgres_url: str) -> None:
    reached = decided(1, rule="tier", amount_minor=None, unit=None, tier_to="silver")
    async with running(postgres_url, rewards_clock_every_ms=20) as (app, bus):
        await bus.publish(DECISIONS.name, [record(reached)])
        database = Database(postgres_url, application="test", setup=SETUP)
        await database.start()

        async def is_known() -> bool:
            rows = await database.fetch_all("SELECT programme, partner, tier FROM rewards.standings")
            return rows == [("crm-sales", "ann", "silver")]

        await until(is_known)
        memberships = Memberships(database, Ledger(database), clock=SystemClock())
        offer = Offer("plus", "bronze", "year", 500_00, "USD", paid_outside="invoice 7")
        made = await memberships.buy("crm-sales", "partner:ann", offer, key="k", by="bob")
        await memberships.cancel(made.id, reason="moved", by="bob")

        async def are_told() -> bool:
            return len(await read_all(bus, REFERRALS.name)) == 2

        await until(are_told)
        records = await read_all(bus, REFERRALS.name)
        # Bought as silver, which is what they are again.
        assert [decode_data(each.value).tier for each in records] == ["plus", "silver"]
        assert {dict(each.headers)["ce_type"] for each in records} == {b"partner.tier_assigned"}

        async def is_level() -> bool:
            return sample(app, "goodword_rewards_tiers_untold") == 0

        await until(is_level)
        await database.stop()

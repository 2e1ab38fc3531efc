"""An explanation of money goes back to the event in the log, to the lead behind a deal, and to the click."""

from __future__ import annotations

from contracts.topics import REFERRALS
from goodword.origins import ClickTold, origins
from goodword.target import Target
from runtime.bus.port import Bus
from services.tracking.clicks import click_name, sign
from tests.integration.rules.harness import PROGRAMME, record

AT_MS = 1_767_225_600_000
NAME = click_name("harbour", AT_MS, b"abcdef")
SOURCE = "crm/test"


async def test_a_deal_leads_to_its_lead_and_that_to_its_click(schema_url: str, bus: Bus) -> None:
    customer = {"id": "cancity"}
    amount = {"minor": 100, "currency": "USD"}
    lead: dict[str, object] = {
        "lead": {"id": "L1"},
        "customer": customer,
        "click_id": sign(b"s", NAME),
        "attribution": "click",
    }
    other: dict[str, object] = {
        "lead": {"id": "L2"},
        "customer": {"id": "dell"},
        "click_id": sign(b"s", NAME),
        "attribution": "named",
    }
    won: dict[str, object] = {"deal": {"id": "D1", "amount": amount}, "customer": customer, "attribution": "named"}
    rows: list[tuple[str, str, dict[str, object]]] = [
        ("lead.registered", "l1", lead),
        ("lead.registered", "l2", other),
        ("deal.won", "d1", won),
    ]
    of = {"programme": PROGRAMME, "partner": "ann"}
    await bus.publish(
        REFERRALS.name,
        [record("ann", kind, id, AT_MS + number, of | data) for number, (kind, id, data) in enumerate(rows)],
    )
    target = Target(postgres=schema_url, redis="")
    told = await origins(target, [(SOURCE, "d1")])
    assert [(one.id, one.attribution, one.deal, one.lead) for one in told] == [
        ("l1", "click", None, "L1"),
        ("d1", "named", "D1", None),
    ]
    assert told[0].click == ClickTold(id=NAME, link="harbour", at="2026-01-01T00:00:00.000Z")
    (only,) = await origins(target, [(SOURCE, "l2")])
    assert only.click is None
    assert await origins(target, [(SOURCE, "nothing")]) == []


async def test_without_a_log_nothing_is_told(postgres_url: str) -> None:
    assert await origins(Target(postgres=postgres_url, redis=""), [(SOURCE, "d1")]) == []

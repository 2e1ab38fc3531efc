"""Why a cent, why a zero: by transfer, by decision, by event in every spelling."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from contracts.decisions import Decision, encode_decision
from contracts.ids import transfer_id
from runtime.clock import SystemClock
from runtime.database import Database
from services.rewards.archive import ArchiveOwner
from services.rewards.payouts import store
from services.rewards.reads import Explanation, explain
from services.rewards.store import Ledger
from tests.integration.rewards.test_lots import lot
from tests.support.catalogues import PROGRAMME, publish, redeeming
from tests.support.decisions import SOURCE, decided, denied
from tests.support.ledger import deliver, transfers
from tests.support.payouts import Office, payee

CENT = decided(1, rule="commission")
ZERO = denied(1, rule="bonus")
OTHER = decided(2)
EVENT = CENT.event_id


@pytest.fixture
async def explained(ledger: Ledger, database: Database, ledger_url: str) -> str:
    """A ledger with one event that gave a cent and a zero, and another event."""
    await ledger.post(transfers(CENT, OTHER))
    archive = ArchiveOwner(database=database, clock=SystemClock())
    assert await archive.keep([encode_decision(d) for d in (CENT, ZERO, OTHER)]) == 3
    return ledger_url


def found(url: str, reference: str) -> Explanation:
    explanation = explain(url, reference)
    assert explanation is not None
    return explanation


@pytest.mark.parametrize("spelling", [f"{SOURCE} {EVENT}", f"{SOURCE}/{EVENT}", EVENT])
async def test_an_event_tells_its_cents_and_its_zeroes(explained: str, spelling: str) -> None:
    explanation = found(explained, spelling)
    assert explanation["found_as"] == "event"
    assert [transfer["id"] for transfer in explanation["transfers"]] == [transfer_id(CENT.id, "granted")]
    assert [(d["rule"], d["granted"], d["amount_minor"], d["reason"]) for d in explanation["decisions"]] == [
        ("commission", True, 10_000, ""),
        ("bonus", False, None, "deal.amount >= 500 USD"),
    ]
    assert explanation["decisions"][1]["trace"] == [
        {"condition": "deal.amount >= 500 USD", "saw": "499.99 USD", "verdict": "not met", "part": "qualified.deal"}
    ]
    assert explanation["decisions"][0]["revision"] == explanation["transfers"][0]["revision"] == 1


async def test_a_transfer_tells_its_decision(explained: str) -> None:
    explanation = found(explained, transfer_id(CENT.id, "granted"))
    assert explanation["found_as"] == "transfer"
    assert [d["id"] for d in explanation["decisions"]] == [CENT.id]
    (transfer,) = explanation["transfers"]
    assert (transfer["debit"], transfer["credit"]) == ("programme:crm-sales:cost", "partner:ann:available")
    assert (transfer["minor"], transfer["unit"], transfer["event_id"]) == (10_000, "USD", EVENT)
    assert transfer["event_at"] == "2026-01-01T00:00:01.000Z"


@pytest.mark.parametrize(("decision", "transfer_count"), [(CENT, 1), (ZERO, 0)])
async def test_a_decision_tells_itself_and_its_transfer(
    explained: str, decision: Decision, transfer_count: int
) -> None:
    explanation = found(explained, decision.id)
    assert explanation["found_as"] == "decision"
    assert [d["id"] for d in explanation["decisions"]] == [decision.id]
    assert len(explanation["transfers"]) == transfer_count


@pytest.mark.parametrize(
    "reference", ["", "nothing", "crm/acme nothing", "00000000-0000-8000-8000-000000000000", "opp-1-won/crm", "☃"]
)
async def test_of_what_it_does_not_know_it_says_nothing(explained: str, reference: str) -> None:
    assert explain(explained, reference) is None


async def test_an_event_whose_id_is_a_uuid_and_whose_source_has_slashes_is_found(
    ledger: Ledger, database: Database, ledger_url: str
) -> None:
    fields: dict[str, Any] = {"event_source": "a/b/c", "event_id": "6f9619ff-8b86-4011-b42d-00c04fc964ff"}
    decision = denied(3, **fields)
    await ArchiveOwner(database=database, clock=SystemClock()).keep([encode_decision(decision)])
    for reference in ("a/b/c/" + decision.event_id, decision.event_id):
        assert [d["id"] for d in found(ledger_url, reference)["decisions"]] == [decision.id]


async def test_an_event_tells_what_later_ones_took_back_and_what_was_paid_out(
    database: Database, ledger_url: str
) -> None:
    office = Office(database)
    await office.know(payee())
    won = decided(1, unit="EUR")
    await deliver(database, won, decided(2, unit="EUR", amount_minor=-4_000, takes_back=won.id))
    run = await office.preparer.prepare(office.asked(), who="ann")
    async with database.connection() as connection:
        (payout,) = await store.payouts_of(connection, run.id)
    explanation = found(ledger_url, f"{SOURCE}/{won.event_id}")
    assert [(t["stage"], t["minor"]) for t in explanation["transfers"]] == [("granted", 10_000), ("clawed_back", 4_000)]
    (drawn,) = explanation["drawn"]
    assert (drawn["kind"], drawn["minor"], drawn["beneficiary"]) == ("payout", 6_000, "partner:ann")
    for reference in (drawn["reference"], payout.id):
        own = found(ledger_url, reference)
        assert [(t["stage"], t["minor"]) for t in own["transfers"]] == [("payout_prepared", 6_000)]
        assert own["transfers"][0]["event_id"] == drawn["reference"]


async def test_a_redemption_is_told_by_the_event_whose_points_it_took(database: Database, ledger_url: str) -> None:
    earned = lot(1, 100, days=365)
    await deliver(database, earned)
    await publish(database, card={"price": "60 POINTS"})
    await redeeming(database).reserve(PROGRAMME, "card", "partner:ann", quantity=1, key="k", by="ann")
    (drawn,) = found(ledger_url, f"{SOURCE}/{earned.event_id}")["drawn"]
    assert (drawn["kind"], drawn["state"], drawn["minor"], drawn["unit"]) == ("redemption", "reserved", 60, "POINTS")
    own = found(ledger_url, drawn["reference"])
    assert [(t["stage"], t["minor"]) for t in own["transfers"]] == [("reserved", 60)]


async def test_a_cent_is_explained_before_its_decision_is_archived(ledger: Ledger, ledger_url: str) -> None:
    await ledger.post(transfers(CENT))
    for reference in (f"{SOURCE}/{EVENT}", CENT.id, transfer_id(CENT.id, "granted")):
        explanation = found(ledger_url, reference)
        assert (len(explanation["transfers"]), explanation["decisions"]) == (1, [])


async def test_decisions_are_kept_once_whatever_the_batches_and_bad_ones_are_left_out(
    database: Database, ledger_url: str
) -> None:
    archive = ArchiveOwner(database=database, clock=SystemClock())
    values = [encode_decision(denied(number)) for number in range(30)]
    assert await archive.keep(values[:10]) == 10
    assert await archive.keep(values[:10]) == 0
    assert await archive.keep([*values[5:20], b"{not json", b'{"id": "x"}', *values[15:25]]) == 15
    assert await archive.keep([b"{not json"]) == 0
    assert await archive.keep(values) == 5
    blobs = await database.fetch_all("SELECT count(*) FROM rewards.decision_blobs")
    assert blobs == [(3,)]
    kept = Counter(d["id"] for number in range(30) for d in found(ledger_url, f"opp-{number}-won")["decisions"])
    assert kept == Counter(denied(number).id for number in range(30))

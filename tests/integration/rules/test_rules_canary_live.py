"""A canary in the running service: published over HTTP, decided per partner, promoted, and replayed to equal bytes."""

from __future__ import annotations

import httpx

from contracts.decisions import decode_decision
from runtime.bus.port import Bus
from services.rules.revisions.canary import place_ppm
from services.rules.store import StateStore
from tests.integration.rules.harness import (
    PROGRAMME,
    RULES,
    START_MS,
    Start,
    assert_undisturbed,
    decided,
    drained,
    record,
)

CANARY_PPM = 400_000
PARTNERS = [f"partner-{number}" for number in range(60)]
FOR_ALL = RULES.replace("effective_from: 2016-01-01T00:00:00\n", "")
SECOND = FOR_ALL.replace("give: 5 USD", "give: 6 USD")
NOW_MS = 4_000_000_000_000
"""Later than any clock of this test: revisions without an effective time take effect from now on."""


async def _send(bus: Bus, name: str, time_ms: int) -> None:
    records = []
    for number, partner in enumerate(PARTNERS):
        data = {
            "programme": PROGRAMME,
            "partner": partner,
            "deal": {"id": name, "amount": {"minor": 50_000, "currency": "USD"}},
        }
        records.append(record(partner, "deal.won", f"{name}-{number}", time_ms, data))
    await bus.publish("goodword.referrals", records)


async def _used(bus: Bus, name: str) -> dict[str, int]:
    """By partner, the revision that decided its deal of that name."""
    found = (decode_decision(value) for values in (await decided(bus)).values() for value in values)
    return {each.partner: each.revision for each in found if each.deal == name}


async def test_a_canary_decides_for_its_partners_until_it_is_promoted(
    start: Start, bus: Bus, store: StateStore
) -> None:
    service = start()
    await service.ready()
    async with httpx.AsyncClient(base_url=service.url, headers={"authorization": "Bearer secret"}) as client:
        first = await client.post("/v1/rulesets", content=RULES)
        assert first.status_code == 201, first.text
        await _send(bus, "before", START_MS)
        await drained(bus, store)
        begun = await client.post("/v1/rulesets", content=SECOND, params={"canary_ppm": CANARY_PPM})
        assert (begun.status_code, begun.json()["state"]) == (201, "canary"), begun.text
        await _send(bus, "during", NOW_MS)
        await drained(bus, store)
        service.kill()
        service = start()
        await service.ready()
        # What has happened in the far future was decided: from now on is after that.
        async with httpx.AsyncClient(base_url=service.url, headers=client.headers) as again:
            promoted = await again.post(f"/v1/programmes/{PROGRAMME}/promote")
            assert promoted.json()["state"] == "active", promoted.text
            openapi = (await again.get("/v1/openapi.json")).json()
            assert "/programmes/{programme}/promote" in openapi["paths"]
        await _send(bus, "after", NOW_MS + 60_000)
        await drained(bus, store)
    taken = {partner for partner in PARTNERS if place_ppm(PROGRAMME, 2, partner) < CANARY_PPM}
    assert 0 < len(taken) < len(PARTNERS)
    assert await _used(bus, "before") == dict.fromkeys(PARTNERS, 1)
    assert await _used(bus, "during") == {partner: 2 if partner in taken else 1 for partner in PARTNERS}
    assert await _used(bus, "after") == dict.fromkeys(PARTNERS, 2)
    assert await assert_undisturbed(bus, store) > 0

"""What the stored states answer from outside the loop: who has which tier, and until when is decided."""

from __future__ import annotations

from contracts.events import parse_time_ms
from runtime.bus.partitioner import partition_of
from services.rules.standing import newest_decided_ms, read_tiers
from services.rules.states.state import PartnerState, decided_key, encode_decided, encode_partner, partner_key
from services.rules.store import StateStore
from tests.integration.rules.conftest import PARTITIONS
from tests.integration.rules.harness import PROGRAMME

DECIDED_MS = parse_time_ms("2026-03-01T00:00:00Z")


async def test_tiers_and_decided_time_are_read_from_the_states_of_all_partitions(
    store: StateStore, valkey_url: str
) -> None:
    partners = [(PROGRAMME, f"partner-{number}") for number in range(10)]
    for programme, partner in partners[:-1]:
        partition = partition_of(partner.encode(), PARTITIONS)
        position = await store.position(partition)
        state = PartnerState(programme=programme, partner=partner, tier=f"tier of {partner}")
        decided = encode_decided(DECIDED_MS + partition)
        dirty: dict[bytes, bytes | None] = {
            partner_key(programme, partner): encode_partner(state),
            decided_key(programme): decided,
        }
        await store.save(partition, position, position.offset + 1, dirty)
    tiers = await read_tiers(valkey_url, partners, PARTITIONS)
    assert tiers == {each: f"tier of {each[1]}" for each in partners[:-1]} | {partners[-1]: None}
    assert await newest_decided_ms(store, PROGRAMME, PARTITIONS) == DECIDED_MS + PARTITIONS - 1
    assert await newest_decided_ms(store, "another", PARTITIONS) is None

"""Large batches are copied: the ledger is what small ones would have made, whatever is known of a batch before."""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import cycle, islice

import msgspec
from hypothesis import HealthCheck, Phase, given, settings

from contracts.facts import TransferPosted
from contracts.ids import derived_uuid
from runtime.database import Database
from services.rewards.chain.verify import verify_chain
from services.rewards.facts import unpack_facts
from services.rewards.reads import balances
from services.rewards.store import COPIED_MIN, Ledger, Posted
from tests.support.decisions import decided
from tests.support.ledger import assert_sound, expected_balances, found_balances, transfers
from tests.support.transfers import any_transfer

LARGE = range(COPIED_MIN)
KEPT = (
    "SELECT to_jsonb(t) - 'debit_id' - 'credit_id', d.address, c.address FROM rewards.transfers t"
    " JOIN rewards.accounts d ON d.id = t.debit_id JOIN rewards.accounts c ON c.id = t.credit_id ORDER BY t.id"
)


def drawn(count: int) -> list[TransferPosted]:
    """The same ones every time."""
    found: list[TransferPosted] = []

    @settings(
        max_examples=count,
        derandomize=True,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(any_transfer)
    def collect(transfer: TransferPosted) -> None:
        found.append(transfer)

    collect()
    return found


def under_other_ids(some: list[TransferPosted], unit: str) -> list[TransferPosted]:
    """As many as are copied, in a unit of their own, and small enough to add up."""
    return [
        msgspec.structs.replace(
            t, id=derived_uuid(t.time_ms, f"{unit}{n}".encode()), unit=unit, amount_minor=t.amount_minor % 1_000_000 + 1
        )
        for n, t in enumerate(islice(cycle(some), COPIED_MIN))
    ]


async def test_whatever_is_in_them_rows_are_copied_as_they_are_posted(
    ledger: Ledger, database: Database, ledger_url: str
) -> None:
    """The same transfers twice: as one batch, and as two that are too small."""
    some = drawn(60)
    copied, posted = under_other_ids(some, "COPIED"), under_other_ids(some, "POSTED")
    half = COPIED_MIN // 2
    assert [(await ledger.post(batch)).count for batch in (copied, posted[:half], posted[half:])] == [
        COPIED_MIN,
        half,
        COPIED_MIN - half,
    ]
    kept: dict[str, Counter[bytes]] = {"COPIED": Counter(), "POSTED": Counter()}
    for row, debit, credit in await database.fetch_all(KEPT):
        del row["id"]
        kept[row.pop("unit")][msgspec.json.encode([row, debit, credit], order="sorted")] += 1
    assert kept["COPIED"] == kept["POSTED"]
    assert kept["COPIED"].total() == COPIED_MIN
    found: dict[str, dict[str, int]] = {"COPIED": {}, "POSTED": {}}
    for balance in balances(ledger_url, limit=1_000):
        found[balance["unit"]][balance["account"]] = balance["minor"]
    assert found["COPIED"] == found["POSTED"]
    assert verify_chain(ledger_url).findings.count == 0
    await assert_sound(database)


async def test_what_is_known_of_a_large_batch_is_not_posted_again(
    ledger: Ledger, database: Database, ledger_url: str
) -> None:
    decisions = [decided(n, partner=f"p{n % 3}") for n in LARGE]
    assert await ledger.post(transfers(*decisions)) == Posted(Counter(granted=COPIED_MIN))
    assert await ledger.post(transfers(*decisions)) == Posted(duplicates=COPIED_MIN)
    # Half of it new, one of them twice, and one with other data.
    more = [decided(n, partner=f"p{n % 3}") for n in range(COPIED_MIN // 2, COPIED_MIN * 3 // 2)]
    other = decided(0, partner="p0", amount_minor=5)
    assert await ledger.post(transfers(*more, more[-1], other)) == Posted(
        Counter(granted=COPIED_MIN // 2), duplicates=COPIED_MIN // 2 + 1, conflicts=1
    )
    assert found_balances(ledger_url) == expected_balances([*decisions, *more])
    blobs = await database.fetch_all("SELECT facts, posted_ids FROM rewards.outbox ORDER BY block")
    told = [fact.id for facts, ids in blobs for fact in unpack_facts(facts, ids and {str(id) for id in ids})]
    assert sorted(told) == sorted({t.id for t in transfers(*decisions, *more)})
    assert verify_chain(ledger_url).findings.count == 0
    await assert_sound(database)


async def test_the_same_id_twice_in_a_large_batch_is_posted_once(ledger: Ledger, ledger_url: str) -> None:
    decisions = [decided(n) for n in LARGE]
    assert await ledger.post(transfers(*decisions, decisions[7])) == Posted(Counter(granted=COPIED_MIN), duplicates=1)
    assert found_balances(ledger_url) == expected_balances(decisions)


async def test_what_was_refused_of_a_large_batch_stays_refused_and_the_rest_is_posted(
    ledger: Ledger, database: Database, ledger_url: str
) -> None:
    most = 2**63 - 1
    decisions = [decided(n, partner="ann", unit="EUR") for n in LARGE]
    absurd = [decided(n, partner="rich", amount_minor=most) for n in (9_001, 9_002)]
    batch = transfers(*decisions, *absurd)
    posted = await ledger.post(batch)
    # Either of the two fits alone; their sum does not.
    assert posted == Posted(Counter(granted=COPIED_MIN + 1), refused=1)
    assert await ledger.post(batch) == Posted(duplicates=COPIED_MIN + 2)
    (refused,) = [row[0] for row in await database.fetch_all("SELECT id::text FROM rewards.refusals")]
    kept = [one for one in absurd if transfers(one)[0].id != refused]
    assert found_balances(ledger_url) == expected_balances([*decisions, *kept])
    new = [decided(n, partner="ann", unit="EUR") for n in range(COPIED_MIN, 2 * COPIED_MIN)]
    assert await ledger.post([*transfers(*new), *batch]) == Posted(
        Counter(granted=COPIED_MIN), duplicates=COPIED_MIN + 2
    )
    assert verify_chain(ledger_url).findings.count == 0
    await assert_sound(database)


async def test_rivals_with_the_same_large_batches_post_each_once(database: Database, ledger_url: str) -> None:
    decisions = [decided(n, partner=f"p{n % 7}", programme=f"programme-{n % 2}") for n in range(4 * COPIED_MIN)]
    batches = [decisions[at : at + COPIED_MIN] for at in range(0, len(decisions), COPIED_MIN)]

    async def write() -> Posted:
        own, total = Ledger(database), Posted()
        for batch in batches:
            total += await own.post(transfers(*batch))
        return total

    one, other = await asyncio.gather(write(), write())
    assert one + other == Posted(Counter(granted=len(decisions)), duplicates=len(decisions))
    assert found_balances(ledger_url) == expected_balances(decisions)
    assert verify_chain(ledger_url).findings.count == 0
    await assert_sound(database)

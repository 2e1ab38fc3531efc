"""An auditor over HTTP: the chain recomputed part by part, signed heads, and what the ledger would not take."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

import msgspec
import psycopg
import pytest

from contracts.topics import TOPICS
from runtime.bus.open import open_bus
from runtime.bus.port import Bus
from runtime.database import Database
from services.rewards.chain.sealer import Sealer
from services.rewards.chain.signing import Signer
from services.rewards.chain.verify import verify_part
from services.rewards.store import Ledger
from tests.integration.rewards.over_http import Http, asking
from tests.support.decisions import decided
from tests.support.ledger import SetClock, transfers

BLOCKS: Final = 4
VICTIM: Final = transfers(decided(2))[0].id


@pytest.fixture
async def http(ledger_url: str, database: Database, ledger: Ledger) -> AsyncIterator[Http]:
    for number in range(BLOCKS):
        await ledger.post(transfers(decided(number)))
    async with asking(ledger_url, database) as asked:
        yield asked


def raise_amount(url: str, transfer: str) -> None:
    """As somebody who may do everything."""
    with psycopg.connect(url, autocommit=True) as connection:
        found = connection.execute("SELECT relid::regclass::text FROM pg_partition_tree('rewards.transfers')")
        for (partition,) in found.fetchall():
            name = psycopg.sql.SQL(partition)  # A name that the server has quoted.
            connection.execute(psycopg.sql.SQL("ALTER TABLE {} DISABLE TRIGGER ALL").format(name))
        connection.execute("UPDATE rewards.transfers SET amount_minor = amount_minor + 1 WHERE id = %s", (transfer,))


async def test_the_chain_is_verified_and_what_was_altered_is_named(http: Http, ledger_url: str) -> None:
    whole = (await http("vic", "GET", "/v1/chain/verify")).json()
    assert (whole["holds"], whole["first_block"], whole["last_block"], whole["transfers"]) == (True, 1, BLOCKS, BLOCKS)
    part = (await http("vic", "GET", "/v1/chain/verify?from_block=3&seconds=1")).json()
    assert (part["holds"], part["first_block"], part["last_hash"]) == (True, 3, whole["last_hash"])
    beyond = await http("vic", "GET", "/v1/chain/verify?from_block=9")
    assert (beyond.status_code, beyond.json()["code"]) == (404, "no-such-block")
    raise_amount(ledger_url, VICTIM)
    altered = (await http("vic", "GET", "/v1/chain/verify")).json()
    assert (altered["holds"], altered["findings_count"]) == (False, 1)
    (finding,) = altered["findings"]
    assert (finding["kind"], finding["block"], finding["transfer"]) == ("row-altered", 3, VICTIM)
    for cursor in ("x", "MTIz", "YWIKMQ=="):
        assert (await http("vic", "GET", f"/v1/chain/verify?cursor={cursor}")).json()["code"] == "bad-cursor"


async def test_parts_follow_each_other_also_where_the_chain_was_rewritten_meanwhile(
    http: Http, ledger_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.rewards.chain.verify.WINDOW_BLOCKS_MAX", 1)
    seen, after = [], None
    for _ in range(BLOCKS):
        done, is_end = verify_part(ledger_url, after=after, is_over=lambda: True)
        assert not is_end
        assert done.last_block is not None
        after = (done.last_block, bytes.fromhex(done.last_hash or ""))
        seen.append(done.last_block)
    assert seen == [1, 2, 3, 4]
    done, is_end = verify_part(ledger_url, after=after, is_over=lambda: True)
    assert (is_end, done.blocks, done.findings.first) == (True, 0, [])
    done, _ = verify_part(ledger_url, after=(2, bytes(32)), is_over=lambda: False)
    assert [(one.kind, one.block) for one in done.findings.first] == [("block-link", 3)]


async def test_signed_heads_are_shown_and_those_before_them(
    http: Http, ledger_url: str, database: Database, ledger: Ledger, bus: Bus
) -> None:
    none = await http("vic", "GET", "/v1/chain/head")
    assert (none.status_code, none.json()["code"]) == (404, "no-head")
    sealer = Sealer(database, bus, Signer("07" * 32), clock=SetClock())
    await sealer.sign_newest()
    await ledger.post(transfers(decided(BLOCKS)))
    await sealer.sign_newest()
    page = (await http("vic", "GET", "/v1/chain/heads?limit=1")).json()
    rest = (await http("vic", "GET", f"/v1/chain/heads?limit=1&cursor={page['next']}")).json()
    assert [each["block"] for each in page["heads"] + rest["heads"]] == [BLOCKS + 1, BLOCKS]
    assert rest["next"] is None
    assert (await http("vic", "GET", "/v1/chain/head")).json() == page["heads"][0]


async def test_conflicts_and_refusals_are_paged(http: Http, ledger: Ledger, database: Database) -> None:
    (transfer,) = transfers(decided(1))
    for more_minor in (1, 2, 3):
        await ledger.post([msgspec.structs.replace(transfer, amount_minor=transfer.amount_minor + more_minor)])
    found, path = [], "/v1/conflicts?limit=2"
    while path:
        page = (await http("vic", "GET", path)).json()
        found += [(each["transfer"], each["received"]["amount_minor"]) for each in page["conflicts"]]
        path = page["next"] and f"/v1/conflicts?limit=2&cursor={page['next']}"
    assert sorted(found) == [(transfer.id, transfer.amount_minor + n) for n in (1, 2, 3)]
    async with database.connection() as connection:
        for number in range(10, 13):
            await ledger.refuse(connection, transfers(decided(number)), "balance-out-of-range", "too much")
    first = (await http("vic", "GET", "/v1/refusals?limit=2")).json()
    rest = (await http("vic", "GET", f"/v1/refusals?limit=2&cursor={first['next']}")).json()
    ids = [each["transfer"] for each in first["refusals"] + rest["refusals"]]
    assert sorted(ids) == sorted(transfers(decided(number))[0].id for number in range(10, 13))


@pytest.fixture
async def bus(ledger_url: str) -> AsyncIterator[Bus]:
    opened = open_bus(kafka=None, postgres=ledger_url, client="heads")
    await opened.start()
    await opened.ensure_topics(TOPICS, 2)
    yield opened
    await opened.close()

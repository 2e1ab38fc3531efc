"""A chain that was rewritten from end to end is consistent; what left the ledger before tells of it.

The rewriter has all rights on the database, our own functions, and no private key. Facts on the bus, heads on the bus,
a head that was kept, a signature: each alone finds it, and with the facts the row and its columns are named.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final, LiteralString

import msgspec
import psycopg
import pytest
from typer.testing import CliRunner

from contracts.errors import PermanentError
from contracts.facts import LedgerHead, decode_head, encode_fact
from contracts.topics import LEDGER, TOPICS
from goodword.cli import app
from runtime.bus.open import open_bus
from runtime.bus.port import Bus, Record
from runtime.database import Database
from services.rewards.chain.findings import Findings
from services.rewards.chain.heads import check_given_head, check_kept_heads, newest_head
from services.rewards.chain.published import check_published
from services.rewards.chain.sealer import Sealer, record_of, signer_of
from services.rewards.chain.signing import Signer, is_signed, public_key_of
from services.rewards.chain.verify import verify_chain
from services.rewards.outbox import Relay
from services.rewards.settings import RewardsSettings
from services.rewards.store import SETUP, Ledger
from tests.integration.rewards.test_outbox import outbox_empty, until
from tests.support.decisions import decided
from tests.support.ledger import SetClock, transfers

pytestmark = pytest.mark.timeout(120)
SEED: Final = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
"""The first key of RFC 8032, section 7.1."""
OURS: Final = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
GOLDEN_SIGNATURE: Final = (
    "7cb4854fb38a5b6dffdc8b568f26d742334e1eadae370111f81bbbb983914178"
    "7ac0db2993f69a9e81e5d76e6ea094c826ed98e8d2e51df4cd7c0bbca1e74a03"
)
VICTIM: Final = transfers(decided(4, partner="p4"))[0].id
REWRITE: Final[list[LiteralString]] = [
    "ALTER TABLE rewards.transfers_2026_01 DISABLE TRIGGER ALL",
    "ALTER TABLE rewards.blocks DISABLE TRIGGER ALL",
    "ALTER TABLE rewards.heads DISABLE TRIGGER ALL",
    "UPDATE rewards.transfers_2026_01 SET amount_minor = 1, partner = 'eve' WHERE event_id = 'opp-4-won'",
    (
        "UPDATE rewards.balances SET minor = minor - sign(minor) * 9999 WHERE account_id IN ("
        "SELECT id FROM rewards.accounts WHERE address IN ('programme:crm-sales:cost', 'partner:p4:available'))"
    ),
    "CREATE TEMP TABLE old AS TABLE rewards.blocks",
    "DELETE FROM rewards.blocks",
    "UPDATE rewards.chain SET block = 0, hash = decode(repeat('00', 32), 'hex')",
    """
    SELECT rewards.seal(ids, (
        SELECT string_agg(sha256(rewards.row_bytes_1(t, d.address, c.address)), '' ORDER BY t.id)
        FROM rewards.transfers t
        JOIN rewards.accounts d ON d.id = t.debit_id
        JOIN rewards.accounts c ON c.id = t.credit_id
        WHERE t.id = ANY (o.ids)))
    FROM (SELECT * FROM old ORDER BY number) o
    """,
]


@pytest.fixture
async def bus(ledger_url: str) -> AsyncIterator[Bus]:
    made = open_bus(kafka=None, postgres=ledger_url, client="test")
    await made.start()
    await made.ensure_topics(TOPICS, 2)
    yield made
    await made.close()


@pytest.fixture
async def sealer(ledger_url: str, database: Database, bus: Bus) -> Sealer:
    """Of a ledger of three blocks whose facts have left."""
    for numbers in ((1, 2), (3, 4, 5), (6,)):
        await Ledger(database).post(transfers(*(decided(number, partner=f"p{number}") for number in numbers)))
    relay = Relay(ledger_url, bus, setup=SETUP, poll_s=0.02, transfers_max=5)
    await relay.start()
    await until(outbox_empty(database), what="the outbox is not empty")
    await relay.stop()
    return Sealer(database, bus, Signer(SEED), clock=SetClock(1_767_400_000_000))


def rewrite(url: str, *more: LiteralString) -> None:
    with psycopg.connect(url, autocommit=True) as owner:
        for statement in [*REWRITE, *more]:
            owner.execute(statement)


async def compared(bus: Bus, url: str, key: bytes | None = OURS) -> list[tuple[str, int | None, str | None, Any]]:
    findings = Findings()
    await check_published(bus, url, key, findings, on_progress=lambda done, total: None)
    return [(one.kind, one.block, one.transfer, one.columns) for one in findings.first]


async def test_facts_carry_their_block_and_its_hash(sealer: Sealer, bus: Bus, database: Database) -> None:
    hashes: dict[int, str] = dict(await database.fetch_all("SELECT number, encode(hash, 'hex') FROM rewards.blocks"))
    told: dict[int, list[str]] = {}
    for partition, end in (await bus.end_offsets(LEDGER.name)).items():
        async for records in bus.read(LEDGER.name, partition, start=0, end=end, batch_records_max=100):
            for record in records:
                headers = dict(record.headers)
                assert headers["ce_ledgerhash"].decode() == hashes[int(headers["ce_ledgerblock"])]
                told.setdefault(int(headers["ce_ledgerblock"]), []).append(headers["ce_id"].decode())
    assert {block: len(ids) for block, ids in told.items()} == {1: 2, 2: 3, 3: 1}


async def test_what_nobody_touched_agrees_with_what_was_published(sealer: Sealer, bus: Bus, ledger_url: str) -> None:
    await sealer.sign_newest()
    assert await compared(bus, ledger_url) == []
    findings = Findings()
    head = check_kept_heads(ledger_url, OURS, findings)
    assert head is not None
    assert (head.block, findings.count) == (3, 0)


async def test_a_rewritten_chain_is_found_by_the_facts_and_the_row_is_named(
    sealer: Sealer, bus: Bus, ledger_url: str
) -> None:
    rewrite(ledger_url)
    assert verify_chain(ledger_url).findings.first == []
    assert await compared(bus, ledger_url) == [
        # Its time is another one: blocks before the altered row were sealed again as well.
        ("published-differs", 1, None, ()),
        ("row-altered", 2, VICTIM, ("amount_minor", "partner")),
    ]


async def test_a_rewritten_chain_is_found_by_a_signed_head(sealer: Sealer, ledger_url: str) -> None:
    await sealer.sign_newest()
    given = newest_head(ledger_url)
    assert given is not None
    rewrite(ledger_url)
    findings = Findings()
    check_kept_heads(ledger_url, OURS, findings)
    check_given_head(ledger_url, given, OURS, findings)
    assert [(one.kind, one.block) for one in findings.first] == [("head-differs", 3)] * 2


async def test_who_rewrites_the_heads_too_has_not_the_key(sealer: Sealer, bus: Bus, ledger_url: str) -> None:
    await sealer.sign_newest()
    given = newest_head(ledger_url)
    assert given is not None
    rewrite(ledger_url, "UPDATE rewards.heads h SET hash = b.hash FROM rewards.blocks b WHERE b.number = h.block")
    findings = Findings()
    check_kept_heads(ledger_url, OURS, findings)
    assert [(one.kind, one.block) for one in findings.first] == [("head-signature", 3)]
    # Signed by another key, it is found by whoever knows ours.
    with psycopg.connect(ledger_url, autocommit=True) as owner:
        (hash,) = owner.execute("SELECT hash FROM rewards.heads").fetchone() or (b"",)
        forged = Signer("ab" * 32).sign(3, bytes(hash), given.signed_at_ms)
        owner.execute(
            "UPDATE rewards.heads SET public_key = decode(%s, 'hex'), signature = decode(%s, 'hex')",
            (forged.public_key, forged.signature),
        )
    for key, expected in ((None, []), (OURS, [("head-signature", 3)])):
        findings = Findings()
        check_kept_heads(ledger_url, key, findings)
        assert [(one.kind, one.block) for one in findings.first] == expected
    assert [kind for kind, *_ in await compared(bus, ledger_url, None)] == ["published-differs", "row-altered"]


async def test_a_tail_that_was_cut_off_cleanly_is_missed(sealer: Sealer, bus: Bus, ledger_url: str) -> None:
    await sealer.sign_newest()
    with psycopg.connect(ledger_url, autocommit=True) as owner:
        for table in ("transfers_2026_01", "blocks", "heads"):
            owner.execute(psycopg.sql.SQL("ALTER TABLE rewards.{} DISABLE TRIGGER ALL").format(psycopg.sql.SQL(table)))
        owner.execute("DELETE FROM rewards.transfers_2026_01 WHERE event_id = 'opp-6-won'")
        owner.execute("DELETE FROM rewards.blocks WHERE number = 3")
        owner.execute("DELETE FROM rewards.heads")
        owner.execute("UPDATE rewards.chain SET block = 2, hash = (SELECT hash FROM rewards.blocks WHERE number = 2)")
    assert verify_chain(ledger_url).findings.first == []
    assert [one[:2] for one in await compared(bus, ledger_url)] == [
        ("head-missing", 3),
        ("published-differs", 3),
        ("row-missing", 3),
    ]


async def test_what_others_put_on_the_bus_is_told_and_stops_nothing(sealer: Sealer, bus: Bus, ledger_url: str) -> None:
    head = Signer("ab" * 32).sign(2, b"\1" * 32, 5)
    forged = record_of(head)
    await bus.publish(
        LEDGER.name,
        [
            forged,
            msgspec.structs.replace(forged, value=b"{"),
            msgspec.structs.replace(forged, value=encode_fact(msgspec.structs.replace(head, public_key="zz"))),
            Record(b"x", b"{}", (("ce_ledgerblock", b"one"),)),
        ],
    )
    assert [one[:2] for one in await compared(bus, ledger_url)] == [
        ("head-signature", 2),
        ("head-signature", None),
        ("head-signature", 2),
    ]


async def test_a_head_is_signed_once_and_again_when_the_chain_has_grown(
    sealer: Sealer, database: Database, bus: Bus, ledger_url: str
) -> None:
    first = await sealer.sign_newest()
    assert first is not None
    assert is_signed(first, OURS)
    assert await sealer.sign_newest() is None
    await Ledger(database).post(transfers(decided(7)))
    second, *others = await asyncio.gather(*(sealer.sign_newest() for _ in range(3)))
    assert sorted([h.block for h in [second, *others] if h]) == [4]
    assert await database.fetch_all("SELECT block FROM rewards.heads ORDER BY 1") == [(3,), (4,)]
    assert await compared(bus, ledger_url) == []


def test_a_signature_holds_for_what_was_signed_only() -> None:
    head = Signer(SEED).sign(7, b"\1" * 32, 5)
    assert is_signed(head, OURS)
    assert head.public_key == OURS.hex()
    for change in ({"block": 8}, {"hash": "02" * 32}, {"signed_at_ms": 6}, {"signature": "00" * 64}, {"hash": "zz"}):
        assert not is_signed(msgspec.structs.replace(head, **change), OURS)
    assert not is_signed(head, b"\2" * 32)
    assert not is_signed(head, b"short")
    assert head.signature == GOLDEN_SIGNATURE


@pytest.mark.parametrize("text", ["", "12", "zz" * 32, "-----BEGIN PRIVATE KEY-----\nMA==\n-----END PRIVATE KEY-----"])
def test_a_key_that_is_none_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match="cannot be read"):
        Signer(text)
    with pytest.raises(PermanentError, match="cannot be read"):
        public_key_of(text)
    with pytest.raises(PermanentError, match="cannot be read"):
        signer_of(RewardsSettings(rewards_signing_key_file=str(tmp_path / "none")))


async def test_the_command_holds_the_ledger_against_a_kept_head_and_the_bus(
    sealer: Sealer, ledger_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOODWORD_POSTGRES", ledger_url)
    monkeypatch.delenv("GOODWORD_DATA", raising=False)
    await sealer.sign_newest()

    def run(*words: str, exit_code: int = 0) -> str:
        result = CliRunner().invoke(app, ["ledger", *words])
        assert result.exit_code == exit_code, result.output
        return result.stdout

    def all_of_it() -> None:
        file = tmp_path / "head.json"
        file.write_text(run("head", "--json"))
        assert decode_head(file.read_bytes()) == newest_head(ledger_url)
        assert isinstance(newest_head(ledger_url), LedgerHead)
        words = ("verify", "--json", "--bus", "--head", str(file), "--public-key", OURS.hex())
        answer = json.loads(run(*words))
        assert (answer["holds"], answer["signed_block"], answer["signed_by"]) == (True, 3, OURS.hex())
        assert answer["published"] == {"blocks": 3, "facts": 6, "heads": 1}
        rewrite(ledger_url)
        answer = json.loads(run(*words, exit_code=1))
        kinds = [one["kind"] for one in answer["findings"]]
        assert kinds == ["head-differs", "head-differs", "published-differs", "row-altered"]
        row = answer["findings"][-1]
        assert (row["block"], row["transfer"], row["columns"]) == (2, VICTIM, ["amount_minor", "partner"])
        file.write_text("{}")
        run("verify", "--head", str(file), exit_code=1)

    # Commands run an event loop of their own.
    await asyncio.to_thread(all_of_it)

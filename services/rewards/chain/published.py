"""Holds the chain against what left the ledger: facts on the bus carry their block and its hash, and heads are signed.

This is what finds a chain that was rewritten from end to end by somebody with all rights on the database: the bus has
what was posted. Where blocks differ, every fact of theirs is compared with its row, and the columns that differ are
named.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

import msgspec

from contracts.facts import LEDGER_HEAD, TRANSFER_POSTED, decode_head, decode_transfer
from contracts.topics import LEDGER
from runtime.bus.port import Bus, Received
from services.rewards.chain.encoding import ROW_FIELDS, fields_of, split_row
from services.rewards.chain.findings import Finding, Findings
from services.rewards.chain.rows import rows_by_id
from services.rewards.chain.signing import is_signed
from services.rewards.facts import BLOCK_HEADER, HASH_HEADER
from services.rewards.reads.connect import Connection, open_ledger

BATCH_RECORDS_MAX: Final = 2_000
NAMED_MAX: Final = 100

Progress = Callable[[int, int], None]


@dataclass(slots=True)
class Published:
    """What the bus has: the hash of each block, from facts and from heads, and which of those are signed."""

    hashes: dict[int, str] = field(default_factory=dict)
    facts: int = 0
    heads: int = 0


async def check_published(
    bus: Bus, postgres: str, public_key: bytes | None, findings: Findings, *, on_progress: Progress
) -> Published:
    """Compare all that is on the bus with the chain; facts that retention has dropped are not asked for."""
    published = Published()
    async for records in _read_all(bus, on_progress):
        for record in records:
            _take(record, published, public_key, findings)
    with open_ledger(postgres) as connection:
        differing = _differing(connection, published, findings)
        if differing:
            await _name_rows(bus, connection, set(differing), findings)
    return published


async def _read_all(bus: Bus, on_progress: Progress) -> AsyncIterator[Sequence[Received]]:
    ends = await bus.end_offsets(LEDGER.name)
    done, total = 0, sum(ends.values())
    for partition, end in sorted(ends.items()):
        async for records in bus.read(LEDGER.name, partition, start=0, end=end, batch_records_max=BATCH_RECORDS_MAX):
            yield records
            done += len(records)
            on_progress(done, total)


def _take(record: Received, published: Published, public_key: bytes | None, findings: Findings) -> None:
    headers = dict(record.headers)
    if headers.get("ce_type") == LEDGER_HEAD.encode():
        published.heads += 1
        try:
            head = decode_head(record.value)
        except msgspec.MsgspecError:
            message = f"the record at offset {record.offset} says that it is a head, and is none"
            findings.add(Finding(kind="head-signature", message=message))
            return
        if not is_signed(head, public_key):
            message = f"a head of it on the bus is not signed by the key it must be ({head.public_key})"
            findings.add(Finding(kind="head-signature", block=head.block, message=message))
            return
        _note(published, head.block, head.hash, findings)
    elif (block := _block_of(headers)) is not None:
        published.facts += 1
        _note(published, block, headers.get(HASH_HEADER, b"").decode(errors="replace"), findings)


def _block_of(headers: Mapping[str, bytes]) -> int | None:
    """Of what was posted before there was a chain, None."""
    number = headers.get(BLOCK_HEADER, b"")
    return int(number) if number.isdigit() else None


def _note(published: Published, block: int, hash: str, findings: Findings) -> None:
    known = published.hashes.setdefault(block, hash)
    if known != hash:
        message = f"two histories were published: {known} and {hash}"
        if not any(one.block == block and one.message == message for one in findings.first):
            findings.add(Finding(kind="published-differs", block=block, message=message))


def _differing(connection: Connection, published: Published, findings: Findings) -> list[int]:
    """Blocks that are not what was published, in their order."""
    differing: list[int] = []
    numbers = iter(sorted(published.hashes))
    while portion := list(islice(numbers, BATCH_RECORDS_MAX)):
        rows = connection.execute("SELECT number, hash FROM rewards.blocks WHERE number = ANY (%s)", (portion,))
        stored = {number: bytes(hash).hex() for number, hash in rows}
        differing += [number for number in portion if stored.get(number) != published.hashes[number]]
        if len(stored) < len(portion):
            gone = min(set(portion) - stored.keys())
            message = "it was published, and is not in the chain any more"
            findings.add(Finding(kind="head-missing", block=gone, message=message))
    if differing:
        message = f"{len(differing)} blocks from here on are not those that were published: the chain was rewritten"
        findings.add(Finding(kind="published-differs", block=differing[0], message=message))
    return differing


async def _name_rows(bus: Bus, connection: Connection, blocks: set[int], findings: Findings) -> None:
    """Compare the facts of these blocks with their rows; the first bad ones are told first."""
    bad: list[Finding] = []
    async for records in _read_all(bus, lambda done, total: None):
        facts = {}
        for record in records:
            headers = dict(record.headers)
            block = _block_of(headers)
            if headers.get("ce_type") == TRANSFER_POSTED.encode() and block in blocks:
                fact = decode_transfer(record.value)
                facts[fact.id] = (block, fields_of(fact))
        rows = rows_by_id(connection, list(facts))
        for (id, (block, fields)), row in zip(facts.items(), rows, strict=True):
            if row is None:
                message = "it was published, and is not in the ledger any more"
                bad.append(Finding(kind="row-missing", block=block, transfer=id, message=message))
            else:
                stored = split_row(row)
                columns = tuple(name for name in ROW_FIELDS if stored[name] != fields[name])
                if columns:
                    message = "not as it was published"
                    bad.append(Finding(kind="row-altered", block=block, transfer=id, columns=columns, message=message))
    for one in sorted(bad, key=lambda finding: (finding.block or 0, finding.transfer or "")):
        findings.add(one)

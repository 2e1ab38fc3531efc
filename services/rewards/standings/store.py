"""Rows of `rewards.standings`, and how far the log was read for them (`rewards.standings_read`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, LiteralString

from contracts.errors import TransientError
from runtime.database import Connection
from services.rewards import packing
from services.rewards.standings.changes import Change

ARCHIVE: Final = -1
"""In the place of a partition: the archive of decisions, with ids of blobs for offsets. What the log says is newer."""
_BEHIND: Final[LiteralString] = (
    "SELECT coalesce(sum(until_offset - next_offset) FILTER (WHERE next_offset < until_offset), 0)"
    " + (count(*) = 0 AND EXISTS (SELECT FROM rewards.decision_blobs))::integer FROM rewards.standings_read"
)
"""How many decisions are still to be read; 1 of a ledger that has decisions and has not begun."""


class StandingsBehind(TransientError):
    """Decisions of before are still being read, so nobody's tier is certain."""


async def put(connection: Connection, partition: int, changes: Sequence[Change], at_home: Sequence[bool]) -> None:
    """Keep changes of one partition, one of each partner, sorted; an older one than is kept changes nothing.

    `at_home[i]`: whether the partner of `changes[i]` is in this partition today. A topic that was given more partitions
    has moved some to another one, where what is newest is now.
    """
    await connection.execute(
        "INSERT INTO rewards.standings AS s (programme, partner, tier, decision_id, log_partition, log_offset)"
        " SELECT programme, partner, tier, id, %(partition)s, log_offset"
        " FROM unnest(%(programmes)s, %(partners)s, %(tiers)s, %(ids)s, %(offsets)s)"
        " AS n (programme, partner, tier, id, log_offset) ORDER BY programme, partner"
        " ON CONFLICT (programme, partner) DO UPDATE SET tier = excluded.tier, decision_id = excluded.decision_id,"
        " log_partition = excluded.log_partition, log_offset = excluded.log_offset"
        " WHERE CASE WHEN s.log_partition = excluded.log_partition THEN s.log_offset < excluded.log_offset"
        " WHEN s.log_partition < 0 THEN true ELSE excluded.partner = ANY (%(home)s) END",
        {
            "partition": partition,
            "programmes": packing.texts([each.programme for each in changes]),
            "partners": packing.texts([each.partner for each in changes]),
            "tiers": packing.texts([each.tier for each in changes]),
            "ids": packing.uuids([each.decision for each in changes]),
            "offsets": packing.bigints([each.offset for each in changes]),
            "home": packing.texts([each.partner for each, is_home in zip(changes, at_home, strict=True) if is_home]),
        },
    )


async def read_so_far(connection: Connection) -> dict[int, tuple[int, int]]:
    """Partition (or ARCHIVE) to the offset that was read up to, and the one that is to be."""
    cursor = await connection.execute("SELECT log_partition, next_offset, until_offset FROM rewards.standings_read")
    return {partition: (next_offset, until) for partition, next_offset, until in await cursor.fetchall()}


async def aim(connection: Connection, untils: Mapping[int, int]) -> None:
    """What is to be read at least, by partition."""
    await _put_read(connection, [(partition, 0, until) for partition, until in sorted(untils.items())])


async def note_read(connection: Connection, nexts: Mapping[int, int]) -> None:
    """Everything before these offsets is in the standings."""
    await _put_read(connection, [(partition, done, done) for partition, done in sorted(nexts.items())])


async def _put_read(connection: Connection, rows: Iterable[tuple[int, int, int]]) -> None:
    partitions, nexts, untils = zip(*rows, strict=True)
    await connection.execute(
        "INSERT INTO rewards.standings_read AS s (log_partition, next_offset, until_offset)"
        " SELECT * FROM unnest(%s, %s, %s) ON CONFLICT (log_partition) DO UPDATE SET"
        # Another process may be further.
        " next_offset = greatest(s.next_offset, excluded.next_offset),"
        " until_offset = greatest(s.until_offset, excluded.until_offset)",
        (packing.integers(partitions), packing.bigints(nexts), packing.bigints(untils)),
    )


async def forget_places(connection: Connection, partition: int) -> None:
    """The partition is another one of the same number: whatever it says is newer than what is kept."""
    await connection.execute(
        "UPDATE rewards.standings SET log_partition = %s, log_offset = 0 WHERE log_partition = %s", (ARCHIVE, partition)
    )
    await connection.execute(
        "UPDATE rewards.standings_read SET next_offset = 0, until_offset = 0 WHERE log_partition = %s", (partition,)
    )


async def behind(connection: Connection) -> int:
    """How many decisions of before are still to be read; 0 when everybody's tier is known."""
    cursor = await connection.execute(_BEHIND)
    row = await cursor.fetchone()
    return int(row[0]) if row else 0


async def tier_of(connection: Connection, programme: str, beneficiary: str) -> str | None:
    """Where a partner stands; None before anything moved them, and of who is no partner.

    Raises:
        StandingsBehind: Ask again when the decisions of before have been read.
    """
    kind, _, partner = beneficiary.partition(":")
    if kind != "partner":
        return None
    left = await behind(connection)
    if left:
        raise StandingsBehind(f"the tiers of partners are being read from older decisions, {left} to go: ask again")
    cursor = await connection.execute(
        "SELECT tier FROM rewards.standings WHERE programme = %s AND partner = %s", (programme, partner)
    )
    row = await cursor.fetchone()
    return str(row[0]) if row else None

"""How the members of a group share partitions: session locks, no timeouts, no coordinator.

A member is whoever holds a lock in the group's member space, numbered by its server process; a partition belongs to
whoever holds its lock. PostgreSQL frees both at once when the connection ends, also after kill -9. Every member
counts the others, takes free partitions up to its share and gives back what is above it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from runtime.database import Connection

LOCK_SPACE: Final = 0x42550000
"""Two-integer advisory locks from here on ("BU"): even numbers for a group's partitions, odd for its members."""


@dataclass(frozen=True, slots=True)
class Sharing:
    """What one member sees: the group's live members and the partitions somebody holds."""

    me: int
    members: tuple[int, ...]
    taken: frozenset[int]

    def share(self, partition_count: int) -> int:
        """How many partitions are ours: all members' shares differ by one at most and add up to all."""
        rank = self.members.index(self.me)
        whole, rest = divmod(partition_count, len(self.members))
        return whole + (1 if rank < rest else 0)

    def wanted(self, partition_count: int) -> list[int]:
        """Free partitions in the order in which to try them; every member starts elsewhere, so they seldom collide."""
        start = self.members.index(self.me) * partition_count // len(self.members)
        order = [(start + step) % partition_count for step in range(partition_count)]
        return [partition for partition in order if partition not in self.taken]


async def join(connection: Connection, group_id: int) -> None:
    await connection.execute(
        "SELECT pg_advisory_lock(%s, pg_backend_pid())", (LOCK_SPACE + 2 * group_id + 1,), binary=True
    )


async def look(connection: Connection, group_id: int) -> Sharing:
    """See the group as it is now; the connection must have joined."""
    partitions, members = LOCK_SPACE + 2 * group_id, LOCK_SPACE + 2 * group_id + 1
    cursor = await connection.execute(
        "SELECT classid::bigint, objid::bigint, pid = pg_backend_pid() FROM pg_locks"
        " WHERE locktype = 'advisory' AND objsubid = 2 AND granted AND classid::bigint IN (%s, %s)"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        (partitions, members),
    )
    rows = await cursor.fetchall()
    return Sharing(
        me=next(number for space, number, is_mine in rows if space == members and is_mine),
        members=tuple(sorted(number for space, number, _ in rows if space == members)),
        taken=frozenset(number for space, number, _ in rows if space == partitions),
    )


async def try_take(connection: Connection, group_id: int, partition: int) -> bool:
    cursor = await connection.execute(
        "SELECT pg_try_advisory_lock(%s::int, %s::int)", (LOCK_SPACE + 2 * group_id, partition)
    )
    row = await cursor.fetchone()
    return bool(row and row[0])


async def give_back(connection: Connection, group_id: int, partition: int) -> None:
    await connection.execute("SELECT pg_advisory_unlock(%s::int, %s::int)", (LOCK_SPACE + 2 * group_id, partition))

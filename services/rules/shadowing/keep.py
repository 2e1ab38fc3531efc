"""What a shadow knows and has found, changed in one transaction with the offset that it reaches to.

Promises: each event is counted once, whatever is killed and whoever else believes to hold the partition; and nothing is
written for a shadow that has ended.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from contracts.errors import TransientError
from runtime.database import Connection
from services.rules.clock.calendar import date_of
from services.rules.lifecycle.record import moment
from services.rules.shadowing.differences import EXAMPLES_MAX, Differences, Example


class Moved(TransientError):
    """The stored offset is not the expected one: another process was faster."""


class Place(NamedTuple):
    """How far a shadow has come in a partition, and where it began to compare."""

    next_offset: int
    starts_at: int


async def fetch_place(connection: Connection, number: int, partition: int) -> Place | None:
    """None: the shadow has ended, or knows nothing of this partition."""
    cursor = await connection.execute(
        "SELECT p.next_offset, p.starts_at FROM rules.shadow_positions p JOIN rules.shadows s USING (number)"
        " WHERE number = %s AND p.partition = %s AND s.state = 'running'",
        (number, partition),
    )
    row = await cursor.fetchone()
    return None if row is None else Place(*row)


async def fetch_states(
    connection: Connection, number: int, partition: int, keys: Sequence[Sequence[bytes]]
) -> list[dict[bytes, bytes | None]]:
    """Of each side the states under these fold keys; None for those that there are not. One round trip."""
    found: list[dict[bytes, bytes | None]] = [dict.fromkeys(each) for each in keys]
    cursor = connection.cursor(binary=True)
    await cursor.execute(
        "SELECT side, key, value FROM rules.shadow_states WHERE number = %s AND partition = %s"
        " AND (side, key) IN (SELECT * FROM unnest(%b::smallint[], %b::bytea[]))",
        (
            number,
            partition,
            [side for side, each in enumerate(keys) for _ in each],
            [key for each in keys for key in each],
        ),
        prepare=True,
    )
    for side, key, value in await cursor.fetchall():
        found[side][key] = value
    return found


async def keep(
    connection: Connection,
    number: int,
    partition: int,
    place: Place,
    next_offset: int,
    events: int,
    dirty: Sequence[Mapping[bytes, bytes | None]],
    differences: Differences,
) -> bool:
    """All of it, or nothing; False, and nothing is written, when the shadow has ended. In a transaction.

    Raises:
        Moved: The stored offset is not that of `place`.
    """
    # Shared, so that whoever ends the shadow and forgets its states waits for us, and we for them.
    running = await connection.execute(
        "SELECT FROM rules.shadows WHERE number = %s AND state = 'running' FOR SHARE", (number,)
    )
    if running.rowcount == 0:
        return False
    moved = await connection.execute(
        "UPDATE rules.shadow_positions SET next_offset = %s, events = events + %s,"
        " rejected_before = rejected_before + %s, rejected_after = rejected_after + %s"
        " WHERE number = %s AND partition = %s AND next_offset = %s",
        (
            next_offset,
            events,
            differences.rejected_before,
            differences.rejected_after,
            number,
            partition,
            place.next_offset,
        ),
    )
    if moved.rowcount == 0:
        raise Moved(f"the shadow of partition {partition} is no longer at offset {place.next_offset}")
    for side, states in enumerate(dirty):
        await _store_states(connection, number, partition, side, states)
    if place.next_offset < place.starts_at == next_offset:
        await connection.execute(
            "INSERT INTO rules.shadow_states (number, partition, side, key, value)"
            " SELECT number, partition, 1, key, value FROM rules.shadow_states"
            " WHERE number = %s AND partition = %s AND side = 0",
            (number, partition),
        )
    await _store_sums(connection, number, partition, differences)
    for examples in differences.examples.values():
        await _store_examples(connection, number, examples)
    return True


async def _store_states(
    connection: Connection, number: int, partition: int, side: int, states: Mapping[bytes, bytes | None]
) -> None:
    there = {key: value for key, value in states.items() if value is not None}
    gone = [key for key, value in states.items() if value is None]
    if there:
        await connection.execute(
            "INSERT INTO rules.shadow_states (number, partition, side, key, value)"
            " SELECT %s, %s, %s, k, v FROM unnest(%b::bytea[], %b::bytea[]) AS states (k, v)"
            " ON CONFLICT (number, partition, side, key) DO UPDATE SET value = excluded.value",
            (number, partition, side, list(there), list(there.values())),
            prepare=True,
        )
    if gone:
        await connection.execute(
            "DELETE FROM rules.shadow_states"
            " WHERE number = %s AND partition = %s AND side = %s AND key = ANY(%b::bytea[])",
            (number, partition, side, gone),
        )


async def _store_sums(connection: Connection, number: int, partition: int, differences: Differences) -> None:
    cursor = connection.cursor()
    if differences.sums:
        await cursor.executemany(
            "INSERT INTO rules.shadow_sums AS s VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
            " ON CONFLICT (number, partition, rule, unit, local_day) DO UPDATE SET"
            " granted_before = s.granted_before + excluded.granted_before,"
            " granted_after = s.granted_after + excluded.granted_after,"
            " differing = s.differing + excluded.differing,"
            " before_minor = s.before_minor + excluded.before_minor,"
            " after_minor = s.after_minor + excluded.after_minor",
            [
                (
                    number,
                    partition,
                    rule,
                    unit,
                    date_of(day),
                    each.granted_before,
                    each.granted_after,
                    each.differing,
                    each.before_minor,
                    each.after_minor,
                )
                for (rule, unit, day), each in differences.sums.items()
            ],
        )
    if differences.partners:
        await cursor.executemany(
            "INSERT INTO rules.shadow_partners AS p VALUES (%s, %s, %s, %s, %s)"
            " ON CONFLICT (number, partner, unit) DO UPDATE SET"
            " before_minor = p.before_minor + excluded.before_minor,"
            " after_minor = p.after_minor + excluded.after_minor",
            [(number, partner, unit, *both) for (partner, unit), both in differences.partners.items()],
        )


async def _store_examples(connection: Connection, number: int, examples: Sequence[Example]) -> None:
    """As many as are still wanted of this rule. Partitions do not wait for each other, so a few more may stay."""
    cursor = await connection.execute(
        "SELECT count(*) FROM rules.shadow_examples WHERE number = %s AND rule = %s", (number, examples[0].rule)
    )
    row = await cursor.fetchone()
    wanted = EXAMPLES_MAX - (row[0] if row else 0)
    if wanted <= 0:
        return
    await connection.cursor().executemany(
        "INSERT INTO rules.shadow_examples (number, rule, partner, beneficiary, event_source, event_id, event_at,"
        " unit, before_minor, after_minor, before, after) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            (
                number,
                each.rule,
                each.partner,
                each.beneficiary,
                _storable(each.event_source),
                _storable(each.event_id),
                moment(each.time_ms),
                each.unit,
                each.before_minor,
                each.after_minor,
                _storable(each.before),
                _storable(each.after),
            )
            for each in examples[:wanted]
        ],
    )


def _storable(text: str) -> str:
    """What a sender wrote, without what PostgreSQL does not take as text."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")

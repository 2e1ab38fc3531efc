"""In which tier each partner stands: what the catalogue asks before it lets somebody have something.

Only the rules decide about tiers. Their decisions that change one come by here anyway, in the order of the log, so the
newest of each partner is kept beside the ledger (docs/adr/0013-standings.md). An older one that is delivered
again changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from contracts.decisions import RULE_TIER
from runtime.bus.port import Received
from runtime.database import Connection, Database
from services.rewards import packing
from services.rewards.decode import DecisionHead
from services.rewards.store import outages_are_transient


class _Change(msgspec.Struct, frozen=True, gc=False):
    """What of a decision about a tier the ledger does not read anyway."""

    tier_to: str | None = None


_decoder: Final = msgspec.json.Decoder(_Change)


class Standings:
    """Keeps the newest tier of each partner. Safe to use from several tasks and processes at once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(
        self, partition: int, records: Sequence[Received], indexes: Sequence[int], decisions: Sequence[DecisionHead]
    ) -> None:
        """Keep what a batch says of tiers; durable when it returns. `indexes[i]` is the place of `decisions[i]` in it.

        Raises:
            TransientError: The database is away; give the same batch again.
        """
        newest: dict[tuple[str, str], tuple[str, str, int]] = {}
        for index, decision in zip(indexes, decisions, strict=True):
            if decision.rule == RULE_TIER and decision.granted:
                tier = _decoder.decode(records[index].value).tier_to
                if tier is not None:
                    newest[decision.programme, decision.partner] = (tier, decision.id, records[index].offset)
        if not newest:
            return
        rows = sorted(newest.items())
        with outages_are_transient():
            async with self._database.connection() as connection:
                await connection.execute(
                    "INSERT INTO rewards.standings AS s"
                    " (programme, partner, tier, decision_id, log_partition, log_offset)"
                    " SELECT programme, partner, tier, id, %s, log_offset FROM unnest(%s, %s, %s, %s, %s)"
                    " AS n (programme, partner, tier, id, log_offset) ORDER BY programme, partner"
                    " ON CONFLICT (programme, partner) DO UPDATE SET tier = excluded.tier,"
                    " decision_id = excluded.decision_id, log_partition = excluded.log_partition,"
                    " log_offset = excluded.log_offset"
                    # A topic that was given more partitions moved the partner to another one.
                    " WHERE s.log_partition <> excluded.log_partition OR s.log_offset < excluded.log_offset",
                    (
                        partition,
                        packing.texts([programme for (programme, _), _ in rows]),
                        packing.texts([partner for (_, partner), _ in rows]),
                        packing.texts([tier for _, (tier, _, _) in rows]),
                        packing.uuids([id for _, (_, id, _) in rows]),
                        packing.bigints([offset for _, (_, _, offset) in rows]),
                    ),
                )


async def tier_of(connection: Connection, programme: str, beneficiary: str) -> str | None:
    """Where a partner stands; None before anything moved them, and of who is no partner."""
    kind, _, partner = beneficiary.partition(":")
    if kind != "partner":
        return None
    cursor = await connection.execute(
        "SELECT tier FROM rewards.standings WHERE programme = %s AND partner = %s", (programme, partner)
    )
    row = await cursor.fetchone()
    return str(row[0]) if row else None

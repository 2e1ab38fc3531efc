"""Positions of conversions: payouts enter those of their rates when prepared, and leave them when they fail."""

from __future__ import annotations

from collections.abc import Sequence

from runtime.database import Connection
from services.rewards.payouts.conversion import AppliedRate, Rounded, enter, leave
from services.rewards.payouts.payout import Payout
from services.rewards.payouts.store import Position, change_positions, lock_positions, position_of


async def move_positions(
    connection: Connection, programme: str, payouts: Sequence[Payout], *, leaves: bool = False
) -> dict[str, Rounded]:
    """What each payout rounds, by its id, in their order; those that convert nothing are absent."""
    converting = [payout for payout in payouts if payout.rate is not None]
    rates: dict[Position, AppliedRate] = {
        position_of(payout): payout.rate for payout in converting if payout.rate is not None
    }
    positions = await lock_positions(connection, programme, rates)
    rounded = {}
    for payout in converting:
        position = position_of(payout)
        move = leave if leaves else enter
        rounded[payout.id] = move(rates[position], positions[position], payout.net_minor)
        positions[position] += -payout.net_minor if leaves else payout.net_minor
    await change_positions(connection, programme, positions)
    return rounded

"""What people book: a hold voided or released early, a decision that waits let through, a debt written off, a top-up.

Promises: each is a transfer of its own, with the reason and who did it; nothing goes further than what is there to
void, to release or to write off. Each is one transaction.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from contracts.errors import InvariantBroken, PermanentError, Problem
from contracts.facts import TransferPosted
from contracts.ids import is_id
from contracts.money import AMOUNT_MINOR_MAX, Money, is_unit
from runtime.clock import Clock
from runtime.database import Connection, Connections
from services.rewards import chart
from services.rewards.budgets.claims import BudgetKey, Budgets, allot
from services.rewards.budgets.store import lock_budgets, open_budgets
from services.rewards.decode import decode_head, is_decision_id
from services.rewards.legs import STAGE_WRITTEN_OFF, ByHand, leg
from services.rewards.lives.life import Life, Settlement
from services.rewards.lives.moves import grant, release, void
from services.rewards.lives.outcomes import budgets_mentioned
from services.rewards.lives.settling import Settler
from services.rewards.lives.store import lock_lives, read_lives
from services.rewards.lives.waiting import leave_queue
from services.rewards.own import own_head
from services.rewards.postings import Careful
from services.rewards.store import Ledger, outages_are_transient

RULE_WRITE_OFF: Final = "write-off"
TEXT_LENGTH_MAX: Final = 1_024


class Bookings:
    """Bookings by hand; each returns the transfers that it made. All raise PermanentError and TransientError."""

    def __init__(self, database: Connections, *, clock: Clock, ledger: Ledger | None = None) -> None:
        self._database = database
        self._clock = clock
        self._ledger = ledger or Ledger(database)
        self._settler = Settler(database, self._ledger)

    async def void(self, decision: str, amount: Money | None, by_hand: ByHand) -> list[TransferPosted]:
        """Take a hold back, or a part of it; a decision that waits is refused for good."""
        async with self._open(decision, by_hand) as one:
            life = one.life
            if life.state == "waiting" and amount is None:
                leave_queue(life, one.budgets, one.done)
                life.state, life.waits_for = "refused", None
                life.reason = f"voided by {by_hand.booked_by}: {by_hand.reason}"
            else:
                part_minor = _part(life, amount)
                one.done.transfers.append(void(life, part_minor, at_ms=self._clock.now_ms(), by_hand=by_hand))
        return one.done.transfers

    async def release(self, decision: str, amount: Money | None, by_hand: ByHand) -> list[TransferPosted]:
        """Let go of a hold before its end, or of a part of it."""
        async with self._open(decision, by_hand) as one:
            part_minor = _part(one.life, amount)
            one.done.transfers.append(release(one.life, part_minor, at_ms=self._clock.now_ms(), by_hand=by_hand))
        return one.done.transfers

    async def admit(self, decision: str, by_hand: ByHand) -> list[TransferPosted]:
        """Grant a decision that waits for a budget, although it is spent; its budgets are not claimed."""
        async with self._open(decision, by_hand) as one:
            head = decode_head(one.life.head or "")
            if one.life.state != "waiting" or head.takes_back is not None:
                raise _refused("not-waiting", f"the decision {decision} waits for no budget: it is {one.life.state}")
            leave_queue(one.life, one.budgets, one.done)
            at_ms = self._clock.now_ms()
            grant(one.life, head, {}, one.done, at_ms=at_ms, news_at_ms=at_ms, by_hand=by_hand)
        return one.done.transfers

    async def top_up(self, key: BudgetKey, amount_minor: int, by_hand: ByHand) -> list[TransferPosted]:
        """Put more into a budget; what waits for it is resumed by the clockwork, in order."""
        _check(by_hand)
        if not 0 < amount_minor <= AMOUNT_MINOR_MAX:
            raise _refused("amount-out-of-range", f"{amount_minor} is not 1 … {AMOUNT_MINOR_MAX}")
        if not is_unit(key.unit):
            raise _refused("unit-malformed", f"{key.unit!r} does not name a unit")
        chart.checked(key.account)
        done = Settlement()
        with outages_are_transient():
            async with self._database.connection() as connection:
                await open_budgets(connection, [key])
                await self._ledger.open_accounts(connection, {key.account, key.allotted_account})
                async with connection.transaction():
                    (budget,) = (await lock_budgets(connection, [key])).values()
                    done.budgets[budget.id] = budget
                    done.transfers.append(allot(budget, amount_minor, at_ms=self._clock.now_ms(), by_hand=by_hand))
                    await self._settler.write(connection, done, self._clock.now_ms())
        return done.transfers

    async def write_off(
        self,
        account: str,
        unit: str,
        programme: str,
        amount_minor: int | None,
        by_hand: ByHand,
        *,
        minor_max: int | None = None,
    ) -> list[TransferPosted]:
        """Forgive what an account owes, or a part of it, at the cost of a programme; never more than it owes.

        `minor_max` is the most that the one who asks may forgive: `approver-needed` beyond it.
        """
        _check(by_hand)
        if not chart.checked(account).endswith(":available") or not is_id(programme):
            raise _refused("not-a-debt", f"{account} of {programme!r} is no beneficiary's available account")
        source = chart.checked(f"programme:{programme}:written-off")
        at_ms = self._clock.now_ms()
        with outages_are_transient():
            async with self._database.connection() as connection:
                await self._ledger.open_accounts(connection, {account, source})
                async with connection.transaction():
                    owed_minor = await _owed(connection, account, unit)
                    part_minor = owed_minor if amount_minor is None else amount_minor
                    if not 0 < part_minor <= owed_minor:
                        raise _refused("not-owed", f"{account} owes {owed_minor} minor units of {unit}")
                    if minor_max is not None and part_minor > minor_max:
                        raise _refused("approver-needed", f"more than {minor_max} minor units is an approver's")
                    made = _written_off(account, source, Money(part_minor, unit), programme, owed_minor, at_ms, by_hand)
                    if (await self._ledger.post_within(connection, [made])).count != 1:
                        raise InvariantBroken(f"the write-off {made.id} was there already")
        return [made]

    @asynccontextmanager
    async def _open(self, decision: str, by_hand: ByHand) -> AsyncIterator[_Open]:
        """A decision in hand; what becomes of it is written at the end."""
        _check(by_hand)
        if not is_decision_id(decision):
            raise _refused("decision-id-malformed", f"{decision!r} is not the id of a decision")
        with outages_are_transient():
            async with self._database.connection() as connection, connection.transaction():
                # Budgets are locked before lives; which ones, the decision says, and that never changes.
                found = (await read_lives(connection, [decision])).get(decision)
                if found is None or found.head is None:
                    raise _refused("nothing-held", f"the ledger holds nothing back of a decision {decision}")
                budgets = await lock_budgets(connection, budgets_mentioned([Careful(decode_head(found.head))]))
                life = (await lock_lives(connection, [decision]))[decision]
                one = _Open(life, budgets, Settlement(changed={decision: life}))
                yield one
                await self._settler.write(connection, one.done, self._clock.now_ms())


@dataclass(frozen=True, slots=True)
class _Open:
    """A decision in hand: locked, with the budgets that cover it, and what has become of it so far."""

    life: Life
    budgets: Budgets
    done: Settlement


def _check(by_hand: ByHand) -> None:
    for name, text in by_hand._asdict().items():
        if not text.strip() or "\0" in text or len(text) > TEXT_LENGTH_MAX:
            raise _refused("reason-missing", f"a booking by hand says why, and who did it: {name} is {text!r}")


def _part(life: Life, amount: Money | None) -> int:
    held = Money(life.pending_minor, life.unit)
    part = amount or held
    if part.unit != held.unit or not 0 < part.amount_minor <= held.amount_minor:
        raise _refused("nothing-held", f"{held.amount_minor} minor units of {held.unit} are on hold, not {part}")
    return part.amount_minor


async def _owed(connection: Connection, account: str, unit: str) -> int:
    """What an account owes; its balance is locked."""
    cursor = await connection.execute(
        "SELECT b.minor FROM rewards.balances b JOIN rewards.accounts a ON a.id = b.account_id"
        " WHERE a.address = %s AND b.unit = %s FOR UPDATE OF b",
        (account, unit),
    )
    row = await cursor.fetchone()
    return max(0, -int(row[0])) if row else 0


def _written_off(
    account: str, source: str, amount: Money, programme: str, owed_minor: int, at_ms: int, by_hand: ByHand
) -> TransferPosted:
    """What was owed tells it from others of that moment."""
    head = own_head(
        RULE_WRITE_OFF,
        f"{account.replace(':', '/')}/{at_ms}",
        programme=programme,
        beneficiary=account.rpartition(":")[0],
        unit=amount.unit,
        at_ms=at_ms,
        told_apart_by=(owed_minor,),
    )
    return leg(head, STAGE_WRITTEN_OFF, source, account, amount.amount_minor, posted_at_ms=at_ms, by_hand=by_hand)


def _refused(code: str, message: str) -> PermanentError:
    return PermanentError(Problem(code=code, message=message))

"""Settles decisions whose posting depends on what the ledger holds; each batch is one transaction.

Promises: a decision is settled once, however often and by however many processes it is delivered; lives and transfers
change together or not at all; decisions of one batch are settled in their order. A decision that the ledger cannot take
is refused for good, with its reason, and stops nobody else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
import psycopg

from contracts.errors import TransientError
from runtime import log
from runtime.database import Connection, Connections
from services.rewards.budgets.claims import BudgetKey
from services.rewards.budgets.store import change_budgets, lock_budgets, open_budgets
from services.rewards.decode import DecisionHead, encode_head
from services.rewards.legs import granted_transfer_id
from services.rewards.lives.grants import is_past
from services.rewards.lives.life import Life, Settlement
from services.rewards.lives.outcomes import budgets_mentioned, mentioned, settle
from services.rewards.lives.past import post_past
from services.rewards.lives.redelivery import differing, kept
from services.rewards.lives.store import add_lives, change_lives, lock_lives, plain_grants
from services.rewards.postings import Careful
from services.rewards.store import Ledger, Posted, message_of, outages_are_transient

BUDGETS_CACHE_MAX: Final = 100_000
RIVALS_MAX: Final = 5
"""How often a batch is begun again because another process settled some of it meanwhile."""

logger = log.get(__name__)


class _Rival(Exception):
    """Another process added one of our rows; what it committed is to be read first."""


class _NotWhole(Exception):
    """Some transfer of a new life is in the ledger already, or was refused."""


class Settler:
    """Settles decisions. Safe to use from several tasks and processes at once."""

    def __init__(self, database: Connections, ledger: Ledger) -> None:
        self._database = database
        self._ledger = ledger
        # Those whose rows are there; they are never deleted.
        self._budgets: set[BudgetKey] = set()

    async def settle(self, careful: Sequence[Careful], *, at_ms: int) -> Posted:
        """Settle what is not settled yet; durable when it returns.

        Raises:
            TransientError: The database is away; give the same decisions again.
        """
        if not careful:
            return Posted()
        try:
            with outages_are_transient():
                async with self._database.connection() as connection:
                    await self.open(connection, careful)
                    past = [one for one in careful if is_past(one.decision, at_ms)]
                    if not past:
                        return await self._settle(connection, careful, at_ms)
                    # Grants before what takes from them; among themselves, they have no order.
                    posted, left = await post_past(connection, self._ledger, past, at_ms)
                    left += [one for one in careful if not is_past(one.decision, at_ms)]
                    return posted + (await self._settle(connection, left, at_ms) if left else Posted())
        except TransientError:
            self._ledger.forget()
            self._budgets.clear()
            raise

    async def _settle(self, connection: Connection, careful: Sequence[Careful], at_ms: int) -> Posted:
        for _ in range(RIVALS_MAX):
            try:
                async with connection.transaction():
                    return await self.settle_within(connection, careful, at_ms)
            except _Rival:
                continue
            except (psycopg.errors.NumericValueOutOfRange, _NotWhole) as error:
                if len(careful) == 1:
                    return await self._refuse(connection, careful[0], error, at_ms)
                # Halving finds the decision that does it; the order stays.
                middle = len(careful) // 2
                done = await self._settle(connection, careful[:middle], at_ms)
                return done + await self._settle(connection, careful[middle:], at_ms)
        raise TransientError(f"{RIVALS_MAX} times another process settled the same decisions at the same moment")

    async def open(self, connection: Connection, careful: Sequence[Careful]) -> None:
        """Make what is settled between: accounts, months, and rows of budgets. Outside of any transaction."""
        await self._ledger.open_accounts(connection, _accounts(careful))
        await self._ledger.open_months(connection, [one.decision.time_ms for one in careful])
        budgets = budgets_mentioned(careful) - self._budgets
        if budgets:
            await open_budgets(connection, budgets)
            if len(self._budgets) < BUDGETS_CACHE_MAX:
                self._budgets |= budgets

    async def settle_within(
        self, connection: Connection, careful: Sequence[Careful], at_ms: int, *, resumes: bool = False
    ) -> Posted:
        """Settle as a part of the caller's transaction."""
        ids = mentioned(careful)
        budgets = await lock_budgets(connection, budgets_mentioned(careful))
        known = await lock_lives(connection, ids)
        own = {one.decision.id for one in careful}
        plain = await plain_grants(connection, ids - own - known.keys())
        done = settle(careful, known | plain, budgets, at_ms=at_ms, resumes=resumes)
        # A plain grant gets its row when something first happens to it.
        for decision in plain.keys() & done.changed.keys():
            done.born[decision] = done.changed.pop(decision)
        return await self.write(connection, done, at_ms)

    async def write(self, connection: Connection, done: Settlement, at_ms: int) -> Posted:
        """Write a settlement as a part of the caller's transaction."""
        if done.born and await add_lives(connection, done.born.values()) < len(done.born):
            raise _Rival
        await change_lives(connection, done.changed.values())
        await change_budgets(connection, done.budgets.values())
        posted = await self._post_new(connection, done)
        conflicts = 0
        for life, head in done.conflicting:
            conflicts += await _keep_conflict(connection, life, head, at_ms)
        return posted + Posted(duplicates=done.duplicates, conflicts=conflicts)

    async def _post_new(self, connection: Connection, done: Settlement) -> Posted:
        posted = await self._ledger.post_within(connection, done.transfers, done.notices)
        if posted.count != len(done.transfers):
            raise _NotWhole
        return posted

    async def _refuse(self, connection: Connection, one: Careful, error: Exception, at_ms: int) -> Posted:
        """The answer to one decision that cannot be settled: kept, and given to every redelivery."""
        head = one.decision
        if isinstance(error, _NotWhole):
            # It came before as a plain grant, or was refused as one: what stands under its id holds.
            stands = await plain_grants(connection, [head.id])
            if head.id not in stands or not differing(stands[head.id], head):
                return Posted(duplicates=1)
            return Posted(conflicts=await _keep_conflict(connection, stands[head.id], head, at_ms))
        message = message_of(error) if isinstance(error, psycopg.Error) else str(error)
        life = Life(
            decision=head.id,
            state="refused",
            beneficiary=head.beneficiary,
            unit=head.unit or "",
            available_at_ms=head.available_at_ms,
            takes_back=head.takes_back,
            reason=f"balance-out-of-range: {message}",
            head=encode_head(head),
            traceparent=one.traceparent,
        )
        refused = await add_lives(connection, [life])
        logger.error("decision refused", decision=head.id, reason=life.reason)
        return Posted(refused=refused, duplicates=1 - refused)


def _accounts(careful: Sequence[Careful]) -> set[str]:
    """All that these decisions may move something between, now or later."""
    places = {(one.decision.programme, one.decision.beneficiary) for one in careful}
    return {
        address
        for programme, beneficiary in places
        for address in (f"programme:{programme}:cost", f"{beneficiary}:pending", f"{beneficiary}:available")
    } | {
        address
        for key in budgets_mentioned(careful)
        for address in (key.account, key.allotted_account, key.spent_account)
    }


async def _keep_conflict(connection: Connection, life: Life, head: DecisionHead, at_ms: int) -> int:
    """Keep what came under a known id with other data; 1 the first time."""
    stored, received, fields = kept(life), msgspec.to_builtins(head), differing(life, head)
    cursor = await connection.execute(
        "INSERT INTO rewards.conflicts (transfer_id, digest, fields, stored, received, seen_at)"
        " VALUES (%(id)s::uuid, md5(%(received)s), %(fields)s, %(stored)s::jsonb, %(received)s::jsonb,"
        " to_timestamp(%(at_ms)s / 1000.0)) ON CONFLICT DO NOTHING",
        {
            "id": granted_transfer_id(head.id),
            "fields": fields,
            "stored": msgspec.json.encode(stored).decode(),
            "received": msgspec.json.encode(received).decode(),
            "at_ms": at_ms,
        },
    )
    if cursor.rowcount:
        logger.error("decision came again with other data", decision=head.id, fields=fields)
    return cursor.rowcount

"""Proposes gifts and decides them; each is one transaction.

Promises: nobody decides what they proposed; what is granted was in the budget and within the limits at that moment; a
gift is decided once, and deciding it the same way again changes nothing. Who proposed it, who decided it, when and why
stays.
"""

from __future__ import annotations

from typing import Final

import psycopg

from contracts.errors import InvariantBroken, PermanentError, Problem
from contracts.ids import is_id
from contracts.money import AMOUNT_MINOR_MAX, Money, is_unit
from runtime.clock import Clock
from runtime.database import Connection, Connections
from runtime.people import checked_who, is_same_person
from services.rewards import chart
from services.rewards.budgets.store import change_budgets, lock_budgets
from services.rewards.decode import is_decision_id
from services.rewards.gifts import giving, store
from services.rewards.gifts.giving import YEAR_MS, Gift, Limits
from services.rewards.store import Ledger, outages_are_transient

TEXT_LENGTH_MAX: Final = 1_024


class Gifts:
    """Safe to use from several tasks and processes at once. All raise PermanentError and TransientError."""

    def __init__(self, connections: Connections, ledger: Ledger, *, clock: Clock, limits: Limits) -> None:
        self._connections = connections
        self._ledger = ledger
        self._clock = clock
        self._limits = limits

    async def propose(
        self,
        programme: str,
        beneficiary: str,
        amount: Money,
        *,
        budget: str,
        period: str = "",
        reason: str,
        key: str,
        by: str,
        decimals: int | None = None,
    ) -> Gift:
        """Ask for a gift. `key` names it in its programme: given again, it is answered with the same gift."""
        _check_text(reason)
        if not is_id(programme) or not is_id(key):
            raise _refused("id-malformed", f"{programme!r} or {key!r} is no id: 1–128 of A–Z a–z 0–9 . _ ~ / @ + -")
        if not 0 < amount.amount_minor <= AMOUNT_MINOR_MAX or not is_unit(amount.unit):
            raise _refused("amount-out-of-range", f"{amount.amount_minor} {amount.unit} is no amount above zero")
        made = Gift(
            id="",
            programme=programme,
            key=key,
            beneficiary=beneficiary,
            budget=budget,
            period=period,
            amount_minor=amount.amount_minor,
            unit=amount.unit,
            decimals=decimals,
            reason=reason,
            proposed_by=checked_who(by),
            proposed_at_ms=self._clock.now_ms(),
        )
        made.id = giving.head_of(made).id
        for address in (chart.available_account(beneficiary), made.budget_key.account):
            chart.checked(address)
        with outages_are_transient():
            async with self._connections.connection() as connection:
                try:
                    async with connection.transaction():
                        return await self._propose(connection, made)
                except psycopg.errors.UniqueViolation:
                    # The same key at the same moment.
                    return await self._propose(connection, made)

    async def approve(self, id: str, *, by: str, because: str = "") -> Gift:
        """Grant it, out of its budget; refused, and still proposed, where that has not enough."""
        who = checked_who(by)
        with outages_are_transient():
            async with self._connections.connection() as connection:
                found = await self._known(connection, id)
                await self._ledger.open_accounts(connection, _accounts(found))
                async with connection.transaction():
                    await store.take_turn(connection, found.beneficiary)
                    budget = (await lock_budgets(connection, [found.budget_key])).get(found.budget_key)
                    gift = await store.lock_gift(connection, id) or found
                    if not _is_to_decide(gift, "granted", who):
                        return gift
                    problem = giving.refusal(gift, budget) or await self._over_limit(connection, gift)
                    if problem is not None or budget is None:
                        raise PermanentError(problem or Problem(code="no-such-budget", message=gift.budget))
                    made = giving.grant(gift, budget, at_ms=self._clock.now_ms(), by=who, because=because)
                    await change_budgets(connection, [budget])
                    await store.decide_gift(connection, gift)
                    if (await self._ledger.post_within(connection, made)).count != len(made):
                        raise InvariantBroken(f"transfers of the gift {id} were there already")
                    return gift

    async def reject(self, id: str, *, by: str, because: str) -> Gift:
        """Do not give it, and say why. Who proposed it may take it back."""
        _check_text(because)
        with outages_are_transient():
            async with self._connections.connection() as connection, connection.transaction():
                await self._known(connection, id)
                gift = await store.lock_gift(connection, id)
                if gift is not None and gift.state == "proposed":
                    giving.reject(gift, at_ms=self._clock.now_ms(), by=checked_who(by), because=because)
                    await store.decide_gift(connection, gift)
                elif gift is None or gift.state != "rejected":
                    raise _refused("gift-decided", f"the gift {id} is granted already")
                return gift

    async def show(self, id: str) -> Gift:
        with outages_are_transient():
            async with self._connections.connection() as connection:
                return await self._known(connection, id)

    async def listed(
        self, beneficiary: str | None = None, state: str | None = None, *, before: str | None = None, limit: int = 100
    ) -> list[Gift]:
        """The newest first; those older than the gift `before`."""
        with outages_are_transient():
            async with self._connections.connection() as connection:
                return await store.list_gifts(connection, beneficiary, state, before=before, limit=limit)

    async def _propose(self, connection: Connection, made: Gift) -> Gift:
        known = await store.gift_of_key(connection, made.programme, made.key)
        if known is None:
            problem = await self._over_limit(connection, made)
            if problem is not None:
                raise PermanentError(problem)
            await store.add_gift(connection, made)
            return made
        wish = (made.beneficiary, made.amount_minor, made.budget_key)
        if (known.beneficiary, known.amount_minor, known.budget_key) != wish:
            raise _refused("key-reused", f"the key {made.key} was used for another gift")
        return known

    async def _over_limit(self, connection: Connection, gift: Gift) -> Problem | None:
        since_ms = self._clock.now_ms() - YEAR_MS
        given_minor = await store.given_minor(connection, gift.beneficiary, gift.unit, since_ms=since_ms)
        return giving.over_limit(gift, self._limits, given_minor=given_minor)

    @staticmethod
    async def _known(connection: Connection, id: str) -> Gift:
        found = await store.read_gift(connection, id) if is_decision_id(id) else None
        if found is None:
            raise _refused("no-such-gift", f"there is no gift {id}")
        return found


def _is_to_decide(gift: Gift, state: giving.State, who: str) -> bool:
    """Whether it is still to be decided, and by this person; not where it was decided so before."""
    if gift.state == state:
        return False
    if gift.state != "proposed":
        raise _refused("gift-decided", f"the gift {gift.id} is {gift.state} already")
    if is_same_person(who, gift.proposed_by):
        raise _refused("same-person", f"{gift.proposed_by} proposed the gift; somebody else approves it")
    return True


def _accounts(gift: Gift) -> set[str]:
    key = gift.budget_key
    return {chart.cost_account(gift.programme), f"{gift.beneficiary}:available", key.account, key.spent_account}


def _check_text(text: str) -> None:
    if not text.strip() or "\0" in text or len(text) > TEXT_LENGTH_MAX:
        raise _refused("reason-missing", f"a gift has a reason, in up to {TEXT_LENGTH_MAX} characters, not {text!r}")


def _refused(code: str, message: str) -> PermanentError:
    return PermanentError(Problem(code=code, message=message, help="`goodword gifts list` shows each with its state"))

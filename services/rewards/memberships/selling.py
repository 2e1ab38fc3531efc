"""Sells memberships, renews them, and ends them; each step is one transaction.

Promises: a fee is charged once a term, and only from what is there; the same key is the same membership; a partner has
one at a time in a programme; it ends once. The rules hear of its beginning and its end in the order in which they
happened, at least once each, whatever crashes in between.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import psycopg

from contracts.errors import InvariantBroken, PermanentError, Problem, TransientError
from contracts.facts import TransferPosted
from contracts.ids import is_id
from contracts.money import AMOUNT_MINOR_MAX, is_unit
from runtime.clock import Clock
from runtime.database import Connection, Connections
from services.rewards import chart
from services.rewards.decode import is_decision_id
from services.rewards.lives.store import change_lives, lock_lives
from services.rewards.lots.oldest_first import Place
from services.rewards.lots.spending import put_back, take_oldest
from services.rewards.lots.store import NewLotError, lock_lots, purses
from services.rewards.memberships import store, terms
from services.rewards.memberships.terms import PERS, Membership, Per
from services.rewards.standings import store as standings
from services.rewards.store import Ledger, Posted, outages_are_transient

TEXT_LENGTH_MAX: Final = 1_024
RIVALS_MAX: Final = 10
"""How often to begin again because something was granted meanwhile that expires."""
OVER: Final = "its term is over"
CANNOT_PAY: Final = "the next term could not be paid for"


class Offer(NamedTuple):
    """What is sold.

    Attributes:
        back_to: The tier afterwards, unless the partner stands in another one by then.
        decimals: Of the unit, where they are not what everybody assumes.
        paid_outside: What names the payment elsewhere; None: it is charged to what the partner has available.
        renews: Whether the next term is charged when one ends, as long as there is enough.
    """

    tier: str
    back_to: str
    per: Per
    price_minor: int
    unit: str
    decimals: int | None = None
    paid_outside: str | None = None
    renews: bool = False


class Memberships:
    """Safe to use from several tasks and processes at once. All raise PermanentError and TransientError."""

    def __init__(self, connections: Connections, ledger: Ledger, *, clock: Clock) -> None:
        self._connections = connections
        self._ledger = ledger
        self._clock = clock

    async def buy(self, programme: str, beneficiary: str, offer: Offer, *, key: str, by: str) -> Membership:
        """Charge the first term, and let the rules know of the tier."""
        _check(programme, beneficiary, offer, key)
        _check_text("who sells", by)
        accounts = {f"{beneficiary}:available", terms.fees_account(programme)}
        if offer.paid_outside is not None:
            accounts.add(f"programme:{programme}:paid-outside")
        with outages_are_transient():
            async with self._connections.connection() as connection:
                await self._ledger.open_accounts(connection, {chart.checked(address) for address in accounts})
                try:
                    made = await self._bought(connection, programme, beneficiary, offer, key, by)
                except psycopg.errors.UniqueViolation:
                    # The same key at the same moment, or another membership that is still active.
                    known = await store.membership_of_key(connection, programme, key)
                    if known is None:
                        raise _refused("membership-active", f"{beneficiary} has a membership of {programme}") from None
                    made = known
        wish = (beneficiary, offer.tier, offer.per, offer.price_minor, offer.unit, offer.paid_outside)
        if (made.beneficiary, made.tier, made.per, made.price_minor, made.unit, made.paid_outside) != wish:
            raise _refused("key-reused", f"the key {key} was used for another membership")
        return made

    async def cancel(self, id: str, *, reason: str, by: str, is_refunded: bool = True) -> Membership:
        """End it now; what is unused of the term's fee, by days, goes back to where it came from."""
        _check_text("the reason", reason)
        _check_text("who cancels", by)
        with outages_are_transient():
            async with self._connections.connection() as connection, connection.transaction():
                # Its lots are locked before it, and which ones only a renewal changes, which looks the same way.
                found = await self._known(connection, id)
                lives = await lock_lives(connection, {part.decision for part in found.parts})
                membership = await store.lock_membership(connection, id) or found
                if membership.state == "refunded":
                    return membership
                if membership.state != "active":
                    raise _refused("membership-over", f"the membership {id} is {membership.state} already")
                at_ms = self._clock.now_ms()
                refunded_minor = terms.unused_minor(membership, at_ms) if is_refunded else 0
                back = terms.newest_parts(membership.parts, refunded_minor)
                await change_lives(connection, put_back([part for part in back if part.decision in lives], lives))
                made = terms.refund(membership, at_ms=at_ms, by=by, reason=reason, refunded_minor=refunded_minor)
                await self._close(connection, membership, at_ms)
                await self._post(connection, made)
                return membership

    async def end_terms(self, connection: Connection, count_max: int) -> tuple[list[str], Posted]:
        """The clockwork's part: renew what is to be renewed, end the rest, in its transaction."""
        now_ms = self._clock.now_ms()
        due = await store.find_over(connection, now_ms=now_ms, count_max=count_max)
        if due and await standings.behind(connection):
            # Where they go back to is not certain yet; one of the next ticks ends them.
            return [], Posted()
        lots = await lock_lots(connection, {_place(each) for each in due if _pays_again(each)})
        over = await store.lock_over(connection, [each.id for each in due], now_ms=now_ms)
        # One of a partner at a time, so that each sees what the other left.
        first = {_place(each): each for each in reversed(over)}
        paying = {place: each for place, each in first.items() if _pays_again(each)}
        fees = {terms.fees_account(each.programme) for each in paying.values()}
        try:
            found = await purses(connection, paying.keys(), lots, *sorted(fees), now_ms=now_ms)
        except NewLotError:
            # The next tick sees it; nothing has changed yet.
            return [], Posted()
        made: list[TransferPosted] = []
        for place, membership in first.items():
            purse = found.get(place) if place in paying else None
            if purse is not None and purse.spendable_minor >= membership.price_minor:
                parts = take_oldest(purse, membership.price_minor, lots)
                await change_lives(connection, [lots[part.decision] for part in parts])
                made.append(terms.renew(membership, at_ms=now_ms, parts=parts))
                await store.change_membership(connection, membership)
            else:
                terms.end(membership, at_ms=now_ms, reason=OVER if purse is None else CANNOT_PAY)
                await self._close(connection, membership, now_ms)
        return [each.id for each in over], await self._post(connection, made)

    async def show(self, id: str) -> Membership:
        with outages_are_transient():
            async with self._connections.connection() as connection:
                return await self._known(connection, id)

    async def listed(
        self, beneficiary: str | None = None, state: str | None = None, *, before: str | None = None, limit: int = 100
    ) -> list[Membership]:
        """The newest first; those older than `before`."""
        with outages_are_transient():
            async with self._connections.connection() as connection:
                return await store.list_memberships(connection, beneficiary, state, before=before, limit=limit)

    async def _bought(
        self, connection: Connection, programme: str, beneficiary: str, offer: Offer, key: str, by: str
    ) -> Membership:
        for _ in range(RIVALS_MAX):
            try:
                async with connection.transaction():
                    return await self._buy(connection, programme, beneficiary, offer, key, by)
            except NewLotError:
                continue
        raise TransientError(f"{RIVALS_MAX} times {beneficiary} was granted something at the same moment")

    async def _buy(
        self, connection: Connection, programme: str, beneficiary: str, offer: Offer, key: str, by: str
    ) -> Membership:
        known = await store.membership_of_key(connection, programme, key)
        if known is not None:
            return known
        at_ms = self._clock.now_ms()
        made = Membership(
            id="",
            programme=programme,
            key=key,
            beneficiary=beneficiary,
            bought_at_ms=at_ms,
            bought_by=by,
            from_ms=at_ms,
            until_ms=terms.term_end(at_ms, offer.per, 0),
            **offer._asdict(),
        )
        made.id = terms.head_of(made).id
        place = Place(beneficiary, offer.unit)
        lots = await lock_lots(connection, [place]) if offer.paid_outside is None else {}
        # Before any balance: it waits for whoever ends the one before, or has this key, and they wait for balances.
        await store.add_membership(connection, made)
        if offer.paid_outside is None:
            found = await purses(connection, [place], lots, terms.fees_account(programme), now_ms=at_ms)
            if found[place].spendable_minor < offer.price_minor:
                asks = f"{offer.price_minor} minor units of {offer.unit}"
                can = found[place].spendable_minor
                raise _refused("not-enough", f"it costs {asks}, and {beneficiary} can spend {can}")
            made.parts = take_oldest(found[place], offer.price_minor, lots)
            await change_lives(connection, [lots[part.decision] for part in made.parts])
            await store.change_membership(connection, made)
        await store.to_be_told(connection, made, offer.tier, at_ms=at_ms)
        await self._post(connection, [terms.charge(made, at_ms=at_ms, by=by)])
        return made

    async def _close(self, connection: Connection, membership: Membership, at_ms: int) -> None:
        stands_in = await standings.tier_of(connection, membership.programme, membership.beneficiary)
        await store.change_membership(connection, membership)
        tier = terms.tier_afterwards(membership, stands_in)
        await store.to_be_told(connection, membership, tier, at_ms=at_ms)

    async def _post(self, connection: Connection, transfers: list[TransferPosted]) -> Posted:
        posted = await self._ledger.post_within(connection, transfers)
        if posted.count != len(transfers):
            raise InvariantBroken(f"transfers of a membership were there already: {[each.id for each in transfers]}")
        return posted

    @staticmethod
    async def _known(connection: Connection, id: str) -> Membership:
        found = await store.read_membership(connection, id) if is_decision_id(id) else None
        if found is None:
            raise _refused("no-such-membership", f"there is no membership {id}")
        return found


def _place(membership: Membership) -> Place:
    return Place(membership.beneficiary, membership.unit)


def _pays_again(membership: Membership) -> bool:
    return membership.renews and membership.paid_outside is None


def _check(programme: str, beneficiary: str, offer: Offer, key: str) -> None:
    kind, _, partner = beneficiary.partition(":")
    if kind != "partner" or not is_id(partner):
        raise _refused("not-a-partner", f"only partners have tiers: {beneficiary!r} is not like partner:moses-frase")
    if not all(map(is_id, (programme, key, offer.tier, offer.back_to))):
        raise _refused("id-malformed", "programme, key and tiers are ids: 1–128 of A–Z a–z 0–9 . _ ~ / @ + -")
    if not 0 < offer.price_minor <= AMOUNT_MINOR_MAX or not is_unit(offer.unit) or offer.per not in PERS:
        raise _refused("price-malformed", f"{offer.price_minor} {offer.unit} per {offer.per} is no price")
    if offer.renews and (offer.per == "ever" or offer.paid_outside is not None):
        raise _refused("never-renewed", "what never ends, or is paid elsewhere, is not renewed by itself")
    if offer.paid_outside is not None:
        _check_text("the payment elsewhere", offer.paid_outside)


def _check_text(name: str, text: str) -> None:
    if not text.strip() or "\0" in text or len(text) > TEXT_LENGTH_MAX:
        raise _refused("reason-missing", f"{name} is told, in up to {TEXT_LENGTH_MAX} characters, not {text!r}")


def _refused(code: str, message: str) -> PermanentError:
    return PermanentError(Problem(code=code, message=message, help="`goodword memberships list` shows each"))

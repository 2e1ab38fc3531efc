"""Reserves, fulfils and cancels redemptions; each is one transaction.

Promises: nothing is reserved that is not there, in stock or in the account, however many ask at once; the same key is
the same redemption, whoever asks again and after whatever crash; each ends once, fulfilled or cancelled, and asking for
the same end again changes nothing. Codes are shown only by `reveal`, which keeps who asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import psycopg

from contracts.errors import InvariantBroken, PermanentError, Problem, TransientError
from contracts.facts import TransferPosted
from contracts.ids import is_id
from runtime.clock import Clock
from runtime.database import Connection, Connections
from services.rewards import chart
from services.rewards.catalogue import store as catalogue
from services.rewards.decode import is_decision_id
from services.rewards.lives.store import change_lives, lock_lives
from services.rewards.lots.oldest_first import Place
from services.rewards.lots.spending import put_back, take_oldest
from services.rewards.lots.store import NewLotError, lock_lots, purses
from services.rewards.redemptions import deciding, store
from services.rewards.redemptions.deciding import BY_THE_CLOCK, Asked, Redemption
from services.rewards.redemptions.line import RedemptionInFull, redemption_in_full
from services.rewards.standings.store import tier_of
from services.rewards.store import Ledger, Posted, outages_are_transient

DAY_MS: Final = 86_400_000
TEXT_LENGTH_MAX: Final = 1_024
RIVALS_MAX: Final = 10
"""How often to begin again because something was granted meanwhile that expires."""
TOO_LATE: Final = "not fulfilled in time"


class Redemptions:
    """Safe to use from several tasks and processes at once. All raise PermanentError and TransientError."""

    def __init__(self, connections: Connections, ledger: Ledger, *, clock: Clock, reserved_days_max: int) -> None:
        self._connections = connections
        self._ledger = ledger
        self._clock = clock
        self._reserved_ms_max = reserved_days_max * DAY_MS

    async def reserve(
        self, programme: str, item: str, beneficiary: str, *, quantity: int, key: str, by: str
    ) -> Redemption:
        """Set so many of an item aside for somebody, and what they cost.

        `key` names this wish in its programme: given again, it is answered with the same redemption.
        """
        _check_text("who reserves", by)
        if not is_id(programme) or not is_id(key):
            raise _refused("id-malformed", f"{programme!r} or {key!r} is no id: 1–128 of A–Z a–z 0–9 . _ ~ / @ + -")
        accounts = {chart.checked(address) for address in deciding.accounts_of(programme, beneficiary)}
        with outages_are_transient():
            async with self._connections.connection() as connection:
                await self._ledger.open_accounts(connection, accounts)
                for _ in range(RIVALS_MAX):
                    try:
                        async with connection.transaction():
                            made = await self._reserve(connection, programme, item, beneficiary, quantity, key, by)
                    except (psycopg.errors.UniqueViolation, NewLotError):
                        # The same key at the same moment, for another item: what it made is read now. Or more points.
                        continue
                    return _same(made, item, beneficiary, quantity)
        raise TransientError(f"{RIVALS_MAX} times others were in the way of the key {key}")

    async def fulfil(self, id: str, *, codes: Sequence[str] = (), by: str) -> Redemption:
        """It was handed over. An item with codes hands out its own; another can bring some."""
        _check_text("who fulfils", by)
        for code in codes:
            if not code.strip() or not code.isprintable() or len(code) > TEXT_LENGTH_MAX:
                raise _refused("code-malformed", "a code is empty, too long or not printable")
        with outages_are_transient():
            async with self._connections.connection() as connection, connection.transaction():
                redemption = await _locked(connection, id)
                if redemption.state == "fulfilled" and (
                    not codes or await store.codes_of(connection, id) == list(codes)
                ):
                    return redemption
                _check_open(redemption)
                at_ms = self._clock.now_ms()
                made = deciding.fulfil(redemption, at_ms=at_ms, by=by)
                await store.close_redemptions(connection, [redemption])
                await self._give_codes(connection, redemption, codes, by=by, at_ms=at_ms)
                await self._post(connection, made)
                return redemption

    async def cancel(self, id: str, *, reason: str, by: str) -> Redemption:
        """What was reserved goes back, to the stock and to the account; what has expired meanwhile then expires."""
        _check_text("the reason", reason)
        _check_text("who cancels", by)
        with outages_are_transient():
            async with self._connections.connection() as connection, connection.transaction():
                found = await _known(connection, id)
                if found.state == "reserved":
                    await self._cancel(connection, [found], reason=reason, by=by)
                redemption = await _known(connection, id)
                if redemption.state != "cancelled":
                    _check_open(redemption)
                return redemption

    async def cancel_overdue(self, connection: Connection, count_max: int) -> tuple[list[str], Posted]:
        """The clockwork's part: cancel reservations whose time is over, in its transaction."""
        due = await store.overdue(connection, now_ms=self._clock.now_ms(), count_max=count_max)
        if not due:
            return [], Posted()
        return [each.id for each in due], await self._cancel(connection, due, reason=TOO_LATE, by=BY_THE_CLOCK)

    async def reveal(self, id: str, *, by: str) -> list[str]:
        """The codes of a fulfilled redemption; it is kept who saw them."""
        _check_text("who asks", by)
        with outages_are_transient():
            async with self._connections.connection() as connection, connection.transaction():
                await _known(connection, id)
                codes = await store.codes_of(connection, id)
                if codes:
                    await store.note_reveal(connection, id, by=by, at_ms=self._clock.now_ms())
                return codes

    async def show(self, id: str) -> RedemptionInFull:
        """All of it, its codes masked, and who was shown them."""
        with outages_are_transient():
            async with self._connections.connection() as connection, connection.transaction():
                found = await _known(connection, id)
                codes, revealed = await store.codes_of(connection, id), await store.reveals_of(connection, id)
                return redemption_in_full(found, codes, revealed)

    async def listed(
        self, beneficiary: str | None = None, state: str | None = None, *, before: str | None = None, limit: int = 100
    ) -> list[Redemption]:
        """The newest first; those older than `before`."""
        with outages_are_transient():
            async with self._connections.connection() as connection:
                return await store.list_redemptions(connection, beneficiary, state, before=before, limit=limit)

    async def _reserve(
        self, connection: Connection, programme: str, item: str, beneficiary: str, quantity: int, key: str, by: str
    ) -> Redemption:
        # Read before it is locked: lots are locked first, and it says of which unit.
        price = await catalogue.price_unit_of(connection, programme, item)
        place = Place(beneficiary, price or "")
        lots = await lock_lots(connection, [place])
        shelf = await catalogue.lock_item(connection, programme, item)
        # After the lock, so that whoever used the key for this item has committed.
        known = await store.redemption_of_key(connection, programme, key)
        if known is not None:
            return known
        if shelf is None:
            raise _refused("no-such-item", f"the catalogue of {programme} has no item {item}")
        at_ms = self._clock.now_ms()
        asked = Asked(
            beneficiary,
            quantity,
            tier=await tier_of(connection, programme, beneficiary) if shelf.offer.item.tiers else None,
            had=await store.had_of(connection, shelf.id, beneficiary),
        )
        problem = deciding.refusal(shelf.offer, asked, shelf.stock, at_ms=at_ms)
        if problem is not None:
            raise PermanentError(problem)
        redemption = deciding.redemption_of(
            shelf.offer,
            asked,
            programme=programme,
            item_id=shelf.id,
            key=key,
            at_ms=at_ms,
            until_ms=at_ms + self._reserved_ms_max,
            by=by,
        )
        if redemption.unit != place.unit:
            # Another version of the catalogue has come in between.
            raise NewLotError
        found = (await purses(connection, [place], lots, f"{beneficiary}:reserved", now_ms=at_ms))[place]
        if found.spendable_minor < redemption.price_minor:
            asks = f"{redemption.price_minor} minor units of {redemption.unit}"
            raise _refused("not-enough", f"it costs {asks}, and {beneficiary} can spend {found.spendable_minor}")
        redemption.parts = take_oldest(found, redemption.price_minor, lots)
        await change_lives(connection, [lots[part.decision] for part in redemption.parts])
        await store.add_redemption(connection, redemption)
        await catalogue.take(connection, shelf.id, quantity)
        await self._post(connection, deciding.reserve(redemption))
        return redemption

    async def _cancel(self, connection: Connection, found: Sequence[Redemption], *, reason: str, by: str) -> Posted:
        """Cancel those that still are reserved once they are locked."""
        lives = await lock_lives(connection, {part.decision for each in found for part in each.parts})
        locked = await store.lock_redemptions(connection, [each.id for each in found])
        still = [each for each in locked if each.state == "reserved"]
        at_ms = self._clock.now_ms()
        made = [leg for each in still for leg in deciding.cancel(each, at_ms=at_ms, by=by, reason=reason)]
        opened = [life for each in still for life in put_back(each.parts, lives)]
        await change_lives(connection, {life.decision: life for life in opened}.values())
        await store.close_redemptions(connection, still)
        await catalogue.put_back(connection, [(each.item_id, each.quantity) for each in still])
        return await self._post(connection, made)

    async def _give_codes(
        self, connection: Connection, redemption: Redemption, codes: Sequence[str], *, by: str, at_ms: int
    ) -> None:
        if not codes:
            if redemption.has_codes and await store.hand_out(connection, redemption) < redemption.quantity:
                help = "`goodword catalogue codes load` gives it more, or name one with --code"
                raise PermanentError(
                    Problem(code="no-code-left", message=f"{redemption.item} has no free code", help=help)
                )
        elif len(codes) != redemption.quantity:
            raise _refused("codes-missing", f"{redemption.quantity} are fulfilled with {len(codes)} codes")
        else:
            try:
                async with connection.transaction():
                    await store.keep_codes(connection, redemption, codes, by=by, at_ms=at_ms)
            except psycopg.errors.UniqueViolation:
                raise _refused(
                    "code-given-before", "this code belongs to the item's stock, or to somebody else"
                ) from None

    async def _post(self, connection: Connection, transfers: Sequence[TransferPosted]) -> Posted:
        posted = await self._ledger.post_within(connection, transfers)
        if posted.count != len(transfers):
            raise InvariantBroken(f"transfers of a redemption were there already: {[each.id for each in transfers]}")
        return posted


async def _known(connection: Connection, id: str) -> Redemption:
    found = await store.read_redemption(connection, id) if is_decision_id(id) else None
    if found is None:
        raise _refused("no-such-redemption", f"there is no redemption {id}")
    return found


async def _locked(connection: Connection, id: str) -> Redemption:
    found = await store.lock_redemptions(connection, [id]) if is_decision_id(id) else []
    if not found:
        raise _refused("no-such-redemption", f"there is no redemption {id}")
    return found[0]


def _check_open(redemption: Redemption) -> None:
    if redemption.state != "reserved":
        raise _refused("redemption-over", f"the redemption {redemption.id} is {redemption.state} already")


def _same(made: Redemption, item: str, beneficiary: str, quantity: int) -> Redemption:
    """What a key made before answers the same wish only."""
    if (made.item, made.beneficiary, made.quantity) != (item, beneficiary, quantity):
        wish = f"{made.quantity} × {made.item} for {made.beneficiary}"
        raise _refused("key-reused", f"the key {made.key} was used for {wish}")
    return made


def _check_text(name: str, text: str) -> None:
    if not text.strip() or "\0" in text or len(text) > TEXT_LENGTH_MAX:
        raise _refused("reason-missing", f"{name} is told, in up to {TEXT_LENGTH_MAX} characters, not {text!r}")


def _refused(code: str, message: str) -> PermanentError:
    return PermanentError(
        Problem(code=code, message=message, help="`goodword redemptions list` shows each with its state")
    )

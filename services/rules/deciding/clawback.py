"""What refunds take back (docs/rules.md#refunds): the same share of each decision of the deal, to the minor unit.

A deal remembers its sales (it is won once, and renewed once per period) and what was granted at them with a `clawback`.
A refund that names the period of a sale is that sale's; any other is spread, by what is left of them, over the sales of
the deal of which something can still be taken back. Of a decision, `round_half_even(granted * refunded so far / sale)`
is taken back, less what was taken before, so parts add up to the whole exactly; neither a sale nor a decision loses
more than it had. Only refunds within a decision's window count for it, and the window is the one that was in force when
it was made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from contracts.decisions import Decision, TraceLine
from contracts.events import Amount, EventData
from contracts.money import round_half_even
from contracts.ruleset import Duration
from services.rules.amounts.measures import amount_in_words
from services.rules.amounts.rates import Rates, converted, no_rate
from services.rules.clock.calendar import date_of, later
from services.rules.deciding.decide import Case, decide
from services.rules.states.children import DealState, Grant, Sale

PART: Final = "clawback"
SALES: Final = frozenset({"deal.won", "deal.renewed"})
"""Events that a refund can be of."""
Terms = tuple[int, ...] | None


def note_sale(deal: DealState, data: EventData) -> None:
    """A sale of a programme that claws back: later refunds are shares of it."""
    amount = data.deal.amount if data.deal is not None else None
    if amount is not None:
        sale = Sale(data.period or "", amount.minor, amount.currency)
        deal.sales = [*(deal.sales or ()), sale]


def note_grants(
    deal: DealState,
    made: Sequence[Decision],
    day: int,
    window_of: Callable[[str, Terms], Duration | None],
    terms: Terms,
) -> None:
    """Remember what the sale in hand, the newest, brought and for how long it can be taken back."""
    for decision in made:
        if not decision.granted or decision.amount_minor is None or decision.unit is None or not deal.sales:
            continue
        window = window_of(decision.rule, terms)
        if window is not None:
            grant = Grant(
                bytes.fromhex(decision.id.replace("-", "")),
                decision.rule,
                decision.beneficiary,
                decision.unit,
                decision.decimals,
                decision.amount_minor,
                len(deal.sales) - 1,
                later(day, window),
            )
            deal.grants = [*(deal.grants or ()), grant]


def take_back(case: Case, deal: DealState, data: EventData, day: int, rates: Rates, tier: str | None) -> list[Decision]:
    """The decisions of a refund on everything that was granted at the sales it concerns, in order of granting."""
    sales = deal.sales or []
    named = [place for place, sale in enumerate(sales) if data.period and sale.period == data.period]
    places = named or list(range(len(sales)))
    refund = None if data.deal is None else data.deal.amount
    over = {grant.sale for grant in deal.grants or ()} - {
        grant.sale for grant in deal.grants or () if day <= grant.until_day
    }
    open_places = [place for place in places if place not in over]
    parts, problem = _spread(sales, open_places or places, refund, day, rates)
    parts = dict.fromkeys(over.intersection(places), 0) | parts
    return [
        _take(case, grant, sales[grant.sale], parts[grant.sale], problem, day, tier)
        for grant in deal.grants or ()
        if grant.sale in parts
    ]


def _spread(
    sales: list[Sale], places: list[int], refund: Amount | None, day: int, rates: Rates
) -> tuple[dict[int, int], str]:
    """What of the refund falls on each sale, added to what it has lost; and why nothing does, else empty."""
    if refund is None:
        return dict.fromkeys(places, 0), "deal.amount is missing"
    currency = refund.currency
    minor: int | None = refund.minor
    if all(sales[place].currency != currency for place in places):
        currency = sales[places[0]].currency
        minor = converted(refund.minor, refund.currency, currency, day, rates)
    places = [place for place in places if sales[place].currency == currency]
    if minor is None:
        return dict.fromkeys(places, 0), no_rate(refund.currency, currency)
    if minor <= 0:
        return dict.fromkeys(places, 0), "the refund is zero" if minor == 0 else "the refund is negative"
    left = sum(sales[place].left_minor for place in places)
    if not left:
        return dict.fromkeys(places, 0), "everything was refunded before"
    minor = min(minor, left)
    parts = {}
    for place in places:
        sale = sales[place]
        parts[place] = round_half_even(minor * sale.left_minor, left) if left else 0
        minor -= parts[place]
        left -= sale.left_minor
        sale.refunded_minor += parts[place]
    return parts, ""


def _take(case: Case, grant: Grant, sale: Sale, part_minor: int, problem: str, day: int, tier: str | None) -> Decision:
    is_over = day > grant.until_day
    until = date_of(grant.until_day).isoformat()
    trace = [TraceLine(f"{PART} until {until}", date_of(day).isoformat(), "not met" if is_over else "met", PART)]
    reason, minor = problem, 0
    if is_over:
        reason = f"ended on {until}"
    elif not problem:
        grant.refunded_minor += part_minor
        target = round_half_even(grant.minor * grant.refunded_minor, sale.minor)
        minor = target - grant.taken_minor
        grant.taken_minor = target
        saw = f"{amount_in_words(Amount(grant.refunded_minor, sale.currency))} so far"
        trace.append(TraceLine(f"refunded of {amount_in_words(Amount(sale.minor, sale.currency))}", saw, "met", PART))
        reason = "" if minor else "the amount is zero"
    id = _id_of(grant)
    told: dict[str, Any] = {}
    if not reason:
        told = {"minor": -minor, "unit": grant.unit, "decimals": grant.decimals, "takes_back": id}
    return decide(
        case,
        grant.rule,
        f"{PART}: {reason}" if reason else "",
        tuple(trace),
        tier,
        beneficiary=grant.beneficiary,
        occasion=id,
        base_minor=grant.minor,
        base_unit=grant.unit,
        **told,
    )


def _id_of(grant: Grant) -> str:
    hexed = grant.id.hex()
    return f"{hexed[:8]}-{hexed[8:12]}-{hexed[12:16]}-{hexed[16:20]}-{hexed[20:]}"

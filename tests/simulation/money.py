"""The model's money: rates looked through again for every question, and what lookups give, in Fractions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from fractions import Fraction
from typing import Any

from contracts.events import Amount, RatesPublished
from contracts.money import CURRENCY_DECIMALS, Money
from contracts.ruleset import Brackets, Give, Lookup, Metric, Number, Rows


class Exchange:
    """What was told, in the order in which it was."""

    def __init__(self) -> None:
        self.told: list[tuple[date, str, str, Fraction]] = []

    def tell(self, published: RatesPublished) -> None:
        for pair, rate in published.rates.items():
            base, quote = pair.split("/")
            self.told.append((date.fromisoformat(published.day), base, quote, Fraction(rate)))

    def exact(self, minor: int | Fraction, unit: str, other: str, on: date) -> Fraction | None:
        """Minor units of the other currency, not rounded."""
        if unit == other:
            return Fraction(minor)
        fitting = [each for each in self.told if each[0] <= on and {each[1], each[2]} == {unit, other}]
        if not fitting:
            return None
        newest = max(each[0] for each in fitting)
        today = [each for each in fitting if each[0] == newest]
        _, base, _, rate = ([each for each in today if each[1] == unit] or today)[-1]
        scale = Fraction(10) ** (CURRENCY_DECIMALS[other] - CURRENCY_DECIMALS[unit])
        return minor * (rate if base == unit else 1 / rate) * scale

    def rounded(self, minor: int | Fraction, unit: str, other: str, on: date) -> int | None:
        exact = self.exact(minor, unit, other, on)
        return None if exact is None else round(exact)


def looked_up(give: Give, value_of: Callable[[str], Any], exchange: Exchange, on: date, currency: str) -> Any:
    """What a lookup gives; None for nothing. `currency` is that of metrics."""
    if isinstance(give, Lookup):
        value = value_of(give.by)
        return give.otherwise if value is None else dict(give.values).get(str(value), give.otherwise)
    if isinstance(give, Rows):
        seen = [value_of(path) for path in give.by]
        for row in give.rows:
            if all(
                want in (None, got if got is None else str(got)) for want, got in zip(row.values, seen, strict=True)
            ):
                return row.given
        return give.otherwise
    if isinstance(give, Brackets):
        value = value_of(give.by)
        if value is None:
            return None
        bound = give.brackets[0].at
        if isinstance(bound, Money):
            minor, unit = (value.minor, value.currency) if isinstance(value, Amount) else (value, currency)
            value = minor if unit == bound.unit else exchange.rounded(minor, unit, bound.unit, on)
            if value is None:
                return None
        given = give.otherwise
        for bracket in give.brackets:
            if value >= _bound(bracket.at):
                given = bracket.given
        return given
    return give


def sliced(give: Brackets, base: int, unit: str, raised_ppm: int, exchange: Exchange, on: date) -> int | None:
    """The slices of a base from 0 on, each at its own percentage, rounded once."""
    total = Fraction(0)
    bounds = []
    for bracket in give.brackets:
        assert isinstance(bracket.at, Money)
        bound = exchange.exact(bracket.at.amount_minor, bracket.at.unit, unit, on)
        if bound is None:
            return None
        bounds.append(bound)
    for number, bracket in enumerate(give.brackets):
        end = min(bounds[number + 1], Fraction(base)) if number + 1 < len(bounds) else Fraction(base)
        ppm = bracket.given.percent_ppm + raised_ppm  # type: ignore[union-attr] # slices are percentages
        total += max(end - bounds[number], Fraction(0)) * Fraction(ppm, 1_000_000)
    return round(total)


def that_miss(metrics: tuple[Metric, ...], happens: list[str], seen: dict[str, Any]) -> list[str]:
    """The metrics that want an amount of the event in a currency without a rate; those that count alike together."""
    missing: list[str] = []
    for metric in metrics:
        for other in metrics:
            if other.id in missing or _what(metric) != _what(other) or not set(happens) & {*other.on, other.minus}:
                continue
            has_whom = not other.per_customer or seen.get("customer.id") is not None
            is_amount = other.unit is not None and isinstance(seen.get(other.of or ""), Amount)
            if has_whom and is_amount and seen[f"taken {other.of}"] is None:
                missing.append(other.id)
    return missing


def _what(metric: Metric) -> tuple[Any, ...]:
    return metric.kind, metric.of, set(metric.on), metric.minus, metric.per_customer


def _bound(at: Money | Number) -> int | Fraction:
    return at.amount_minor if isinstance(at, Money) else Fraction(at.millionths, 10**6)


class Refunds:
    """The deals of one partner, with what was granted at each sale of them."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.sales: dict[str, list[dict[str, Any]]] = {}

    def sell(self, deal: str, amount: Amount, period: str | None) -> None:
        sale: dict[str, Any] = {
            "period": period,
            "minor": amount.minor,
            "unit": amount.currency,
            "lost": 0,
            "grants": [],
        }
        self.sales.setdefault(deal, []).append(sale)

    def grant(self, deal: str, rule: str, to: str, minor: int, until: date) -> None:
        grant = {"rule": rule, "to": to, "minor": minor, "until": until, "lost": 0, "taken": 0}
        self.sales[deal][-1]["grants"].append(grant)

    def refund(
        self, deal: str, amount: Amount, period: str | None, on: date
    ) -> list[tuple[str, bool, str, int | None]]:
        sales = self.sales.get(deal, [])
        meant = [sale for sale in sales if period and sale["period"] == period] or sales
        over = [sale for sale in meant if sale["grants"] and all(on > each["until"] for each in sale["grants"])]
        hit = [sale for sale in meant if sale not in over] or meant
        unit = amount.currency
        if hit and all(sale["unit"] != unit for sale in hit):
            unit = hit[0]["unit"]
        minor = self.exchange.rounded(amount.minor, amount.currency, unit, on)
        hit = [sale for sale in hit if sale["unit"] == unit]
        left = [max(sale["minor"] - sale["lost"], 0) for sale in hit]
        rest = min(max(minor or 0, 0), sum(left))
        for place, sale in enumerate(hit):
            part = round(Fraction(rest * left[place], sum(left[place:]))) if sum(left[place:]) else 0
            rest -= part
            sale["lost"] += part
            for each in sale["grants"]:
                each["lost"] += part if on <= each["until"] else 0
        outcomes = []
        for sale in sales:
            for each in sale["grants"] if sale in hit or sale in over else ():
                target = round(Fraction(each["minor"] * each["lost"], sale["minor"])) if each["lost"] else 0
                take, each["taken"] = target - each["taken"], target
                outcomes.append((each["rule"], take > 0, each["to"], -take if take else None))
        return outcomes

"""Says values and names in one language: amounts, percentages, days, durations, paths, metrics, lists.

Numbers and dates are written as CLDR has them for the language (Babel); from integers, so nothing is lost on the way.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_time
from babel.lists import format_list
from babel.numbers import format_currency, format_decimal, format_percent

from contracts.money import PPM, Money, assumed_decimals, is_currency
from contracts.ruleset import Day, Duration, Moment, Number, RuleSet, Scalar
from services.rules.words.catalogue import catalogue_of, fill, locale_of, plural

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
# CLDR parts a symbol that ends in a letter from its number (currencySpacing); Babel does not.
_LETTER_THEN_DIGIT: Final = re.compile(r"(?<=[^\W\d_])(?=\d)")
_COUNTRIES: Final = frozenset({"customer.country", "partner.country"})


class Speaker:
    """One rule set's values in one language."""

    def __init__(self, rule_set: RuleSet, language: str) -> None:
        self._language = language
        self._catalogue = catalogue_of(language)
        self._locale = locale_of(language)
        self._zone = ZoneInfo(rule_set.timezone)
        self._decimals = {unit.id: unit.decimals for unit in rule_set.units}
        self._metrics = frozenset(metric.id for metric in rule_set.metrics)

    def say(self, message: str, **values: str) -> str:
        return fill(self._catalogue.messages[message], values)

    def counted(self, what: str, number: Decimal) -> str:
        """`what` is a key of the catalogue's plurals: `times`, `points`."""
        return plural(self._language, self._catalogue.plurals[what], number, self.decimal(number))

    def decimal(self, number: Decimal) -> str:
        return format_decimal(number, locale=self._locale, decimal_quantization=False)

    def percent(self, ppm: int) -> str:
        return format_percent(Decimal(ppm) / PPM, locale=self._locale, decimal_quantization=False)

    def money(self, money: Money) -> str:
        """Whole amounts without decimals, all others with every decimal of the unit."""
        decimals = self._decimals.get(money.unit, assumed_decimals(money.unit))
        number = Decimal(money.amount_minor).scaleb(-decimals)
        shown = 0 if number % 1 == 0 else decimals
        places = "0" + ("." + "0" * shown if shown else "")
        if is_currency(money.unit):
            pattern = self._locale.currency_formats["standard"].pattern.replace("0.00", places)
            text = format_currency(number, money.unit, pattern, locale=self._locale, currency_digits=False)
            return _LETTER_THEN_DIGIT.sub("\u00a0", text)
        text = format_decimal(number, "#,##0" + places.removeprefix("0"), locale=self._locale)
        forms = self._catalogue.units.get(money.unit)
        if forms is not None:
            return plural(self._language, forms, number, text)
        kind, _, name = money.unit.partition(":")
        return f"{text} × {self.quoted(name)}" if name else f"{text} {kind}"

    def date(self, epoch_day: int) -> str:
        return format_date((_EPOCH + dt.timedelta(days=epoch_day)).date(), "long", locale=self._locale)

    def moment(self, time_ms: int) -> str:
        """A local time; at midnight only its date."""
        local = (_EPOCH + dt.timedelta(milliseconds=time_ms)).astimezone(self._zone)
        date = format_date(local.date(), "long", locale=self._locale)
        if local.time() == dt.time():
            return date
        shown = format_time(local.time(), "medium" if local.second else "short", locale=self._locale)
        return self.say("moment", date=date, time=shown)

    def duration(self, duration: Duration) -> str:
        parts = [("months", duration.months), ("days", duration.days)]
        return self.all_of(self.counted(what, Decimal(count)) for what, count in parts if count)

    def scalar(self, value: Scalar, path: str) -> str:
        """A value as it is compared with that path."""
        match value:
            case Money():
                return self.money(value)
            case Number():
                return self.decimal(Decimal(value.millionths) / PPM)
            case Day():
                return self.date(value.epoch_day)
            case Moment():
                return self.moment(value.time_ms)
            case bool():
                return self.say("yes" if value else "no")
            case str():
                country = self._locale.territories.get(value) if path in _COUNTRIES else None
                return country or self.quoted(self.name(value) if path == "tier" else value)

    def path(self, path: str) -> str:
        known = self._catalogue.paths.get(path)
        if known is not None:
            return known
        if path in self._metrics:
            return self.quoted(self.name(path))
        return self.quoted(path.removeprefix("attributes."))

    def base(self, path: str) -> str:
        """The path as what a percentage is taken of."""
        return self._catalogue.bases.get(path) or self.path(path)

    def events(self, types: Iterable[str], *, is_choice: bool = False) -> str:
        said = [self._catalogue.events[each] for each in types]
        return self.any_of(said) if is_choice else self.all_of(said)

    def name(self, id: str) -> str:
        """`qualified-lead` as `Qualified lead`."""
        text = id.replace("-", " ").replace("_", " ").strip()
        return text[:1].upper() + text[1:] or id

    def quoted(self, text: str) -> str:
        return self.say("quote", text=text)

    def all_of(self, texts: Iterable[str]) -> str:
        return format_list(list(texts), locale=self._locale)

    def any_of(self, texts: Iterable[str]) -> str:
        return format_list(list(texts), "or", locale=self._locale)

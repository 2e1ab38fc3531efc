"""The head of a rule file: schema, programme, currency, timezone, effective_from and units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, cast
from zoneinfo import ZoneInfo

from contracts.ids import is_id
from contracts.money import CURRENCY_DECIMALS, UNIT_DECIMALS_MAX, is_currency, is_unit
from contracts.ruleset import TierReview, Unit
from services.rules.language.checks import (
    bad_name,
    unknown_currency,
    unknown_timezone,
    unreadable_value,
    wrong_schema,
)
from services.rules.language.durations import read_duration_of
from services.rules.language.fields import Fields, expect_map
from services.rules.language.located import Fault
from services.rules.language.scope import Scope
from services.rules.language.source import Node
from services.rules.language.values import known_timezones, read_start_ms
from services.rules.language.words import did_you_mean

UNIT_KEYS: Final = ("decimals", "expires_after")
REVIEWS: Final = ("never", "monthly", "quarterly", "yearly")
LOCKS: Final = ("lead",)


@dataclass(frozen=True, slots=True)
class Head:
    programme: str
    timezone: str
    effective_from_ms: int | None
    tier_review: TierReview
    lock_terms: Literal["lead"] | None
    units: tuple[Unit, ...]


def read_head(fields: Fields, scope: Scope) -> Head:
    """The head; sets the scope's currency, zone and units. What is wrong is noted and stands as empty."""
    schema = fields.require_text("schema", f"begin the file with schema: {wrong_schema.SCHEMA}")
    if schema is not None and schema.text != wrong_schema.SCHEMA:
        scope.add(schema.span, wrong_schema.fault(schema.text))
    programme = fields.require_text("programme")
    if programme is not None and not is_id(programme.text):
        help = "1 to 128 of A–Z a–z 0–9 . _ ~ / @ + -, and no colon"
        scope.add(programme.span, bad_name.fault(programme.text, "a programme", help))
    _read_currency(fields, scope)
    timezone = _read_timezone(fields, scope)
    units = fields.get("units")
    return Head(
        programme=programme.text if programme else "",
        timezone=timezone,
        effective_from_ms=_read_effective_from(fields, scope),
        tier_review=_read_tier_review(fields, scope),
        lock_terms=_read_lock_terms(fields, scope),
        units=_read_units(units, scope) if units is not None else (),
    )


def _read_currency(fields: Fields, scope: Scope) -> None:
    currency = fields.require_text("currency", "add currency: USD, or another one of ISO 4217")
    if currency is None:
        return
    if is_currency(currency.text):
        scope.currency, scope.has_currency = currency.text, True
    else:
        scope.add(currency.span, unknown_currency.fault(currency.text))


def _read_timezone(fields: Fields, scope: Scope) -> str:
    timezone = fields.require_text("timezone", "add timezone: UTC, or another one of the IANA database")
    if timezone is None:
        return ""
    if timezone.text not in known_timezones():
        scope.add(timezone.span, unknown_timezone.fault(timezone.text, known_timezones()))
        return ""
    scope.zone = ZoneInfo(timezone.text)
    return timezone.text


def _read_tier_review(fields: Fields, scope: Scope) -> TierReview:
    review = fields.text("tier_review")
    if review is None:
        return "never"
    if review.text not in REVIEWS:
        help = did_you_mean(review.text, REVIEWS, "a tier can be lost never, monthly, quarterly or yearly")
        scope.add(review.span, unreadable_value.fault(review.text, "a tier_review", help))
        return "never"
    return cast("TierReview", review.text)


def _read_lock_terms(fields: Fields, scope: Scope) -> Literal["lead"] | None:
    lock = fields.text("lock_terms")
    if lock is None:
        return None
    if lock.text not in LOCKS:
        help = "lock_terms: lead keeps the rules of the day a lead was registered"
        scope.add(lock.span, unreadable_value.fault(lock.text, "what terms can be locked by", help))
        return None
    return "lead"


def _read_effective_from(fields: Fields, scope: Scope) -> int | None:
    text = fields.text("effective_from")
    if text is None:
        return None
    time_ms = read_start_ms(text.text, scope.zone)
    if isinstance(time_ms, Fault):
        scope.add(text.span, time_ms)
        return None
    return time_ms


def _read_units(node: Node, scope: Scope) -> tuple[Unit, ...]:
    mapping = expect_map(node, scope, '"units"', "write it as: POINTS: {}")
    units = []
    for key, value in mapping.entries if mapping else ():
        if key.text in CURRENCY_DECIMALS:
            scope.add(key.span, bad_name.fault(key.text, "a unit", "it is a currency, which needs no declaration"))
            continue
        if not is_unit(key.text):
            help = "write it in capitals, with a kind in small letters if need be: POINTS, PERK:early-access"
            scope.add(key.span, bad_name.fault(key.text, "a unit", help))
            continue
        details = expect_map(value, scope, f"the unit {key.text}", f"write it as {key.text}: {{}}")
        if details is not None:
            unit = _read_unit(key.text, Fields(details, scope, "a unit", UNIT_KEYS), scope)
            scope.decimals_of[unit.id] = unit.decimals
            units.append(unit)
        else:
            scope.decimals_of[key.text] = 0
    return tuple(units)


def _read_unit(id: str, fields: Fields, scope: Scope) -> Unit:
    decimals = 0
    decimals_text = fields.text("decimals")
    if decimals_text is not None:
        if decimals_text.text.isascii() and decimals_text.text.isdigit() and len(decimals_text.text) == 1:
            decimals = int(decimals_text.text)
        if decimals > UNIT_DECIMALS_MAX or decimals_text.text != str(decimals):
            help = f"a unit has 0 to {UNIT_DECIMALS_MAX} decimals"
            scope.add(decimals_text.span, unreadable_value.fault(decimals_text.text, "a number of decimals", help))
            decimals = UNIT_DECIMALS_MAX  # No amount in it shall be called too fine.
    return Unit(id=id, decimals=decimals, expires_after=read_duration_of("expires_after", fields, scope))

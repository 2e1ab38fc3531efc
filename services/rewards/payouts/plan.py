"""A programme's settings for paying out one currency, and the terms of a run, which are fixed when it begins. Pure."""

from __future__ import annotations

from typing import Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from contracts.errors import Problem
from contracts.ids import is_id
from contracts.money import AMOUNT_MINOR_MAX, is_currency
from services.rewards.payouts.bank_ids import bic_fault, iban_fault, masked, normal_iban
from services.rewards.payouts.payee import METHODS, Method
from services.rewards.payouts.schedule import HELP, ON_REQUEST, is_schedule

FeeBearer = Literal["partner", "programme"]


class Payer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """From whose account the bank pays."""

    name: str
    iban: str
    bic: str | None = None


class Terms(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a run keeps to; amounts in minor units of its currency.

    Attributes:
        minimum_minor: Less than that stays where it is, until it is more.
        fee_minor: Of each payout, charged when the bank has paid.
        fee_borne_by: `partner`: it comes out of what is paid; `programme`: it is a cost of the programme.
        method: Only payees paid like this; None for all.
        payer: Only a bank file needs it.
    """

    minimum_minor: int = 0
    fee_minor: int = 0
    fee_borne_by: FeeBearer = "partner"
    method: Method | None = None
    payer: Payer | None = None


class Plan(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Settings of one programme and currency.

    Attributes:
        currency: Of the balances that are paid out; a payee may be paid in another one.
        schedule, zone: See `schedule.py`; days begin at midnight of this zone.
        from_day: No run is due before it: the day on which the schedule was set, as 2026-03-01.
    """

    programme: str
    currency: str
    terms: Terms = Terms()
    schedule: str = ON_REQUEST
    zone: str = "UTC"
    from_day: str = ""


class PlanChange(msgspec.Struct, frozen=True, kw_only=True):
    """What is set of a plan; None leaves it as it was. `method`: `all` for any."""

    minimum_minor: int | None = None
    fee_minor: int | None = None
    fee_borne_by: FeeBearer | None = None
    method: Method | Literal["all"] | None = None
    schedule: str | None = None
    zone: str | None = None
    payer_name: str | None = None
    payer_iban: str | None = None
    payer_bic: str | None = None


_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(Plan)
_terms_decoder: Final = msgspec.json.Decoder(Terms)


def encode_plan(plan: Plan) -> str:
    return _encoder.encode(plan).decode()


def decode_plan(text: str) -> Plan:
    return _decoder.decode(text)


def encode_terms(terms: Terms) -> str:
    return _encoder.encode(terms).decode()


def decode_terms(text: str) -> Terms:
    return _terms_decoder.decode(text)


def changed(plan: Plan, change: PlanChange) -> Plan:
    """The plan with what is set; its faults are for `plan_faults`."""
    terms, payer = plan.terms, plan.terms.payer
    if (change.payer_name, change.payer_iban, change.payer_bic) != (None, None, None):
        old = payer or Payer(name="", iban="")
        payer = Payer(
            name=change.payer_name or old.name,
            iban=normal_iban(change.payer_iban or old.iban),
            bic=change.payer_bic or old.bic,
        )
    method = terms.method if change.method is None else change.method
    return msgspec.structs.replace(
        plan,
        terms=Terms(
            minimum_minor=terms.minimum_minor if change.minimum_minor is None else change.minimum_minor,
            fee_minor=terms.fee_minor if change.fee_minor is None else change.fee_minor,
            fee_borne_by=change.fee_borne_by or terms.fee_borne_by,
            method=None if method == "all" else method,
            payer=payer,
        ),
        schedule=plan.schedule if change.schedule is None else change.schedule,
        zone=plan.zone if change.zone is None else change.zone,
    )


def plan_faults(plan: Plan) -> list[Problem]:
    """Everything that is wrong with it."""
    found = []
    if not is_id(plan.programme):
        found.append(_bad("programme", f"{plan.programme!r} is not a programme", ""))
    if not is_currency(plan.currency):
        message = f"{plan.currency!r} is not a currency of ISO 4217"
        found.append(_bad("currency", message, "units of a programme's own are redeemed, not paid"))
    if not is_schedule(plan.schedule):
        found.append(_bad("schedule", f"{plan.schedule!r} is no schedule", HELP))
    try:
        ZoneInfo(plan.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # Also a folder of the zones, which is no zone.
        found.append(_bad("zone", f"{plan.zone!r} is not a time zone", "write one like Europe/Berlin"))
    return found + terms_faults(plan.terms)


def terms_faults(terms: Terms) -> list[Problem]:
    found = []
    for where, minor in (("minimum", terms.minimum_minor), ("fee", terms.fee_minor)):
        if not 0 <= minor <= AMOUNT_MINOR_MAX:
            found.append(_bad(where, f"{minor} is not 0 … {AMOUNT_MINOR_MAX}", ""))
    if terms.fee_borne_by not in ("partner", "programme"):
        found.append(_bad("fee_borne_by", f"{terms.fee_borne_by!r} bears no fee", "write partner or programme"))
    if terms.method is not None and terms.method not in METHODS:
        found.append(_bad("method", f"{terms.method!r} is no way to pay", f"write one of {', '.join(METHODS)}"))
    if terms.payer is not None:
        if not terms.payer.name.strip() or not terms.payer.name.isprintable():
            found.append(_bad("payer.name", "whoever pays has a name", ""))
        if reason := iban_fault(terms.payer.iban):
            found.append(_bad("payer.iban", reason, ""))
        if terms.payer.bic is not None and (reason := bic_fault(terms.payer.bic)):
            found.append(_bad("payer.bic", reason, ""))
    return found


def plan_shown(plan: Plan) -> dict[str, object]:
    """As lists and logs have it: the payer's account masked."""
    fields: dict[str, object] = msgspec.to_builtins(plan)
    fields["terms"] = terms_shown(plan.terms)
    return fields


def terms_shown(terms: Terms) -> dict[str, object]:
    fields: dict[str, object] = {
        "minimum_minor": terms.minimum_minor,
        "fee_minor": terms.fee_minor,
        "fee_borne_by": terms.fee_borne_by,
        "method": terms.method,
    }
    if terms.payer is not None:
        fields["payer"] = {**msgspec.to_builtins(terms.payer), "iban": masked(terms.payer.iban)}
    return fields


def _bad(where: str, message: str, help: str) -> Problem:
    return Problem(code="bad-payout-plan", message=message, where=where, help=help)

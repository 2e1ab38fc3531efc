"""Amounts for eyes: `1,054.00 USD`, with the decimals that the rule sets in force declare for units of their own."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping

import psycopg

from contracts.errors import PermanentError, Problem
from contracts.money import CURRENCY_DECIMALS, Money, format_minor, is_unit
from services.rules.language import RuleSetErrors, read_rule_set
from services.rules.lifecycle import list_revisions
from services.rules.lifecycle.states import EVER_ACTIVE


class Amounts:
    """Shows amounts. A unit that no rule set declares, and that is no currency, has no decimals."""

    def __init__(self, declared: Mapping[str, int] | None = None) -> None:
        self._decimals = {**(declared or {}), **CURRENCY_DECIMALS}

    def show(self, minor: int, unit: str) -> str:
        """`-5, "USD"` as `-0.05 USD`."""
        whole, point, part = format_minor(abs(minor), self._decimals.get(unit, 0)).partition(".")
        return f"{'-' if minor < 0 else ''}{int(whole):,}{point}{part} {unit}"

    def plain(self, minor: int, unit: str) -> str:
        """`-5, "USD"` as `-0.05`, for programs."""
        return format_minor(minor, self._decimals.get(unit, 0))

    def decimals_of(self, unit: str) -> int:
        return self._decimals.get(unit, 0)

    def read(self, text: str) -> Money:
        """`12.50 USD` as money. Raises PermanentError (`amount-malformed`)."""
        number, _, unit = text.strip().partition(" ")
        places = self._decimals.get(unit, 0)
        found = re.fullmatch(r"(\d{1,3}(?:[,_]?\d{3})*)(?:\.(\d+))?", number, re.ASCII)
        if found is None or not is_unit(unit) or len(found[2] or "") > places:
            problem = Problem(
                code="amount-malformed",
                message=f"{text!r} is not an amount above zero",
                help=f"write one like 12.50 USD or 10 POINTS; {unit or 'the unit'} has {places} decimals",
            )
            raise PermanentError(problem)
        return Money(int(re.sub("[,_]", "", found[1]) + (found[2] or "").ljust(places, "0")), unit)


async def amounts_of(postgres: str, *, ever: bool = False) -> Amounts:
    """By the units that the active revisions declare; where two programmes disagree, the first one counts.

    `ever`: those of revisions that are active no more as well, for what was booked long ago.
    """
    declared: dict[str, int] = {}
    try:
        revisions = await list_revisions(postgres)
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        return Amounts()
    for revision in revisions:
        if revision.state == "active" or (ever and revision.state in EVER_ACTIVE):
            try:
                units = read_rule_set(revision.source_text, path=revision.path).units
            except RuleSetErrors:  # Published by a version whose language this one no longer reads.
                continue
            for unit in units:
                declared.setdefault(unit.id, unit.decimals)
    return Amounts(declared)


def amounts_now(postgres: str, *, ever: bool = False) -> Amounts:
    """`amounts_of` outside an event loop."""
    return asyncio.run(amounts_of(postgres, ever=ever))

"""Time zones of programmes, by their active revisions: what is due at a local midnight is due in a local month."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo

import psycopg

from services.rewards.liability.months import month_in
from services.rules.language import RuleSetErrors, read_rule_set
from services.rules.lifecycle import list_revisions


def months_now(postgres: str) -> Callable[[str, int], str]:
    """The local month of a programme at a time in milliseconds; of one that has no active revision, in UTC."""
    zones = asyncio.run(zones_of(postgres))

    def month_of(programme: str, at_ms: int) -> str:
        return month_in(zones.get(programme, UTC), at_ms)

    return month_of


async def zones_of(postgres: str) -> dict[str, tzinfo]:
    """Programme to time zone."""
    zones: dict[str, tzinfo] = {}
    try:
        revisions = await list_revisions(postgres)
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        return zones
    for revision in revisions:
        if revision.state == "active":
            try:
                zones[revision.programme] = ZoneInfo(read_rule_set(revision.source_text, path=revision.path).timezone)
            except RuleSetErrors:  # Published by a version whose language this one no longer reads.
                continue
    return zones

"""Which rule set of each programme is in force, as far as this version can read it."""

from __future__ import annotations

import asyncio

import psycopg

from contracts.ruleset import RuleSet
from services.rules.language import RuleSetErrors, read_rule_set
from services.rules.lifecycle import list_revisions


def rule_sets_in_force(postgres: str) -> dict[str, RuleSet]:
    """By programme; one that an older version published, and this one cannot read any more, is left out."""
    try:
        revisions = asyncio.run(list_revisions(postgres))
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        return {}
    found = {}
    for revision in revisions:
        if revision.state == "active":
            try:
                found[revision.programme] = read_rule_set(revision.source_text, path=revision.path)
            except RuleSetErrors:
                continue
    return found

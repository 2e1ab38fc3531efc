"""Balances are not sealed: they are what the transfers say, and are held against them."""

from __future__ import annotations

import psycopg

from services.rewards.chain.findings import Finding, Findings
from services.rewards.invariants import BalancesMatch, SumsToZero


async def check_balances(postgres: str, findings: Findings) -> None:
    """Every balance is the sum of its postings, and all of a unit sum to zero."""
    async with await psycopg.AsyncConnection.connect(
        postgres, autocommit=True, application_name="goodword-ledger-verify", connect_timeout=5
    ) as connection:
        for invariant in (BalancesMatch(), SumsToZero()):
            for offender in await invariant.check(connection):
                is_and_should = f"it should be {offender.expected_minor}, and is {offender.found_minor} minor units"
                findings.add(Finding(kind="balance", message=f"{offender.where}: {is_and_should}"))

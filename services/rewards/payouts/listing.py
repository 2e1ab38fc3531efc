"""What can be asked of payouts: runs, what is in one, payees and plans. Plain dictionaries, account numbers masked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from contracts.errors import PermanentError, Problem
from contracts.events import format_time
from runtime.database import Connection
from services.rewards.payouts import store
from services.rewards.payouts.audit import audit_of
from services.rewards.payouts.payee import account_shown
from services.rewards.payouts.payout import STATES, Payout, Run
from services.rewards.payouts.plan import terms_shown


def run_shown(run: Run) -> dict[str, Any]:
    """A run as `--json` and HTTP have it."""
    return {
        "id": run.id,
        "reference": run.reference,
        "programme": run.programme,
        "currency": run.unit,
        "period": run.period,
        "day": run.day,
        "state": run.state,
        "requested": run.is_requested,
        "terms": terms_shown(run.terms),
        "prepared_at": format_time(run.prepared_at_ms),
        "prepared_by": run.prepared_by,
        "approved_at": _time(run.approved_at_ms),
        "approved_by": run.approved_by,
        "sent_at": _time(run.sent_at_ms),
        "sent_by": run.sent_by,
        "note": run.note,
    }


def payout_shown(payout: Payout) -> dict[str, Any]:
    return {
        "id": payout.id,
        "beneficiary": payout.beneficiary,
        "programme": payout.programme,
        "state": payout.state,
        "unit": payout.unit,
        "gross_minor": payout.gross_minor,
        "fee_minor": payout.fee_minor,
        "fee_borne_by": payout.fee_borne_by,
        "currency": payout.currency,
        "pay_minor": payout.pay_minor,
        "rate": None if payout.rate is None else payout.rate.text,
        "rate_source": None if payout.rate is None else payout.rate.source,
        "method": payout.payee.method,
        "name": payout.payee.name,
        "account": account_shown(payout.payee),
        "prepared_at": format_time(payout.prepared_at_ms),
        "sent_at": _time(payout.sent_at_ms),
        "settled_at": _time(payout.settled_at_ms),
        "changed_at": format_time(payout.changed_at_ms),
        "bank_reference": payout.bank_reference,
        "reason": payout.reason,
    }


async def known_run(connection: Connection, named: str) -> Run:
    """By its id or its reference. Raises PermanentError (`no-such-run`)."""
    run = await store.find_run(connection, named)
    if run is None:
        message = f"there is no payout run {named}"
        raise PermanentError(Problem(code="no-such-run", message=message, help="`goodword payouts list` shows them"))
    return run


async def runs_shown(
    connection: Connection,
    *,
    programme: str | None = None,
    is_open: bool = False,
    count_max: int = 1_000,
    after: tuple[int, str] | None = None,
) -> list[dict[str, Any]]:
    """Runs, the newest first, each with how many payouts are in which state and what they take from balances."""
    runs = await store.list_runs(connection, programme=programme, is_open=is_open, count_max=count_max, after=after)
    return await counted(connection, runs)


async def counted(connection: Connection, runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Runs, each with how many payouts are in which state and what they take from balances."""
    cursor = await connection.execute(
        "SELECT run_id::text, state, count(*), sum(gross_minor)::numeric FROM rewards.payouts"
        " WHERE run_id = ANY (%s::uuid[]) GROUP BY run_id, state",
        ([run.id for run in runs],),
    )
    found: dict[str, dict[str, tuple[int, int]]] = {}
    for run_id, state, count, minor in await cursor.fetchall():
        found.setdefault(run_id, {})[state] = (count, int(minor))
    return [
        run_shown(run)
        | {
            "payouts": {state: found.get(run.id, {}).get(state, (0, 0))[0] for state in STATES},
            "gross_minor": sum(minor for _, minor in found.get(run.id, {}).values()),
        }
        for run in runs
    ]


async def run_in_full(connection: Connection, named: str) -> dict[str, Any]:
    """A run with its payouts, whom it left out and why, and who did what. Raises PermanentError (`no-such-run`)."""
    run = await known_run(connection, named)
    return run_shown(run) | {
        "payouts": [payout_shown(payout) for payout in await store.payouts_of(connection, run.id)],
        "left_out": [
            {"beneficiary": one.beneficiary, "code": one.code, "message": one.message, "minor": one.minor}
            for one in await store.left_out_of(connection, run.id)
        ],
        "history": [
            {"at": format_time(row["at_ms"]), "who": row["who"], "action": row["action"], "details": row["details"]}
            for row in await audit_of(connection, run.id)
        ],
    }


def _time(at_ms: int | None) -> str | None:
    return None if at_ms is None else format_time(at_ms)

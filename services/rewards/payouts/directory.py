"""Rows of payees and of plans: set by finance, each change noted with who made it and what it was before."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from contracts.errors import ManyProblems, Problem
from runtime.clock import Clock
from runtime.database import Connection, Connections, Within
from runtime.people import checked_who
from services.rewards.payouts.audit import note
from services.rewards.payouts.payee import Payee, decode_payee, encode_payee, payee_faults, shown
from services.rewards.payouts.plan import Plan, PlanChange, changed, decode_plan, encode_plan, plan_faults, plan_shown
from services.rewards.payouts.schedule import today_in
from services.rewards.store import outages_are_transient


class PayoutFaults(ManyProblems):
    """What was given is wrong in these places; nothing was stored."""


def refuse(problems: Sequence[Problem]) -> None:
    """Raises PayoutFaults when there is any."""
    if problems:
        raise PayoutFaults(problems)


async def set_payee(database: Connections, payee: Payee, *, who: str, clock: Clock) -> bool:
    """Store how to pay; returns whether it is news. Raises PayoutFaults, TransientError."""
    refuse(payee_faults(payee))
    who = checked_who(who)
    at_ms, text = clock.now_ms(), encode_payee(payee)
    with outages_are_transient():
        async with database.connection() as connection, connection.transaction():
            await _one_at_a_time(connection, payee.beneficiary)
            before = (await payees_of(connection, [payee.beneficiary])).get(payee.beneficiary)
            if before == payee:
                return False
            await connection.execute(
                "INSERT INTO rewards.payees (beneficiary, payee, changed_at_ms, changed_by) VALUES (%s, %s, %s, %s)"
                " ON CONFLICT (beneficiary) DO UPDATE SET payee = EXCLUDED.payee,"
                " changed_at_ms = EXCLUDED.changed_at_ms, changed_by = EXCLUDED.changed_by",
                (payee.beneficiary, text, at_ms, who),
            )
            details = {"before": None if before is None else shown(before), "after": shown(payee)}
            await note(connection, "payee", payee.beneficiary, who=who, at_ms=at_ms, details=details)
    return True


async def payees_of(connection: Connection, beneficiaries: Collection[str]) -> dict[str, Payee]:
    """Those of them that are known."""
    cursor = await connection.execute(
        "SELECT beneficiary, payee FROM rewards.payees WHERE beneficiary = ANY (%s)", (sorted(beneficiaries),)
    )
    return {beneficiary: decode_payee(text) for beneficiary, text in await cursor.fetchall()}


async def list_payees(connection: Connection, *, after: str = "", count_max: int = 1_000) -> list[Payee]:
    """By beneficiary, from the one after `after` on."""
    cursor = await connection.execute(
        "SELECT payee FROM rewards.payees WHERE beneficiary > %s ORDER BY beneficiary LIMIT %s", (after, count_max)
    )
    return [decode_payee(text) for (text,) in await cursor.fetchall()]


async def set_plan(database: Connections, plan: Plan, *, who: str, clock: Clock) -> bool:
    """Store a programme's settings; returns whether they are news. Raises PayoutFaults, TransientError."""
    refuse(plan_faults(plan))
    who = checked_who(who)
    at_ms = clock.now_ms()
    with outages_are_transient():
        async with database.connection() as connection, connection.transaction():
            await _one_at_a_time(connection, f"{plan.programme}/{plan.currency}")
            before = await plan_of(connection, plan.programme, plan.currency)
            if before == plan:
                return False
            await connection.execute(
                "INSERT INTO rewards.payout_plans (programme, unit, plan, changed_at_ms, changed_by)"
                " VALUES (%s, %s, %s, %s, %s) ON CONFLICT (programme, unit) DO UPDATE SET plan = EXCLUDED.plan,"
                " changed_at_ms = EXCLUDED.changed_at_ms, changed_by = EXCLUDED.changed_by",
                (plan.programme, plan.currency, encode_plan(plan), at_ms, who),
            )
            await note(
                connection,
                "plan",
                f"{plan.programme}/{plan.currency}",
                who=who,
                at_ms=at_ms,
                details={"before": None if before is None else plan_shown(before), "after": plan_shown(plan)},
            )
    return True


async def change_plan(
    database: Connections, programme: str, currency: str, change: PlanChange, *, who: str, clock: Clock
) -> tuple[bool, Plan]:
    """Set what is given of a plan, and leave the rest as it was; returns whether it is news. Raises as `set_plan`.

    A new schedule is due from today on.
    """
    with outages_are_transient():
        async with database.connection() as connection, connection.transaction():
            await _one_at_a_time(connection, f"{programme}/{currency}")
            before = await plan_of(connection, programme, currency)
            plan = changed(before or Plan(programme=programme, currency=currency), change)
            if change.schedule is not None or not plan.from_day:
                refuse(plan_faults(plan))
                plan = msgspec.structs.replace(plan, from_day=today_in(plan.zone, clock.now_ms()).isoformat())
            return await set_plan(Within(connection), plan, who=who, clock=clock), plan


async def plan_of(connection: Connection, programme: str, unit: str) -> Plan | None:
    cursor = await connection.execute(
        "SELECT plan FROM rewards.payout_plans WHERE programme = %s AND unit = %s", (programme, unit)
    )
    row = await cursor.fetchone()
    return None if row is None else decode_plan(row[0])


async def list_plans(connection: Connection) -> list[Plan]:
    """By programme and currency."""
    cursor = await connection.execute("SELECT plan FROM rewards.payout_plans ORDER BY programme, unit")
    return [decode_plan(text) for (text,) in await cursor.fetchall()]


async def _one_at_a_time(connection: Connection, subject: str) -> None:
    """Until the transaction ends: a change is told from what was there before it."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"rewards/payouts/{subject}",))

"""Rows of runs, payouts and conversions; all of a batch in one statement each.

Whoever changes any of them first takes the lock of the programme (`lock_programme`), then its run, then payouts by
their ids, then positions of conversions, then balances: so nobody waits in a circle, and a programme's conversion
account is never waited for by somebody who holds a balance.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, LiteralString

import msgspec
from psycopg.rows import dict_row

from runtime.database import Connection
from services.rewards import packing
from services.rewards.payouts.conversion import AppliedRate
from services.rewards.payouts.payee import decode_payee, encode_payee
from services.rewards.payouts.payout import LeftOut, Payout, Run, State
from services.rewards.payouts.plan import decode_terms, encode_terms

_RUN: Final[LiteralString] = (
    "SELECT id::text, reference, programme, unit, period, state, terms, day, prepared_at_ms, prepared_by,"
    " is_requested, next_account, approved_by, approved_at_ms, sent_by, sent_at_ms, note FROM rewards.payout_runs"
)
_PAYOUT: Final[LiteralString] = (
    "SELECT id::text, run_id::text AS run, reference, beneficiary, programme, unit, gross_minor, fee_minor,"
    " fee_borne_by, currency, pay_minor, rate, payee, prepared_at_ms, state, changed_at_ms, sent_at_ms, settled_at_ms,"
    " bank_reference, reason FROM rewards.payouts"
)
_encoder: Final = msgspec.json.Encoder()
_rate_decoder: Final = msgspec.json.Decoder(AppliedRate)
Position = tuple[str, str, str]
"""Currency converted from, currency converted to, and the rate's text."""


async def lock_programme(connection: Connection, programme: str) -> None:
    """Until the transaction ends, nobody else does anything to payouts of this programme."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"rewards/payouts/of/{programme}",)
    )


async def add_run(connection: Connection, run: Run) -> bool:
    """Unless it is there; returns whether it is new."""
    fields = msgspec.structs.asdict(run) | {"terms": encode_terms(run.terms)}
    cursor = await connection.execute(
        "INSERT INTO rewards.payout_runs (id, reference, programme, unit, period, state, terms, day, prepared_at_ms,"
        " prepared_by, is_requested, next_account, note) VALUES (%(id)s, %(reference)s, %(programme)s, %(unit)s,"
        " %(period)s, %(state)s, %(terms)s, %(day)s, %(prepared_at_ms)s, %(prepared_by)s, %(is_requested)s,"
        " %(next_account)s, %(note)s) ON CONFLICT (id) DO NOTHING",
        fields,
    )
    return cursor.rowcount == 1


async def change_run(connection: Connection, run: Run) -> None:
    await connection.execute(
        "UPDATE rewards.payout_runs SET state = %(state)s, next_account = %(next_account)s,"
        " approved_by = %(approved_by)s, approved_at_ms = %(approved_at_ms)s, sent_by = %(sent_by)s,"
        " sent_at_ms = %(sent_at_ms)s, note = %(note)s WHERE id = %(id)s",
        {name: getattr(run, name) for name in Run.__struct_fields__ if name != "terms"},
    )


async def find_run(connection: Connection, named: str) -> Run | None:
    """By its id or its reference."""
    runs = await _runs(connection, " WHERE id::text = %(named)s OR reference = %(named)s LIMIT 1", {"named": named})
    return runs[0] if runs else None


async def lock_run(connection: Connection, id: str) -> Run:
    (run,) = await _runs(connection, " WHERE id = %(id)s FOR UPDATE", {"id": id})
    return run


async def list_runs(
    connection: Connection,
    *,
    programme: str | None = None,
    is_open: bool = False,
    count_max: int = 1_000,
    after: tuple[int, str] | None = None,
) -> list[Run]:
    """The newest first; or a page after a `prepared_at_ms` and id."""
    at_ms, id = after or (None, None)
    return await _runs(
        connection,
        " WHERE (%(programme)s::text IS NULL OR programme = %(programme)s)"
        " AND (NOT %(is_open)s OR state NOT IN ('finished', 'cancelled'))"
        " AND (%(at_ms)s::bigint IS NULL OR prepared_at_ms < %(at_ms)s OR (prepared_at_ms = %(at_ms)s AND id > %(id)s))"
        " ORDER BY prepared_at_ms DESC, id LIMIT %(count)s",
        {"programme": programme, "is_open": is_open, "count": count_max, "at_ms": at_ms, "id": id},
    )


async def has_requested_run(connection: Connection, programme: str, unit: str, beneficiary: str) -> bool:
    """Whether something that the beneficiary asked for is not finished yet."""
    cursor = await connection.execute(
        "SELECT 1 FROM rewards.payout_runs r JOIN rewards.payouts p ON p.run_id = r.id"
        " WHERE r.programme = %s AND r.unit = %s AND r.state NOT IN ('finished', 'cancelled') AND r.is_requested"
        " AND p.beneficiary = %s AND p.state IN ('prepared', 'approved', 'sent') LIMIT 1",
        (programme, unit, beneficiary),
    )
    return await cursor.fetchone() is not None


async def add_payouts(connection: Connection, payouts: Sequence[Payout]) -> None:
    async with connection.cursor() as cursor:
        await cursor.executemany(
            "INSERT INTO rewards.payouts (id, run_id, reference, beneficiary, programme, unit, gross_minor, fee_minor,"
            " fee_borne_by, currency, pay_minor, rate, payee, prepared_at_ms, state, changed_at_ms, bank_reference,"
            " reason) VALUES (%(id)s, %(run)s, %(reference)s, %(beneficiary)s, %(programme)s, %(unit)s,"
            " %(gross_minor)s, %(fee_minor)s, %(fee_borne_by)s, %(currency)s, %(pay_minor)s, %(rate)s, %(payee)s,"
            " %(prepared_at_ms)s, %(state)s, %(changed_at_ms)s, %(bank_reference)s, %(reason)s)",
            [
                msgspec.structs.asdict(payout)
                | {
                    "payee": encode_payee(payout.payee),
                    "rate": None if payout.rate is None else _encoder.encode(payout.rate).decode(),
                }
                for payout in payouts
            ],
        )


async def add_left_out(connection: Connection, run: Run, left_out: Sequence[LeftOut]) -> None:
    async with connection.cursor() as cursor:
        await cursor.executemany(
            "INSERT INTO rewards.payouts_left_out (run_id, beneficiary, code, message, minor)"
            " VALUES (%s, %s, %s, %s, %s)",
            [(run.id, one.beneficiary, one.code, one.message, one.minor) for one in left_out],
        )


async def left_out_of(
    connection: Connection, run: str, *, after: str = "", count_max: int | None = None
) -> list[LeftOut]:
    """By beneficiary; all, or a page after one."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            "SELECT beneficiary, code, message, minor FROM rewards.payouts_left_out WHERE run_id = %s"
            " AND beneficiary > %s ORDER BY beneficiary LIMIT %s",
            (run, after, count_max),
        )
        return [LeftOut(**row) for row in await cursor.fetchall()]


async def change_payouts(connection: Connection, payouts: Sequence[Payout]) -> None:
    async with connection.cursor() as cursor:
        await cursor.executemany(
            "UPDATE rewards.payouts SET state = %s, changed_at_ms = %s, sent_at_ms = %s, settled_at_ms = %s,"
            " bank_reference = %s, reason = %s WHERE id = %s",
            [
                (p.state, p.changed_at_ms, p.sent_at_ms, p.settled_at_ms, p.bank_reference, p.reason, p.id)
                for p in payouts
            ],
        )


async def payouts_of(
    connection: Connection, run: str, *, after: str | None = None, count_max: int | None = None
) -> list[Payout]:
    """Of one run, by id; all, or a page after an id."""
    return await _payouts(
        connection,
        " WHERE run_id = %(run)s AND (%(after)s::uuid IS NULL OR id > %(after)s::uuid) ORDER BY id LIMIT %(count)s",
        {"run": run, "after": after, "count": count_max},
    )


async def find_payout(connection: Connection, id: str) -> Payout | None:
    """By its id, or by the end-to-end id of the bank file, which is the same without hyphens."""
    plain = id.replace("-", "").lower()
    if len(plain) != 32 or set(plain) - set("0123456789abcdef"):
        return None
    payouts = await _payouts(connection, " WHERE id = %(id)s::uuid", {"id": plain})
    return payouts[0] if payouts else None


async def payouts_named(connection: Connection, ids: Sequence[str]) -> list[Payout]:
    """Those of these ids that there are."""
    return await _payouts(connection, " WHERE id = ANY (%(ids)s::uuid[]) ORDER BY id", {"ids": list(ids)})


async def payouts_sent(connection: Connection, *, run: str | None, before_ms: int | None) -> list[Payout]:
    """All that are at the bank and not answered yet: of one run or of all, and sent before a moment or at any."""
    return await _payouts(
        connection,
        " WHERE state = 'sent' AND (%(run)s::uuid IS NULL OR run_id = %(run)s)"
        " AND (%(before)s::bigint IS NULL OR sent_at_ms < %(before)s) ORDER BY id",
        {"run": run, "before": before_ms},
    )


async def lock_payout(connection: Connection, id: str) -> Payout:
    (payout,) = await _payouts(connection, " WHERE id = %(id)s FOR UPDATE", {"id": id})
    return payout


async def lock_payouts_in(
    connection: Connection, run: str, states: Collection[State], *, count_max: int
) -> list[Payout]:
    """The first of a run's payouts that are in one of these states."""
    return await _payouts(
        connection,
        " WHERE run_id = %(run)s AND state = ANY (%(states)s) ORDER BY id LIMIT %(count)s FOR UPDATE",
        {"run": run, "states": list(states), "count": count_max},
    )


async def count_by_state(connection: Connection, run: str) -> dict[State, int]:
    cursor = await connection.execute(
        "SELECT state, count(*) FROM rewards.payouts WHERE run_id = %s GROUP BY state", (run,)
    )
    return dict(await cursor.fetchall())


async def lock_positions(
    connection: Connection, programme: str, rates: Mapping[Position, AppliedRate]
) -> dict[Position, int]:
    """What was converted at each of these rates so far; the programme's lock is held, so nobody adds any meanwhile."""
    found: dict[Position, int] = {}
    for position in sorted(rates):
        rate = rates[position]
        await connection.execute(
            "INSERT INTO rewards.conversions (programme, from_unit, to_unit, rate, numerator, denominator, from_minor)"
            " VALUES (%s, %s, %s, %s, %s::numeric, %s::numeric, 0) ON CONFLICT DO NOTHING",
            (programme, *position, rate.numerator, rate.denominator),
        )
        cursor = await connection.execute(
            "SELECT from_minor FROM rewards.conversions WHERE programme = %s AND from_unit = %s AND to_unit = %s"
            " AND rate = %s FOR UPDATE",
            (programme, *position),
        )
        row = await cursor.fetchone()
        found[position] = int(row[0]) if row else 0
    return found


async def change_positions(connection: Connection, programme: str, positions: Mapping[Position, int]) -> None:
    for position in sorted(positions):
        await connection.execute(
            "UPDATE rewards.conversions SET from_minor = %s WHERE programme = %s AND from_unit = %s AND to_unit = %s"
            " AND rate = %s",
            (positions[position], programme, *position),
        )


def position_of(payout: Payout) -> Position:
    assert payout.rate is not None, "only what is converted has a position"
    return payout.unit, payout.currency, payout.rate.text


async def _runs(connection: Connection, where: LiteralString, parameters: Mapping[str, Any]) -> list[Run]:
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_RUN + where, parameters)
        return [Run(**row | {"terms": decode_terms(row["terms"])}) for row in await cursor.fetchall()]


async def _payouts(connection: Connection, where: LiteralString, parameters: Mapping[str, Any]) -> list[Payout]:
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_PAYOUT + where, parameters)
        return [
            Payout(
                **row
                | {
                    "payee": decode_payee(row["payee"]),
                    "rate": None if row["rate"] is None else _rate_decoder.decode(row["rate"]),
                }
            )
            for row in await cursor.fetchall()
        ]


async def next_accounts(connection: Connection, run: Run, *, count_max: int) -> dict[str, tuple[int, int]]:
    """Beneficiary to account and balance: the next that have something available in the run's unit. Not locked."""
    cursor = await connection.execute(
        "SELECT a.address, b.account_id, b.minor FROM rewards.balances b JOIN rewards.accounts a ON a.id = b.account_id"
        " WHERE b.unit = %s AND b.minor > 0 AND b.account_id >= %s AND right(a.address, 10) = ':available'"
        " ORDER BY b.account_id LIMIT %s",
        (run.unit, run.next_account, count_max),
    )
    return {address.removesuffix(":available"): (account, minor) for address, account, minor in await cursor.fetchall()}


async def lock_balances(connection: Connection, unit: str, accounts: Collection[int]) -> dict[int, int]:
    """What these accounts hold; locked in the order in which all lock them. Those without a balance are absent."""
    cursor = await connection.execute(
        "SELECT account_id, minor FROM rewards.balances WHERE unit = %s AND account_id = ANY (%s)"
        " ORDER BY account_id, unit FOR UPDATE",
        (unit, sorted(accounts)),
    )
    return dict(await cursor.fetchall())


async def available_account_of(connection: Connection, beneficiary: str) -> int | None:
    """The id of what a beneficiary has available; None when it never had anything."""
    cursor = await connection.execute(
        "SELECT id FROM rewards.accounts WHERE address = %s", (f"{beneficiary}:available",)
    )
    row = await cursor.fetchone()
    return None if row is None else row[0]


async def shares(connection: Connection, programme: str, unit: str, accounts: Collection[int]) -> dict[int, int]:
    """What the programme's transfers have put into each of these accounts and not taken out again."""
    cursor = await connection.execute(
        "SELECT account_id, sum(minor)::bigint FROM ("
        " SELECT credit_id AS account_id, amount_minor::numeric AS minor FROM rewards.transfers"
        "  WHERE credit_id = ANY (%(accounts)s) AND unit = %(unit)s AND programme = %(programme)s"
        " UNION ALL"
        " SELECT debit_id, -amount_minor::numeric FROM rewards.transfers"
        "  WHERE debit_id = ANY (%(accounts)s) AND unit = %(unit)s AND programme = %(programme)s"
        ") p GROUP BY account_id",
        {"accounts": packing.bigints(sorted(accounts)), "unit": unit, "programme": programme},
    )
    return {account: int(minor) for account, minor in await cursor.fetchall()}

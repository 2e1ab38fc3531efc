"""Payout runs: prepared by finance, approved by somebody else, sent, settled; and what the bank is given."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from runtime.api.pages import Cursor, Limit, page_of, parts_of, texts_of
from runtime.database import Connections
from services.rewards.api.bodies import ProgrammeQuery, checked_id
from services.rewards.api.books import Approver, Books, Finance, FinanceOrApprover, TheBooks, Viewer
from services.rewards.api.once import Hand, Once, answers
from services.rewards.api.payout_bodies import (
    CancelBody,
    LeftOutPage,
    LeftOutRow,
    NewRun,
    PayoutPage,
    PayoutRow,
    RunPage,
    RunRow,
    SettleBody,
    StepBody,
)
from services.rewards.payouts import preparing, store
from services.rewards.payouts.csv_file import payouts_csv
from services.rewards.payouts.desk import PayoutDesk
from services.rewards.payouts.directory import plan_of
from services.rewards.payouts.listing import counted, known_run, payout_shown
from services.rewards.payouts.pain import pain_001
from services.rewards.payouts.payout import Run
from services.rewards.payouts.plan import Terms

router = APIRouter()
RunId = Annotated[str, Path(max_length=64, description="The run's id.")]


@router.get("/payout-runs")
async def list_runs(
    books: TheBooks,
    caller: Viewer,
    programme: ProgrammeQuery = None,
    open: Annotated[bool, Query(description="Only those that are not finished.")] = False,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> RunPage:
    """Runs, the newest first."""
    after = None
    if cursor is not None:
        id, at_ms = parts_of(cursor, 2)
        after = (int(at_ms), checked_id(id))
    async with books.database.connection() as connection:
        runs = await store.list_runs(connection, programme=programme, is_open=open, count_max=limit + 1, after=after)
        page, then = page_of(runs, limit, lambda run: (run.id, run.prepared_at_ms))
        rows = await counted(connection, page)
    return RunPage(runs=[RunRow.model_validate(row) for row in rows], next=then)


@router.post("/payout-runs", **answers(RunRow))
async def prepare(books: TheBooks, caller: Finance, once: Once, body: NewRun) -> Response:
    """Prepare a run: what is available becomes what is to be approved."""

    async def work(hand: Hand) -> RunRow:
        terms = await _terms(hand.connections, body)
        asked = preparing.Asked(
            programme=body.programme, unit=body.currency, period=body.period, day=body.day, terms=terms
        )
        preparer = preparing.Preparer(hand.connections, hand.ledger, clock=books.clock)
        return await _row(hand.connections, await preparer.prepare(asked, who=caller.who))

    return await once.in_steps(work)


@router.get("/payout-runs/{run}")
async def show_run(books: TheBooks, caller: Viewer, run: RunId) -> RunRow:
    """One run."""
    async with books.database.connection() as connection:
        (row,) = await counted(connection, [await known_run(connection, run)])
    return RunRow.model_validate(row)


@router.get("/payout-runs/{run}/payouts")
async def list_payouts(
    books: TheBooks, caller: Viewer, run: RunId, limit: Limit = 100, cursor: Cursor = None
) -> PayoutPage:
    """What it pays to whom."""
    after = None if cursor is None else checked_id(texts_of(cursor, 1)[0])
    async with books.database.connection() as connection:
        known = await known_run(connection, run)
        rows = await store.payouts_of(connection, known.id, after=after, count_max=limit + 1)
    page, then = page_of(rows, limit, lambda row: (row.id,))
    return PayoutPage(payouts=[PayoutRow.model_validate(payout_shown(row)) for row in page], next=then)


@router.get("/payout-runs/{run}/left-out")
async def list_left_out(
    books: TheBooks, caller: Viewer, run: RunId, limit: Limit = 100, cursor: Cursor = None
) -> LeftOutPage:
    """Whom it does not pay, and why."""
    after = "" if cursor is None else texts_of(cursor, 1)[0]
    async with books.database.connection() as connection:
        known = await known_run(connection, run)
        rows = await store.left_out_of(connection, known.id, after=after, count_max=limit + 1)
    page, then = page_of(rows, limit, lambda row: (row.beneficiary,))
    return LeftOutPage(left_out=[LeftOutRow.model_validate(msgspec.to_builtins(row)) for row in page], next=then)


@router.get("/payout-runs/{run}/file", response_class=Response)
async def bank_file(
    books: TheBooks,
    caller: FinanceOrApprover,
    run: RunId,
    format: Literal["pain.001.001.09", "pain.001.001.03", "csv"] = "pain.001.001.09",
) -> Response:
    """An approved run as the bank takes it; the same run gives the same bytes. It changes nothing."""
    async with books.database.connection() as connection:
        known = await known_run(connection, run)
        payouts = await store.payouts_of(connection, known.id)
    if format == "csv":
        return Response(payouts_csv(known, payouts), media_type="text/csv; charset=utf-8")
    made = pain_001(known, payouts, version="03" if format.endswith("03") else "09")
    return Response(made, media_type="application/xml")


@router.post("/payout-runs/{run}/approve", **answers(RunRow))
async def approve(books: TheBooks, caller: Approver, once: Once, run: RunId, body: StepBody) -> Response:
    """Let a prepared run go to the bank; by somebody else than who prepared it, where that is asked for."""
    return await _step(books, once, lambda desk: desk.approve(run, who=caller.who, note=body.note))


@router.post("/payout-runs/{run}/send", **answers(RunRow))
async def send(books: TheBooks, caller: Finance, once: Once, run: RunId, body: StepBody) -> Response:
    """Note that an approved run goes to the bank."""
    return await _step(books, once, lambda desk: desk.send(run, who=caller.who, note=body.note))


@router.post("/payout-runs/{run}/settle", **answers(RunRow))
async def settle(books: TheBooks, caller: Finance, once: Once, run: RunId, body: SettleBody) -> Response:
    """The bank has paid all that was sent and not returned."""
    return await _step(books, once, lambda desk: desk.settle_run(run, who=caller.who, reference=body.reference))


@router.post("/payout-runs/{run}/cancel", **answers(RunRow))
async def cancel(books: TheBooks, caller: FinanceOrApprover, once: Once, run: RunId, body: CancelBody) -> Response:
    """Take a run back that was not sent, or reject it: everything is available again."""
    return await _step(books, once, lambda desk: desk.cancel(run, who=caller.who, note=body.reason))


async def _step(books: Books, once: Once, step: Callable[[PayoutDesk], Awaitable[Run]]) -> Response:
    async def work(hand: Hand) -> RunRow:
        desk = PayoutDesk(hand.connections, hand.ledger, clock=books.clock)
        return await _row(hand.connections, await step(desk))

    return await once.in_steps(work)


async def _row(connections: Connections, run: Run) -> RunRow:
    async with connections.connection() as connection:
        (row,) = await counted(connection, [run])
    return RunRow.model_validate(row)


async def _terms(connections: Connections, body: NewRun) -> Terms | None:
    """Those of the plan but for what is asked otherwise; None: just those."""
    changed = {
        name: value
        for name, value in (
            ("minimum_minor", body.minimum_minor),
            ("fee_minor", body.fee_minor),
            ("method", body.method),
        )
        if value is not None
    }
    if not changed:
        return None
    async with connections.connection() as connection:
        plan = await plan_of(connection, body.programme, body.currency)
    return msgspec.structs.replace(plan.terms if plan else Terms(), **changed)

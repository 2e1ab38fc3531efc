"""`goodword ledger verify`: the hash chain recomputed, and balances held against the rows; names the first bad one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from goodword.terminal import EXIT_NO, DataOption, JsonOption, emit_json, err, out, print_table, problems_shown, say

if TYPE_CHECKING:
    from services.rewards.chain.findings import Finding
    from services.rewards.chain.verify import Verified

SHOWN_MAX: Final = 20
"""Findings that people are shown; `--json` has more, and all are counted."""


def verify(
    from_block: Annotated[
        int | None,
        typer.Option("--from-block", min=1, metavar="N", help="Only this block and those after it, and no balances."),
    ] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Recompute the hash chain over every field of every transfer, and compare balances with their sums.

    Names the first block or row that is not as it was sealed: altered, missing, added, moved; exit code 1. Safe while
    everything runs, and reads one moment.
    """
    from rich.progress import Progress

    from goodword.target import find_target
    from services.rewards.chain.balances import check_balances
    from services.rewards.chain.verify import verify_chain

    with problems_shown():
        target = find_target(data)
        with Progress(console=err, disable=not err.is_terminal) as bars:
            task = bars.add_task("transfers", total=None)
            verified = verify_chain(
                target.postgres,
                from_block=from_block,
                on_progress=lambda done, total: bars.update(task, completed=done, total=total),
            )
        if from_block is None:
            asyncio.run(check_balances(target.postgres, verified.findings))
    if as_json:
        emit_json(_json_of(verified))
    else:
        _print(verified)
    raise typer.Exit(EXIT_NO if verified.findings.count else 0)


def _json_of(verified: Verified) -> dict[str, Any]:
    return {
        "holds": verified.findings.count == 0,
        "first_block": verified.first_block,
        "last_block": verified.last_block,
        "last_hash": verified.last_hash,
        "blocks": verified.blocks,
        "transfers": verified.transfers,
        "findings_count": verified.findings.count,
        "findings": [
            {
                "kind": one.kind,
                "block": one.block,
                "transfer": one.transfer,
                "columns": list(one.columns),
                "message": one.message,
            }
            for one in verified.findings.first
        ],
    }


def _print(verified: Verified) -> None:
    if verified.last_block is None:
        out.print("no block is sealed yet")
    else:
        out.print(
            f"{verified.transfers:,} transfers in blocks {verified.first_block} to {verified.last_block},"
            f" which ends with {verified.last_hash}"
        )
    findings = verified.findings
    if not findings.count:
        say("everything is as it was sealed", "green")
        return
    print_table(("what", ">block", "transfer", "how"), [_cells(one) for one in findings.first[:SHOWN_MAX]])
    say(f"{findings.count:,} findings; the first: {_named(findings.first[0])}", "bold red")
    say("explain a row: goodword ledger explain TRANSFER · what to do: docs/ledger.md#when-verify-says-no", "dim")


def _cells(one: Finding) -> tuple[Any, ...]:
    columns = f"{', '.join(one.columns)}: " if one.columns else ""
    return (one.kind, one.block, one.transfer, columns + one.message)


def _named(one: Finding) -> str:
    where = " ".join(
        part
        for part in (f"block {one.block}" if one.block else "", f"transfer {one.transfer}" if one.transfer else "")
        if part
    )
    return f"{one.kind} {where}".strip()

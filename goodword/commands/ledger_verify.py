"""`goodword ledger verify`: the hash chain recomputed, and balances held against the rows; names the first bad one."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from contracts.errors import PermanentError, Problem
from contracts.events import format_time
from goodword.terminal import EXIT_NO, DataOption, JsonOption, emit_json, err, out, print_table, problems_shown, say

if TYPE_CHECKING:
    from rich.progress import Progress

    from contracts.facts import LedgerHead
    from goodword.target import Target
    from services.rewards.chain.findings import Finding
    from services.rewards.chain.published import Published
    from services.rewards.chain.verify import Verified

SHOWN_MAX: Final = 20
"""Findings that people are shown; `--json` has more, and all are counted."""


def verify(
    from_block: Annotated[
        int | None,
        typer.Option("--from-block", min=1, metavar="N", help="Only this block and those after it, and no balances."),
    ] = None,
    head: Annotated[
        Path | None,
        typer.Option("--head", metavar="FILE", help="A head that was kept elsewhere (`goodword ledger head --json`)."),
    ] = None,
    bus: Annotated[
        bool,
        typer.Option("--bus", help="Compare with the facts and heads on the bus as well: finds a rewritten chain."),
    ] = False,
    public_key: Annotated[
        str | None,
        typer.Option("--public-key", metavar="HEX|FILE", help="Whose signature heads must have; else the stack's own."),
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
    from services.rewards.chain.heads import check_given_head, check_kept_heads
    from services.rewards.chain.verify import verify_chain

    with problems_shown():
        target = find_target(data)
        key = _public_key(public_key, target)
        given = None if head is None else _head_of(head)
        with Progress(console=err, disable=not err.is_terminal) as bars:
            task = bars.add_task("transfers", total=None)
            verified = verify_chain(
                target.postgres,
                from_block=from_block,
                on_progress=lambda done, total: bars.update(task, completed=done, total=total),
            )
            newest = check_kept_heads(target.postgres, key, verified.findings)
            if given is not None:
                check_given_head(target.postgres, given, key, verified.findings)
            published = asyncio.run(_compare(target, key, verified, bars)) if bus else None
        if from_block is None:
            asyncio.run(check_balances(target.postgres, verified.findings))
    if as_json:
        emit_json(_json_of(verified, newest, published, key))
    else:
        _print(verified, newest, published, key)
    raise typer.Exit(EXIT_NO if verified.findings.count else 0)


def show_head(data: DataOption = None, as_json: JsonOption = False) -> None:
    """The newest signed head of the chain. Keep it elsewhere: `verify --head FILE` holds the ledger against it."""
    import msgspec

    from goodword.target import find_target
    from services.rewards.chain.heads import newest_head

    with problems_shown():
        head = newest_head(find_target(data).postgres)
        if head is None:
            raise PermanentError(
                Problem(
                    code="no-head",
                    message="no head is signed yet",
                    help="heads are signed every GOODWORD_REWARDS_SIGN_EVERY_S with GOODWORD_REWARDS_SIGNING_KEY",
                )
            )
    if as_json:
        emit_json(msgspec.to_builtins(head))
    else:
        out.print(f"block {head.block}: {head.hash}")
        out.print(f"signed at {format_time(head.signed_at_ms)} by {head.public_key}: {head.signature}")


async def _compare(target: Target, key: bytes | None, verified: Verified, bars: Progress) -> Published:
    from runtime.bus.open import open_bus
    from services.rewards.chain.published import check_published
    from services.rewards.settings import RewardsSettings

    settings = RewardsSettings(kafka=target.kafka, postgres=target.postgres, redis=target.redis)
    bus = open_bus(kafka=settings.kafka, postgres=settings.postgres, client="verify", security=settings.kafka_security)
    task = bars.add_task("facts on the bus", total=None)
    try:
        await bus.start()
        return await check_published(
            bus,
            target.postgres,
            key,
            verified.findings,
            on_progress=lambda done, total: bars.update(task, completed=done, total=total),
        )
    finally:
        await bus.close()


def _public_key(given: str | None, target: Target) -> bytes | None:
    """As given, else the stack's own, which lies beside its database and not in it; None: that of each head."""
    from services.rewards.chain.sealer import signer_of
    from services.rewards.chain.signing import public_key_of
    from services.rewards.settings import RewardsSettings

    if given is not None:
        file = Path(given)
        return public_key_of(file.read_text() if file.is_file() else given)
    if target.data_dir is not None and (target.data_dir / "signing.key").is_file():
        settings = RewardsSettings(rewards_signing_key_file=str(target.data_dir / "signing.key"))
    else:
        settings = RewardsSettings()
    signer = signer_of(settings)
    return None if signer is None else signer.public_key


def _head_of(file: Path) -> LedgerHead:
    from contracts.facts import decode_head

    try:
        return decode_head(file.read_bytes())
    except (OSError, ValueError) as error:
        raise PermanentError(
            Problem(
                code="head-unreadable",
                message=f"this is no head of the chain: {error}",
                where=str(file),
                help="`goodword ledger head --json > FILE` writes one",
            )
        ) from error


def _json_of(
    verified: Verified, newest: LedgerHead | None, published: Published | None, key: bytes | None
) -> dict[str, Any]:
    return {
        "holds": verified.findings.count == 0,
        "first_block": verified.first_block,
        "last_block": verified.last_block,
        "last_hash": verified.last_hash,
        "blocks": verified.blocks,
        "transfers": verified.transfers,
        "signed_block": newest.block if newest else None,
        "signed_by": newest.public_key if newest else None,
        "is_key_known": key is not None,
        "published": None
        if published is None
        else {"blocks": len(published.hashes), "facts": published.facts, "heads": published.heads},
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


def _print(verified: Verified, newest: LedgerHead | None, published: Published | None, key: bytes | None) -> None:
    if verified.last_block is None:
        out.print("no block is sealed yet")
    else:
        out.print(
            f"{verified.transfers:,} transfers in blocks {verified.first_block} to {verified.last_block},"
            f" which ends with {verified.last_hash}"
        )
    if newest is None:
        say(
            "no head is signed: without one, or --bus, a chain that was rewritten from end to end looks whole", "yellow"
        )
    else:
        whose = "" if key else ", a key that the ledger itself names: give --public-key to be sure"
        out.print(f"signed up to block {newest.block} by {newest.public_key}{whose}")
    if published is not None:
        out.print(
            f"the bus has {published.facts:,} facts of {len(published.hashes):,} blocks, and {published.heads:,} heads"
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

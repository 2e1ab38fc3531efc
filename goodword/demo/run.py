"""What `goodword up --demo` does once everything serves: publish, send, wait, show.

Running it again on the same folder changes nothing: the anchor day of the first run is kept beside the data, so
the same events come again and count as duplicates.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
from rich.panel import Panel

from contracts.errors import PermanentError, Problem
from goodword.amounts import amounts_of
from goodword.commands.partners import partners_with_tiers
from goodword.commands.rules import publish_to
from goodword.demo.events import LINK_CODE, LINK_PARTNER, PROGRAMME, SOURCE, demo_events, last_deal_won
from goodword.drain import until_drained
from goodword.explaining import events_of, print_explanation
from goodword.importing.batches import Batch
from goodword.importing.sending import Answer, Door, open_client
from goodword.origins import origins
from goodword.target import Target
from goodword.terminal import out, print_table, say
from services.notify.reads import counts, mails
from services.rewards.reads import balances, explain, trial_balance

TARGET_PAGE: Final = "https://cloud-desk.example/try"
MAILS_SHOWN: Final = 8


async def run_demo(target: Target) -> None:
    """Raises PermanentError or TransientError when a step did not work."""
    say("demo: publishing the programme cloud-desk")
    text = (files("goodword.demo") / "programme.yaml").read_text(encoding="utf-8")
    published = await publish_to(target, text, "goodword/demo/programme.yaml", "demo", without_second_opinion=True)
    say(f"demo: revision {published.revision} is in force{'' if published.is_new else ' (unchanged)'}")
    anchor = _anchor(target.data_dir)
    events = demo_events(anchor)
    async with open_client() as client:
        door = Door(target.service("tracking"), target.key(), client, on_wait=_say_waiting)
        registrations = [event for event in events if event["type"] == "partner.registered"]
        rest = [event for event in events if event["type"] != "partner.registered"]
        first = await _send(door, registrations)
        await _make_link(target, client)
        second = await _send(door, rest)
    accepted, duplicates = first.accepted + second.accepted, first.duplicates + second.duplicates
    say(f"demo: sent {len(events)} events: {accepted} accepted, {duplicates} there already")
    say("demo: waiting until they have become decisions, transfers and mails")
    await until_drained(target)
    await show(target, explained=last_deal_won(events))


async def _send(door: Door, events: list[dict[str, Any]]) -> Answer:
    lines = [msgspec.json.encode(event) for event in events]
    answer = await door.send(Batch(lines, [("demo", number) for number in range(len(lines))]))
    if answer.rejected:
        first = answer.rejected[0]
        raise PermanentError(
            Problem(
                code="demo-refused",
                message=f"{len(answer.rejected)} demo events were refused, the first: {first.reason}",
                where=f"{first.id} {first.field}",
                help="the folder may hold another demo; choose a fresh one with --data",
            )
        )
    return answer


async def _make_link(target: Target, client: httpx.AsyncClient) -> None:
    """A link of the busiest partner; some of its leads come by the link's code."""
    link = {
        "code": LINK_CODE,
        "programme": PROGRAMME,
        "partner": LINK_PARTNER,
        "target": TARGET_PAGE,
        "channel": "newsletter",
    }
    response = await client.post(
        f"{target.service('tracking')}/v1/links", json=link, headers={"authorization": f"Bearer {target.key()}"}
    )
    if response.status_code not in {200, 201}:
        raise PermanentError(
            Problem(code="demo-refused", message=f"the demo's link was refused: {response.text[:200]}", where=LINK_CODE)
        )


def _anchor(folder: Path | None) -> datetime:
    """The moment the events lead up to: of the first demo on this folder, or the last full hour."""
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    if folder is None:
        return now
    file = folder / "demo-anchor"
    if file.exists():
        return datetime.fromisoformat(file.read_text().strip())
    file.write_text(now.isoformat() + "\n")
    return now


async def show(target: Target, *, explained: str) -> None:
    """The result, on standard output."""
    partners = await partners_with_tiers(target, PROGRAMME)
    rows = await asyncio.to_thread(balances, target.postgres)
    amounts = await amounts_of(target.postgres)
    held: dict[str, list[str]] = {}
    for row in rows:
        kind, name, *_ = row["account"].split(":")
        if kind == "partner":
            held.setdefault(name, []).append(amounts.show(row["minor"], row["unit"]))
    out.print()
    print_table(
        ("partner", "name", "tier", ">available"),
        [(row["partner"], row["name"], row["tier"], ", ".join(held.get(row["partner"], []))) for row in partners],
        title=f"Partners of {PROGRAMME}, tiers and balances",
    )
    out.print()
    print_table(
        ("unit", ">debits", ">credits", ">sum"),
        [
            (
                row["unit"],
                *(amounts.show(minor, row["unit"]) for minor in (row["debits"], row["credits"], row["minor"])),
            )
            for row in await asyncio.to_thread(trial_balance, target.postgres)
        ],
        title="Trial balance: every sum is zero",
    )
    out.print()
    out.print(f"[bold]Why was this paid?[/]  goodword ledger explain {explained}")
    found = await asyncio.to_thread(explain, target.postgres, f"{SOURCE} {explained}")
    if found is not None:
        print_explanation(found, await origins(target, events_of(found)), amounts)
    out.print()
    await _show_mails(target)
    _show_urls(target)


async def _show_mails(target: Target) -> None:
    outcomes = await asyncio.to_thread(counts, target.postgres)
    told = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items() if count)
    rows = await asyncio.to_thread(mails, target.postgres, limit=MAILS_SHOWN)
    print_table(
        ("event's time", "kind", "outcome", "to"),
        [(row["time"], row["kind"], row["outcome"], row["address"]) for row in rows],
        title=f"Mails: {told} (the newest {len(rows)})",
    )


def _show_urls(target: Target) -> None:
    tracking = target.service("tracking")
    data = f" --data {target.data_dir}" if target.data_dir else ""
    goodword = _program()
    lines = [
        f"mails         {target.mail_page or 'at the relay of GOODWORD_SMTP'}",
        f"a link        {tracking}/r/{LINK_CODE}",
        f"metrics       {tracking}/metrics (and of each service)",
        f"see more      {goodword} partners list{data}",
        f"              {goodword} ledger statement partner:{LINK_PARTNER}:available{data}",
    ]
    out.print(Panel("\n".join(lines), title="Look around", expand=False))


def _program() -> str:
    """How this very program is called from here."""
    if shutil.which("goodword"):
        return "goodword"
    called = Path(sys.argv[0])
    return str(called) if called.name == "goodword" else "python -m goodword"


def _say_waiting(reason: str, wait_s: float) -> None:
    if wait_s >= 0.5:
        say(f"demo: the front door is away ({reason}); trying again in {wait_s:g} s", "yellow")

"""The past is corrected by adjusting decisions: once, whatever dies, counting what was posted before.

A log of won deals decided by revision 1; then corrected to other rules, corrected again, corrected back. Verdicts
look at the log of decisions alone: what it pays for each event, adjustments included, is what the rules that were
restated last would have paid.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import date
from pathlib import Path

import httpx
import msgspec
import psycopg
import pytest
from starlette.applications import Starlette

from contracts.decisions import Decision, decode_decision, decode_decision_list
from contracts.errors import PermanentError
from contracts.events import Amount, Deal, EventData, encode_data, event_headers, parse_time_ms
from contracts.topics import DECISIONS, REFERRALS
from goodword.backtesting.asked import file_side
from goodword.backtesting.checkpoints import Run
from goodword.backtesting.plan import LogSource, Part, Plan
from goodword.backtesting.run import Limits, run
from runtime.bus.port import Bus, Record
from services.rules.api import routes
from services.rules.backtest.lines import Lines
from services.rules.backtest.sides import Side
from services.rules.backtest.window import Window
from services.rules.clock.calendar import day_of_date
from services.rules.fold import Fold
from services.rules.lifecycle import Desk, publish_rule_set, read_audit
from services.rules.lifecycle.keys import create_rules_key
from services.rules.records.decode import decode_records
from services.rules.records.encode import decision_records
from services.rules.restating import (
    Proposal,
    Restatement,
    approve_restatement,
    list_restatements,
    propose_restatement,
    reject_restatement,
    restated_lines,
    restated_partners,
    resume_restating,
)
from services.rules.store import StateStore
from tests.integration.rules.harness import FixedClock
from tests.integration.rules.test_rules_api import check_described
from tests.support.second_engine import IS_MISSING

RULES = """\
schema: goodword/v1
programme: saas
currency: USD
timezone: UTC
effective_from: 2026-01-01T00:00:00
units:
  POINTS: {}
rewards:
  - id: commission
    on: deal.won
    give: {percent: 5, of: deal.amount}
"""
TEN = RULES.replace("percent: 5", "percent: 10")
THREE = RULES.replace("percent: 5", "percent: 3")
POINTS = RULES.replace("{percent: 5, of: deal.amount}", "7 POINTS")
FROM, TO = date(2026, 2, 1), date(2026, 2, 28)
WON = [
    ("p1", "2026-01-31T12:00:00Z", 10_000),
    ("p1", "2026-02-01T00:00:00Z", 20_000),
    ("p2", "2026-02-15T00:00:00Z", 30_000),
    ("p2", "2026-02-28T23:59:59Z", 40_000),
    ("p1", "2026-03-01T00:00:00Z", 50_000),
]


@pytest.fixture
def desk(schema_url: str, bus: Bus, store: StateStore) -> Desk:
    return Desk(postgres=schema_url, bus=bus, store=store, clock=FixedClock())


@pytest.fixture
async def decided(desk: Desk) -> Desk:
    """The deals are in the log, and decided as the service decides them."""
    await publish_rule_set(desk, RULES, "saas.yaml", who="ana", without_second_opinion=IS_MISSING)
    records = []
    for number, (partner, time, minor) in enumerate(WON):
        deal = Deal(id=f"d{number}", amount=Amount(minor, "USD"))
        time_ms = parse_time_ms(time)
        headers = event_headers(type="deal.won", source="crm", id=f"e{number}", time_ms=time_ms, recorded_at_ms=time_ms)
        data = EventData(programme="saas", partner=partner, deal=deal)
        records.append(Record(partner.encode(), encode_data(data), headers))
    await desk.bus.publish(REFERRALS.name, records)
    for partition, end in (await desk.bus.end_offsets(REFERRALS.name)).items():
        fold = Fold(partition)
        async for received in desk.bus.read(REFERRALS.name, partition, start=0, end=end, batch_records_max=500):
            events = decode_records(received).events
            fold.load(dict.fromkeys(fold.missing_keys(events)))
            await desk.bus.publish(DECISIONS.name, decision_records(fold.fold(events), 0))
    return desk


async def differing(desk: Desk, text: str, folder: Path, last: date | None = TO) -> tuple[Lines, int]:
    """Where these rules would have granted something else, by a real replay of the log."""
    days = day_of_date(FROM), None if last is None else day_of_date(last)
    window = Window("UTC", *days)
    ends = await desk.bus.end_offsets(REFERRALS.name)
    plan = Plan(
        kind="lines",
        programme="saas",
        timezone="UTC",
        before=Side(label="history"),
        after=msgspec.structs.replace(file_side(text, "x"), from_ms=window.first_ms, to_ms=window.end_ms),
        first_day=days[0],
        last_day=days[1],
        source=LogSource(kafka=None, postgres=desk.postgres),
        parts=tuple(Part(number, end) for number, end in sorted(ends.items())),
    )
    Run(folder, plan).begin(plan)
    found = await asyncio.to_thread(run, plan, folder, limits=Limits(workers=1), on_progress=lambda *_: None)
    assert isinstance(found.kept, Lines)
    return found.kept, found.events


async def propose(
    desk: Desk, text: str, folder: Path, *, who: str = "ana", last: date | None = TO
) -> Restatement | None:
    lines, events = await differing(desk, text, folder, last)
    window = Window("UTC", day_of_date(FROM), None if last is None else day_of_date(last))
    assert window.first_ms is not None
    proposal = Proposal(
        programme="saas",
        revision=None,
        label="x.yaml",
        digest="d",
        source_text=text,
        from_day=FROM,
        to_day=last,
        first_ms=window.first_ms,
        end_ms=window.end_ms,
        events=events,
        lines=lines.found,
    )
    return await propose_restatement(desk, proposal, who=who)


async def correct(desk: Desk, text: str, folder: Path, last: date | None = TO) -> Restatement:
    proposed = await propose(desk, text, folder, last=last)
    assert proposed is not None
    return await approve_restatement(desk, "saas", proposed.number, who="bob")


async def posted(desk: Desk) -> list[Decision]:
    """Every decision in the log of decisions, each id once; a repeat must have the same bytes."""
    found: dict[str, bytes] = {}
    for partition, end in (await desk.bus.end_offsets(DECISIONS.name)).items():
        async for records in desk.bus.read(DECISIONS.name, partition, start=0, end=end, batch_records_max=500):
            for record in records:
                id = decode_decision(record.value).id
                assert dict(record.headers)["ce_id"].decode() == id
                assert found.setdefault(id, record.value) == record.value
    return decode_decision_list(list(found.values()))


async def paid(desk: Desk) -> dict[tuple[str, str], int]:
    """By event and unit, adjustments included; nothing for what comes to zero."""
    sums: Counter[tuple[str, str]] = Counter()
    for decision in await posted(desk):
        if decision.granted and decision.amount_minor is not None:
            sums[decision.event_id, str(decision.unit)] += decision.amount_minor
    return {key: minor for key, minor in sums.items() if minor}


def usd(*amounts: int) -> dict[tuple[str, str], int]:
    return {(f"e{number}", "USD"): minor for number, minor in enumerate(amounts)}


async def test_only_approval_posts_and_only_of_somebody_else(decided: Desk, tmp_path: Path) -> None:
    before = usd(500, 1000, 1500, 2000, 2500)
    proposed = await propose(decided, TEN, tmp_path)
    assert proposed is not None
    assert (proposed.id, proposed.state, await paid(decided)) == ("saas/1", "proposed", before)
    rows = await restated_partners(decided.postgres, "saas", 1)
    assert [(row["beneficiary"], row["amount_minor"]) for row in rows] == [("partner:p2", 3500), ("partner:p1", 1000)]
    with pytest.raises(PermanentError, match="own-restatement"):
        await approve_restatement(decided, "saas", 1, who=" Ana ")
    assert await paid(decided) == before

    done = await approve_restatement(decided, "saas", 1, who="bob")
    assert (done.state, done.decided_by) == ("posted", "bob")
    assert await paid(decided) == usd(500, 2000, 3000, 4000, 2500)
    adjusting = [each for each in await posted(decided) if each.restates]
    assert {(each.restates, each.amount_minor, each.beneficiary) for each in adjusting} == {
        ("saas/1", 1000, "partner:p1"),
        ("saas/1", 1500, "partner:p2"),
        ("saas/1", 2000, "partner:p2"),
    }
    with pytest.raises(PermanentError, match="not-now"):
        await approve_restatement(decided, "saas", 1, who="bob")
    actions = [row.action for row in await read_audit(decided.postgres) if row.action.startswith("restatement")]
    assert actions == ["restatement proposed", "restatement approved", "restatement posted"]


async def test_a_later_one_counts_what_earlier_ones_have_paid(decided: Desk, tmp_path: Path) -> None:
    await correct(decided, TEN, tmp_path)
    assert await propose(decided, TEN, tmp_path) is None
    await correct(decided, THREE, tmp_path)
    assert await paid(decided) == usd(500, 600, 900, 1200, 2500)
    await correct(decided, POINTS, tmp_path)
    points = {(f"e{number}", "POINTS"): 7 for number in (1, 2, 3)}
    assert await paid(decided) == {("e0", "USD"): 500, ("e4", "USD"): 2500} | points
    # The very rules of then: everything goes back.
    await correct(decided, RULES, tmp_path)
    assert await paid(decided) == usd(500, 1000, 1500, 2000, 2500)
    assert await propose(decided, RULES, tmp_path) is None
    # To the end, over days that were corrected and days that were not.
    await correct(decided, TEN, tmp_path, last=None)
    assert await paid(decided) == usd(500, 2000, 3000, 4000, 5000)


async def test_one_that_is_overtaken_cannot_be_approved(decided: Desk, tmp_path: Path) -> None:
    first, second = await propose(decided, TEN, tmp_path), await propose(decided, THREE, tmp_path)
    assert first is not None
    assert second is not None
    await approve_restatement(decided, "saas", second.number, who="bob")
    with pytest.raises(PermanentError, match="stale-restatement"):
        await approve_restatement(decided, "saas", first.number, who="bob")
    assert (await reject_restatement(decided, "saas", first.number, who="ana")).state == "rejected"
    assert [each.state for each in await list_restatements(decided.postgres)] == ["rejected", "posted"]
    assert await paid(decided) == usd(500, 600, 900, 1200, 2500)


@pytest.mark.parametrize("published", [0, 1, 3])
async def test_a_crash_in_the_middle_of_posting_pays_once(decided: Desk, tmp_path: Path, published: int) -> None:
    """Approved, and `published` of the three decisions are in the log when the process dies."""
    await propose(decided, TEN, tmp_path)
    async with await psycopg.AsyncConnection.connect(decided.postgres, autocommit=True) as connection:
        await connection.execute(
            "UPDATE rules.restatements SET state = 'approved', decided_by = 'bob', decided_at = now()"
        )
        cursor = await connection.execute(
            "SELECT decision FROM rules.restatement_lines ORDER BY line LIMIT %s", (published,)
        )
        for (value,) in await cursor.fetchall():
            decision = decode_decision(bytes(value))
            headers = (("ce_id", decision.id.encode()),)
            await decided.bus.publish(DECISIONS.name, [Record(decision.partner.encode(), bytes(value), headers)])
    finished = await resume_restating(decided.postgres, bus=decided.bus, clock=decided.clock)
    assert [each.state for each in finished] == ["posted"]
    assert await resume_restating(decided.postgres, bus=decided.bus, clock=decided.clock) == []
    assert await paid(decided) == usd(500, 2000, 3000, 4000, 2500)


async def test_what_was_proposed_is_what_is_approved(decided: Desk, tmp_path: Path) -> None:
    await propose(decided, TEN, tmp_path)
    lines = await restated_lines(decided.postgres, "saas", 1)
    assert [(row["event_id"], row["paid_minor"], row["due_minor"]) for row in lines] == [
        ("e1", 1000, 2000),
        ("e2", 1500, 3000),
        ("e3", 2000, 4000),
    ]
    async with await psycopg.AsyncConnection.connect(decided.postgres, autocommit=True) as connection:
        for statement in (
            "UPDATE rules.restatement_lines SET amount_minor = 1, due_minor = paid_minor + 1",
            "DELETE FROM rules.restatement_lines",
            "UPDATE rules.restatements SET proposed_by = 'eve'",
            "UPDATE rules.restatements SET state = 'posted', posted_at = now(), decided_by = 'eve'",
        ):
            with pytest.raises(psycopg.errors.RestrictViolation):
                await connection.execute(statement)
    with pytest.raises(PermanentError, match="unknown-restatement"):
        await approve_restatement(decided, "saas", 2, who="bob")


async def test_over_http_an_approver_posts_what_an_editor_proposed(decided: Desk, tmp_path: Path) -> None:
    one = "/v1/programmes/saas/restatements/1"
    await propose(decided, TEN, tmp_path)
    tokens = {
        owner: (await create_rules_key(decided.postgres, owner=owner, roles=(role,), who="root", clock=decided.clock))[
            1
        ]
        for owner, role in (("ana", "approver"), ("eve", "editor"), ("bob", "approver"))
    }
    app = Starlette(routes=routes(decided, admin_key=None))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://rules") as client:

        async def ask(who: str, method: str, path: str, **more: object) -> httpx.Response:
            headers = {"authorization": f"Bearer {tokens[who]}"}
            answer = await client.request(method, path, headers=headers, **more)  # type: ignore[arg-type] # as httpx wants them
            check_described(method, answer)
            return answer

        shown = (await ask("eve", "GET", one)).json()
        assert (shown["restatement"]["from"], shown["restatement"]["state"]) == ("2026-02-01", "proposed")
        assert [row["amount_minor"] for row in shown["beneficiaries"]] == [3500, 1000]
        first = (await ask("eve", "GET", f"{one}/lines", params={"limit": 2})).json()
        rest = (await ask("eve", "GET", f"{one}/lines", params={"limit": 2, "cursor": first["next"]})).json()
        assert [row["event_id"] for row in (*first["lines"], *rest["lines"])] == ["e1", "e2", "e3"]
        assert rest["next"] is None
        for who, status, code in (("eve", 403, "role-missing"), ("ana", 403, "own-restatement")):
            refused = await ask(who, "POST", f"{one}/approve")
            assert (refused.status_code, refused.json()["code"]) == (status, code)
        posted_now = await ask("bob", "POST", f"{one}/approve", json={"note": "seen"})
        assert (posted_now.status_code, posted_now.json()["state"]) == (200, "posted")
        assert (await ask("bob", "POST", f"{one}/reject")).status_code == 409
        assert (await ask("bob", "GET", f"{one}0")).status_code == 404
        listed = (await ask("bob", "GET", "/v1/restatements", params={"state": "posted"})).json()
        assert [row["id"] for row in listed["restatements"]] == ["saas/1"]
    assert await paid(decided) == usd(500, 2000, 3000, 4000, 2500)

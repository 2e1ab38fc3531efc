"""From draft to superseded at the desk: a second person, a back-test, canaries, rollbacks, and who did it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import psycopg
import pytest

from contracts.events import RulesetActivated, parse_time_ms
from contracts.topics import REFERRALS
from services.rules.language import digest_of
from services.rules.lifecycle import (
    Backtest,
    CanaryAsked,
    Desk,
    Policy,
    activate,
    altered,
    approve,
    promote,
    publish_rule_set,
    read_audit,
    record_backtest,
    reject,
    resume_publishing,
    rollback,
    run_checks,
    submit_draft,
    tell_policy,
    withdraw,
)
from services.rules.records.decode import decode_records
from services.rules.states.state import decided_key, encode_decided
from tests.integration.rules.at_the_desk import publish, refused, states, text
from tests.integration.rules.conftest import PARTITIONS
from tests.support.second_engine import needs_second_engine

pytestmark = needs_second_engine

FAILING = "tests: [{name: a deal, events: [{type: deal.won}], expect: [won: 1 USD]}]\n"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


async def actions(desk: Desk) -> list[tuple[int | None, str, str]]:
    return [(row.revision, row.action, row.who) for row in await read_audit(desk.postgres)]


async def log(desk: Desk, partition: int = 0) -> list[RulesetActivated]:
    end = (await desk.bus.end_offsets(REFERRALS.name))[partition]
    found = []
    async for records in desk.bus.read(REFERRALS.name, partition, start=0, end=end, batch_records_max=100):
        found += [event.data.ruleset for event in decode_records(records).events]
    return [each for each in found if each is not None]


async def test_a_revision_goes_from_draft_to_superseded_by_two_people(desk: Desk) -> None:
    draft, is_new = await submit_draft(desk, text(1), "saas.yaml", who="ana", note="more for deals")
    assert (draft.revision, draft.state, is_new) == (1, "draft", True)
    assert (await submit_draft(desk, text(1), "saas.yaml", who="ben"))[1] is False, "the same text is there already"
    assert await refused(approve(desk, "saas", 1, who="ben")) == ["not-now"]
    tested, _, problems = await run_checks(desk, "saas", 1, who="ana")
    assert (tested.state, problems) == ("tested", [])
    assert await refused(approve(desk, "saas", 1, who="Ana ")) == ["own-draft"]
    approved = await approve(desk, "saas", 1, who="ben", note="checked with finance")
    assert (approved.state, approved.approved_by) == ("approved", "ben")
    assert await log(desk) == []
    active = await activate(desk, "saas", 1, who="ben")
    assert active.state == "active"
    assert [(each.revision, each.canary) for each in await log(desk, PARTITIONS - 1)] == [(1, None)]
    assert await publish(desk, 2) == "active"
    assert await states(desk) == ["superseded", "active"]
    assert await actions(desk) == [
        (1, "submitted", "ana"),
        (1, "tested", "ana"),
        (1, "approved", "ben"),
        (1, "activated", "ben"),
        (2, "submitted", "ana"),
        (2, "tested", "ana"),
        (2, "activated", "ana"),
    ]
    rows = await read_audit(desk.postgres)
    assert [row.note for row in rows[:3]] == ["more for deals", "", "checked with finance"]
    assert {row.digest for row in rows[:4]} == {digest_of(text(1))}


STEPS: dict[str, tuple[Callable[[Desk], Awaitable[object]], set[str]]] = {
    "test": (lambda desk: run_checks(desk, "saas", 1, who="ben"), {"draft", "tested", "approved"}),
    "approve": (lambda desk: approve(desk, "saas", 1, who="ben"), {"tested"}),
    "reject": (lambda desk: reject(desk, "saas", 1, who="ben"), {"draft", "tested", "approved"}),
    "withdraw": (lambda desk: withdraw(desk, "saas", 1, who="ben"), {"draft", "tested", "approved", "canary"}),
    "activate": (lambda desk: activate(desk, "saas", 1, who="ben"), {"tested", "approved", "canary"}),
}


@pytest.mark.parametrize("step", STEPS)
async def test_what_is_not_possible_in_a_state_is_refused_and_changes_nothing(desk: Desk, step: str) -> None:
    await submit_draft(desk, text(1), "saas.yaml", who="ana")
    take, allowed = STEPS[step]
    every = {"draft", "tested", "approved", "publishing", "canary", "active", "superseded", "rejected", "withdrawn"}
    for state in sorted(every - allowed):
        async with await psycopg.AsyncConnection.connect(desk.postgres, autocommit=True) as connection:
            await connection.execute("UPDATE rules.revisions SET state = %s", (state,))
        assert await refused(take(desk)) == ["not-now"], state
        assert await states(desk) == [state]
    assert [action for _, action, _ in await actions(desk)] == ["submitted"]


@pytest.mark.parametrize("told_by", ["the service", "its own settings"])
async def test_where_a_second_person_is_required_nothing_enters_without_one(desk: Desk, told_by: str) -> None:
    policy = Policy(require_approval=True)
    if told_by == "the service":
        await tell_policy(desk.postgres, policy, desk.clock)
    else:
        desk = Desk(postgres=desk.postgres, bus=desk.bus, store=desk.store, clock=desk.clock, policy=policy)
    published = await publish_rule_set(desk, text(1), "saas.yaml", who="ana")
    assert (published.state, [each.code for each in published.waits_for]) == ("tested", ["approval-missing"])
    assert published.effective_from_ms is None
    assert await refused(activate(desk, "saas", 1, who="ben")) == ["approval-missing"]
    assert await log(desk) == []
    await approve(desk, "saas", 1, who="ben")
    again = await publish_rule_set(desk, text(1), "saas.yaml", who="ana")
    assert (again.state, again.revision, again.waits_for) == ("active", 1, [])


async def test_a_backtest_counts_for_this_text_against_what_is_active_now(desk: Desk) -> None:
    await publish(desk, 1)
    await tell_policy(desk.postgres, Policy(require_backtest=True, require_approval=True), desk.clock)
    both = await publish_rule_set(desk, text(2), "saas.yaml", who="ana")
    assert [each.code for each in both.waits_for] == ["backtest-missing", "approval-missing"]
    await tell_policy(desk.postgres, Policy(require_backtest=True), desk.clock)

    async def backtest(amount: int, against: int) -> None:
        found = Backtest(
            programme="saas",
            digest=digest_of(text(amount)),
            against_revision=against,
            finished_at=NOON,
            summary={},
            by="ana",
        )
        await record_backtest(desk.postgres, found)

    for amount, against in ((3, 1), (2, 7)):
        await backtest(amount, against)
        assert await publish(desk, 2) == "tested", "another text, or against another revision"
    await backtest(2, 1)
    assert await publish(desk, 2) == "active"


async def test_the_gate_tells_all_reasons_at_once_and_stores_nothing(desk: Desk) -> None:
    await tell_policy(desk.postgres, Policy(require_approval=True, require_backtest=True), desk.clock)
    position = await desk.store.position(1)
    decided = encode_decided(parse_time_ms("2026-03-01T00:00:00Z"))
    await desk.store.save(1, position, 5, {decided_key("saas"): decided})
    more = f"effective_from: 2026-02-01T00:00:00\n{FAILING}"
    assert await refused(publish(desk, 2, canary=CanaryAsked(share_ppm=5_000), more=more)) == [
        "rule-tests-failed",
        "reaches-back",
        "canary-without-base",
        "approval-missing",
    ]
    assert await states(desk) == []


async def test_a_draft_over_what_is_no_longer_active_is_stale(desk: Desk) -> None:
    await publish(desk, 1)
    await submit_draft(desk, text(2), "saas.yaml", who="ana")
    await run_checks(desk, "saas", 2, who="ana")
    await publish(desk, 3)
    assert await refused(approve(desk, "saas", 2, who="ben")) == ["stale-draft"]
    assert await refused(activate(desk, "saas", 2, who="ben")) == ["stale-draft"]
    assert await publish(desk, 2) == "active"
    assert await states(desk) == ["superseded", "tested", "superseded", "active"]


async def test_two_approvers_at_once_are_one_approval(desk: Desk) -> None:
    await submit_draft(desk, text(1), "saas.yaml", who="ana")
    await run_checks(desk, "saas", 1, who="ana")
    outcomes = await asyncio.gather(
        *(approve(desk, "saas", 1, who=who) for who in ("ben", "cleo")), return_exceptions=True
    )
    assert sorted(type(each).__name__ for each in outcomes) == ["PermanentError", "Revision"]
    assert [action for _, action, _ in await actions(desk)].count("approved") == 1


async def test_a_canary_is_widened_promoted_and_everything_is_in_the_log(desk: Desk) -> None:
    await publish(desk, 1)
    assert await publish(desk, 2, canary=CanaryAsked(share_ppm=50_000)) == "canary"
    assert await states(desk) == ["active", "canary"]
    assert await refused(publish(desk, 3)) == ["canary-running"]
    assert await publish(desk, 2, canary=CanaryAsked(share_ppm=500_000)) == "canary"
    assert (await promote(desk, "saas", who="ben")).state == "active"
    assert await states(desk) == ["superseded", "active"]
    assert await refused(promote(desk, "saas", who="ben")) == ["no-canary"]
    told = [(each.activation, each.revision, each.canary and each.canary.share_ppm) for each in await log(desk, 2)]
    assert told == [(1, 1, None), (2, 2, 50_000), (3, 2, 500_000), (4, 2, None)]
    assert [action for _, action, _ in await actions(desk)][-3:] == [
        "activated for some partners",
        "activated for some partners",
        "promoted",
    ]


async def test_a_withdrawn_canary_leaves_everybody_under_the_base(desk: Desk) -> None:
    await publish(desk, 1)
    await publish(desk, 2, canary=CanaryAsked(group="pilots"))
    assert (await withdraw(desk, "saas", 2, who="ben", note="too dear")).state == "withdrawn"
    assert await states(desk) == ["active", "withdrawn"]
    begun, ended = (await log(desk))[-2:]
    assert begun.canary is not None
    assert (begun.canary.base, begun.canary.group) == (1, "pilots")
    assert (ended.revision, ended.canary, ended.activation) == (1, None, 3)
    assert ended.effective_from_ms > begun.effective_from_ms
    assert await publish(desk, 2) == "active", "the text may come again, as a new revision"


async def test_a_rollback_is_a_new_revision_with_the_old_text_from_now_on(desk: Desk) -> None:
    """Also where the text says that it takes effect in decided time, and where approvals are required."""
    await publish(desk, 1, more="effective_from: 2016-01-01T00:00:00\n")
    await publish(desk, 2)
    await publish(desk, 3)
    decided = encode_decided(parse_time_ms("2026-11-22T12:00:00Z"))
    await desk.store.save(1, await desk.store.position(1), 5, {decided_key("saas"): decided})
    await tell_policy(desk.postgres, Policy(require_approval=True, require_backtest=True), desk.clock)
    back = await rollback(desk, "saas", who="ben", note="wrong percentages")
    assert (back.revision, back.state, back.restores_revision, back.source_text) == (4, "active", 2, text(2))
    assert (await rollback(desk, "saas", who="ben")).restores_revision == 1, "not what was rolled back"
    assert await refused(rollback(desk, "saas", who="ben")) == ["nothing-to-roll-back-to"]
    assert await refused(rollback(desk, "saas", who="ben", to=5)) == ["nothing-to-roll-back-to"]
    assert await refused(rollback(desk, "saas", who="ben", to=9)) == ["unknown-revision"]
    last = (await log(desk))[-1]
    assert (last.revision, last.source_text) == (5, text(1, "effective_from: 2016-01-01T00:00:00\n"))
    assert last.effective_from_ms > parse_time_ms("2026-11-22T12:00:00Z")
    assert await states(desk) == [*["superseded"] * 4, "active"]


async def test_a_rollback_ends_a_canary(desk: Desk) -> None:
    await publish(desk, 1)
    await publish(desk, 2)
    await publish(desk, 3, canary=CanaryAsked(share_ppm=1))
    await rollback(desk, "saas", who="ben")
    assert await states(desk) == ["superseded", "superseded", "superseded", "active"]


@pytest.mark.parametrize("step", ["a canary begins", "a canary is promoted", "a canary ends", "a rollback"])
async def test_what_a_crash_interrupts_is_finished_by_the_next_start(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """The process dies between the record and the broadcast: the bus refuses, as it does when it is gone."""
    await publish(desk, 1)
    await publish(desk, 2)
    if step != "a canary begins":
        await publish(desk, 3, canary=CanaryAsked(share_ppm=9))
    before = len(await log(desk))
    with monkeypatch.context() as patched:

        async def gone(*_: object) -> None:
            raise ConnectionError("gone")

        patched.setattr(type(desk.bus), "publish", gone)
        taken: dict[str, Callable[[], Awaitable[object]]] = {
            "a canary begins": lambda: publish(desk, 3, canary=CanaryAsked(share_ppm=9)),
            "a canary is promoted": lambda: promote(desk, "saas", who="ana"),
            "a canary ends": lambda: withdraw(desk, "saas", 3, who="ana"),
            "a rollback": lambda: rollback(desk, "saas", who="ana", to=1),
        }
        with pytest.raises(ConnectionError):
            await taken[step]()
    assert len(await log(desk)) == before
    assert len(await resume_publishing(desk.postgres, bus=desk.bus, clock=desk.clock)) == 1
    assert await resume_publishing(desk.postgres, bus=desk.bus, clock=desk.clock) == []
    assert len(await log(desk)) == before + 1
    assert (
        await states(desk)
        == {
            "a canary begins": ["superseded", "active", "canary"],
            "a canary is promoted": ["superseded", "superseded", "active"],
            "a canary ends": ["superseded", "active", "withdrawn"],
            "a rollback": ["superseded", "superseded", "superseded", "active"],
        }[step]
    )


async def test_a_row_of_the_audit_log_altered_by_a_superuser_is_found(desk: Desk) -> None:
    for amount in range(1, 4):
        await publish(desk, amount)
    assert await altered(desk.postgres) is None
    async with await psycopg.AsyncConnection.connect(desk.postgres, autocommit=True) as connection:
        await connection.execute("ALTER TABLE rules.audit DISABLE TRIGGER audit_append_only")
        for statement, number in (
            ("UPDATE rules.audit SET who = 'mallory' WHERE number = 5", 5),
            ("UPDATE rules.audit SET who = 'ana' WHERE number = 5", None),
            ("UPDATE rules.audit SET hash = sha256('x'), number = 99 WHERE number = 9", 99),
            ("DELETE FROM rules.audit WHERE number = 4", 5),
        ):
            await connection.execute(statement)
            assert await altered(desk.postgres) == number, statement


@pytest.mark.parametrize(
    ("who", "note", "code"),
    [(" ", "", "nobody"), ("a" * 201, "", "name-too-long"), ("a", "n" * 2_001, "note-too-long")],
)
async def test_nobody_acts_without_a_name(desk: Desk, who: str, note: str, code: str) -> None:
    assert await refused(submit_draft(desk, text(1), "saas.yaml", who=who, note=note)) == [code]

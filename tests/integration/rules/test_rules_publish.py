"""A rule set enters into force: stored, broadcast to every partition, resumed after a crash, never reaching back."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from contracts.errors import PermanentError
from contracts.events import Event, parse_time_ms
from contracts.topics import REFERRALS
from runtime.bus.port import Bus
from services.rules.language import RuleSetErrors
from services.rules.lifecycle import Desk, GateRefused, Published, list_revisions, publish_rule_set, resume_publishing
from services.rules.records.decode import decode_records
from services.rules.states.state import decided_key, encode_decided
from services.rules.store import StateStore
from tests.integration.rules.conftest import PARTITIONS
from tests.support.second_engine import IS_MISSING

NOW_MS = parse_time_ms("2026-11-22T12:00:00Z")
TEXT = """\
schema: goodword/v1
programme: saas
currency: USD
timezone: UTC
{effective}
rewards:
  - id: won
    on: deal.won
    give: {amount} USD
"""


class FixedClock:
    def now_ms(self) -> int:
        return NOW_MS


class Publisher:
    """`publish_rule_set` with the servers filled in."""

    def __init__(self, url: str, bus: Bus, store: StateStore) -> None:
        self.url, self.bus = url, bus
        self.desk = Desk(postgres=url, bus=bus, store=store, clock=FixedClock())

    async def __call__(self, amount: int = 50, effective: str = "", tests: str = "") -> Published:
        text = TEXT.format(amount=amount, effective=effective and f"effective_from: {effective}") + tests
        return await publish_rule_set(self.desk, text, "saas.yaml", who="ana", without_second_opinion=IS_MISSING)


@pytest.fixture
def publish(schema_url: str, bus: Bus, store: StateStore) -> Publisher:
    return Publisher(schema_url, bus, store)


async def activations(bus: Bus, partition: int) -> list[Event]:
    end = (await bus.end_offsets(REFERRALS.name))[partition]
    found: list[Event] = []
    async for records in bus.read(REFERRALS.name, partition, start=0, end=end, batch_records_max=100):
        decoded = decode_records(records)
        assert decoded.unreadable == []
        found += decoded.events
    return found


async def test_a_new_revision_reaches_every_partition_once(publish: Publisher, bus: Bus) -> None:
    published = await publish()
    assert (published.revision, published.is_new, published.effective_from_ms) == (1, True, NOW_MS)
    for partition in range(PARTITIONS):
        (event,) = await activations(bus, partition)
        assert (event.type, event.source, event.id) == ("ruleset.activated", "goodword/rules", "ruleset-saas-1")
        assert event.data.ruleset is not None
        assert event.data.ruleset.digest == published.digest
        assert event.data.ruleset.effective_from_ms == NOW_MS


async def test_the_active_text_again_changes_nothing(publish: Publisher, bus: Bus) -> None:
    first = await publish()
    again = await publish()
    assert again.is_new is False
    assert (again.revision, again.digest) == (first.revision, first.digest)
    assert len(await activations(bus, 0)) == 1


async def test_the_revision_before_is_superseded(publish: Publisher) -> None:
    await publish(50)
    await publish(60)
    third = await publish(50)
    assert third.revision == 3, "an old text again is a new revision: it takes effect from now"
    states = [(each.revision, each.state, each.author) for each in await list_revisions(publish.url, "saas")]
    assert states == [(1, "superseded", "ana"), (2, "superseded", "ana"), (3, "active", "ana")]
    assert await list_revisions(publish.url, "other") == []


async def test_a_file_with_errors_is_not_stored(publish: Publisher, bus: Bus) -> None:
    with pytest.raises(RuleSetErrors):
        await publish(effective="whenever")
    assert await list_revisions(publish.url) == []
    assert await activations(bus, 0) == []


async def test_a_file_whose_own_tests_do_not_pass_is_not_stored(publish: Publisher, bus: Bus) -> None:
    tests = "tests: [{name: a deal, events: [{type: deal.won}], expect: [won: 50 USD]}]"
    with pytest.raises(GateRefused):
        await publish(amount=51, tests=tests)
    assert await list_revisions(publish.url) == []
    assert await activations(bus, 0) == []
    assert (await publish(amount=50, tests=tests)).revision == 1


async def test_two_publishers_at_once_make_two_revisions_in_one_order(publish: Publisher, bus: Bus) -> None:
    await asyncio.gather(publish(50), publish(60))
    orders = {tuple(event.id for event in await activations(bus, partition)) for partition in range(PARTITIONS)}
    assert orders == {("ruleset-saas-1", "ruleset-saas-2")}


@pytest.mark.parametrize("how", ["the service starts", "somebody publishes again"])
async def test_what_a_crash_left_half_published_is_finished_when(publish: Publisher, bus: Bus, how: str) -> None:
    """A crash right after the row was stored: the row says `publishing`, the log knows nothing."""
    await publish(50)
    async with await psycopg.AsyncConnection.connect(publish.url, autocommit=True) as connection:
        await connection.execute(
            "INSERT INTO rules.revisions (programme, revision, digest, path, source_text, effective_from_at,"
            " published_at, author, state, submitted_at, base_revision)"
            " SELECT programme, 2, 'another', path, source_text || '# more', effective_from_at, published_at, author,"
            " 'publishing', submitted_at, 1 FROM rules.revisions"
        )
        await connection.execute(
            "INSERT INTO rules.activations (programme, activation, revision, kind, effective_from_at, activated_at,"
            " activated_by) SELECT programme, 2, 2, kind, effective_from_at, activated_at, activated_by"
            " FROM rules.activations"
        )
    if how == "the service starts":
        finished = await resume_publishing(publish.url, bus=bus, clock=FixedClock())
        assert [each.revision for each in finished] == [2]
        assert await resume_publishing(publish.url, bus=bus, clock=FixedClock()) == []
    else:
        assert (await publish(70)).revision == 3
    ids = [event.id for event in await activations(bus, 2)]
    assert ids[:2] == ["ruleset-saas-1", "ruleset-saas-2"]
    states = [each.state for each in await list_revisions(publish.url)]
    assert states[-1] == "active"
    assert set(states[:-1]) == {"superseded"}


async def test_a_revision_does_not_reach_back_over_decided_time(publish: Publisher, store: StateStore) -> None:
    decided_ms = parse_time_ms("2026-03-01T00:00:00Z")
    position = await store.position(1)
    await store.save(1, position, 5, {decided_key("saas"): encode_decided(decided_ms)})

    with pytest.raises(PermanentError, match=r"decided until 2026-03-01T00:00:00\.000Z") as refusal:
        await publish(effective="2026-03-01T00:00:00")
    assert refusal.value.problem.code == "reaches-back"
    assert await list_revisions(publish.url) == []

    assert (await publish(effective="2026-03-02T00:00:00")).revision == 1
    assert (await publish(60)).revision == 2, "without a time of its own it takes effect from now on"


async def test_the_first_revision_may_reach_back_over_undecided_history(publish: Publisher) -> None:
    published = await publish(effective="2016-01-01T00:00:00")
    assert published.effective_from_ms == parse_time_ms("2016-01-01T00:00:00Z")


async def test_a_file_that_no_record_can_hold_is_refused_before_it_is_stored(publish: Publisher) -> None:
    text = TEXT.format(amount=50, effective="") + "# " + '"' * 900_000  # JSON doubles each of these
    with pytest.raises(PermanentError) as refusal:
        await publish_rule_set(publish.desk, text, "f", who="ana", without_second_opinion=IS_MISSING)
    assert refusal.value.problem.code == "record-too-large"
    assert await list_revisions(publish.url) == []


UNITS = """\
schema: goodword/v1
programme: {programme}
currency: USD
timezone: UTC
units:
  CREDIT: {{decimals: {decimals}}}
rewards:
  - id: won
    on: deal.won
    give: {amount} CREDIT
"""


async def test_a_unit_has_one_scale_over_all_programmes_and_revisions(
    schema_url: str, bus: Bus, store: StateStore
) -> None:
    desk = Desk(postgres=schema_url, bus=bus, store=store, clock=FixedClock())

    async def publish(programme: str, decimals: int, amount: int = 5) -> Published:
        text = UNITS.format(programme=programme, decimals=decimals, amount=amount)
        return await publish_rule_set(desk, text, "credit.yaml", who="ana", without_second_opinion=IS_MISSING)

    await publish("saas", 2)
    for programme in ("retail", "saas"):
        with pytest.raises(PermanentError) as error:
            await publish(programme, 0)
        problem = error.value.problem
        assert (problem.code, problem.where) == ("unit-decimals-differ", "units.CREDIT.decimals")
        assert "saas, revision 1" in problem.message
    assert (await publish("retail", 2)).revision == 1
    assert (await publish("saas", 2, amount=6)).revision == 2
    assert [(one.programme, one.state) for one in await list_revisions(schema_url)] == [
        ("retail", "active"),
        ("saas", "superseded"),
        ("saas", "active"),
    ]

"""What bounds rewards, beyond the cases in tests/cases/rules: traces, what is remembered, and what that costs."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec
import pytest

from contracts.decisions import BudgetClaim, encode_decision
from contracts.events import Amount, Customer, Deal, Event, PartnerProfile
from contracts.ruleset import Duration
from services.rewards.decode import decode_heads
from services.rules.bounds.counters import (
    PERIODS_KEPT_MAX,
    USED_MAX,
    Counters,
    decode_counters,
    encode_counters,
    use,
    used,
)
from services.rules.clock.calendar import Zone, date_of, day_of_date, earlier, later, period_text
from services.rules.compile import CompiledRevision, compile_rule_set
from services.rules.deciding import considered
from services.rules.evaluate import evaluate
from services.rules.fold import Fold
from services.rules.language import read_rule_set
from services.rules.states.state import PartnerState, encode_partner, partner_key
from services.rules.terms.applying import TermsBook
from tests.support.rules import DAY_MS, PROGRAMME, START_MS, Store, activation, event, rates_published

HEAD = "schema: goodword/v1\nprogramme: saas\ncurrency: USD\ntimezone: America/New_York\n"
LIMITED = HEAD + (
    "rewards:\n  - id: paid\n    on: deal.won\n    give: {percent: 10, of: deal.amount}\n"
    "    limit: [3 per month, 100 USD per quarter]\n"
)


def _compiled(text: str) -> CompiledRevision:
    return compile_rule_set(read_rule_set(text, path="x.yaml"), revision=1)


def _won(id: str, minor: int, time_ms: int, currency: str = "USD", customer: str = "a") -> Event:
    deal = Deal(id=id, amount=Amount(minor, currency))
    return event("deal.won", id, time_ms, deal=deal, customer=Customer(id=customer))


def test_each_limit_has_a_trace_line_with_what_was_used() -> None:
    revision, state = _compiled(LIMITED), PartnerState(programme=PROGRAMME, partner="moses")
    lines = []
    for number in range(3):
        state, made = evaluate(state, _won(f"d{number}", 60_000, START_MS), revision)
        lines.append([(line.condition, line.saw, line.verdict) for line in made[0].trace])
    assert lines == [
        [
            ("limit 3 per month", "0 used in 2024-02", "met"),
            ("limit 100 USD per quarter", "0.00 USD used in 2024-Q1", "met"),
        ],
        [
            ("limit 3 per month", "1 used in 2024-02", "met"),
            ("limit 100 USD per quarter", "60.00 USD used in 2024-Q1", "not met"),
        ],
        [
            ("limit 3 per month", "2 used in 2024-02", "met"),
            ("limit 100 USD per quarter", "100.00 USD used in 2024-Q1", "not met"),
        ],
    ]


def test_the_trace_names_the_terms_and_what_they_changed() -> None:
    text = LIMITED + (
        "terms:\n  - {group: pilots, from: 2024-02-01, set: {paid.percent: 5}}\n"
        "  - {partner: moses, set: {paid.limit: none, paid.hold: 3 days}}\n"
    )
    state = PartnerState(programme=PROGRAMME, partner="moses")
    revision = _compiled(text)
    joined = event("partner.updated", "j", START_MS, profile=PartnerProfile(groups=["pilots"]))
    state, _ = evaluate(state, joined, revision)
    state, made = evaluate(state, _won("d", 60_000, START_MS), revision)
    assert [(line.condition, line.saw) for line in made[0].trace] == [
        ("terms for group pilots from 2024-02-01", "give"),
        ("terms for partner moses", "limit, hold"),
    ]


@pytest.mark.parametrize(
    ("rate", "minor", "paid"),
    [
        # 10 % of it; 100 USD are left, of which 92.59 EUR come to exactly that much at most.
        ("1.08", 1_000_00, 92_59),
        ("1.08", 500_00, 50_00),
        ("0.5", 3_000_00, 200_00),
        ("0.003", 100_000_000_00, 33_333_33),
    ],
)
def test_a_limit_in_another_currency_pays_the_most_that_fits(rate: str, minor: int, paid: int) -> None:
    text = LIMITED.replace("3 per month, ", "")
    store, fold = Store(), Fold(0)
    history = [activation(text), rates_published("2024-01-01", EUR_USD=rate), _won("d", minor, START_MS, "EUR")]
    decision = store.run(fold, history).decisions[0]
    assert (decision.amount_minor, decision.unit) == (paid, "EUR")
    assert decision.clamped_minor == minor // 10 - paid


def test_a_limit_sums_currencies_at_the_rates_of_their_days() -> None:
    text = LIMITED.replace("3 per month, ", "")
    store, fold = Store(), Fold(0)
    history = [
        activation(text),
        rates_published("2024-01-01", EUR_USD="2"),
        _won("a", 400_00, START_MS, "EUR"),
        _won("b", 400_00, START_MS, "USD"),
        _won("c", 400_00, START_MS, "JPY"),
    ]
    made = store.run(fold, history).decisions
    assert [(each.amount_minor, each.unit) for each in made] == [(4_000, "EUR"), (2_000, "USD"), (None, None)]


def test_what_a_limit_let_through_outlives_a_restart_and_another_number() -> None:
    store = Store()
    store.run(Fold(0), [activation(LIMITED), *[_won(f"d{n}", 1_000, START_MS) for n in range(3)]])
    changed = activation(LIMITED.replace("3 per month", "4 per month"), revision=2)
    made = store.run(Fold(0), [changed, *[_won(f"e{n}", 1_000, START_MS + 1) for n in range(2)]]).decisions
    assert [each.reason for each in made] == ["", "limit: 4 per month"]


def test_limits_per_customer_and_first_won_deals_outlive_a_restart() -> None:
    text = HEAD + "rewards:\n  - {id: paid, on: deal.won, give: 5 USD, limit: 2 per customer, for: 10 days}\n"
    store = Store()
    store.run(Fold(0), [activation(text), _won("a", 1, START_MS)])
    made = store.run(Fold(0), [_won("b", 1, START_MS + 9 * DAY_MS), _won("c", 1, START_MS + 9 * DAY_MS)]).decisions
    assert [each.reason for each in made] == ["", "limit: 2 per customer"]
    late = store.run(Fold(0), [_won("d", 1, START_MS + 10 * DAY_MS)]).decisions
    assert [each.reason for each in late] == ["for: 10 days: first won on 2024-02-28"]


def test_the_newest_periods_are_remembered_and_an_older_one_is_denied() -> None:
    text = HEAD + "rewards:\n  - {id: paid, on: deal.won, give: 5 USD, limit: 2 per month}\n"
    revision, state = _compiled(text), PartnerState(programme=PROGRAMME, partner="moses")
    months = [datetime(2000 + month // 12, month % 12 + 1, 5, 12, tzinfo=UTC) for month in range(PERIODS_KEPT_MAX + 1)]
    reasons = []
    for number, month in enumerate([*months, months[0], months[1]]):
        state, made = evaluate(state, _won(f"d{number}", 1, int(month.timestamp()) * 1000), revision)
        reasons.append(made[0].reason)
    assert reasons[:-2] == [""] * len(months)
    assert reasons[-2:] == ["limit: 2 per month: 2000-01 is too long ago to tell what was used", ""]
    (periods,) = state.counters.values()
    assert len(periods) == PERIODS_KEPT_MAX
    counters: Counters = {1: {10_000 + month: USED_MAX for month in range(PERIODS_KEPT_MAX)}}
    assert len(msgspec.msgpack.encode(encode_counters(counters))) <= 1_700


def test_counters_come_back_as_they_were_and_never_overflow() -> None:
    counters: Counters = {}
    use(counters, 7, 19_000, 5)
    use(counters, 7, 18_000, USED_MAX)
    use(counters, 7, 18_000, 1)
    use(counters, -3, 0, 1)
    packed = msgspec.msgpack.encode(encode_counters(counters))
    assert decode_counters(msgspec.msgpack.decode(packed)) == counters
    assert (used(counters, 7, 18_000), used(counters, 7, 1), used(counters, 1, 1)) == (USED_MAX, 0, 0)


def test_the_ledger_reads_what_bounds_a_decision() -> None:
    text = HEAD + (
        "units: {POINTS: {expires_after: 1 years}}\n"
        "rewards:\n  - {id: paid, on: deal.won, give: 7 POINTS, hold: 3 days, limit: 5 POINTS ever}\n"
        "budgets: [{id: all, amount: 90 POINTS, per: quarter, when_spent: deny}]\n"
    )
    store, fold = Store(), Fold(0)
    (decision,) = store.run(fold, [activation(text), _won("a", 1, START_MS)]).decisions
    (head,) = decode_heads([encode_decision(decision)]).decisions
    assert (head.amount_minor, head.budgets) == (5, (BudgetClaim("all", "2024-Q1", 90, "POINTS", "deny"),))
    assert head.available_at_ms == decision.available_at_ms == START_MS + 3 * DAY_MS + 5 * 3_600_000
    assert head.expires_at_ms == decision.expires_at_ms
    assert (head.expires_at_ms or 0) > head.available_at_ms


def test_a_rule_set_without_bounds_remembers_nothing_of_them() -> None:
    store = Store()
    text = HEAD + "rewards:\n  - {id: paid, on: deal.won, give: 5 USD}\n"
    store.run(Fold(0), [activation(text), _won("a", 1, START_MS)])
    assert not any(key.startswith(b"c:") for key in store.values)
    assert msgspec.msgpack.decode(store.values[partner_key(PROGRAMME, "moses")])[9] == []


def test_terms_are_looked_up_once_for_days_on_which_the_same_ones_apply() -> None:
    text = LIMITED + (
        "terms:\n  - {partner: moses, from: 2024-03-01, to: 2024-03-31, set: {paid: off}}\n"
        "  - {group: pilots, to: 2024-03-10, set: {paid.limit: none}}\n"
    )
    book = TermsBook(read_rule_set(text, path="x.yaml"), 1)
    state = PartnerState(programme=PROGRAMME, partner="moses", profile=PartnerProfile(groups=["pilots"]))
    found = [book.find(state, day_of_date(datetime(2024, month, day, tzinfo=UTC))) for month, day in _DAYS]
    spans = [(str(date_of(first)) if first > -(2**31) else "", places) for _, first, _, places in found]
    assert spans == [("", (0,)), ("2024-03-01", (0, 1)), ("2024-03-11", (1,)), ("2024-04-01", None)]
    assert [earlier_one[2] + 1 for earlier_one in found[:-1]] == [later_one[1] for later_one in found[1:]]
    assert book.find(PartnerState(programme=PROGRAMME, partner="other"), 0)[1:] == (-(2**31), 2**31 - 1, None)


_DAYS = ((2, 28), (3, 1), (3, 31), (4, 1))


@pytest.mark.parametrize("zone", ["America/Sao_Paulo", "Atlantic/Azores", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"])
def test_a_day_begins_at_its_first_instant(zone: str) -> None:
    local, name = Zone(zone), ZoneInfo(zone)
    for day in range(day_of_date(datetime(2017, 1, 1, tzinfo=UTC)), day_of_date(datetime(2020, 1, 1, tzinfo=UTC))):
        start_ms = local.start_ms(day)
        assert local.day_of(start_ms) == day
        assert local.day_of(start_ms - 1) == day - 1
        midnight = datetime.fromtimestamp(start_ms / 1000, name)
        assert (
            midnight.hour == 0 or midnight.utcoffset() != datetime.fromtimestamp(start_ms / 1000 - 1, name).utcoffset()
        )


def test_days_stay_within_the_calendar() -> None:
    last = day_of_date(datetime(9999, 12, 31, tzinfo=UTC))
    assert later(last, Duration(days=5)) == last
    assert later(last - 40, Duration(months=12)) == last
    assert earlier(0, Duration(days=1, months=1)) == -32
    assert Zone("UTC").start_ms(last + 1) > 0
    assert [period_text(per, 0) for per in ("month", "quarter", "year", "ever")] == ["1970-01", "1970-Q1", "1970", ""]


def _many(count: int) -> str:
    """Rewards that an index selects by product, bounded in every way."""
    rewards = [
        f"  - id: r{number}\n    on: deal.won\n    when: [deal.product == P{number % 3}]\n"
        f"    give: {{percent: {1 + number % 5}, of: deal.amount}}\n"
        + ("    limit: [3 per month, 40 USD per customer]\n" if number % 2 else "    for: 10 days\n")
        + ("    hold: 5 days\n" if number % 3 else "    to: customer\n")
        for number in range(count)
    ]
    return HEAD + "".join(
        (
            "rewards:\n",
            *rewards,
            "groups: {best: {rewards: [r0, r3, r6], pick: highest}, other: {rewards: [r1, r2], pick: highest}}\n",
            "terms:\n  - {group: pilots, from: 2024-03-05, set: {r1.percent: 40, r3: off, r4.limit: 1 ever}}\n",
            "  - {partner: moses, set: {r2.give: 9 USD, r5.hold: none}}\n",
            "budgets: [{id: all, amount: 1_000 USD, per: quarter, when_spent: deny}]\n",
        )
    )


def test_rewards_that_an_index_selects_are_bounded_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    text = _many(20)
    history = [event("partner.updated", "j", START_MS, profile=PartnerProfile(groups=["pilots"]))]
    for number in range(40):
        deal = Deal(id=f"d{number}", product=f"P{number % 3}", amount=Amount(10_000 + number * 777, "USD"))
        time_ms = START_MS + number * DAY_MS // 2
        history.append(event("deal.won", f"d{number}", time_ms, deal=deal, customer=Customer(id=f"c{number % 2}")))
    selected = _compiled(text)
    assert callable(selected.functions["deal.won"])
    monkeypatch.setattr(considered, "DENIALS_PER_EVENT_MAX", 100)
    all_judged = _compiled(text)
    states = [PartnerState(programme=PROGRAMME, partner="moses") for _ in range(2)]
    reasons = set()
    for each in history:
        _, some = evaluate(states[0], each, selected)
        _, made = evaluate(states[1], each, all_judged)
        considered_rules = {one.rule for one in some}
        assert some == [one for one in made if one.rule in considered_rules]
        assert {one.rule for one in made if one.granted} <= considered_rules
        reasons |= {one.reason.partition(":")[0] for one in some}
    assert len(some) < len(made)
    assert encode_partner(states[0]) == encode_partner(states[1])
    assert reasons == {"", "limit", "for", "group", "terms"}

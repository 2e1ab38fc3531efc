"""Random programmes and histories for tests of the rules: small worlds in which much happens more than once."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from contracts.decisions import Decision, encode_decision
from contracts.events import (
    Activity,
    Amount,
    Canary,
    Customer,
    Deal,
    Event,
    EventData,
    Lead,
    PartnerProfile,
    RatesPublished,
    RulesetActivated,
    Survey,
)
from services.rules.fold import Fold, FoldResult
from services.rules.language import RuleSetErrors, digest_of, read_rule_set
from tests.support.bounded_rules import bound

DAY_MS = 86_400_000
START_MS = 1_709_164_800_000  # 2024-02-29, a leap day
PROGRAMME = "saas"


class Store:
    """What the shell keeps in Redis, as a dict."""

    def __init__(self) -> None:
        self.values: dict[bytes, bytes] = {}

    def run(self, fold: Fold, events: Sequence[Event]) -> FoldResult:
        """One batch as the shell handles it: ask, load, fold, write."""
        self.bring(fold, events)
        result = fold.fold(events)
        self.write(fold)
        return result

    def bring(self, fold: Fold, events: Sequence[Event]) -> None:
        """Load what the events need."""
        missing = fold.missing_keys(events)
        while missing:
            missing = fold.load({key: self.values.get(key) for key in missing})

    def write(self, fold: Fold) -> None:
        for key, value in fold.take_dirty().items():
            if value is None:
                self.values.pop(key, None)
            else:
                self.values[key] = value


def activation(
    text: str,
    *,
    revision: int = 1,
    effective_from_ms: int = 0,
    programme: str = PROGRAMME,
    canary: Canary | None = None,
    number: int = 0,
) -> Event:
    return Event(
        type="ruleset.activated",
        source="goodword/rules",
        id=f"ruleset-{programme}-{number or revision}",
        time_ms=START_MS,
        data=EventData(
            programme=programme,
            ruleset=RulesetActivated(
                revision=revision,
                digest=digest_of(text),
                effective_from_ms=effective_from_ms,
                source_text=text,
                canary=canary,
                activation=number,
            ),
        ),
    )


def rates_published(day: str, id: str = "rates", **rates: str) -> Event:
    """The rates of a day: `rates_published("2026-03-01", EUR_USD="1.08")`."""
    pairs = {pair.replace("_", "/"): rate for pair, rate in rates.items()}
    data = EventData(programme=PROGRAMME, rates=RatesPublished(day, pairs))
    return Event("rates.published", "goodword/rules", id, START_MS, data)


def event(
    type: str, id: str, time_ms: int, *, partner: str | None = "moses", source: str = "crm", **data: Any
) -> Event:
    return Event(
        type=type, source=source, id=id, time_ms=time_ms, data=EventData(programme=PROGRAMME, partner=partner, **data)
    )


def day_closed(time_ms: int, *, programme: str = PROGRAMME) -> Event:
    return Event(
        type="clock.day_closed",
        source="goodword/rules",
        id=f"day-{programme}-{time_ms}",
        time_ms=time_ms,
        data=EventData(programme=programme),
    )


def bytes_of(decisions: Sequence[Decision]) -> list[bytes]:
    return [encode_decision(decision) for decision in decisions]


def random_history(seed: int, count: int, *, partners: int = 3, spread_days: int = 60) -> list[Event]:
    """Events of a few partners, not in order of time, with repeats and facts that happen twice."""
    draw = random.Random(seed)
    events: list[Event] = [
        event(
            "partner.registered",
            f"joined-{number}",
            START_MS,
            partner=f"p{number}",
            profile=PartnerProfile(status="active"),
        )
        for number in range(partners)
    ]
    for number in range(count):
        if draw.random() < 0.02:
            day = f"2024-0{draw.randint(2, 4)}-{draw.randint(10, 28)}"
            pair = draw.choice(("EUR_USD", "EUR_USD", "USD_EUR"))
            events.append(rates_published(day, f"rates-{number}", **{pair: draw.choice(("1.0842", "0.9", "3"))}))
            continue
        if events and draw.random() < 0.1:
            events.append(draw.choice(events))
            continue
        time_ms = START_MS + draw.randrange(spread_days * DAY_MS)
        events.append(_random_event(draw, f"e{number}", time_ms, f"p{draw.randrange(partners)}"))
    return events


def _random_event(draw: random.Random, id: str, time_ms: int, partner: str) -> Event:
    type = draw.choice(
        (
            "deal.won",
            "deal.won",
            "deal.won",
            "deal.renewed",
            "deal.refunded",
            "deal.opened",
            "deal.lost",
            "lead.registered",
            "lead.registered",
            "lead.qualified",
            "lead.disqualified",
            "survey.answered",
            "activity.recorded",
            "partner.updated",
            "partner.tier_assigned",
        )
    )
    data: dict[str, Any] = {}
    if draw.random() < 0.8:
        data["customer"] = Customer(
            id=f"c{draw.randrange(4)}",
            country=draw.choice(("US", "CA", "BR", None)),
            industry=draw.choice(("software", "retail", None)),
            employees=draw.choice((10, 500, 501, None)),
        )
    if type.startswith("deal."):
        amount = Amount(
            draw.choice((49_999, 50_000, 50_001, 100_050, 999_950)), draw.choice(("USD", "USD", "USD", "EUR"))
        )
        data["deal"] = Deal(id=f"d{draw.randrange(60)}", product=draw.choice(("Pro X", "Basic", None)), amount=amount)
        has_period = type == "deal.renewed" or (type == "deal.refunded" and draw.random() < 0.3)
        data["period"] = f"y{draw.randrange(3)}" if has_period else None
        data["lead"] = Lead(id=f"l{draw.randrange(30)}") if draw.random() < 0.4 else None
        data["refund_id"] = f"r{draw.randrange(3)}" if type == "deal.refunded" else None
    elif type.startswith("lead."):
        data["lead"] = Lead(id=f"l{draw.randrange(30)}", channel=draw.choice(("web", "fair", None)))
    elif type == "survey.answered":
        data["survey"] = Survey(kind=draw.choice(("nps", "csat")), score=draw.randrange(11))
    elif type == "activity.recorded":
        data["activity"] = Activity(kind=draw.choice(("training", "event")), quantity=draw.randrange(1, 5))
    elif type == "partner.tier_assigned":
        data["tier"] = draw.choice(("bronze", "silver", "plus", "plus", "gold"))
    else:
        groups = draw.choice((None, None, [], ["pilots"], ["old", "pilots"]))
        data["profile"] = PartnerProfile(status=draw.choice(("active", "active", "suspended")), groups=groups)
    if draw.random() < 0.3:
        data["share_ppm"] = draw.choice((333_333, 500_000, 1))
    if draw.random() < 0.5:
        data["attributes"] = {"office": draw.choice(("East", "West"))}
    if draw.random() < 0.2:
        data["member"] = "anna"
    return event(type, id, time_ms, partner=partner, **data)


_CONDITIONS = (
    "customer.country in [US, CA]",
    "customer.country not in [BR]",
    "customer.employees >= 500",
    "customer.industry == software",
    "customer.industry != retail",
    "customer.id exists",
    "customer.country missing",
    "attributes.office == East",
    "event.source == crm",
)
_PARTNER_CONDITIONS = ("partner.status == active", "partner.status != suspended", "partner.id in [p0, p1]")
_DEAL_CONDITIONS = (
    "deal.amount >= 500 USD",
    "deal.amount < 1_000.50 USD",
    "deal.amount in [500 USD, 1_000.50 EUR]",
    "deal.amount != 500 USD",
    "deal.product starts_with Pro",
    "deal.product contains a",
)
_METRIC_CONDITIONS = (
    "sold >= 1_000 USD",
    "sold > 900 EUR",
    "sold < 5_000 USD",
    "recent > 0 USD",
    "wins <= 3",
    "buyers >= 2",
    "bought == 0",
    "score >= 4.5",
    "trained in [1, 2, 3]",
    "qualified >= 1",
    "tier == bronze",
    "tier != gold",
)
_TIER_CONDITIONS = tuple(each for each in _METRIC_CONDITIONS if not each.startswith(("bought", "tier")))
_WINDOWS = ("", ", over: 7 days", ", over: 1 months", ", over: 2 months", ", over: this month", ", over: this quarter")


_REDRAWN = {"always-false", "duplicate-rule", "unreachable-rule", "unreachable-tier"}


def random_rule_set(seed: int) -> str:
    """The text of a rule set that uses most of the language; drafts that the checks refuse are drawn again."""
    draw = random.Random(seed)
    while True:
        text = _draft(draw)
        try:
            read_rule_set(text, path=f"seed-{seed}.yaml")
        except RuleSetErrors as errors:
            if not {each.code for each in errors.problems} <= _REDRAWN:
                raise
        else:
            return text


def _draft(draw: random.Random) -> str:
    def over() -> str:
        return draw.choice((*_WINDOWS, ", over: this year"))

    def when(pool: Sequence[str], indent: str, depth: int = 2) -> list[str]:
        lines = []
        for text in draw.sample(list(pool), draw.randint(1, 3)):
            kind = draw.random()
            if depth and kind < 0.15:
                lines.append(f"{indent}- not:")
                lines += when(pool, indent + "    ", depth - 1)
            elif depth and kind < 0.3:
                lines.append(f"{indent}- {draw.choice(('any', 'all'))}:")
                lines += when(pool, indent + "    ", depth - 1)
            else:
                lines.append(f"{indent}- {text}")
        return lines

    zone = draw.choice(("America/New_York", "UTC", "Asia/Kolkata", "Pacific/Auckland"))
    lines = [
        "schema: goodword/v1",
        f"programme: {PROGRAMME}",
        "currency: USD",
        f"timezone: {zone}",
        "units:",
        "  POINTS: {}",
    ]
    if draw.random() < 0.7:
        lines += ["eligible:", "  partner:", *when(_PARTNER_CONDITIONS, "    ")]
        if draw.random() < 0.5:
            lines += ["  customer:", *when(_CONDITIONS, "    ")]
    has_plus, review = draw.random() < 0.5, draw.choice(("never", "monthly", "monthly", "quarterly", "yearly"))
    has_lead, has_deal = draw.random() < 0.7, draw.random() < 0.6
    if has_lead or has_deal:
        lines.append("qualified:")
        lines += ["  lead:", *when(_CONDITIONS, "    ")] if has_lead else []
        lines += ["  deal:", *when((*_DEAL_CONDITIONS, *_CONDITIONS), "    ")] if has_deal else []
        lines += ["  crm: ignored"] if draw.random() < 0.3 else []
    lines += [
        "metrics:",
        f"  sold: {{sum: deal.amount, on: [deal.won, deal.renewed], minus: deal.refunded{over()}}}",
        f"  recent: {{sum: deal.amount, on: deal.won{over()}}}",
        f"  wins: {{count: [deal.won, deal.lost]{over()}}}",
        f"  buyers: {{distinct: customer.id, on: [deal.won, deal.opened]{over()}}}",
        f"  bought: {{count: deal.won, per: customer{over()}}}",
        f"  score: {{mean: survey.score, on: survey.answered{over()}}}",
        f"  trained: {{sum: activity.quantity, on: activity.recorded{over()}}}",
        f"  qualified: {{count: [lead.qualified, lead.registered]{over()}}}",
        "  total: {sum: deal.amount, on: [deal.won, deal.renewed], minus: deal.refunded}",
        "  deals: {count: [deal.won, deal.opened]}",
        "  mood: {mean: survey.score, on: survey.answered}",
        "tiers:",
        "  - id: bronze",
        "  - id: silver",
        "    when:",
        *when(_TIER_CONDITIONS, "      "),
        *(["  - {id: plus, by: choice, price: 9 USD per month}"] if has_plus else []),
        "  - id: gold",
        "    when:",
        *when((*_TIER_CONDITIONS, "tier == silver"), "      "),
        f"tier_review: {review}",
        "rewards:",
    ]
    for number in range(draw.randint(2, 6)):
        about_deals = draw.random() < 0.6
        types = (
            ["deal.won", "deal.renewed"]
            if about_deals
            else draw.choice(
                (["lead.qualified"], ["lead.registered", "lead.qualified"], ["survey.answered"], ["activity.recorded"])
            )
        )
        lines += [f"  - id: r{number}", f"    on: [{', '.join(types)}]"]
        lines += [f"    to: {draw.choice(('customer', 'member'))}"] if draw.random() < 0.3 else []
        pool = (*_CONDITIONS, *_METRIC_CONDITIONS, *(_DEAL_CONDITIONS if about_deals else ()))
        lines += ["    when:", *when(pool, "      ")] if draw.random() < 0.8 else []
        at_most = ", at_most: 40 USD" if draw.random() < 0.4 else ""
        if about_deals and draw.random() < 0.5:
            lines.append(f"    clawback: {draw.choice(('10 days', '1 months', '1 years'))}")
        if about_deals and draw.random() < 0.7:
            percent = draw.choice(
                (
                    "7.5",
                    f"{{by: tier, values: {{bronze: 5, silver: 7.5, gold: 10{', plus: 9' if has_plus else ''}}}}}",
                    "{by: deal.product, values: {Pro X: 0.0001}, otherwise: 3}",
                    "{by: [tier, deal.product], rows: [[gold, Pro X, 12], [any, Basic, 9]], otherwise: 5}",
                    "{by: deal.amount, from: {0 USD: 5, 500 USD: 7, 1_000.50 USD: 0.5}}",
                    "{by: deal.amount, from: {0 EUR: 5, 450 EUR: 7, 900 EUR: 3}, marginal: true}",
                    "{by: sold, from: {100 EUR: 5, 2_000 EUR: 7}, otherwise: 1}",
                )
            )
            lines.append(f"    give: {{percent: {percent}, of: deal.amount{at_most}}}")
        else:
            lines.append(f"    give: {draw.choice(('50 USD', '7 POINTS', '0.01 USD'))}")
    lines = [*bound(draw, lines), *_milestones(draw, lines)]
    if draw.random() < 0.5:
        silences = ("wins missing for 10 days", "total missing for 1 months", "score missing for 3 days")
        written = draw.sample(silences, draw.randint(1, 3))
        lines += ["inactivity:", *(f"  - {{id: s{number}, when: {when}}}" for number, when in enumerate(written))]
    return "\n".join(lines) + "\n"


def _milestones(draw: random.Random, lines: list[str]) -> list[str]:
    """Marks on the metrics without a window; raises of a reward that gives a percentage."""
    if draw.random() < 0.4:
        return []
    rewards = [line.split()[-1] for line in lines if line.startswith("  - id: r")]
    raised = [id for id in rewards if _gives_percentage(lines, id)]
    written = ["milestones:"]
    for number in range(draw.randint(1, 3)):
        metric, mark = draw.choice((("total", "2_000 USD"), ("total", "0.5 USD"), ("deals", "3"), ("mood", "5.5")))
        key = "at" if mark == "0.5 USD" else draw.choice(("at", "every"))
        gift = "give: 25 USD"
        if raised and draw.random() < 0.5:
            gift = f"raise: {{rule: {draw.choice(raised)}, by: 0.75}}"
        written.append(f"  - {{id: m{number}, metric: {metric}, {key}: {mark}, {gift}}}")
    return written


def _gives_percentage(lines: list[str], reward: str) -> bool:
    start = lines.index(f"  - id: {reward}")
    return next("percent:" in line for line in lines[start:] if line.startswith("    give:"))

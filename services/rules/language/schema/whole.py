"""The schema of a whole rule file, section by section."""

from __future__ import annotations

from typing import Final

from contracts.money import CURRENCY_DECIMALS, UNIT_DECIMALS_MAX
from services.rules.language.budgets import PERIODS, WHEN_SPENT
from services.rules.language.checks.wrong_schema import SCHEMA
from services.rules.language.event_types import TEST_EVENT_TYPES
from services.rules.language.groups import PICKS
from services.rules.language.metrics import KINDS
from services.rules.language.programme import LOCKS, REVIEWS
from services.rules.language.rewards import TO
from services.rules.language.schema.conditions import condition_definitions
from services.rules.language.schema.giving import giving_definitions
from services.rules.language.schema.values import (
    METRIC_NAME,
    Schema,
    list_of,
    mapping,
    one_of_words,
    one_or_list,
    path_or_name,
    ref,
    text,
    value_definitions,
)
from services.rules.language.tiers import REACHED_BY
from services.rules.language.values import known_timezones

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_REWARD_PART: Final = r"[A-Za-z0-9][A-Za-z0-9_-]*"


def rule_file_schema() -> Schema:
    """The whole schema, as plain values."""
    conditions = ref("conditions")
    sections: dict[str, Schema] = {
        "schema": {"const": SCHEMA, "description": "the version of the language", "default": SCHEMA},
        "programme": text("[A-Za-z0-9._~/@+-]{1,128}", "the programme's id, which events name"),
        "currency": one_of_words(sorted(CURRENCY_DECIMALS), "ISO 4217 code in which amounts are summed"),
        "timezone": one_of_words(sorted(known_timezones()), "IANA name; days and times of this file are local to it"),
        "effective_from": ref("time") | {"description": "from when events are decided by this file"},
        "lock_terms": one_of_words(LOCKS, "pins a referral to the rules in force when its lead was registered"),
        "units": _units(),
        "eligible": mapping(
            {"partner": conditions, "customer": conditions}, description="without these nothing is rewarded at all"
        ),
        "qualified": mapping(
            {
                "lead": conditions,
                "deal": conditions,
                "crm": {"const": "ignored", "description": "the CRM's own word about leads does not count"},
            },
            description="by what a lead qualifies, and what a deal must fulfil",
        ),
        "metrics": {
            "type": "object",
            "propertyNames": {"pattern": f"^{METRIC_NAME}$"},
            "additionalProperties": ref("metric"),
            "description": "numbers that a partner, or a customer of a partner, has",
        },
        "tiers": list_of(ref("tier"), "from the lowest to the highest; the first is where everyone starts"),
        "tier_review": one_of_words(REVIEWS, "when a tier can be lost"),
        "rewards": list_of(ref("reward"), "what is given, for which events"),
        "groups": {
            "type": "object",
            "additionalProperties": ref("group"),
            "description": "rewards of which one event gives only one",
        },
        "milestones": list_of(ref("milestone"), "what is given, or raised, once a metric crosses a mark"),
        "inactivity": list_of(ref("inactivity"), "what is told when a metric took nothing for a while"),
        "contests": list_of(ref("contest"), "partners ranked by a number between two days"),
        "budgets": list_of(ref("budget"), "ceilings for the whole programme"),
        "terms": list_of(ref("terms"), "what was negotiated with a partner, or holds for a group"),
        "tests": list_of(ref("test"), "tests that ship with the rules"),
    }
    return {
        "$schema": DIALECT,
        "title": "Goodword rule set",
        "description": "A rule file of Goodword; `goodword rules lint` checks what a schema cannot say.",
        **mapping(sections, ("schema", "programme", "currency", "timezone")),
        "$defs": value_definitions() | condition_definitions() | giving_definitions() | _parts(),
    }


def _units() -> Schema:
    unit = mapping(
        {
            "decimals": {"enum": [*range(UNIT_DECIMALS_MAX + 1), *map(str, range(UNIT_DECIMALS_MAX + 1))]},
            "expires_after": ref("duration"),
        }
    )
    return {"type": "object", "additionalProperties": unit, "description": "units of the programme's own"}


def _parts() -> dict[str, Schema]:
    name, amount, duration, day = ref("name"), ref("amount"), ref("duration"), ref("day")
    events = one_or_list(ref("eventType"), "event types")
    conditions = ref("conditions")
    limit = one_or_list(ref("limit"), "how often, or how much, one partner gets")
    counted: dict[str, Schema] = {
        "sum": path_or_name(("amount", "number"), metrics=False, description="the sum of it"),
        "count": events,
        "distinct": path_or_name(("text",), metrics=False, description="how many different ones"),
        "mean": path_or_name(("amount", "number"), metrics=False, description="the average of it"),
        "on": events,
        "minus": {"const": "deal.refunded", "description": "takes refunds off"},
    }
    kinds = {"oneOf": [{"required": [kind]} for kind in KINDS]}
    metric = counted | {"over": ref("window"), "per": {"const": "customer", "description": "one value a customer"}}
    mark = {"anyOf": [ref("number"), amount]}
    return {
        "metric": mapping(metric) | kinds,
        "tier": mapping(
            {
                "id": name,
                "when": conditions,
                "by": one_of_words(REACHED_BY, "reached by hand, or chosen by the partner"),
                "price": text(r"\S+ +\S+( +per +(month|quarter|year))?", "what it costs", ["500 USD per year"]),
            },
            ("id",),
        ),
        "reward": mapping(
            {
                "id": name,
                "on": events,
                "to": one_of_words(TO, "whom it goes to"),
                "when": conditions,
                "give": ref("give"),
                "at_most": amount | {"description": "a ceiling for one decision"},
                "limit": limit,
                "for": duration | {"description": "how long after the customer's first won deal"},
                "hold": duration | {"description": "how long before it can be paid out"},
                "clawback": duration | {"description": "how long a refund takes it back"},
            },
            ("id", "on", "give"),
        ),
        "group": mapping(
            {
                "rewards": list_of(name, "ids of rewards", at_least=2),
                "pick": one_of_words(PICKS, "which of them is given"),
            },
            ("rewards", "pick"),
        ),
        "milestone": mapping(
            {
                "id": name,
                "metric": ref("metricName"),
                "at": mark,
                "every": mark,
                "give": amount,
                "raise": mapping({"rule": name, "by": ref("percent")}, ("rule", "by"), "percentage points, for good"),
            },
            ("id", "metric"),
        )
        | {
            "allOf": [
                {"oneOf": [{"required": ["at"]}, {"required": ["every"]}]},
                {"oneOf": [{"required": ["give"]}, {"required": ["raise"]}]},
            ]
        },
        "inactivity": mapping({"id": name, "when": ref("silence")}, ("id", "when")),
        "contest": mapping(
            {
                "id": name,
                "metric": mapping(counted) | kinds,
                "from": day,
                "to": day,
                "prizes": one_or_list(amount, "from the first rank on"),
            },
            ("id", "metric", "from", "to", "prizes"),
        ),
        "budget": mapping(
            {
                "id": name,
                "amount": amount,
                "per": one_of_words(PERIODS, "the local period it is there for"),
                "covers": one_or_list(name, "ids of rules; without it all of its unit"),
                "when_spent": one_of_words(WHEN_SPENT, "what becomes of what is over it"),
            },
            ("id", "amount", "per", "when_spent"),
        ),
        "terms": _terms(limit),
        "test": _test(),
    }


def _terms(limit: Schema) -> Schema:
    def or_none(schema: Schema) -> Schema:
        return {"anyOf": [schema, {"const": "none"}]}

    overrides = {
        f"^{_REWARD_PART}$": {"const": "off"},
        f"^{_REWARD_PART}\\.give$": ref("give"),
        f"^{_REWARD_PART}\\.percent$": ref("percentOrLookup"),
        f"^{_REWARD_PART}\\.at_most$": or_none(ref("amount")),
        f"^{_REWARD_PART}\\.limit$": or_none(limit),
        f"^{_REWARD_PART}\\.(hold|for|clawback)$": or_none(ref("duration")),
    }
    return mapping(
        {
            "partner": {"type": "string", "description": "the id of a partner"},
            "group": {"type": "string", "description": "one of partner.groups"},
            "from": ref("day"),
            "to": ref("day"),
            "set": {"type": "object", "patternProperties": overrides, "additionalProperties": False},
        },
        ("set",),
    ) | {"oneOf": [{"required": ["partner"]}, {"required": ["group"]}]}


def _test() -> Schema:
    scalar = {"type": ["string", "number", "boolean", "array"]}
    facts = {"type": "object", "additionalProperties": scalar}
    expected = {
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": {"type": "string"},
        "description": "a rule and what it grants",
    }
    own = {
        "type": one_of_words(TEST_EVENT_TYPES, "the type of an event"),
        "contest": {"type": "string", "description": "of contest.closed: its id"},
        "rank": {"type": ["integer", "string"], "description": "of contest.closed: the partner's rank"},
    }
    event = facts | {"required": ["type"], "properties": own}
    return mapping(
        {
            "name": {"type": "string", "description": "what the test shows"},
            "given": facts | {"description": "tier, metrics, paths, rates (EUR/USD) before the first event"},
            "events": list_of(event, "what happens"),
            "expect": list_of(expected, "exactly what is granted"),
            "because": {"type": "string", "description": "a condition or reason among the denials"},
        },
        ("name", "events", "expect"),
    )

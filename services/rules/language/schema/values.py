"""Schemas of single values, and how schemas are put together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from services.rules.language.event_types import RULE_EVENT_TYPES
from services.rules.language.fields import NAME_LENGTH_MAX
from services.rules.language.paths import CATALOGUE, PathType

Schema = dict[str, Any]

_NUMBER: Final = r"[0-9]+(_[0-9]+)*(\.[0-9]+)?"
_UNIT: Final = r"[A-Z][A-Z0-9_]*(:[a-z0-9][a-z0-9-]*)?"
_DURATION: Final = r"[0-9]+ +(day|month|year)s?"
METRIC_NAME: Final = "[a-z][a-z0-9_]*"
_ATTRIBUTE: Final = r"attributes\.[^ ]+"


def ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def text(pattern: str, description: str, examples: Sequence[str] = ()) -> Schema:
    schema: Schema = {"type": "string", "pattern": f"^{pattern}$", "description": description}
    return schema | ({"examples": list(examples)} if examples else {})


def one_of_words(words: Sequence[str], description: str) -> Schema:
    return {"enum": list(words), "description": description}


def list_of(items: Schema, description: str, at_least: int = 0) -> Schema:
    schema: Schema = {"type": "array", "items": items, "description": description}
    return schema | ({"minItems": at_least} if at_least else {})


def one_or_list(items: Schema, description: str) -> Schema:
    """One of them, or a list of them."""
    return {"anyOf": [items, {"type": "array", "items": items, "minItems": 1}], "description": description}


def mapping(properties: dict[str, Schema], required: Sequence[str] = (), description: str = "") -> Schema:
    """A mapping with these keys and no others."""
    schema: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    if required:
        schema["required"] = list(required)
    return schema | ({"description": description} if description else {})


def paths_of(*types: PathType) -> list[str]:
    return [path.name for path in CATALOGUE.values() if path.type in types]


def path_or_name(types: tuple[PathType, ...], *, metrics: bool, description: str) -> Schema:
    """A path of the catalogue of one of these types, an attribute, or a metric of the file."""
    pattern = f"{_ATTRIBUTE}|{METRIC_NAME}" if metrics else _ATTRIBUTE
    names: list[Schema] = [{"const": name, "description": CATALOGUE[name].meaning} for name in paths_of(*types)]
    return {"anyOf": [*names, {"type": "string", "pattern": f"^({pattern})$"}], "description": description}


def value_definitions() -> dict[str, Schema]:
    """The `$defs` of single values."""
    return {
        "name": text(f"[A-Za-z0-9][A-Za-z0-9_-]{{0,{NAME_LENGTH_MAX - 1}}}", "a name: letters, digits, - and _"),
        "metricName": text(METRIC_NAME, "the name of a metric of this file"),
        "amount": text(f"-?{_NUMBER} +{_UNIT}", "an amount with its unit", ["500 USD", "1_000.50 USD", "10 POINTS"]),
        "percent": _number("a percentage, 0 to 100", ["5", "7.5"]) | {"minimum": 0, "maximum": 100},
        "number": _number("a number", ["500"]),
        "duration": text(_DURATION, "a duration", ["14 days", "12 months", "2 years"]),
        "window": text(
            f"({_DURATION}|this (month|quarter|year))", "days that are looked back on", ["12 months", "this quarter"]
        ),
        "day": text("[0-9]{4}-[0-9]{2}-[0-9]{2}", "a local day", ["2026-03-01"]),
        "time": text(
            "[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2})?)?",
            "a day or time, local to the timezone",
            ["2026-01-01T00:00:00"],
        ),
        "eventType": one_of_words(RULE_EVENT_TYPES, "the type of an event"),
        "limit": text(
            f"{_NUMBER}( +{_UNIT})? +(per +(month|quarter|year|customer)|ever)",
            "how often, or how much",
            ["20 per month", "3_000 USD per year", "1 per customer", "1 ever"],
        ),
        "silence": text(
            f"{METRIC_NAME} +missing +for +{_DURATION}", "a metric and a duration", ["wins missing for 90 days"]
        ),
    }


def _number(description: str, examples: Sequence[str]) -> Schema:
    schema = text(f"-?{_NUMBER}", description, examples)
    return schema | {"type": ["number", "string"]}

"""The schema of what is given: amounts, percentages, lookups."""

from __future__ import annotations

from services.rules.language.lookup_rows import BY_MAX
from services.rules.language.schema.values import Schema, list_of, mapping, path_or_name, paths_of, ref


def giving_definitions() -> dict[str, Schema]:
    """The `$defs` of what rewards give."""
    percent_of = {"percent": _or_lookup("percent"), "of": ref("basePath")}
    return {
        "basePath": {
            "anyOf": [{"const": path} for path in paths_of("amount")],
            "description": "what the percentage is taken of",
        },
        "give": {
            "anyOf": [
                ref("amount"),
                mapping(percent_of | {"at_most": ref("amount")}, ("percent", "of"), "a percentage of an amount"),
                *_lookups(
                    {"anyOf": [ref("amount"), mapping(percent_of, ("percent", "of"))]}, {"at_most": ref("amount")}
                ),
            ],
            "description": "what is given: an amount, a percentage of one, or a lookup of either",
        },
        "textPath": path_or_name(("text",), metrics=False, description="the text that decides, such as tier"),
        "numberPath": path_or_name(("amount", "number"), metrics=True, description="the number that decides"),
        "percentOrLookup": _or_lookup("percent"),
    }


def _or_lookup(value: str) -> Schema:
    return {"anyOf": [ref(value), *_lookups(ref(value), {})]}


def _lookups(given: Schema, also: dict[str, Schema]) -> list[Schema]:
    """The three kinds of lookup of such values."""
    by_text, by_number = ref("textPath"), ref("numberPath")
    otherwise: dict[str, Schema] = {"otherwise": given} | also
    by_texts: Schema = {"anyOf": [by_text, {"type": "array", "items": by_text, "minItems": 1, "maxItems": BY_MAX}]}
    row: Schema = {
        "type": "array",
        "minItems": 2,
        "maxItems": BY_MAX + 1,
        "description": "one value for each path, or any, and then what is given",
    }
    values: Schema = {"type": "object", "minProperties": 1, "additionalProperties": given}
    return [
        mapping(
            {"by": by_text, "values": values} | otherwise,
            ("by", "values"),
            "by one text",
        ),
        mapping(
            {"by": by_texts, "rows": list_of(row, "the first row that matches is taken")} | otherwise,
            ("by", "rows"),
            "by several texts",
        ),
        mapping(
            {
                "by": by_number,
                "from": values | {"description": "lower bounds, rising, and what is given from each on"},
                "marginal": {"enum": [True, False, "true", "false"], "description": "each slice at its own rate"},
            }
            | otherwise,
            ("by", "from"),
            "by a number, in brackets",
        ),
    ]

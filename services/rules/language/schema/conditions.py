"""The schema of conditions: every path with the operators that fit it, offered one by one."""

from __future__ import annotations

import re
from typing import Final

from services.rules.language.conditions import OPERATORS_OF
from services.rules.language.paths import CATALOGUE, PathType
from services.rules.language.schema.values import METRIC_NAME, Schema, ref

_BEGUN: Final[dict[PathType, str]] = {
    "text": "{path} == {value}",
    "texts": "{path} contains {value}",
    "number": "{path} >= 10",
    "amount": "{path} >= 500 USD",
    "time": "{path} >= 2026-01-01",
    "flag": "{path} == true",
    "attribute": "{path} == {value}",
}
"""Type of a path to the condition that an editor begins with."""


def condition_definitions() -> dict[str, Schema]:
    """The `$defs` of conditions; a list means all of them."""
    return {
        "conditions": {
            "anyOf": [ref("condition"), {"type": "array", "items": ref("conditions"), "minItems": 1}],
            "description": "a condition, or a list of which all must hold",
        },
        "condition": {"anyOf": [ref("comparison"), _group("all"), _group("any"), _group("not")]},
        "comparison": {
            "type": "string",
            "description": "path operator literal, such as deal.amount >= 500 USD",
            "anyOf": [*_comparisons(), _of_names()],
            "examples": [_begun(path.name, path.type) for path in CATALOGUE.values()],
            "defaultSnippets": [
                {
                    "label": path.name,
                    "description": path.meaning.replace("`", ""),
                    "body": _begun(path.name, path.type),
                }
                for path in CATALOGUE.values()
            ],
        },
    }


def _group(word: str) -> Schema:
    return {
        "type": "object",
        "properties": {word: ref("conditions")},
        "required": [word],
        "additionalProperties": False,
    }


def _comparisons() -> list[Schema]:
    """One pattern a type: the paths of that type, the operators that fit them."""
    found = []
    for type, operators in OPERATORS_OF.items():
        paths = [re.escape(path.name) for path in CATALOGUE.values() if path.type == type]
        names = paths if type != "attribute" else [r"attributes\.[^ ]+"]
        if names:
            found.append({"pattern": f"^\\s*({'|'.join(names)})\\s*{_operators(operators)}"})
    return found


def _of_names() -> Schema:
    """Metrics of the file, whose type only the reader knows."""
    return {"pattern": f"^\\s*{METRIC_NAME}\\s*{_operators(OPERATORS_OF['number'])}"}


def _operators(operators: tuple[str, ...]) -> str:
    with_literal = [each.replace(" ", "\\s+") for each in operators if each not in ("exists", "missing")]
    # The longer one first, so that `<=` is not taken for `<` and a broken literal.
    alternatives = "|".join(sorted(with_literal, key=len, reverse=True))
    return f"(({alternatives})\\s*\\S.*|(exists|missing)\\s*)$"


def _begun(path: str, type: PathType) -> str:
    value = {"event.type": "deal.won", "tier": "gold", "partner.status": "active"}.get(path, "US")
    if not path.endswith("country") and value == "US":
        value = "text"
    return _BEGUN[type].format(path=path, value=value)

"""Each case of tests/cases/events is sent alone, between good neighbours in an array, and as a line of NDJSON.

The verdict must be the same three times, and the neighbours must pass.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from services.tracking.envelope import Malformed, Shape, TooMany
from services.tracking.faults import Checked
from services.tracking.validate import check_body

NOW_MS = 1_767_225_600_000
"""2026-01-01T00:00:00Z."""
TABLE = yaml.safe_load((Path(__file__).parents[2] / "cases/events/at_the_door.yaml").read_text())
NEIGHBOUR = json.dumps(TABLE["base"] | {"id": "neighbour"})


def laid_over(base: Any, change: Any) -> Any:
    if not isinstance(base, dict) or not isinstance(change, dict):
        return change
    merged = base | {name: laid_over(base.get(name), value) for name, value in change.items()}
    return {name: value for name, value in merged.items() if name not in change or change[name] is not None}


def text_of(case: dict[str, Any]) -> str:
    if "raw" in case:
        return str(case["raw"])
    event = laid_over(copy.deepcopy(TABLE["base"]), case.get("set", {}))
    if "raw_attribute" in case:
        event["data"]["attributes"]["x"] = "@"
    return json.dumps(event, ensure_ascii=False).replace('"@"', str(case.get("raw_attribute")))


def checked(body: str, shape: Shape) -> Checked:
    return check_body(body.encode(), shape, now_ms=NOW_MS, future_ms_max=300_000, events_max=5_000)


@pytest.mark.parametrize("case", TABLE["cases"], ids=lambda case: case["note"])
@pytest.mark.parametrize("surroundings", ["alone", "array", "lines"])
def test_an_event_gets_its_clear_answer(case: dict[str, Any], surroundings: str) -> None:
    text = text_of(case)
    bodies = {
        "alone": (text, Shape.ONE_OR_MANY),
        "array": (f"[{NEIGHBOUR},{text},{NEIGHBOUR}]", Shape.MANY),
        "lines": (f"{NEIGHBOUR}\n\n{text}\r\n{NEIGHBOUR}\n", Shape.LINES),
    }
    body, shape = bodies[surroundings]
    index = 0 if surroundings == "alone" else 1
    found = checked(body, shape)
    neighbours = [candidate.index for candidate in found.candidates if candidate.index != index]
    assert neighbours == ([] if surroundings == "alone" else [0, 2])
    if case["want"] == "accepted":
        assert found.rejections == []
        candidate = next(candidate for candidate in found.candidates if candidate.index == index)
        data = msgspec.to_builtins(candidate.envelope.data)
        for name, value in case.get("data", {}).items():
            assert data[name] == value
        return
    [rejection] = found.rejections
    assert rejection.index == index
    if case["want"] != "any":
        assert rejection.code == case["want"]
    if "field" in case:
        assert rejection.field == case["field"]
    assert str(case.get("reason", "")) in rejection.reason
    assert rejection.reason[0].isprintable()
    if "raw" not in case and case.get("set", {}).get("id", "") == "":
        assert rejection.id == case.get("set", {}).get("id", "opp-1-won")


@pytest.mark.parametrize(
    ("body", "shape", "says"),
    [
        ("", Shape.ONE_OR_MANY, "empty"),
        ("  \n ", Shape.LINES, "empty"),
        ("[", Shape.ONE_OR_MANY, "ends too early"),
        ('[{"a":1},]', Shape.ONE_OR_MANY, "byte 9"),
        ('{"a":01}', Shape.ONE_OR_MANY, "byte"),
        ("nonsense", Shape.ONE_OR_MANY, "byte 1"),
        ("[" * 100_000, Shape.ONE_OR_MANY, "nested too deeply"),
        ("[]", Shape.ONE, "is one event, not an array"),
        ("{}", Shape.MANY, "is an array of events"),
        ("\ufeff{}", Shape.ONE_OR_MANY, "byte 0"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_body_that_is_no_json_is_refused_with_the_place(body: str, shape: Shape, says: str) -> None:
    with pytest.raises(Malformed) as caught:
        checked(body, shape)
    assert says in caught.value.problem.message


def test_a_malformed_line_is_rejected_and_the_others_go_on() -> None:
    found = checked(f"{NEIGHBOUR}\n{{broken\n{NEIGHBOUR}", Shape.LINES)
    assert [candidate.index for candidate in found.candidates] == [0, 2]
    assert [(r.index, r.code) for r in found.rejections] == [(1, "malformed-json")]


def test_two_events_on_one_line_are_not_taken_for_two_lines() -> None:
    found = checked(f"{NEIGHBOUR} {NEIGHBOUR}\n{NEIGHBOUR}", Shape.LINES)
    assert [candidate.index for candidate in found.candidates] == [1]
    assert [r.index for r in found.rejections] == [0]


@pytest.mark.parametrize(
    ("body", "shape"),
    [
        (f"[{','.join([NEIGHBOUR] * 5_001)}]", Shape.MANY),
        ("\n".join([NEIGHBOUR] * 5_001), Shape.LINES),
        (f"[{','.join(['1'] * 2_000_000)}]", Shape.ONE_OR_MANY),
        ("1\n" * 2_000_000, Shape.LINES),
    ],
    ids=["events", "lines", "two million numbers", "two million lines"],
)
def test_too_many_events_are_refused_however_small(body: str, shape: Shape) -> None:
    with pytest.raises(TooMany):
        checked(body, shape)

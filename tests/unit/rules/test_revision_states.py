"""The life of a revision as a table: what is possible in which state, and every other step refused by name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest

from contracts.errors import PermanentError
from runtime.people import is_same_person
from services.rules.lifecycle import Revision, shown_states
from services.rules.lifecycle.states import STATES, STEPS, State, Step, moved

#             draft       tested      approved    publishing  canary        active        superseded rejected withdrawn
LEGAL = """
pass its tests        tested      tested      approved    -           -             -             -          -        -
fail its tests        draft       draft       draft       -           -             -             -          -        -
approve               -           approved    -           -           -             -             -          -        -
reject                rejected    rejected    rejected    -           -             -             -          -        -
withdraw              withdrawn   withdrawn   withdrawn   -           -             -             -          -        -
activate              -           publishing  publishing  -           publishing    -             -          -        -
try on some partners  -           publishing  publishing  -           publishing    -             -          -        -
reach everybody       -           -           -           active      -             -             -          -        -
reach some partners   -           -           -           canary      -             -             -          -        -
end the canary        -           -           -           -           withdrawn     -             -          -        -
supersede             -           -           -           -           superseded    superseded    -          -        -
"""
TABLE = {
    (state, line[:22].strip()): to
    for line in LEGAL.strip().splitlines()
    for state, to in zip(STATES, line[22:].split(), strict=True)
}


def test_the_table_names_every_state_and_every_step() -> None:
    assert set(TABLE) == set(product(STATES, STEPS))


@pytest.mark.parametrize(("state", "step"), product(STATES, STEPS))
def test_a_step_leads_where_the_table_says_or_is_refused_by_name(state: State, step: Step) -> None:
    expected = TABLE[state, step]
    if expected != "-":
        assert moved("saas", 3, state, step) == expected
        return
    with pytest.raises(PermanentError, match=f"revision 3 of saas is {state}") as refusal:
        moved("saas", 3, state, step)
    problem = refusal.value.problem
    assert (problem.code, problem.where) == ("not-now", "saas/3")
    assert problem.help


NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SHOWN: dict[str, tuple[list[tuple[Any, int | None]], list[str]]] = {
    "what is in force": ([("superseded", -9), ("active", -1)], ["superseded", "active"]),
    "a later one is scheduled, and the one before is still in force": (
        [("superseded", -9), ("superseded", -5), ("active", 1)],
        ["superseded", "active", "scheduled"],
    ),
    "the first one is scheduled": ([("active", 1)], ["scheduled"]),
    "a scheduled one was replaced by another": (
        [("superseded", -9), ("superseded", 1), ("active", 2)],
        ["active", "superseded", "scheduled"],
    ),
    "drafts and ends are what they are": (
        [("active", -1), ("draft", None), ("rejected", None), ("withdrawn", None), ("canary", -1)],
        ["active", "draft", "rejected", "withdrawn", "canary"],
    ),
}


@pytest.mark.parametrize("case", SHOWN)
def test_a_list_tells(case: str) -> None:
    rows, expected = SHOWN[case]
    revisions = [
        Revision(
            programme="saas",
            revision=number,
            digest="d",
            path="saas.yaml",
            source_text="",
            author="ana",
            state=state,
            submitted_at=NOW,
            effective_from_at=None if days is None else NOW + timedelta(days=days),
        )
        for number, (state, days) in enumerate(rows, 1)
    ]
    shown = shown_states(revisions, int(NOW.timestamp() * 1000))
    assert [shown["saas", number] for number in range(1, len(rows) + 1)] == expected


@pytest.mark.parametrize(("other", "is_same"), [("ana", True), ("ANA ", True), ("anna", False), ("ben", False)])
def test_one_person_is_one_person_however_the_name_is_written(other: str, is_same: bool) -> None:
    assert is_same_person("Ana", other) is is_same

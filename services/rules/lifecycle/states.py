"""In which states a revision can be, and which step leads from which to which. Pure.

    draft → tested → approved → publishing → active → superseded
                              ↘ canary ↗
    rejected and withdrawn are ends.

`publishing` is recorded, but perhaps not in every partition of the log yet. An approval is a step of its own; whether a
publication needs one is the gate's business, so `tested` leads on as well.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final, Literal, get_args

from contracts.errors import PermanentError, Problem

State = Literal["draft", "tested", "approved", "publishing", "canary", "active", "superseded", "rejected", "withdrawn"]
Step = Literal[
    "pass its tests",
    "fail its tests",
    "approve",
    "reject",
    "withdraw",
    "activate",
    "try on some partners",
    "reach everybody",
    "reach some partners",
    "end the canary",
    "supersede",
]
STATES: Final[tuple[State, ...]] = get_args(State)
STEPS: Final[tuple[Step, ...]] = get_args(Step)
OPEN: Final[tuple[State, ...]] = ("draft", "tested", "approved")
"""Not yet in force, and may still be."""
EVER_ACTIVE: Final[tuple[State, ...]] = ("active", "superseded")

MOVES: Final = MappingProxyType[tuple[State, Step], State](
    {
        ("draft", "pass its tests"): "tested",
        ("tested", "pass its tests"): "tested",
        ("approved", "pass its tests"): "approved",
        ("draft", "fail its tests"): "draft",
        ("tested", "fail its tests"): "draft",
        ("approved", "fail its tests"): "draft",
        ("tested", "approve"): "approved",
        ("draft", "reject"): "rejected",
        ("tested", "reject"): "rejected",
        ("approved", "reject"): "rejected",
        ("draft", "withdraw"): "withdrawn",
        ("tested", "withdraw"): "withdrawn",
        ("approved", "withdraw"): "withdrawn",
        ("tested", "activate"): "publishing",
        ("approved", "activate"): "publishing",
        ("canary", "activate"): "publishing",
        ("tested", "try on some partners"): "publishing",
        ("approved", "try on some partners"): "publishing",
        ("canary", "try on some partners"): "publishing",
        ("publishing", "reach everybody"): "active",
        ("publishing", "reach some partners"): "canary",
        ("canary", "end the canary"): "withdrawn",
        ("active", "supersede"): "superseded",
        ("canary", "supersede"): "superseded",
    }
)

_HELP: Final[dict[State, str]] = {
    "draft": "it is to pass its tests first: `goodword rules publish` runs them",
    "tested": "it waits for an approval, or to be activated",
    "approved": "it is approved already; publish the same file to activate it, or withdraw it",
    "publishing": "it is on its way into the log; `goodword rules list` tells when it is active",
    "canary": "promote it, or withdraw it",
    "active": "it is in force; publish another revision, or roll back",
    "superseded": "`goodword rules rollback` brings its text back as a new revision",
    "rejected": "that is its end; publish a mended file",
    "withdrawn": "that is its end; publish the file again to make a new revision",
}


def moved(programme: str, revision: int, state: State, step: Step) -> State:
    """The state after the step. Raises PermanentError(`not-now`) when it is not possible in this state."""
    try:
        return MOVES[state, step]
    except KeyError:
        raise PermanentError(
            Problem(
                code="not-now",
                message=f"revision {revision} of {programme} is {state}, so it cannot {_said(step)} now",
                where=f"{programme}/{revision}",
                help=_HELP[state],
            )
        ) from None


def _said(step: Step) -> str:
    passive = {
        "approve": "be approved",
        "reject": "be rejected",
        "withdraw": "be withdrawn",
        "activate": "be activated",
    }
    return passive.get(step, "be superseded" if step == "supersede" else step)

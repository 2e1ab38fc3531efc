"""What one event means: `evaluate(state, event, revision) -> (state', decisions)`, the one implementation of the rules.

Pure: no clock, no randomness, no I/O; the same state, event and revision give the same decisions and the same bytes of
state. The tier used is the one before the event, and metrics are read before the event is counted. The live service,
tests of rules and back-tests call this function. The state is used up: it is changed in place and returned,
because copying it would cost more than deciding; purity shows in the bytes. What is decided, and in which order, is
written by `services.rules.generate`, one function per event type and revision.
"""

from __future__ import annotations

from collections.abc import Mapping

from contracts.decisions import Decision
from contracts.events import Event
from services.rules.compile import CompiledRevision
from services.rules.generate.event import WITHOUT_PROGRAMME, Decide
from services.rules.states.state import PartnerState


def evaluate(
    state: PartnerState, event: Event, revision: CompiledRevision | None
) -> tuple[PartnerState, list[Decision]]:
    """Decide one event of one partner.

    Args:
        state: The partner's, with the deal, lead, customer and seen day that the event touches. Not usable afterwards.
        event: With a partner; not a broadcast.
        revision: In force at the event's time; None before the first.

    Raises:
        PermanentError: Too late to tell whether the event was counted before; the state is as it was.
    """
    return state, functions_of(revision)[event.type](state, event)


def functions_of(revision: CompiledRevision | None) -> Mapping[str, Decide]:
    """Event type to what `evaluate` calls for it, for whoever has many events of one revision."""
    return WITHOUT_PROGRAMME if revision is None else revision.functions

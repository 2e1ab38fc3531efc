"""A unit has one scale over all programmes: a partner's account in `CREDIT` is the same whichever programme paid.

Pure. Asked when a rule set is published. Superseded revisions count as well, the programme's own too: what they granted
lies in the accounts at their scale.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from contracts.errors import PermanentError, Problem
from contracts.ruleset import RuleSet
from services.rules.language import RuleSetErrors, read_rule_set


class Earlier(Protocol):
    """A revision that was published, as `services.rules.lifecycle.Revision` is."""

    @property
    def programme(self) -> str: ...

    @property
    def revision(self) -> int: ...

    @property
    def path(self) -> str: ...

    @property
    def source_text(self) -> str: ...


def refuse_other_decimals(rule_set: RuleSet, earlier: Iterable[Earlier]) -> None:
    """Raises PermanentError(`unit-decimals-differ`) when a unit of the rule set has another scale elsewhere."""
    wanted = {unit.id: unit.decimals for unit in rule_set.units}
    if not wanted:
        return
    for revision in earlier:
        try:
            units = read_rule_set(revision.source_text, path=revision.path).units
        except RuleSetErrors:  # Published by a version whose language this one no longer reads.
            continue
        for unit in units:
            if wanted.get(unit.id, unit.decimals) != unit.decimals:
                raise PermanentError(
                    Problem(
                        code="unit-decimals-differ",
                        message=f"{unit.id} would have {wanted[unit.id]} decimals here, and has {unit.decimals} in "
                        f"{revision.programme}, revision {revision.revision}; accounts are shared by all programmes",
                        where=f"units.{unit.id}.decimals",
                        help=f"write decimals: {unit.decimals}, or give the unit another name",
                    )
                )
